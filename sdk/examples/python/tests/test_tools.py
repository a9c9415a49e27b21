import subprocess
import sys
import unittest
from pathlib import Path

BUILD = Path(__file__).parents[1] / "build.py"


class Tools(unittest.TestCase):
    def test_an_older_python_is_told_what_to_install(self) -> None:
        # Only what stands above the first function: an older one cannot read that function's types.
        above, _, _ = BUILD.read_text().partition("\ndef ")
        older = f"import sys\nsys.version_info = (3, 9, 18)\n{above}"
        done = subprocess.run([sys.executable, "-c", older], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("install 3.11 or newer", done.stderr)
