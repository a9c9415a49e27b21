"""For authors of payment channels in Python: the few things that every channel needs, around the contract's own types.

The contract (`sdk/wit/0.2.0`) is the package `wit_world`, generated from it: `wit_world.imports.types` has the records, `Order`
and `PaymentAnswer` among them, `wit_world.exports.channel` those of notifications and bills, and `wit_world.exports.Channel` the
ten functions that a channel's class must have. In here is what stands between those and a scheme.

Keep the scheme's words (build, parse, what is signed) in modules that import nothing of the host, and test those natively.
"""

# First, since it must come before any module that keeps a function of the clock or of chance for itself.
from saoma_channel import standard_library as _standard_library  # noqa: F401
from saoma_channel.failed import declined, misconfigured, no_answer, not_sent, words
from saoma_channel.json import Fields, parsed, settings
from saoma_channel.money import MoneyText, decimal, from_decimal
from saoma_channel.sign import (
    aes_gcm_open,
    envelope_open,
    from_hex,
    hmac_hex,
    hmac_verifies,
    random_hex,
    rsa_sign,
    rsa_verifies,
    rsa_verifies_with,
)
from saoma_channel.text import is_garbled, text
from saoma_channel.web import Reply, basic, secret_field, secret_header, send

__all__ = [
    "Fields",
    "MoneyText",
    "Reply",
    "aes_gcm_open",
    "basic",
    "decimal",
    "declined",
    "envelope_open",
    "from_decimal",
    "from_hex",
    "hmac_hex",
    "hmac_verifies",
    "is_garbled",
    "misconfigured",
    "no_answer",
    "not_sent",
    "parsed",
    "random_hex",
    "rsa_sign",
    "rsa_verifies",
    "rsa_verifies_with",
    "secret_field",
    "secret_header",
    "send",
    "settings",
    "text",
    "words",
]
