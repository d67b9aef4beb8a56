"""Open WebSockets as `top` shows processes: a screen that is drawn again every few seconds, and keys.

Law 1: whatever ends it, the terminal is as it was before: its modes, its screen, its cursor. Signals are `terminal_signals`'.
Law 2: an API that is away is said in the head of the screen, and asked again; what was seen last stays.
Law 3: the screen is never longer than the terminal, and is drawn anew when that changes its size.
"""

from __future__ import annotations

import os
import select
import shutil
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TextIO

from rich.console import Console, ConsoleDimensions, Group
from rich.live import Live
from rich.text import Text

from holdfast.client.api.answer import ApiFailed, JsonObject, text_of
from holdfast.client.connection_table import WATCH_COLUMNS, Row, Sample, rates_between, table_of
from holdfast.client.terminal_signals import descriptor_of

# Lines of the screen that are no connections: the head, the titles, and one that stays free.
_OTHER_LINES = 3
# How many are asked for at least: of one that comes into sight, its rates are known already.
_LEAST_ASKED = 200
# How often it is looked whether the terminal has another size.
_RESIZE_S = 0.25

# Asks for so many connections in this order and direction; what came, how many there are in all, and what to say beside it.
Fetch = Callable[[int, str, bool], tuple[Sequence[JsonObject], int, Sequence[str]]]
# Waits so many seconds at most; the key that was pressed, "" for none.
Key = Callable[[float], str]


@dataclass(slots=True, kw_only=True)
class View:
    """What is looked at: the name of it, the order (one of `orders`), and how often it is asked for."""

    name: str
    orders: Sequence[str]
    order: str
    is_descending: bool
    interval_s: float
    notes: Sequence[str] = field(default_factory=tuple)


def watch(view: View, fetch: Fetch, out: TextIO, *, key: Key, clock: Callable[[], float] = time.monotonic) -> None:
    """Show it until `q`, Ctrl-C or Ctrl-D. Raises HoldfastError where the API says no."""
    console = Console(file=out, highlight=False, markup=False, emoji=False, force_terminal=True)
    before: Sample | None = None
    total, rows = 0, list[Row]()
    with Live(console=console, screen=True, auto_refresh=False, transient=True) as live:
        while True:
            width, height = shutil.get_terminal_size()
            console.size = ConsoleDimensions(width, height)
            try:
                count = max(height - _OTHER_LINES, _LEAST_ASKED)
                found, total, view.notes = fetch(count, view.order, view.is_descending)
                after = Sample(at_s=clock(), connections={text_of(one, "id"): one for one in found})
                rates = rates_between(before, after)
                rows = [Row(one, rates.get(text_of(one, "id"))) for one in found]
                before = after
            except ApiFailed as error:
                view.notes = (str(error),)
            live.update(_screen(view, rows, total, width, height), refresh=True)
            if _is_over(view, key, clock, (width, height)):
                return


def _is_over(view: View, key: Key, clock: Callable[[], float], size: tuple[int, int]) -> bool:
    """Wait for a key, another size, or the next time to ask; whether that is the end."""
    end = clock() + view.interval_s
    while (left_s := end - clock()) > 0 and tuple(shutil.get_terminal_size()) == size:
        match key(min(left_s, _RESIZE_S)):
            case "q" | "Q" | "\x04" | "\x03":
                return True
            case "s":
                view.order = view.orders[(view.orders.index(view.order) + 1) % len(view.orders)]
                return False
            case "r":
                view.is_descending = not view.is_descending
                return False
            case " " | "\n" | "\r":
                return False
            case _:
                continue
    return False


def _screen(view: View, rows: Sequence[Row], total: int, width: int, height: int) -> Group:
    shown = rows[: max(height - _OTHER_LINES, 1)]
    head = Text(no_wrap=True, overflow="ellipsis")
    head.append(view.name, "bold")
    head.append(f"  {total:,} open, {len(shown)} shown  by {view.order} {'↓' if view.is_descending else '↑'}")
    if view.notes:
        head.append(f"  {'; '.join(view.notes)}", "bold yellow")
    else:
        head.append("  q: quit, s: sort, r: reverse", "dim")
    return Group(head, table_of(shown, width, WATCH_COLUMNS))


@contextmanager
def keys_of(source: TextIO | None = None) -> Iterator[Key]:
    """The keys of a terminal, one by one and without an echo, until the block ends. Of what is no terminal there are none."""
    source = source if source is not None else sys.stdin
    if (descriptor := descriptor_of(source)) is None:
        yield _no_key
        return
    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor)
        yield lambda limit_s: _pressed(descriptor, limit_s)
    finally:
        with suppress(termios.error):
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _pressed(descriptor: int, limit_s: float) -> str:
    if not select.select([descriptor], [], [], limit_s)[0]:
        return ""
    # An arrow is several bytes: what is no key of ours, as a whole.
    data = os.read(descriptor, 64)
    # Nothing: the terminal is gone.
    return data.decode("utf-8", "replace") if data else "q"


def _no_key(limit_s: float) -> str:
    time.sleep(limit_s)
    return ""
