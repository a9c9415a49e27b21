#!/usr/bin/env python3
"""Builds the channel as a component, `dist/sandbox-python.wasm`, and checks it. What is up to date is left alone.

    python3 build.py            the component
    python3 build.py check      types and unit tests, which need no component
    python3 build.py test [-k NAME]   the unit tests alone

Needs Python 3.11 or newer with `venv` (Debian: `apt-get install python3-venv`); what else it needs it installs into `.venv`, from
`requirements.txt`.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterable, Iterator
from pathlib import Path

# Ahead of all that an older one cannot read: types such as `Path | None` end in its own words.
OLDEST = (3, 11)
if sys.version_info < OLDEST:
    raise SystemExit(f"this is Python {sys.version.split()[0]}: install 3.11 or newer (https://www.python.org)")

FOLDER = Path(__file__).resolve().parent
WIT = FOLDER.parents[1] / "wit" / "0.2.0"
WORLD = "payment-channel"
# The package that has the channel's class, and the component's name. For a second channel these two change.
CHANNEL = "sandbox"
COMPONENT = FOLDER / "dist" / "sandbox-python.wasm"

VENV = FOLDER / ".venv"
BINDINGS = FOLDER / "build" / "bindings"
REQUIREMENTS = FOLDER / "requirements.txt"

# All that the host's contract offers. WASI is not among it: a component that wants it depends on what no call has.
IMPORTS = "saoma:channel/"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=("component", "check", "test"), default="component")
    asked, rest = parser.parse_known_args()
    install()
    generate_bindings()
    if asked.what == "component":
        build_component()
    else:
        check(rest, with_types=asked.what == "check")


def install() -> None:
    """The tools, each of the one version and hash that `requirements.txt` names."""
    # Python's own version too: packages with native code are of one.
    wanted = fingerprint([REQUIREMENTS], sys.version)
    if is_stamped(VENV / ".built", wanted):
        return
    say("Installing the tools")
    try:
        venv.EnvBuilder(clear=True, with_pip=True).create(VENV)
    except subprocess.CalledProcessError as error:
        said = error.output.decode(errors="replace") if error.output else error
        wanted = "where ensurepip is what fails, install Python's venv (Debian: `apt-get install python3-venv`)"
        raise SystemExit(f"{said}\nno environment for the tools can be made: {wanted}") from error
    run(VENV / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "-r", REQUIREMENTS)
    stamp(VENV / ".built", wanted)


def generate_bindings() -> None:
    """The contract as Python types, for the type checker, the tests and the editor. A component gets its own when it is built."""
    wanted = fingerprint([REQUIREMENTS, *sources(WIT, ".wit")])
    if is_stamped(BINDINGS / ".built", wanted):
        return
    say("Generating the contract's types")
    shutil.rmtree(BINDINGS, ignore_errors=True)
    run(VENV / "bin" / "componentize-py", "-d", WIT, "-w", WORLD, "bindings", BINDINGS)
    stamp(BINDINGS / ".built", wanted)


def build_component() -> None:
    """Puts interpreter, library and channel together, runs what stands at the top of every module, and keeps the memory as it then is."""
    inputs = [Path(__file__), REQUIREMENTS, *sources(WIT, ".wit")]
    for package in ("saoma_channel", CHANNEL):
        inputs += sources(FOLDER / package, ".py", ".json")
    wanted = fingerprint(inputs)
    if is_stamped(COMPONENT.with_suffix(".built"), wanted) and COMPONENT.is_file():
        return
    say(f"Building {COMPONENT.name} (20 s of processor)")
    COMPONENT.parent.mkdir(exist_ok=True)
    # `--stub-wasi`: nothing of WASI is imported; whoever calls it all the same ends the call there.
    run(
        *(VENV / "bin" / "componentize-py", "--quiet", "-d", WIT, "-w", WORLD),
        *("componentize", "--stub-wasi", "-p", FOLDER, CHANNEL, "-o", COMPONENT),
    )
    strangers = [name for name in imports(COMPONENT.read_bytes()) if not name.startswith(IMPORTS)]
    if strangers:
        COMPONENT.unlink()
        raise SystemExit(f"the component wants what no host of channels has: {', '.join(strangers)}")
    stamp(COMPONENT.with_suffix(".built"), wanted)


def check(arguments: list[str], *, with_types: bool) -> None:
    python = VENV / "bin" / "python"
    if with_types:
        run(python, "-m", "mypy", "--no-error-summary", cwd=FOLDER)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(FOLDER), str(BINDINGS)])}
    run(python, "-m", "unittest", "discover", "-s", "tests", "-t", ".", *arguments, cwd=FOLDER, env=environment)


def imports(component: bytes) -> Iterator[str]:
    """The names of what a component imports (Component Model, Binary.md: sections of id 10, one import each as the tool writes it)."""
    at = 8
    while at < len(component):
        section, (size, start) = component[at], number(component, at + 1)
        if section == 10:
            count, name_at = number(component, start)
            if count != 1:
                raise SystemExit("cannot tell what the component imports: a section has several imports")
            length, text_at = number(component, name_at + 1)
            yield component[text_at : text_at + length].decode("utf-8")
        at = start + size


def number(data: bytes, at: int) -> tuple[int, int]:
    """An unsigned LEB128 number, and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def sources(folder: Path, *endings: str) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix in endings)


def fingerprint(files: Iterable[Path], *texts: str) -> str:
    fingerprint = hashlib.sha256(repr(texts).encode())
    for file in files:
        fingerprint.update(os.path.relpath(file, FOLDER).encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return fingerprint.hexdigest()


def is_stamped(file: Path, wanted: str) -> bool:
    return file.is_file() and file.read_text() == wanted


def stamp(file: Path, wanted: str) -> None:
    file.write_text(wanted)


def say(text: str) -> None:
    print(f"==> {text}", file=sys.stderr, flush=True)


def run(*command: object, cwd: Path | None = None, env: dict[str, str] | None = None) -> None:
    done = subprocess.run([str(word) for word in command], cwd=cwd, env=env, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{Path(str(command[0])).name} ended with {done.returncode}")


if __name__ == "__main__":
    main()
