"""A stand-in for a script's process, for tests of the host alone: it keeps to the link, and does what its code says in words.

The entry module is lines of `word` or `word argument`. While it loads: `refuse SENTENCE`, `exit STATUS`, `print TEXT`, `log TEXT`, `hang` (says so; with
an argument, it says that where it is asked), `flood COUNT`, `garbage`, `environment`. When it serves: `spin` (an event that never lets the loop go; with
an argument, that is its stack, and it hears no signal), `hog MIB`, `die`, `stubborn` (does not
retire). It answers each connection on its HTTP socket with its version, one line, while it holds the lock of its objects.
"""

import fcntl
import json
import mmap
import os
import resource
import select
import signal
import socket
import struct
import sys
import threading
from pathlib import Path
from typing import Any

TURN = struct.Struct("<QQIB")


class Script:
    """One such process."""

    def __init__(self) -> None:
        self.link = socket.socket(fileno=int(os.environ["HOLDFAST_WORKER_FD"]))
        self.lines = self.link.makefile("rb")
        self.words: list[list[str]] = []

    def say(self, kind: str, **fields: Any) -> None:
        """Tell the host."""
        self.link.sendall(json.dumps({"type": kind, **fields}).encode() + b"\n")

    def log(self, text: str) -> None:
        """A line of the log."""
        self.say("log", level="log", message=text, ts_ms=1)

    def load(self, load: dict[str, Any]) -> None:
        """Do what the code says to do while it is imported."""
        self.given = load
        code = Path(load["code_dir"], load["main"]).read_text(encoding="utf-8")
        self.words = [line.split(" ", 1) for line in code.splitlines()]
        for word, *arguments in self.words:
            self.do(word, "".join(arguments))
        self.say("loaded", handlers=["fetch"], classes=[])

    def do(self, word: str, argument: str) -> None:
        """One word."""
        match word:
            case "refuse":
                self.say("load_failed", error=argument, traceback='Traceback:\n  File "worker.py"\n')
                sys.exit(1)
            case "exit":
                os._exit(int(argument))
            case "print":
                os.write(1, f"{argument}\n".encode())
            case "log":
                self.log(argument)
            case "flood":
                for number in range(int(argument)):
                    self.log(f"flood {number}")
            case "garbage":
                self.link.sendall(b"this is no message\n")
                threading.Event().wait()
            case "hang":
                told = {
                    "level": "error",
                    "message": argument,
                    "ts_ms": 1,
                    "fields": {"where": "time"},
                }
                signal.signal(signal.SIGPROF, lambda *_: self.say("log", **told))
                self.log("it hangs")
                threading.Event().wait()
            case "environment":
                descriptors = sorted(int(one.name) for one in Path("/proc/self/fd").iterdir())
                limits = resource.getrlimit(resource.RLIMIT_CORE)
                state = {
                    "env": dict(os.environ),
                    "fds": descriptors,
                    "core": limits,
                    "given": self.given,
                    "cwd": str(Path.cwd()),
                    "turn_bytes": Path(self.given["turn_file"]).stat().st_size,
                    "objects_mode": Path(self.given["objects_dir"]).stat().st_mode & 0o777,
                }
                self.log(json.dumps(state))
            case _:
                pass  # a word for when it serves

    def serve(self, serve: dict[str, Any]) -> None:
        """Accept, until told to retire."""
        with Path(self.given["objects_dir"], "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            listener = socket.socket(fileno=os.dup(self.given["http_fd"]))
            self.log(f"died in {serve.get('died_in')}")
            self.say("serving")
            for word, *arguments in self.words:
                self.serve_badly(word, "".join(arguments))
            ready = select.poll()
            ready.register(listener, select.POLLIN)
            ready.register(self.link, select.POLLIN)
            while all(descriptor != self.link.fileno() for descriptor, _ in ready.poll()):
                connection, _ = listener.accept()
                with connection:
                    connection.sendall(f"{self.given['version']}\n".encode())

    def serve_badly(self, word: str, argument: str) -> None:
        """What a script does that does not keep to its limits."""
        match word:
            case "spin":
                if argument:
                    # As code does that lets no signal in: its stack is all that it leaves.
                    signal.signal(signal.SIGPROF, signal.SIG_IGN)
                    Path("stack").write_text(argument)
                with Path(self.given["turn_file"]).open("r+b") as file:
                    turn = mmap.mmap(file.fileno(), 64)
                turn[: TURN.size] = TURN.pack(1, 7, 3, 1)
                while True:
                    pass
            case "hog":
                self.kept = bytearray(os.urandom(1024 * 1024) * int(argument))
            case "die":
                os.kill(os.getpid(), signal.SIGKILL)
            case "stubborn":
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                threading.Event().wait()
            case _:
                pass  # a word for while it loads

    def run(self) -> None:
        """Until told to retire, or the host is gone."""
        self.load(json.loads(self.lines.readline()))
        told = self.lines.readline()
        if told:
            self.serve(json.loads(told))
            self.lines.readline()
            self.say("retired")


if __name__ == "__main__":
    Script().run()
