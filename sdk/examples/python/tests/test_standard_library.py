"""The standard library with the host's clock and chance, in a process of its own: what is redirected stays so."""

import subprocess
import sys
import unittest

REDIRECTED = """
import os, random, time
from wit_world.imports import clock, random as host_random

asked = []
def numbered(length):
    asked.append(length)
    return bytes(length)
clock.now, host_random.bytes = lambda: 1_700_000_000_123, numbered

from saoma_channel import standard_library
random.seed(1)
standard_library.redirect()

import datetime, secrets, uuid
assert time.time_ns() == 1_700_000_000_123_000_000 and time.time() == 1_700_000_000.123
assert datetime.datetime.now(datetime.UTC).isoformat() == "2023-11-14T22:13:20.123000+00:00"
assert datetime.datetime.now(datetime.UTC).date().isoformat() == "2023-11-14"
assert asked == [], asked
assert len(os.urandom(2_500)) == 2_500 and asked == [1_024, 1_024, 452], asked
asked.clear()
assert random.random() == 0.0 and random.randbytes(2) == bytes(2) and random.choice("ab") == "a"
assert secrets.token_hex(4) == "00000000" and uuid.uuid4().hex == "00000000000040008000000000000000"
assert asked == [7, 2, 1, 4, 16], asked
"""


class StandardLibrary(unittest.TestCase):
    def test_time_and_chance_are_the_hosts(self) -> None:
        done = subprocess.run([sys.executable, "-c", REDIRECTED], capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
