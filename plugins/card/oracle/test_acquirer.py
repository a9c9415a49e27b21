"""The simulated acquirer, spoken to by a terminal of pyiso8583 and psec."""

import json
import os
import pathlib
import socket
import subprocess
import unittest

from psec import mac, pinblock

import wire

SCHEMES = os.environ.get("SAOMA_SCHEMES", pathlib.Path(__file__).parents[3] / "target/debug/saoma-schemes")
MASTER_KEY = bytes.fromhex("11223344556677889900AABBCCDDEEFF")
MASTER_KEY_AES = bytes.fromhex("00112233445566778899AABBCCDDEEFF")
CARD, PIN = "4012345678909", "1234"


class Terminal:
    def __init__(self, kind):
        self.kind = kind
        self.is_aes = kind == "aes-cmac"
        self.spec = wire.SPEC_ISO_4 if self.is_aes else wire.SPEC
        self.process = subprocess.Popen([SCHEMES, "acquirer", "--mac", kind], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        ready = json.loads(self.process.stdout.readline())
        host, port = ready["listening"].removeprefix("tcp://").split(":")
        self.address = (host, int(port))

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def tag(self, covered):
        if self.is_aes:
            return wire.aes_cmac(self.macs, covered)[:8]
        if self.kind == "retail":
            return mac.generate_retail_mac(self.macs[:8], self.macs[8:], covered, 1)
        return wire.unionpay_mac(self.macs, covered)

    def ask(self, kind, fields, tamper=None):
        fields = {"h": "6000060000603100311003", "t": kind, "41": "10000019", "42": "850100082410002", **fields}
        with_mac = kind in ("0200", "0220", "0400", "0500", "0320")
        if with_mac:
            fields["64"] = "00" * 8
        message = wire.encode(fields, self.spec)
        if with_mac:
            message = message[:-8] + self.tag(message[11:-8])
        if tamper:
            message = tamper(message)
        with socket.create_connection(self.address, timeout=5) as connection:
            connection.sendall(len(message).to_bytes(2, "big") + message)
            stream = connection.makefile("rb")
            answer = stream.read(int.from_bytes(stream.read(2), "big"))
        return answer, wire.decode(answer)

    def sign_on(self):
        _, answer = self.ask("0800", {"11": "000001", "60": "00000001003"})
        keys = bytes.fromhex(answer["62"])
        if self.is_aes:
            self.pins, self.macs = (wire.unaes(MASTER_KEY_AES, key) for key in (keys[:16], keys[20:36]))
            check = lambda key: wire.aes_cmac(key, bytes(16))[:4]
        else:
            self.pins = wire.untdes(MASTER_KEY, keys[:16])
            self.macs = wire.untdes(MASTER_KEY, keys[20:36] if self.kind == "retail" else keys[20:28])
            check = lambda key: wire.tdes(key, bytes(8))[:4]
        return answer["39"], check(self.pins) == keys[16:20], check(self.macs) == keys[36:]

    def sale(self, trace, pin=PIN, number=CARD):
        if self.is_aes:
            block, security = pinblock.encipher_pinblock_iso_4(self.pins, pin, CARD), "2400000000000000"
        else:
            block, security = wire.tdes(self.pins, pinblock.encode_pinblock_iso_0(pin, CARD)), "2600000000000000"
        return {
            "2": number, "3": "000000", "4": "000000001250", "11": trace, "14": "3012", "22": "011", "25": "00", "26": "12",
            "49": "156", "52": block.hex(), "53": security, "60": "22000001000600",
        }


class Acquirer(unittest.TestCase):
    def story(self, kind):
        terminal = Terminal(kind)
        self.addCleanup(terminal.close)
        self.assertEqual(terminal.sign_on(), ("00", True, True))
        message, sold = terminal.ask("0200", terminal.sale("000002"))
        self.assertEqual((sold["t"], sold["39"], sold["4"], sold["2"]), ("0210", "00", "000000001250", CARD))
        self.assertEqual(message[-8:], terminal.tag(message[11:-8]))
        # What others make of the same fields is what came.
        self.assertEqual(wire.encode(sold), message)
        for trace, fields, code in [
            ("000003", terminal.sale("000003", pin="4321"), "55"),
            ("000004", terminal.sale("000004", number="4012345678908"), "14"),
        ]:
            self.assertEqual(terminal.ask("0200", fields)[1]["39"], code, trace)
        # One digit of the amount, under the MAC of another.
        tampered = lambda message: message.replace(bytes.fromhex("000000001250"), bytes.fromhex("000000009250"))
        _, refused = terminal.ask("0200", terminal.sale("000005"), tampered)
        self.assertEqual((refused["39"], "64" in refused), ("A0", False))
        reversal = {key: value for key, value in terminal.sale("000002").items() if key not in ("26", "52", "53")}
        reversal["39"] = "98"
        for _ in range(2):
            self.assertEqual(terminal.ask("0400", reversal)[1]["39"], "00")
        self.assertEqual(terminal.ask("0400", {**reversal, "11": "000009"})[1]["39"], "25")

    def closes_a_batch(self, kind):
        terminal = Terminal(kind)
        self.addCleanup(terminal.close)
        terminal.sign_on()
        self.assertEqual(terminal.ask("0200", terminal.sale("000002"))[1]["39"], "00")
        totals = lambda minor: f"{minor:012}001" + "0" * 15 + "0" + "0" * 31
        settle = lambda trace, minor: {"11": trace, "48": totals(minor), "49": "156", "60": "00000001201", "63": "01 "}
        message, differs = terminal.ask("0500", settle("000003", 1251))
        self.assertEqual((differs["t"], differs["39"], differs["48"][30], differs["48"][61]), ("0510", "00", "2", "1"))
        self.assertEqual(message[-8:], terminal.tag(message[11:-8]))
        self.assertEqual(wire.encode(differs), message)
        row = "0100000002" + CARD.ljust(20, "0") + "000000001250"
        self.assertEqual(terminal.ask("0320", {"11": "000004", "48": row, "60": "00000001201"})[1]["39"], "00")
        _, end = terminal.ask("0320", {"11": "000005", "48": "0001", "60": "00000001207"})
        self.assertEqual((end["t"], end["39"]), ("0330", "00"))
        # The batch is over, and a tampered total has no MAC.
        self.assertEqual(terminal.ask("0500", settle("000006", 1250))[1]["39"], "77")
        tampered = lambda message: message.replace(bytes.fromhex("000000001250"), bytes.fromhex("000000009250"))
        _, refused = terminal.ask("0500", settle("000007", 1250), tampered)
        self.assertEqual((refused["39"], "64" in refused), ("A0", False))

    def test_batch_under_unionpay_ecb(self):
        self.closes_a_batch("unionpay-ecb")

    def test_batch_under_retail(self):
        self.closes_a_batch("retail")

    def test_unionpay_ecb(self):
        self.story("unionpay-ecb")

    def test_retail(self):
        self.story("retail")

    def test_aes_cmac_and_pins_of_format_4(self):
        self.story("aes-cmac")

    def test_batch_under_aes_cmac(self):
        self.closes_a_batch("aes-cmac")

    def test_a_format_4_block_is_of_its_card_and_key(self):
        terminal = Terminal("aes-cmac")
        self.addCleanup(terminal.close)
        terminal.sign_on()
        sale = terminal.sale("000002")
        for block in [
            pinblock.encipher_pinblock_iso_4(terminal.pins, PIN, "4012345678917"),
            pinblock.encipher_pinblock_iso_4(terminal.macs, PIN, CARD),
            bytes(16),
        ]:
            self.assertEqual(terminal.ask("0200", {**sale, "52": block.hex()})[1]["39"], "99")
            sale = terminal.sale(f"{int(sale['11']) + 1:06}")
        self.assertEqual(terminal.ask("0200", sale)[1]["39"], "00")

    def test_the_mac_is_that_of_a_terminal(self):
        """Sent by a terminal (https://q.cnblogs.com/q/128930)."""
        covered = bytes.fromhex(
            "02003020048000c08015000000000000001234000002030099303030303030303139353237313831383232313738373531353600"
            "192600000100060000000000435f01123238343431323334353637383930313233345f03063136303033365f0406323030383236"
            "5c023031")
        self.assertEqual(wire.unionpay_mac(bytes.fromhex("0723C80DB5F4CD3D"), covered), b"B3A092AE")


if __name__ == "__main__":
    unittest.main()
