"""Saying what went wrong in the contract's words: `raise no_answer("…")`."""

from componentize_py_types import Err
from wit_world.imports import types


def no_answer(why: str) -> Err[types.Error]:
    """The request may have reached the scheme, and what came of it is not known."""
    return Err(types.Error_NoAnswer(why))


def not_sent(why: str) -> Err[types.Error]:
    """The request certainly did not take effect."""
    return Err(types.Error_NotSent(why))


def misconfigured(why: str) -> Err[types.Error]:
    """A person must mend the account's settings or secrets."""
    return Err(types.Error_Misconfigured(why))


def declined(code: str, message: str) -> types.Failure:
    """The scheme's no. `code` is one of the contract's (`declined`, `insufficient-funds`, …), `message` the scheme's own words."""
    return types.Failure(code=code, message=message)


def words(error: types.Error) -> str:
    """What an error says to the operator."""
    return "unsupported" if isinstance(error, types.Error_Unsupported) else error.value
