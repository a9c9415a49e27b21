"""What a call says instead of an answer, as one word of the contract."""

from collections.abc import Callable

from componentize_py_types import Err
from wit_world.imports import types

_WORDS: dict[type, str] = {
    types.Error_NoAnswer: "no-answer",
    types.Error_NotSent: "not-sent",
    types.Error_Misconfigured: "misconfigured",
    types.Error_Unsupported: "unsupported",
}


def failure_of(work: Callable[[], object]) -> str:
    try:
        work()
    except Err as failed:
        return _WORDS[type(failed.value)]
    raise AssertionError("it did not fail")
