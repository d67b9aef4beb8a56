"""What is shown: to a person with time and direction, to a pipe plainly."""

import datetime as dt
import io
from collections.abc import Iterator

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.data_structures import Size
from prompt_toolkit.output.vt100 import Vt100_Output

from holdfast.client.screen import PipeScreen, TerminalScreen

NOON = dt.datetime(2026, 3, 1, 12, 0, 0, 5000, tzinfo=dt.UTC)


@pytest.fixture
def terminal() -> Iterator[io.StringIO]:
    written = io.StringIO()
    output = Vt100_Output(written, lambda: Size(rows=24, columns=200), term="dumb")
    with create_app_session(output=output):
        yield written


def test_a_person_sees_time_direction_and_message(terminal: io.StringIO) -> None:
    screen = TerminalScreen(clock=lambda: NOON)
    screen.sent("hello")
    screen.received("hello back")
    screen.received(b"\x00\x01")
    screen.control("ping received, pong sent")
    screen.notice("closed")
    text = terminal.getvalue()
    assert text.count("12:00:00.005") == 5
    for expected in (
        "→",
        "hello",
        "←",
        "hello back",
        "(binary) 2 bytes: 00 01",
        "ping received",
        "closed",
    ):
        assert expected in text


def test_a_message_cannot_drive_the_terminal(terminal: io.StringIO) -> None:
    screen = TerminalScreen(clock=lambda: NOON)
    screen.received("harmless")
    before = terminal.getvalue().count("\x1b")
    screen.received("\x1b[2J\x1b]0;x\x07\n12:00:00.000 forged")
    assert terminal.getvalue().count("\x1b") == 2 * before
    assert r"\x1b[2J\x1b]0;x\x07\n12:00:00.000 forged" in terminal.getvalue()


def test_a_pipe_gets_messages_and_nothing_else() -> None:
    output, notices = io.StringIO(), io.StringIO()
    screen = PipeScreen(output, notices, is_terminal=False)
    screen.sent("hello")
    screen.received("one\x1btwo")
    screen.received(b"\x00")
    screen.control("ping received, pong sent")
    screen.notice("closed: 1000")
    assert output.getvalue() == "one\x1btwo\n(binary) 1 byte: 00\n"
    assert notices.getvalue() == "holdfast connect: closed: 1000\n"


def test_a_pipe_that_ends_at_a_terminal_is_as_safe() -> None:
    output = io.StringIO()
    PipeScreen(output, io.StringIO(), is_terminal=True).received("one\x1btwo\n")
    assert output.getvalue() == "one\\x1btwo\\n\n"
