"""What is said on stdout: the lines as they are, and no harm where nobody takes them."""

import os
import sys
from collections.abc import Callable

import pytest

from holdfast.app.announce import announce

LINES = ["ready: ws://127.0.0.1:8080 -> unix:/run/a.sock", "ready: wss://[::1]:8443 -> unix:/run/a.sock"]


def test_each_line_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    announce(LINES, command="holdfast up")
    assert capsys.readouterr().out == "".join(f"{line}\n" for line in LINES)


def _full() -> int:
    return os.open("/dev/full", os.O_WRONLY)


def _broken() -> int:
    reading, writing = os.pipe()
    os.close(reading)
    return writing


@pytest.mark.parametrize(("stdout", "why"), [(_full, "no space left on device"), (_broken, "broken pipe")])
def test_a_stdout_that_takes_nothing_is_told_and_let_go(
    stdout: Callable[[], int], why: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with os.fdopen(stdout(), "w", encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        announce(LINES, command="holdfast up")
        stream.flush()  # as Python does at its end
    assert capfd.readouterr().err == f"holdfast up: the ready lines cannot be written, serving goes on: {why}\n"


def test_a_stdout_that_was_closed_is_told(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    announce(LINES, command="holdfast up")
    assert (
        capfd.readouterr().err == "holdfast up: the ready lines cannot be written, serving goes on: stdout is closed\n"
    )


def test_what_is_said_only_once_is_not_lost_with_the_ready_lines(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    announce([*LINES, "token: t0ken"], command="holdfast run")
    first, second = capfd.readouterr().err.splitlines()
    assert first.startswith("holdfast run: the ready lines cannot be written")
    assert second == "token: t0ken"
