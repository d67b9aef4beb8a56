"""The screen of open WebSockets: what it shows, which keys it knows, and what it leaves behind."""

import io
import os
import pty
import re
import termios
from collections.abc import Callable, Iterator, Sequence

import pytest

from holdfast.client.api.answer import ApiFailed, ApiRefused, JsonObject
from holdfast.client.connection_screen import View, keys_of, watch

ORDERS = ("opened_at", "idle", "bytes")
WAY = {"bytes": 0, "text_messages": 0, "binary_messages": 0}


def found(count: int, messages: int = 0) -> list[JsonObject]:
    carried = {**WAY, "text_messages": messages}
    return [
        {"id": f"{number:016x}-LOC", "host": f"h{number}", "path": "/", "to_origin": carried, "to_client": WAY}
        for number in range(count)
    ]


class Terminal:
    """A terminal of 100 columns, whose keys are given beforehand, one a look; and what was asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *keys: str, lines: int = 8) -> None:
        self.size = os.terminal_size((100, lines))
        monkeypatch.setattr("shutil.get_terminal_size", lambda: self.size)
        self.out = io.StringIO()
        self.asked: list[tuple[str, bool]] = []
        self.view = View(name="example.com", orders=ORDERS, order="opened_at", is_descending=True, interval_s=2.0)
        self._keys = iter(keys)
        self._now = 0.0

    def clock(self) -> float:
        self._now += 0.5
        return self._now

    def run(self, *answers: Sequence[JsonObject] | Exception) -> list[str]:
        """Watch; the screens, without what moves the cursor. The last answer stays."""
        waiting = list(answers)

        def fetch(_: int, order: str, is_descending: bool) -> tuple[Sequence[JsonObject], int, Sequence[str]]:
            self.asked.append((order, is_descending))
            answer = waiting.pop(0) if len(waiting) > 1 else waiting[0]
            if isinstance(answer, Exception):
                raise answer
            return answer, len(answer), ()

        watch(self.view, fetch, self.out, key=lambda _: next(self._keys), clock=self.clock)
        return [re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text) for text in self.out.getvalue().split("\x1b[H")]


def test_it_shows_as_many_as_there_is_room_for_and_how_many_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal(monkeypatch, "q", lines=6)
    last = terminal.run(found(20))[-1]
    assert "example.com  20 open, 3 shown  by opened_at ↓" in last
    assert [name in last for name in ("h0/", "h2/", "h3/")] == [True, True, False]


@pytest.mark.parametrize("key", ["q", "Q", "\x03", "\x04"])
def test_it_ends_with_a_key_and_gives_the_screen_back(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    terminal = Terminal(monkeypatch, key)
    terminal.run(found(1))
    assert terminal.out.getvalue().startswith("\x1b[?1049h")
    assert terminal.out.getvalue().endswith("\x1b[?25h\x1b[?1049l")


def test_keys_change_the_order_and_ask_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal(monkeypatch, "s", "s", "r", "s", " ", "x", "q")
    terminal.run(found(1))
    assert terminal.asked == [
        ("opened_at", True), ("idle", True), ("bytes", True), ("bytes", False), ("opened_at", False),
        ("opened_at", False),
    ]  # fmt: skip


def test_after_the_interval_it_asks_again_and_knows_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal(monkeypatch, *[""] * 3, *["x"] * 3, "q")
    screens = terminal.run(found(1, 0), found(1, 30))
    assert len(terminal.asked) >= 2
    assert re.search(r" \d+(\.\d)?/0 ", screens[-1])


def test_an_api_that_is_away_is_said_and_what_was_seen_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal(monkeypatch, " ", "q")
    last = terminal.run(found(1), ApiFailed("cannot list: nobody there"))[-1]
    assert "cannot list: nobody there" in last
    assert "h0/" in last


def test_an_api_that_says_no_ends_it_and_gives_the_screen_back(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal(monkeypatch)
    with pytest.raises(ApiRefused):
        terminal.run(ApiRefused("no", status=403))
    assert terminal.out.getvalue().endswith("\x1b[?1049l")


def test_another_size_is_drawn_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal(monkeypatch, "", "q")
    sizes = iter([(100, 8), (100, 8), (50, 5)])
    last = os.terminal_size((50, 5))
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size(next(sizes, last)))
    screens = terminal.run(found(20))
    assert max(len(line) for line in screens[-1].splitlines()) <= 50


@pytest.fixture
def typed() -> Iterator[tuple[Callable[[bytes], object], io.TextIOWrapper]]:
    """What a person types, and the terminal it comes from."""
    keyboard, terminal = pty.openpty()
    with os.fdopen(terminal) as source:
        yield lambda data: os.write(keyboard, data), source
    os.close(keyboard)


def test_keys_come_one_by_one_without_an_echo_and_the_terminal_is_as_before(
    typed: tuple[Callable[[bytes], object], io.TextIOWrapper],
) -> None:
    types, source = typed
    before = termios.tcgetattr(source)
    with keys_of(source) as key:
        assert key(0.01) == ""
        types(b"q")
        assert key(5) == "q"
        types(b"\x1b[A")
        assert key(5) == "\x1b[A"
        assert not termios.tcgetattr(source)[3] & (termios.ECHO | termios.ICANON)
    assert termios.tcgetattr(source) == before


@pytest.mark.parametrize("source", [io.StringIO("q"), None])
def test_what_is_no_terminal_has_no_keys(source: io.StringIO | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("q"))
    with keys_of(source) as key:
        assert key(0.001) == ""
