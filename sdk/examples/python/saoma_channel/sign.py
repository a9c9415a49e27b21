"""Signatures with keys that stay in the host."""

import binascii
import re
from collections.abc import Callable
from typing import TypeVar

from componentize_py_types import Err
from saoma_channel.failed import misconfigured, no_answer, not_sent
from wit_world.imports import random, secrets, types

_T = TypeVar("_T")

_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})*")


def hmac_hex(secret: str, message: bytes) -> str:
    """HMAC-SHA-256 over the message under the account's secret of that name, in lower-case hex.

    Raises `misconfigured` if the account has no such secret.
    """
    return _asked(lambda: secrets.hmac_sha256(secret, message)).hex()


def hmac_verifies(secret: str, message: bytes, tag_hex: str) -> bool:
    """Whether `tag_hex` is the HMAC-SHA-256 of the message; the host compares in constant time. A text that is no hex is not.

    Raises `misconfigured` if the account has no such secret.
    """
    tag = from_hex(tag_hex)
    return tag is not None and _asked(lambda: secrets.hmac_sha256_verify(secret, message, tag))


def rsa_sign(secret: str, message: bytes) -> str:
    """RSASSA-PKCS1-v1_5 with SHA-256 over the message under the account's private key of that name, in Base64, as Alipay (RSA2),
    WeChat Pay (API v3) and UnionPay want it.

    Raises `misconfigured` if the account has no such key, `not-sent` if the host signs no more in this call: sign before you send.
    """
    try:
        signature = _asked(lambda: secrets.rsa_sha256_sign(secret, message))
    except Err as refused:
        if isinstance(refused.value, types.Error_NoAnswer):
            raise not_sent(refused.value.value) from None
        raise
    return binascii.b2a_base64(signature, newline=False).decode("ascii")


def rsa_verifies(secret: str, key_id: str | None, message: bytes, signature_base64: str) -> bool:
    """Whether the Base64 is such a signature by the scheme: by the key of that id, else by any that the secret holds. A text
    that is no Base64 is none.

    Raises `misconfigured` if the account has no such secret, `no-answer` if it holds no key of that id.
    """
    signature = _from_base64(signature_base64)
    return signature is not None and _asked(lambda: secrets.rsa_sha256_verify(secret, key_id, message, signature))


def rsa_verifies_with(key: bytes, message: bytes, signature_base64: str) -> bool:
    """The same by a public key or certificate that the scheme itself handed out, signed or sealed.

    Raises `no-answer` if the key cannot be read.
    """
    signature = _from_base64(signature_base64)
    return signature is not None and _asked(lambda: secrets.rsa_sha256_verify_with(key, message, signature))


def aes_gcm_open(secret: str, nonce: bytes, associated_data: bytes, sealed_base64: str) -> bytes | None:
    """What the scheme sealed by AES-256-GCM for the merchant alone, from the Base64 in which schemes send it. `None` if it was not
    sealed under this key with this nonce and associated data, or is no Base64: nobody knows then who wrote it.

    Raises `misconfigured` if the account has no such key, `no-answer` if the nonce has not 12 bytes.
    """
    sealed = _from_base64(sealed_base64)
    if sealed is None:
        return None
    return _asked(lambda: secrets.aes_256_gcm_open(secret, nonce, associated_data, sealed))


def envelope_open(secret: str, sealed_key_base64: str, nonce: bytes, associated_data: bytes, sealed: bytes) -> bytes | None:
    """What was sealed by AES-256-GCM under a key of its own, which the scheme sealed for the account's private key of that name by
    RSAES-OAEP with SHA-1: a digital envelope. `None` if it was not sealed so under that key, this nonce and associated data, or if the
    key is no Base64. In `fetch-bill` it may have 8 MiB.

    Raises `misconfigured` if the account has no such key, or if the sealed key is not for it; `no-answer` if the nonce has neither 12
    nor 16 bytes, or what is sealed too many.
    """
    key = _from_base64(sealed_key_base64)
    if key is None:
        return None
    try:
        return secrets.rsa_oaep_sha1_aes_256_gcm_open(secret, key, nonce, associated_data, sealed)
    except Err as refused:
        if isinstance(refused.value, secrets.Error_UnknownKey):
            raise misconfigured(f"the secret {secret!r} does not open what was sealed for it") from None
        raise _refused(refused.value) from None


def random_hex(size: int) -> str:
    """`size` unpredictable bytes (at most 1,024) in lower-case hex: nonces."""
    return bytes(random.bytes(size)).hex()


def from_hex(text: str) -> bytes | None:
    """Bytes from hex of either case, `None` if it is none. (`bytes.fromhex` takes spaces between them as well.)"""
    return bytes.fromhex(text) if _HEX.fullmatch(text) else None


def _from_base64(text: str) -> bytes | None:
    try:
        return binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
    except ValueError:
        return None


def _asked(work: Callable[[], _T]) -> _T:
    try:
        return work()
    except Err as refused:
        raise _refused(refused.value) from None


def _refused(error: object) -> Err[types.Error]:
    """What the host would not do, in the words of a call's answer. In doubt `no-answer`: it may be that a request went before."""
    match error:
        case secrets.Error_Missing(name):
            return misconfigured(f"the secret {name!r} is missing")
        case secrets.Error_WrongKind(name):
            return misconfigured(f"the secret {name!r} is of another kind")
        case secrets.Error_UnknownKey(key_id):
            return no_answer(f"there is no key {key_id!r} to check the signature with")
        case secrets.Error_Invalid(why):
            return no_answer(why)
        case _:
            return no_answer("too many RSA operations in one call")
