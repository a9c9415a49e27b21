"""What the channel sends (the snapshots of its tests), read by pyiso8583."""

import pathlib
import unittest

import iso8583

import wire

SNAPSHOTS = pathlib.Path(__file__).parent.parent / "tests/it/snapshots"
# What every message of its kind has, and nothing else has: ISO 8583 field numbers.
MONEY = {3, 4, 11, 22, 25, 41, 42, 49, 60, 64}
FIELDS = {
    "sale_swiped": MONEY | {26, 35, 52, 53},
    "sale_fallback": MONEY | {26, 35, 52, 53},
    "sale_chip": MONEY | {2, 14, 23, 26, 35, 52, 53, 55},
    "sale_contactless": MONEY | {2, 14, 23, 35, 55},
    "sale_contactless_stripe": MONEY | {26, 35, 52, 53},
    "sale_keyed": MONEY | {2, 14, 26, 52, 53},
    "sale_with_order_number": MONEY | {2, 14, 26, 52, 53, 62},
    "reversal": MONEY | {2, 14, 23, 39},
    "reversal_without_card": MONEY | {23, 39},
    "void": MONEY | {2, 14, 37, 38, 61},
    "reversal_of_void": MONEY | {2, 14, 39, 61},
    "refund": MONEY | {2, 14, 37, 38, 61, 63},
    "advice_chip": MONEY | {2, 12, 13, 14, 23, 35, 55},
    "advice_swiped": MONEY | {12, 13, 35},
    "settlement": {11, 41, 42, 48, 49, 60, 63, 64},
    "upload": {11, 41, 42, 48, 60, 64},
    "upload_without_card": {11, 41, 42, 48, 60, 64},
    "upload_end": {11, 41, 42, 48, 60, 64},
    "sign_on": {11, 41, 42, 60, 63},
    "sign_on_with_serial_number": {11, 41, 42, 60, 62, 63},
}


def sent(path):
    """The message's bytes, of the lines behind the snapshot's head."""
    body = path.read_text().split("---\n", 2)[2]
    return bytes.fromhex(body.split("\n")[0])


class Sent(unittest.TestCase):
    def test_every_message_is_read_and_written_again(self):
        found = {path.stem.removeprefix("it__"): path for path in SNAPSHOTS.glob("*.snap")}
        self.assertEqual(set(found), set(FIELDS))
        for name, path in found.items():
            with self.subTest(name):
                message = sent(path)
                fields = wire.decode(message)
                self.assertEqual({int(key) for key in fields if key.isdigit()}, FIELDS[name])
                self.assertEqual(wire.encode(fields), message)

    def test_fields_say_what_they_should(self):
        chip = wire.decode(sent(SNAPSHOTS / "it__sale_chip.snap"))
        self.assertEqual(
            [chip[key] for key in ("t", "3", "4", "11", "22", "23", "26", "41", "42", "49", "53", "60")],
            ["0200", "000000", "000000001250", "000403", "051", "001", "12", "10000019", "850100082410002", "156",
             "2600000000000000", "22000024000600"],
        )
        self.assertEqual((len(chip["2"]), len(chip["35"]), len(chip["52"])), (13, 31, 16))
        reversal = wire.decode(sent(SNAPSHOTS / "it__reversal.snap"))
        self.assertEqual([reversal[key] for key in ("t", "3", "4", "11", "22", "39", "60")],
                         ["0400", "000000", "000000001250", "000403", "051", "98", "22000024000600"])
        void = wire.decode(sent(SNAPSHOTS / "it__void.snap"))
        self.assertEqual([void[key] for key in ("t", "3", "11", "37", "38", "61")],
                         ["0200", "200000", "000404", "000000000007", "A00007", "0000240004031126"])

    def test_a_sale_without_a_network_is_told_of_its_moment(self):
        advice = wire.decode(sent(SNAPSHOTS / "it__advice_chip.snap"))
        # When it was sold, read by contact, with no PIN asked.
        self.assertEqual([advice[key] for key in ("t", "3", "4", "11", "12", "13", "22", "25", "60")],
                         ["0220", "000000", "000000001250", "000409", "105958", "1126", "052", "00", "30000024000600"])
        self.assertNotIn("52", advice)

    def test_a_batch_is_closed_as_it_should(self):
        read = lambda name: wire.decode(sent(SNAPSHOTS / f"it__{name}.snap"))
        settlement = read("settlement")
        self.assertEqual([settlement[key] for key in ("t", "11", "49", "60", "63")],
                         ["0500", "000406", "156", "00000024201", "01 "])
        # Debits, credits, flag; the same of foreign cards.
        self.assertEqual(settlement["48"], "000000125050012" "000000000500001" "0" + "0" * 31)
        row = read("upload")
        # One row: a home card, the sale's trace number, room for its number, its amount.
        self.assertEqual([row[key] for key in ("t", "11", "48", "60")],
                         ["0320", "000407", "01" "00" "000403" + "0" * 20 + "000000001250", "00000024201"])
        self.assertEqual(read("upload_without_card")["48"], row["48"])
        end = read("upload_end")
        self.assertEqual([end[key] for key in ("t", "11", "48", "60")], ["0320", "000408", "0013", "00000024207"])

    def test_a_tampered_one_is_refused(self):
        message = bytearray(sent(SNAPSHOTS / "it__sale_chip.snap"))
        with self.assertRaises(iso8583.DecodeError):
            wire.decode(bytes(message[:-1]))
        # The bitmap claims one more field.
        message[13] |= 0x08
        with self.assertRaises(iso8583.DecodeError):
            wire.decode(bytes(message))


if __name__ == "__main__":
    unittest.main()
