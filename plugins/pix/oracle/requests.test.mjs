// What the channel sent in the conformance kit's cases, judged by openapi-backend against the API Pix: our own words for what of it is
// used (api-pix.yaml), and the Banco Central's document itself where SAOMA_API_PIX names a copy of it.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import test, { before } from "node:test";

import addFormats from "ajv-formats";
import { OpenAPIBackend } from "openapi-backend";

const file = process.env.SAOMA_HEARD ?? new URL("../../../target/heard/pix.jsonl", import.meta.url).pathname;
const skip = !process.env.SAOMA_HEARD && !existsSync(file) && "the conformance kit has not run: cargo xtask test --only channels";
const documents = [new URL("api-pix.yaml", import.meta.url).pathname, process.env.SAOMA_API_PIX].filter(Boolean);
const TOKEN = "/oauth/token";
let heard = [];
let apis;

before(async () => {
  apis = await Promise.all(documents.map(validator));
  if (!skip) {
    heard = readFileSync(file, "utf8").split("\n").filter(Boolean).map((line) => JSON.parse(line)).map(request);
  }
});

async function validator(file) {
  const definition = await new OpenAPIBackend({ definition: file }).loadDocument();
  // The validator knows operations by their ids, and the Banco Central gives none.
  for (const [path, operations] of Object.entries(definition.paths)) {
    for (const method of ["get", "put", "patch", "post", "delete"].filter((method) => operations[method])) {
      operations[method].operationId ??= `${method} ${path}`;
    }
  }
  const customizeAjv = (ajv) => addFormats.default(ajv);
  return new OpenAPIBackend({ definition, apiRoot: "/v2", ajvOpts: { strict: false }, customizeAjv }).init();
}

function request({ method, path, headers, body_base64 }) {
  const [route, query = ""] = path.split("?");
  const text = Buffer.from(body_base64, "base64").toString("utf8");
  return { method, path: route, query, headers: Object.fromEntries(headers), body: text };
}

/** What the validator has against it; null if nothing. */
function faults(api, request) {
  const operation = api.matchOperation(request);
  if (!operation) {
    return [`no such call: ${request.method} ${request.path}`];
  }
  return api.validateRequest({ ...request, body: request.body || undefined }, operation).errors;
}

test("each request is one of the API's, to the letter", { skip }, () => {
  const calls = heard.filter(({ path }) => path !== TOKEN);
  for (const call of calls) {
    for (const api of apis) {
      assert.equal(faults(api, call), null, JSON.stringify([call, faults(api, call)]));
    }
    assert.match(call.headers.authorization, /^Bearer [\w.~+/=-]+$/);
    assert.equal(call.headers["content-type"], call.body ? "application/json" : undefined);
  }
  const made = new Set(calls.map((call) => apis[0].matchOperation(call).operationId));
  assert.deepEqual([...made].sort(), ["announce", "charge", "giveBack", "givenBack", "received", "register", "remove"]);
});

test("a token is asked for as RFC 6749 has it, with the permissions of the calls and no other", { skip }, () => {
  const tokens = heard.filter(({ path }) => path === TOKEN);
  assert.ok(tokens.length > 0);
  const needed = new Set(apis[0].getOperations().flatMap(({ security }) => security.flatMap(({ oauth }) => oauth)));
  for (const { method, headers, body } of tokens) {
    const form = new URLSearchParams(body);
    assert.deepEqual([method, headers["content-type"]], ["POST", "application/x-www-form-urlencoded"]);
    assert.match(headers.authorization, /^Basic [A-Za-z0-9+/]+=*$/);
    assert.deepEqual([...form.keys()], ["grant_type", "scope"]);
    assert.equal(form.get("grant_type"), "client_credentials");
    assert.deepEqual(form.get("scope").split(" ").sort(), [...needed].sort());
  }
});

test("what the API does not take is refused", () => {
  const txid = "payXaaaaaaaaaaaaaaaaaaaaaaaaaa";
  const charge = { calendario: { expiracao: 60 }, valor: { original: "12.50" }, chave: "a@b.com" };
  const put = (path, body) => ({ method: "PUT", path: `/v2${path}`, query: "", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  const get = (path, query) => ({ method: "GET", path: `/v2${path}`, query, headers: {}, body: "" });
  const from = "inicio=2026-11-27T00:00:00.000Z";
  assert.equal(faults(apis[0], put(`/cob/${txid}`, charge)), null);
  assert.equal(faults(apis[0], get("/pix", `${from}&fim=2026-11-28T00:00:00.000Z`)), null);
  for (const spoilt of [
    put(`/cob/${txid.slice(5)}`, charge),
    put(`/cob/pay_${txid.slice(4)}`, charge),
    put(`/cob/${txid}`, { ...charge, valor: { original: "12.5" } }),
    put(`/cob/${txid}`, { ...charge, valor: { original: 12.5 } }),
    put(`/cob/${txid}`, { ...charge, valor: { original: "12345678901.00" } }),
    put(`/cob/${txid}`, { ...charge, calendario: { expiracao: "60" } }),
    put(`/cob/${txid}`, { ...charge, calendario: { expiracao: 2 ** 31 } }),
    put(`/cob/${txid}`, { ...charge, solicitacaoPagador: "é".repeat(141) }),
    put(`/cob/${txid}`, { ...charge, solicitacao: "x" }),
    put(`/cob/${txid}`, { ...charge, chave: undefined }),
    { ...put(`/cob/${txid}`, charge), body: "" },
    { ...put(`/cob/${txid}`, charge), method: "POST" },
    { ...put(`/cob/${txid}`, { status: "REMOVIDA" }), method: "PATCH" },
    put(`/pix/E1234567820200909122/devolucao/${txid}`, { valor: "1.00" }),
    put(`/pix/E12345678202009091221kkkkkkkkkkk/devolucao/rfd_${txid.slice(4)}`, { valor: "1.00" }),
    put(`/webhook/a%40b.com`, { webhookUrl: "not an address" }),
    get("/pix", from),
    get("/pix", `${from}&fim=28.11.2026`),
    get("/pix", `${from}&fim=2026-11-28T00:00:00.000Z&paginacao.itensPorPagina=1001`),
    get("/pix", `${from}&fim=2026-11-28T00:00:00.000Z&pagina=1`),
  ]) {
    assert.notEqual(faults(apis[0], spoilt), null, JSON.stringify(spoilt));
  }
});
