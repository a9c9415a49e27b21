"""Gives Python's standard library the host's clock and the host's chance, in place of those of the machine that built the component.

A component is a picture of the interpreter's memory, taken when it was built, and every call starts from that picture. What was
drawn or seeded before is the same in each: without this, `random.random()` would give every call the same number. There is no WASI
to ask instead: `time.sleep`, threads, sockets and files, and an `import` within a function, end the call.
"""

import gc
import os
import random
import sys
import time

from wit_world.imports import clock
from wit_world.imports import random as host_random

# Most random bytes that the host gives at once.
_BYTES_MAX = 1_024


def redirect() -> None:
    """Everything that is imported from here on finds the host behind `time`, `datetime`, `os.urandom`, `random`, `secrets`, `uuid`."""
    time.time = lambda: clock.now() / 1_000
    time.time_ns = lambda: clock.now() * 1_000_000
    # The C implementation asks the machine; the one in Python, which then takes its place, asks `time.time`.
    sys.modules["_datetime"] = None  # type: ignore[assignment]
    os.urandom = _urandom
    random._urandom = _urandom  # type: ignore[attr-defined]
    unpredictable = random.SystemRandom()
    for name in random.__all__:
        if hasattr(unpredictable, name):
            setattr(random, name, getattr(unpredictable, name))


def _urandom(size: int, /) -> bytes:
    return b"".join(host_random.bytes(min(_BYTES_MAX, size - start)) for start in range(0, size, _BYTES_MAX))


# Natively, in tests, the standard library is left as it is.
if os.uname().sysname == "wasi":
    redirect()
    # A call ends long before its garbage matters, and looking for it would copy the picture's pages into the call's own memory.
    gc.disable()
