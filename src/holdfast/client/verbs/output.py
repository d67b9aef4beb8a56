"""What a verb prints: a table for a person, columns for the next program of a pipe, or the API's result as JSON.

Law 1: whatever the API wrote is printable before it is printed: one cell is one line and moves no cursor.
Law 2: with `--json`, standard output is one JSON value, exactly the API's `result`; everything else goes to stderr.
Law 3: a value that is cut at a terminal is whole in a pipe.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, TextIO

from rich.cells import cell_len

from holdfast.client.printable import printable

if TYPE_CHECKING:
    from rich.table import Table

# Longest cell. The longest thing worth a cell is the list of hosts of a certificate.
MAX_CELL_CHARS = 1000
# What stands where there is nothing.
NOTHING = "-"
# A moment of the API's; its fraction of a second is for programs.
_MOMENT = re.compile(r"\A(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.\d+Z\Z", re.ASCII)
# Between two columns.
_GAP = "  "


class Output:
    """Where a verb says what it found or did. `is_terminal` is about `out`; `columns` is its width there."""

    def __init__(
        self, out: TextIO, notices: TextIO, *, as_json: bool, is_terminal: bool, columns: int | None = None
    ) -> None:
        self._out = out
        self._notices = notices
        self._as_json = as_json
        self._is_terminal = is_terminal
        self._columns = columns

    @property
    def is_drawn(self) -> bool:
        """Whether it goes to a terminal, and a person reads it there."""
        return self._is_terminal and not self._as_json

    @property
    def stream(self) -> TextIO:
        """Where it goes, for who draws on the whole terminal."""
        return self._out

    def drawn(self, made: Callable[[int], Table]) -> None:
        """A table that is made for a width, for a terminal."""
        self._printed(made(self._width()))

    def line(self, text: str) -> None:
        """One line that others will follow, printable already."""
        self._lines([text])

    def table(self, result: object, titles: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
        """A list: a row an item. Where there are none, `empty` is said on stderr."""
        if self._as_json:
            return self._json(result)
        cells = [[cell(value) for value in row] for row in rows]
        if not cells:
            return self.notice(empty)
        if self._is_terminal:
            return self._drawn(titles, cells)
        return self._lines(_aligned([[title.upper() for title in titles], *cells]))

    def rows(self, rows: Iterable[Sequence[object]]) -> None:
        """Lines that others will follow: a row an item, without titles."""
        return self._lines(_aligned([[cell(value) for value in row] for row in rows]))

    def facts(self, result: object, facts: Iterable[tuple[str, object]]) -> None:
        """One thing: a line a fact."""
        if self._as_json:
            return self._json(result)
        return self._lines(_aligned([[f"{name}:", cell(value)] for name, value in facts]))

    def done(self, result: object, *sentences: str) -> None:
        """What was done, in sentences that may hold words of the API."""
        if self._as_json:
            return self._json(result)
        return self._lines(printable(sentence, limit=4 * MAX_CELL_CHARS) for sentence in sentences)

    def value(self, result: object, value: object) -> None:
        """A JSON value alone, for a script: text as it is, anything else as JSON, whole and on one line."""
        if self._as_json:
            return self._json(result)
        if isinstance(value, str):
            return self.done(result, value)
        return self._lines([_ascii_json(value, separators=(",", ":"))])

    def notice(self, sentence: str) -> None:
        """Something beside the result, on stderr."""
        self._notices.write(f"{printable(sentence, limit=4 * MAX_CELL_CHARS)}\n")
        self._notices.flush()

    def _json(self, result: object) -> None:
        self._lines([_ascii_json(result, indent=2)])

    def _lines(self, lines: Iterable[str]) -> None:
        encoding = self._out.encoding or "utf-8"
        for line in lines:
            self._out.write(f"{line.encode(encoding, 'backslashreplace').decode(encoding)}\n")
        self._out.flush()

    def _drawn(self, titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        from rich.table import Table  # noqa: PLC0415  only a terminal pays for drawing
        from rich.text import Text  # noqa: PLC0415

        table = Table(box=None, padding=(0, len(_GAP), 0, 0), pad_edge=False, header_style="bold")
        for title in titles:
            # Folded, not cut: an id that cannot be copied is no id.
            table.add_column(Text(title), overflow="fold", no_wrap=title == "id")
        for row in rows:
            table.add_row(*(Text(value) for value in row))
        self._printed(table)

    def _width(self) -> int:
        return self._columns or shutil.get_terminal_size().columns

    def _printed(self, table: Table) -> None:
        from rich.console import Console  # noqa: PLC0415  as above

        console = Console(
            file=self._out, width=self._width(), highlight=False, markup=False, emoji=False, force_terminal=True
        )
        with console.capture() as drawn:
            console.print(table)
        self._lines(line.rstrip() for line in drawn.get().splitlines() if line.strip())


def cell(value: object) -> str:
    """A JSON value in a cell: printable, one line, `-` for nothing."""
    if value is None or value in ("", []):
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return printable(_MOMENT.sub(r"\1Z", value), limit=MAX_CELL_CHARS)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return printable(", ".join(value), limit=MAX_CELL_CHARS) or NOTHING
    return printable(json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=str), limit=MAX_CELL_CHARS)


def _ascii_json(value: object, *, indent: int | None = None, separators: tuple[str, str] | None = None) -> str:
    # ASCII only, so that no character of the API's reaches a terminal; DEL is the one that JSON leaves as it is.
    return json.dumps(value, indent=indent, separators=separators).replace("\x7f", "\\u007f")


def _aligned(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    widths = [max(cell_len(value) for value in column) for column in zip(*rows, strict=True)]
    for row in rows:
        padded = (value + " " * (width - cell_len(value)) for value, width in zip(row, widths, strict=True))
        yield _GAP.join(padded).rstrip()
