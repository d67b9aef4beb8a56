"""Releases and drains as tests ask for them, and interpreters of installations that are not like this one.

Law: an interpreter is a script around this Python: what it starts is the same Holdfast, unless the script says otherwise.
"""

import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.integration.command import START_LIMIT_S, Command, run_to_end
from tests.integration.frames import TEXT, Frame, close
from tests.integration.wire import Wire


def release(data: Path, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """`holdfast release` to its end."""
    # It starts every role anew, one after the other.
    return run_to_end(["release", "--data", data, *arguments], limit_s=2 * START_LIMIT_S)


def released(data: Path, *arguments: str | Path) -> list[str]:
    """What a release that succeeds printed."""
    ended = release(data, *arguments)
    assert ended.returncode == 0, ended
    return ended.stdout.splitlines()


def done(command: Command, event: str, *, times: int = 1) -> list[dict[str, Any]]:
    """The records of an event that there must be so often, no less and no more, waiting for them: a release is answered
    before its records are read."""
    command.changes.until(
        lambda: len(command.records(event)) >= times, what=f"{times} records of {event}", limit_s=START_LIMIT_S
    )
    found = command.records(event)
    assert len(found) == times, found
    return found


def started_edges(command: Command) -> list[int]:
    """The processes of all edges that were ready, in their order."""
    return [record["pid"] for record in command.records("child_started") if record["child"] == "edge"]


def newest_edge(command: Command, *, number: int) -> int:
    """The process of the edge that was ready as the `number`th, waiting for it."""
    command.changes.until(lambda: len(started_edges(command)) >= number, what=f"{number} edges", limit_s=60)
    return started_edges(command)[number - 1]


def interpreter(directory: Path, *lines: str) -> Path:
    """An interpreter that does `lines` (sh) and then is this Python."""
    script = directory / "python"
    script.write_text("\n".join(["#!/bin/sh", *lines, f'exec {sys.executable} "$@"', ""]))
    script.chmod(0o755)
    return script


def without_the_core(directory: Path) -> Path:
    """An interpreter whose installation has no native module."""
    (directory / "sitecustomize.py").write_text("import sys\nsys.modules['holdfast._native'] = None\n")
    return interpreter(directory, f"export PYTHONPATH={directory}:$PYTHONPATH")


def without_holdfast(directory: Path) -> Path:
    """An interpreter in whose installation there is no Holdfast at all."""
    script = directory / "python"
    # -S: no site-packages; -E: no PYTHONPATH.
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -S -E "$@"\n')
    script.chmod(0o755)
    return script


def with_a_syntax_error(directory: Path) -> Path:
    """An interpreter whose Holdfast does not parse."""
    app = directory / "holdfast" / "app"
    app.mkdir(parents=True)
    for package in (app.parent, app):
        (package / "__init__.py").touch()
    (app / "child.py").write_text("def main(:\n")
    return interpreter(directory, f"export PYTHONPATH={directory}")


def echoes(client: Wire, text: str) -> bool:
    """Whether the message comes back, and nothing before it."""
    client.send_frame(Frame(TEXT, text.encode()))
    return client.read_message() == text.encode()


def leave(client: Wire) -> None:
    """Close it, as a client does that has no more to say: nothing of it is left at the edge."""
    client.send_frame(close(1000))
    assert client.read_close().close_code == 1000
    client.end()
    assert client.read_to_end() == b""
