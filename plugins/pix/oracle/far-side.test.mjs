// The simulated bank, spoken to by the SDK that a real one (Efí) publishes for its API Pix.
//
// Two things of the SDK are bent: where its connections lead, and how it asks for a token (Efí takes JSON; RFC 6749 has a form).

import assert from "node:assert/strict";
import https from "node:https";
import test, { after, before } from "node:test";

import axios from "axios";
import pixUtils from "pix-utils";
import EfiPay from "sdk-node-apis-efi";

import { open, play } from "./stage.mjs";

const txid = "payXaaaaaaaaaaaaaaaaaaaaaaaaaa";
const number = "pay_aaaaaaaaaaaaaaaaaaaaaaaaaa";
let bank;
let sdk;

before(async () => {
  bank = await open();
  const { port } = new URL(bank.base);
  const connect = https.Agent.prototype.createConnection;
  https.Agent.prototype.createConnection = function (options, done) {
    const there = { host: "127.0.0.1", port, servername: "localhost", ca: bank.secrets["psp-certificates"] };
    return connect.call(this, { ...options, ...there }, done);
  };
  axios.interceptors.request.use((request) => {
    request.data = new URLSearchParams(request.data);
    request.headers.set("Content-Type", "application/x-www-form-urlencoded");
    return request;
  });
  const pem = Buffer.from(bank.secrets["client-certificate"]).toString("base64");
  sdk = new EfiPay({
    sandbox: true,
    client_id: bank.settings.client_id,
    client_secret: bank.secrets["client-secret"],
    certificate: pem,
    pemKey: pem,
    cert_base64: true,
  });
});

after(() => bank.stop());

const charge = (original) => ({
  calendario: { expiracao: 600 },
  valor: { original },
  chave: bank.settings.pix_key,
  solicitacaoPagador: "Pão de queijo",
});

test("a charge is announced, paid, given back and listed", async () => {
  const cob = await sdk.pixCreateCharge({ txid }, charge("12.50"));
  assert.deepEqual([cob.txid, cob.status, cob.valor.original, cob.revisao], [txid, "ATIVA", "12.50", 0]);
  const pix = pixUtils.parsePix(cob.pixCopiaECola);
  assert.equal(pixUtils.hasError(pix), false);
  assert.equal(pix.url, cob.location);

  assert.equal((await play(bank, "POST", `/orders/${number}/pay`)).status, 204);
  const paid = await sdk.pixDetailCharge({ txid });
  assert.equal(paid.status, "CONCLUIDA");
  const [{ endToEndId: e2eId, valor }] = paid.pix;
  assert.match(e2eId, /^E[0-9]{20}[a-z0-9]{11}$/);
  assert.equal(valor, "12.50");

  const id = "rfdXaaaaaaaaaaaaaaaaaaaaaaaaaa";
  const back = await sdk.pixDevolution({ e2eId, id }, { valor: "2.00" });
  assert.deepEqual([back.id, back.valor, back.status], [id, "2.00", "DEVOLVIDO"]);
  assert.deepEqual(await sdk.pixDetailDevolution({ e2eId, id }), back);

  const list = await sdk.pixReceivedList({ inicio: "2020-01-01T00:00:00Z", fim: "2098-01-01T00:00:00Z" });
  assert.deepEqual(list.pix.map((pix) => [pix.txid, pix.devolucoes.length]), [[txid, 1]]);
});

test("what the scheme forbids is refused in its words", async () => {
  const kind = (name) => (problem) => problem.type === `https://pix.bcb.gov.br/api/v2/error/${name}`;
  await assert.rejects(sdk.pixCreateCharge({ txid: "short" }, charge("1.00")), kind("CobOperacaoInvalida"));
  await assert.rejects(sdk.pixDetailCharge({ txid: "x".repeat(26) }), kind("CobNaoEncontrado"));
  await assert.rejects(sdk.pixUpdateCharge({ txid }, { status: "REMOVIDA_PELO_USUARIO_RECEBEDOR" }), kind("CobOperacaoInvalida"));
  await assert.rejects(sdk.pixConfigWebhook({ chave: "other" }, { webhookUrl: "https://x.example" }), kind("WebhookOperacaoInvalida"));
});
