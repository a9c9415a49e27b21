"""What the channel sent in the conformance kit's cases, read as LND reads it.

LND's REST door makes the messages of its gRPC service of a request's JSON, path and query. Here protoc compiles those messages from
LND's own files (npm has them in @lightningpolar/lnd-api), and protobuf's reader of JSON refuses what they do not have. Where SAOMA_LND
names a copy of LND's sources, its Swagger documents are asked for the paths and parameters too.
"""

import base64
import json
import os
import pathlib
import re
import sys
import tempfile
import unittest
import urllib.parse

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from grpc_tools import protoc

HERE = pathlib.Path(__file__).parent
PROTOS = HERE / "node_modules/@lightningpolar/lnd-api/protos"
HEARD = pathlib.Path(os.environ.get("SAOMA_HEARD", HERE.parents[2] / "target/heard/lightning.jsonl"))
TICKER = re.compile(r"/api/v2/ticker/btc[a-z]{3}/")
# Which message a path is (lnrpc/lightning.yaml, lnrpc/invoicesrpc/invoices.yaml), and what of it stands in the path.
CALLS = {
    ("POST", r"/v1/invoices"): "lnrpc.Invoice",
    ("GET", r"/v1/invoices"): "lnrpc.ListInvoiceRequest",
    ("GET", r"/v1/invoice/(?P<r_hash_str>[^/]+)"): "lnrpc.PaymentHash",
    ("POST", r"/v2/invoices/cancel"): "invoicesrpc.CancelInvoiceMsg",
}


def messages():
    with tempfile.TemporaryDirectory() as folder:
        compiled = pathlib.Path(folder) / "lnd"
        asked = ["protoc", f"-I{PROTOS}", f"--descriptor_set_out={compiled}", "--include_imports"]
        if protoc.main([*asked, "lightning.proto", "invoicesrpc/invoices.proto"]):
            sys.exit("LND's messages cannot be compiled")
        files = descriptor_pb2.FileDescriptorSet.FromString(compiled.read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    return lambda name: message_factory.GetMessageClass(pool.FindMessageTypeByName(name))


LND = messages()


def call(method, path):
    for (wanted, pattern), name in CALLS.items():
        found = re.fullmatch(pattern, path)
        if wanted == method and found:
            return pattern, name, found.groupdict()
    raise LookupError(f"no such call: {method} {path}")


def read(method, path, query, body):
    """The message that LND makes of a request: body, or path and query by the names of fields."""
    _, name, said = call(method, path)
    kind = LND(name)
    if method == "POST":
        return json_format.Parse(body, kind())
    for key, value in urllib.parse.parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query)):
        field = kind.DESCRIPTOR.fields_by_name[key]
        said[key] = {"true": True, "false": False}[value] if field.type == field.TYPE_BOOL else value
    return json_format.ParseDict(said, kind())


def heard():
    for line in HEARD.read_text().splitlines():
        one = json.loads(line)
        path, _, query = one["path"].partition("?")
        if not TICKER.fullmatch(path):
            yield one["method"], path, query, base64.b64decode(one["body_base64"]).decode(), dict(one["headers"])


@unittest.skipUnless("SAOMA_HEARD" in os.environ or HEARD.exists(),
                     "the conformance kit has not run: cargo xtask test --only channels")
class Heard(unittest.TestCase):
    def test_each_request_is_a_message_of_lnds(self):
        made = set()
        for method, path, query, body, headers in heard():
            with self.subTest(f"{method} {path}?{query} {body}"):
                message = read(method, path, query, body)
                made.add(message.DESCRIPTOR.full_name)
                # Of one case of the kit a stranger's, which is no hex.
                self.assertTrue(headers["grpc-metadata-macaroon"])
                self.assertEqual(headers.get("content-type"), "application/json" if body else None)
                # Each as the wire takes it: whole bytes, and nothing that would be another's.
                match message.DESCRIPTOR.name:
                    case "Invoice":
                        self.assertEqual(len(message.r_preimage), 32)
                        self.assertGreater(message.value_msat, 0)
                        self.assertTrue(0 < message.expiry <= 86_400 and message.value == 0)
                        # A field of BOLT 11 has at most 1,023 groups of five bits.
                        self.assertLessEqual(len(message.memo.encode()), 639)
                    case "PaymentHash":
                        self.assertEqual(len(bytes.fromhex(message.r_hash_str)), 32)
                    case "CancelInvoiceMsg":
                        self.assertEqual(len(message.payment_hash), 32)
                    case "ListInvoiceRequest":
                        self.assertTrue(0 < message.num_max_invoices <= 500)
                        self.assertLessEqual(message.creation_date_start, message.creation_date_end)
        self.assertEqual(made, set(CALLS.values()))

    @unittest.skipUnless("SAOMA_LND" in os.environ, "SAOMA_LND names no copy of LND's sources")
    def test_each_path_and_parameter_is_in_lnds_documents(self):
        documents = ("lnrpc/lightning.swagger.json", "lnrpc/invoicesrpc/invoices.swagger.json")
        sources = pathlib.Path(os.environ["SAOMA_LND"])
        paths = {}
        for document in documents:
            paths.update(json.loads((sources / document).read_text())["paths"])
        for method, path, query, body, _ in heard():
            pattern, _, _ = call(method, path)
            template = re.sub(r"\(\?P<(\w+)>[^)]*\)", r"{\1}", pattern)
            known = {(one["in"], one["name"]) for one in paths[template][method.lower()]["parameters"]}
            used = {("query", key) for key, _ in urllib.parse.parse_qsl(query)} | ({("body", "body")} if body else set())
            self.assertLessEqual(used, known, (method, path, query))


class Refused(unittest.TestCase):
    def test_what_lnd_does_not_take_is_refused(self):
        invoice = {"memo": "x", "r_preimage": "AQ==", "value_msat": "1000", "expiry": "60"}
        self.assertEqual(read("POST", "/v1/invoices", "", json.dumps(invoice)).value_msat, 1000)
        for field, value in [("value_msat", "1.5"), ("value_msat", "x"), ("r_preimage", "A"), ("memo", 1),
                             ("expiry", "9223372036854775808"), ("private", "yes"), ("value_sat", "1")]:
            with self.subTest(field), self.assertRaises(json_format.ParseError):
                read("POST", "/v1/invoices", "", json.dumps({**invoice, field: value}))
        with self.assertRaises(KeyError):
            read("GET", "/v1/invoices", "creation_date=1", "")
        with self.assertRaises(json_format.ParseError):
            read("GET", "/v1/invoices", "index_offset=-1", "")
        for method, path in [("PUT", "/v1/invoices"), ("POST", "/v1/invoice/00"), ("POST", "/v2/invoices/settle")]:
            with self.assertRaises(LookupError):
                read(method, path, "", "{}")


if __name__ == "__main__":
    unittest.main()
