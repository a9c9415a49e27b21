"""A receipt printer that others wrote (the package emupos) on a port of this machine, for the tests of ours.

Takes the paper's width in dots. Says on standard output where it listens, and of each connection, once it is closed, what came
of its bytes: one line of JSON each. A line on standard input is the name of a fault that begins, or ends if it is there; the end
of standard input is its own end.

emupos knows characters of one byte: what it printed is told by its bytes, and decoded here, by Python, in the encodings of Chinese.
So it proves neither that an encoding was chosen (it ignores `FS &`, and does not know `FS ( C`) nor how wide a character of several
bytes is, and draws it as that many Latin letters. Of its package only the printer is used, on a Python that is older than the rest of it asks for.
"""

import base64
import importlib.machinery
import json
import re
import select
import socket
import sys
import types
from importlib.machinery import PathFinder, SourceFileLoader


class Older(SourceFileLoader):
    """Python 3.11 has no `type` statement; as an assignment it means the same to a program that runs."""

    def source_to_code(self, data, path, *, _optimize=-1):
        return super().source_to_code(re.sub(rb"(?m)^type (?=\w+ =)", b"", data), path, _optimize=_optimize)


class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        spec = PathFinder.find_spec(name, path, target) if name.startswith("emupos.") else None
        if spec and isinstance(spec.loader, SourceFileLoader):
            spec.loader = Older(spec.loader.name, spec.loader.path)
        return spec


sys.meta_path.insert(0, Finder)
# Its settings files, which pull in much that no printer needs: the names that its printer takes from there say types alone.
settings = types.ModuleType("emupos.config")
settings.Level = settings.PrinterProfile = settings.PrinterId = object
sys.modules["emupos.config"] = settings

from emupos.printer import printer as device  # noqa: E402
from emupos.printer.escpos.model import PrintModel  # noqa: E402
from emupos.printer.escpos.tokenizer import Text  # noqa: E402

FONT_A = types.SimpleNamespace(width=12, height=24)


class Noting(PrintModel):
    """Also writes down, line by line, what was printed in which way."""

    def __init__(self, device_id, profile):
        super().__init__(device_id, profile)
        marks.clear()
        self.styles = set()
        self.token = None

    def process(self, token):
        self.token = token
        if isinstance(token, Text):
            self.styles.add((self.settings.emphasized, self.settings.width, self.settings.height))
        return super().process(token)

    def _print_line(self, feed, text_lines=1):
        line = self.receipt._line_text.encode("latin-1")
        marks.append(
            {
                "is": "line",
                "bytes": len(line),
                "gb18030": line.decode("gb18030", errors="replace"),
                "utf8": line.decode("utf-8", errors="replace"),
                "align": self.settings.justification,
                "styles": [list(style) for style in sorted(self.styles)],
                "feed": feed,
                # The line was longer than the paper is wide.
                "overflow": isinstance(self.token, Text),
            }
        )
        self.styles.clear()
        super()._print_line(feed, text_lines)

    def _print_block(self, image, text):
        marks.append({"is": "block", "block": text, "align": self.settings.justification, "size": list(image.size)})
        super()._print_block(image, text)


marks = []
device.PrintModel = Noting


def profile(width_dots):
    return types.SimpleNamespace(
        width_dots=width_dots,
        font_a=FONT_A,
        font_b=FONT_A,
        # One character for each byte, so that the bytes can be had back.
        code_pages={0: "latin-1"},
        default_code_page=0,
        printer_id=None,
    )


def serve(printer, connection):
    """One connection, to its end."""
    told = {"drawer": [], "unread": [], "slips": []}

    def take(output):
        for write in output.writes:
            connection.sendall(write.data)
        for event in output.events:
            if event.type == "drawer.opened":
                told["drawer"].append(dict(event.data))
            elif event.type == "printer.command.unknown":
                told["unread"].append(event.data["bytes"])
        for slip in output.receipts:
            told["slips"].append({"end": slip.boundary, "png": base64.b64encode(slip.png).decode()})

    take(printer.open_connection("till", 0))
    while data := connection.recv(65536):
        take(printer.receive("till", data, 0))
    take(printer.close_connection("till", 0))
    printer.close_drawer(0)
    connection.close()
    return told | {"marks": list(marks)}


def main():
    printer = device.Printer("printer", profile(int(sys.argv[1])), sensor_open_level="high", job_idle_timeout_ms=60_000)
    listener = socket.create_server(("127.0.0.1", 0))
    print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
    while True:
        ready, _, _ = select.select([sys.stdin, listener], [], [])
        if sys.stdin in ready:
            if not (line := sys.stdin.readline()):
                return
            fault = device.PrinterFault(line.strip())
            printer.set_fault(fault, fault not in printer.state().faults, 0)
            print(json.dumps({"faults": printer.state().faults}), flush=True)
        else:
            connection, _ = listener.accept()
            print(json.dumps(serve(printer, connection)), flush=True)


main()
