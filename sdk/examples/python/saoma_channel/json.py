"""JSON that others wrote, read to the letter: a field is there and of its type, or the message is no answer."""

import json
from collections.abc import Callable
from typing import Never, TypeVar

from componentize_py_types import Err
from saoma_channel.failed import misconfigured, no_answer, words
from wit_world.imports.types import Account

_T = TypeVar("_T")

# The contract's integers (`s64`): a larger one cannot be handed to core.
_INTEGERS = range(-(1 << 63), 1 << 63)


class Fields:
    """A JSON object. What it has beyond the fields that are asked for is ignored, as schemes add to their answers over time."""

    def __init__(self, value: object) -> None:
        """Raises `no-answer` if it is no object."""
        if not isinstance(value, dict):
            raise no_answer(f"the answer cannot be read: {_kind(value)} instead of an object")
        self._fields: dict[str, object] = value

    def text(self, name: str) -> str:
        """Raises `no-answer` if it is missing or no text."""
        return self._typed(name, str)

    def optional_text(self, name: str) -> str | None:
        """The same of a field that may be `null` or missing."""
        return None if self._fields.get(name) is None else self.text(name)

    def integer(self, name: str) -> int:
        """A whole number of 64 bits. Raises `no-answer` if it is missing or none: a fraction is none, however round."""
        number = self._typed(name, int)
        if number not in _INTEGERS:
            raise no_answer(f"the answer cannot be read: {name} has more than 64 bits")
        return number

    def optional_integer(self, name: str) -> int | None:
        """The same of a field that may be `null` or missing."""
        return None if self._fields.get(name) is None else self.integer(name)

    def items(self, name: str) -> list[object]:
        """Raises `no-answer` if it is missing or no list."""
        return self._typed(name, list)

    def _typed(self, name: str, kind: type[_T]) -> _T:
        value = self._fields.get(name)
        # To the letter: `isinstance(True, int)` is true.
        if type(value) is not kind:
            raise no_answer(f"the answer cannot be read: {name} is {_kind(value)}")
        return value


def parsed(body: bytes | str) -> Fields:
    """The JSON object in an answer's body; bytes are UTF-8. Raises `no-answer`.

    Stricter than `json.loads`: no UTF-16, no `NaN`, no half of a surrogate pair, and no field twice, for which of the two is meant?
    """
    try:
        text = body if isinstance(body, str) else body.decode("utf-8")
        value = json.loads(text, object_pairs_hook=_object, parse_constant=_refused)
        if "\\ud" in text.lower():
            # Only an escape can bring half a pair in; the contract's texts have no place for it.
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise no_answer(f"the answer cannot be read: {error}") from None
    return Fields(value)


def settings(account: Account, read: Callable[[Fields], _T]) -> _T:
    """The account's settings as `read` makes them of their fields. The host has checked them against your schema.

    Raises `misconfigured`, naming the field.
    """
    try:
        return read(parsed(account.settings_json))
    except Err as unread:
        raise misconfigured(f"the settings: {words(unread.value)}") from None


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a field is there twice")
    return fields


def _refused(constant: str) -> Never:
    raise ValueError(f"{constant} is no JSON")


def _kind(value: object) -> str:
    kinds = {type(None): "missing", bool: "true or false", int: "a number", float: "a number", str: "a text", list: "a list"}
    return kinds.get(type(value), "an object")
