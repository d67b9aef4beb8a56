"""Read the text cases of `tests/wire` (its README is the format).

Law 1: the bytes of a case are exactly what its file says; nothing is added but the CRLF at the end of each line.
Law 2: a word in the expectation that is not known is an error, so that no expectation is skipped by a typing slip.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

DIRECTORY = Path(__file__).parent.parent / "wire"
REPEAT = re.compile(rb"\{(?P<what>[^{}]*)\*(?P<count>\d+)\}")
ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{2}|.)")
ESCAPES = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"0": b"\0", b"\\": b"\\"}
# Statuses of the edge's own refusals: they end the connection, and nothing of the request may reach the origin.
REFUSALS = {400, 405, 408, 414, 426, 431, 501, 505}


@dataclass(frozen=True, slots=True)
class Case:
    """One case. `origin` is "nothing", "incomplete", a text its head must contain there, or None."""

    name: str
    source: bytes
    statuses: frozenset[int]
    is_closed: bool | None
    headers: dict[str, str] = field(default_factory=dict)
    reason: str | None = None
    origin: bytes | str | None = None

    def data(self, token: str) -> bytes:
        """The bytes to send, with this run's token."""
        return self.source.replace(b"{token}", token.encode())


def load() -> list[Case]:
    """All cases of all files, named `file: sentence`. Raises ValueError with the case's name where one cannot be read."""
    cases = []
    for path in sorted(DIRECTORY.glob("*.txt")):
        _, *blocks = re.split(r"^=== ", path.read_text(), flags=re.MULTILINE)
        cases += [parse(path.stem, block) for block in blocks]
    return cases


def parse(stem: str, block: str) -> Case:
    """One case from its text, without the `=== ` before it."""
    title, _, rest = block.partition("\n")
    source, mark, expected = rest.partition("\n---\n")
    name = f"{stem}: {title}"
    if not mark:
        raise ValueError(f"{name}: no line of --- between input and expectation")
    # The line of --- takes the place of one line end: the last line before it ends in CRLF like any other.
    return expect(name, unescape(source + "\n"), [line for line in expected.split("\n") if line and line[0] != "#"])


def unescape(text: str) -> bytes:
    """Escapes, repetitions and line ends of the input, as the README tells them."""
    out = b""
    for line in text.removesuffix("\n").split("\n"):
        if line.startswith("#"):
            continue
        ends_bare = line.endswith("\\+")
        raw = line.removesuffix("\\+").encode()
        out += raw if ends_bare else raw + b"\\r\\n"
    out = ESCAPE.sub(lambda m: ESCAPES[m[1]] if len(m[1]) == 1 else bytes([int(m[1][1:], 16)]), out)
    return REPEAT.sub(lambda m: m["what"] * int(m["count"]), out)


def expect(name: str, source: bytes, lines: list[str]) -> Case:
    """The case with its expectations."""
    statuses: frozenset[int] = frozenset()
    is_closed: bool | None = None
    headers: dict[str, str] = {}
    reason: str | None = None
    origin: bytes | str | None = None
    for line in lines:
        word, _, rest = line.partition(" ")
        match word:
            case "status":
                statuses = frozenset(map(int, rest.split(" or ")))
            case "closed" | "open":
                is_closed = word == "closed"
            case "header":
                key, _, value = rest.partition(": ")
                headers[key] = value
            case "reason":
                reason = rest
            case "origin":
                origin = rest if rest in {"nothing", "incomplete"} else unescape(rest + "\\+")
            case _:
                raise ValueError(f"{name}: cannot read the expectation {line!r}")
    if not statuses:
        raise ValueError(f"{name}: no status is expected")
    if statuses <= REFUSALS:
        is_closed = True if is_closed is None else is_closed
        origin = origin or "nothing"
    return Case(name, source, statuses, is_closed, headers, reason, origin)
