"""Where `holdfast connect` shows what happens: to a person at a terminal, or to the next program of a pipe.

Law 1: to a terminal goes only what `printable` let through.
Law 2: to a pipe goes each text message as it came, and nothing else on stdout but one line for a binary one; what is
about the connection goes to stderr.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Protocol, TextIO

from prompt_toolkit import print_formatted_text
from prompt_toolkit.formatted_text import FormattedText

from holdfast.client.printable import preview, printable
from holdfast.errors import OutputError, reason_of

Message = str | bytes


class Screen(Protocol):
    """What a conversation shows, in the order in which it happened."""

    def sent(self, text: str) -> None:
        """A line was sent."""

    def received(self, message: Message) -> None:
        """A message arrived."""

    def control(self, text: str) -> None:
        """A ping or pong arrived; `text` is ours, printable."""

    def notice(self, text: str) -> None:
        """Something about the connection; `text` is ours, printable."""


class TerminalScreen:
    """One line a happening: time, direction, and what it was. Safe beside a prompt (`patch_stdout`)."""

    def __init__(self, *, clock: Callable[[], dt.datetime] = lambda: dt.datetime.now().astimezone()) -> None:
        self._clock = clock

    def sent(self, text: str) -> None:
        self._line("ansigreen", "→", printable(text))

    def received(self, message: Message) -> None:
        if isinstance(message, str):
            self._line("ansicyan", "←", printable(message))
        else:
            self._line("ansimagenta", "←", f"(binary) {preview(message)}")

    def control(self, text: str) -> None:
        self._line("ansibrightblack", "·", text)

    def notice(self, text: str) -> None:
        self._line("ansiyellow", "·", text)

    def _line(self, color: str, sign: str, text: str) -> None:
        time = f"{self._clock():%H:%M:%S.%f}"[:-3]
        print_formatted_text(FormattedText([("ansibrightblack", time), (color, f" {sign} "), ("", text)]))


class PipeScreen:
    """Messages to `output`, one a line, and notices to `notices`. `is_terminal` says that `output` is one."""

    def __init__(self, output: TextIO, notices: TextIO, *, is_terminal: bool) -> None:
        self._output = output
        self._notices = notices
        self._is_terminal = is_terminal

    def sent(self, text: str) -> None:
        """Not shown: whoever wrote it knows."""

    def received(self, message: Message) -> None:
        """Raises OutputError where `output` takes nothing, BrokenPipeError where nobody reads it any more."""
        if isinstance(message, bytes):
            text = f"(binary) {preview(message)}"
        else:
            text = printable(message) if self._is_terminal else message
        try:
            self._output.write(f"{text}\n")
            self._output.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise OutputError(f"what arrived could not be written: {reason_of(error)}") from error

    def control(self, text: str) -> None:
        """Not shown: it is no message."""

    def notice(self, text: str) -> None:
        self._notices.write(f"holdfast connect: {text}\n")
        self._notices.flush()
