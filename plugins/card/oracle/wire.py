"""UnionPay's terminal messages in the terms of pyiso8583, and the MAC that no library has."""

import copy

import iso8583
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC
from iso8583.specs import default as default_binary

try:
    from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
except ImportError:
    from cryptography.hazmat.primitives.ciphers.algorithms import TripleDES


def _digits(length_digits, max_len, right=True):
    return {
        "data_enc": "b",
        "len_enc": "bcd",
        "len_type": length_digits,
        "len_count": "nibbles",
        "max_len": max_len,
        "desc": "",
        ("left_pad" if right else "right_pad"): "0",
    }


def _text(length_digits, max_len):
    return {"data_enc": "ascii", "len_enc": "bcd", "len_type": length_digits, "max_len": max_len, "desc": ""}


def _bytes(length_digits, max_len):
    return {"data_enc": "b", "len_enc": "bcd", "len_type": length_digits, "max_len": max_len, "desc": ""}


SPEC = copy.deepcopy(default_binary)
SPEC["h"] = _bytes(0, 11)
SPEC["t"] = _bytes(0, 2)
SPEC.update({
    "2": _digits(1, 19, right=False), "3": _digits(0, 6), "4": _digits(0, 12), "11": _digits(0, 6), "12": _digits(0, 6),
    "13": _digits(0, 4), "14": _digits(0, 4), "15": _digits(0, 4), "22": _digits(0, 3, right=False), "23": _digits(0, 3),
    "25": _digits(0, 2), "26": _digits(0, 2), "32": _digits(1, 11, right=False), "35": _digits(1, 37, right=False),
    "37": _text(0, 12), "38": _text(0, 6), "39": _text(0, 2), "41": _text(0, 8), "42": _text(0, 15), "44": _text(1, 25),
    "48": _digits(2, 322, right=False), "49": _text(0, 3), "52": _bytes(0, 8), "53": _digits(0, 16), "55": _bytes(2, 255),
    "60": _digits(2, 17, right=False), "61": _digits(2, 29, right=False), "62": _bytes(2, 512), "63": _text(2, 163),
    "64": _bytes(0, 8),
})
# With a PIN block of ISO 9564-1 format 4.
SPEC_ISO_4 = {**SPEC, "52": _bytes(0, 16)}


def decode(message, spec=SPEC):
    fields, _ = iso8583.decode(message, spec)
    return fields


def encode(fields, spec=SPEC):
    return bytes(iso8583.encode(dict(fields), spec)[0])


def tdes(key, block):
    key = (key * 3)[:24] if len(key) == 8 else key + key[:8] if len(key) == 16 else key
    encryptor = Cipher(TripleDES(key), modes.ECB()).encryptor()
    return encryptor.update(block) + encryptor.finalize()


def untdes(key, block):
    key = key + key[:8]
    decryptor = Cipher(TripleDES(key), modes.ECB()).decryptor()
    return decryptor.update(block) + decryptor.finalize()


def unaes(key, block):
    decryptor = Cipher(AES(key), modes.ECB()).decryptor()
    return decryptor.update(block) + decryptor.finalize()


def aes_cmac(key, covered):
    tag = CMAC(AES(key))
    tag.update(covered)
    return tag.finalize()


def unionpay_mac(key, covered):
    total = bytes(8)
    for at in range(0, len(covered), 8):
        total = bytes(a ^ b for a, b in zip(total, covered[at:at + 8].ljust(8, b"\0")))
    text = total.hex().upper().encode()
    first = tdes(key, text[:8])
    return tdes(key, bytes(a ^ b for a, b in zip(first, text[8:]))).hex().upper().encode()[:8]
