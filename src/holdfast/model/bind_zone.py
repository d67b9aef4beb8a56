"""DNS records as a zone file: one record a line, as BIND reads and writes it.

Law 1: what is written is read as the same names, contents, times and states; comments are for people.
Law 2: whatever the text, reading returns records or raises BindError, which names the line.
Law 3: reading takes time and memory in proportion to the text, whatever is in it.
Law 4: only records an edge takes are read; others are counted. `$INCLUDE` and `$GENERATE` are refused: they name what is
not in the text.

Source: RFC 1035 §5.1; RFC 2308 §4 for `$TTL`. `; cf_tags=cf-proxied:true` is the original's way to say "proxied".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import msgspec

from holdfast.model.dns_record import AUTOMATIC_TTL, TYPES, DnsRecord, RecordFields
from holdfast.model.hostname import MAX_CHARS as MAX_NAME_CHARS

# Cloudflare takes 256 KiB. As many records as a zone may have, with remarks, are twice that.
MAX_CHARS = 512 * 1024
_BLANKS = (" ", "\t", "\r")
_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
_CLASSES = ("IN", "CH", "HS", "CS")
_TTL = re.compile(r"[0-9]{1,9}|(?:[0-9]{1,9}[smhdw])+", re.IGNORECASE)
_TTL_PART = re.compile(r"([0-9]+)([smhdw]?)", re.IGNORECASE)
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
# A text in quotes is one token, whatever is in it; so is a parenthesis, and a comment reaches to the end of its line.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"?|[()]|;.*|(?:[^\s"();\\]|\\.)+|\\')
# What stands last of a record's remark, after whatever a person wrote.
_TAGS = "cf_tags="
_WORD = re.compile(r"\S*")
_STATES = {"cf-proxied:true": True, "cf-proxied:false": False}
# Longest name that $ORIGIN may set, in whatever form: it is part of every name after it.
MAX_ORIGIN_CHARS = MAX_NAME_CHARS + 1


class BindError(ValueError):
    """The text is no zone file. `str` is a sentence with the line's number."""


class BindRecords(msgspec.Struct, frozen=True):
    """What a file holds: (line, record) of those an edge takes, not parsed yet, and how many records there are in all."""

    fields: list[tuple[int, RecordFields]]
    total: int


def written_bind(zone: str, records: Iterable[DnsRecord]) -> str:
    """`records` as a zone file."""
    lines = [f"$ORIGIN {zone}.", *(_line(record) for record in records)]
    return "\n".join(lines) + "\n"


def _line(record: DnsRecord) -> str:
    content = f"{record.content}." if record.type == "CNAME" else record.content
    comment = (record.comment or "").replace("\r", " ").replace("\n", " ")
    notes = f" ; {comment}" if comment else " ;"
    state = "true" if record.proxied else "false"
    return f"{record.name}.\t{record.ttl}\tIN\t{record.type}\t{content}{notes} cf_tags=cf-proxied:{state}"


def parse_bind(text: str, *, zone: str, proxied: bool) -> BindRecords:
    """The records in `text`. `proxied` is what a record is that does not say. Raises BindError."""
    if len(text) > MAX_CHARS:
        raise BindError(f"expected a zone file of at most {MAX_CHARS} characters, got {len(text)}")
    origin, ttl, owner = f"{zone}.", AUTOMATIC_TTL, "@"
    found: list[tuple[int, RecordFields]] = []
    total = 0
    for number, is_continued, tokens, comment in _entries(text):
        if tokens[0].startswith("$"):
            origin, ttl = _directive(number, tokens, origin, ttl)
            continue
        if not is_continued:
            owner = _absolute(tokens[0], origin)
        kind, given_ttl, data = _parts(number, tokens if is_continued else tokens[1:])
        total += 1
        if kind not in TYPES:
            continue
        if len(data) != 1:
            raise BindError(f"line {number}: expected one value after {kind}, got {len(data)}")
        says = _state_in(comment)
        fields = RecordFields(
            name=owner,
            type=kind,
            content=_absolute(data[0], origin) if kind == "CNAME" else data[0],
            ttl=ttl if given_ttl is None else given_ttl,
            proxied=proxied if says is None else says,
        )
        found.append((number, fields))
    return BindRecords(found, total)


def _state_in(comment: str) -> bool | None:
    """Whether the last tags of a remark say that a record is proxied; None if they say nothing of it."""
    _, tags, rest = comment.rpartition(_TAGS)
    word = _WORD.match(rest)
    if not tags or word is None:
        return None
    said = [_STATES[tag] for tag in word[0].split(",") if tag in _STATES]
    return said[-1] if said else None


def _entries(text: str) -> Iterator[tuple[int, bool, list[str], str]]:
    """Each entry: its line, whether its owner is the one before, its tokens, its comment. Parentheses join lines."""
    tokens: list[str] = []
    comments: list[str] = []
    start, depth, is_continued = 0, 0, False
    for number, line in enumerate(text.split("\n"), 1):
        if not depth:
            start, is_continued, comments, tokens = number, line[:1] in _BLANKS, [], []
        for part in _TOKEN.findall(line):
            if part.startswith(";"):
                comments.append(part)
            elif part in "()":
                depth += 1 if part == "(" else -1
            else:
                tokens.append(part)
        if depth < 0:
            raise BindError(f"line {number}: a parenthesis is closed that was not opened")
        if not depth and tokens:
            yield start, is_continued, tokens, "".join(comments)
    if depth:
        raise BindError(f"line {start}: a parenthesis is not closed")


def _directive(number: int, tokens: list[str], origin: str, ttl: int) -> tuple[str, int]:
    name, value = tokens[0].upper(), tokens[1] if len(tokens) > 1 else ""
    if name == "$ORIGIN" and value:
        origin = _absolute(value, origin)
        if len(origin) > MAX_ORIGIN_CHARS:
            raise BindError(f"line {number}: expected a name of at most {MAX_ORIGIN_CHARS} characters after $ORIGIN")
        return origin, ttl
    if name == "$TTL" and _TTL.fullmatch(value):
        return origin, _seconds(value)
    raise BindError(
        f"line {number}: expected $ORIGIN with a name, $TTL with a time, or a record, got {tokens[0][:40]!r}"
    )


def _parts(number: int, tokens: list[str]) -> tuple[str, int | None, list[str]]:
    """Type, TTL and data of a record. TTL and class stand before the type, in any order (RFC 1035 §5.1)."""
    ttl: int | None = None
    for place, token in enumerate(tokens[:3]):
        if ttl is None and _TTL.fullmatch(token):
            ttl = _seconds(token)
        elif token.upper() in _CLASSES:
            continue
        elif _TYPE.fullmatch(token):
            return token.upper(), ttl, tokens[place + 1 :]
        else:
            break
    raise BindError(f"line {number}: expected name, TTL, class, type and value of a record")


def _absolute(name: str, origin: str) -> str:
    if name == "@":
        return origin
    return name if name.endswith(".") else f"{name}.{origin.lstrip('.')}"


def _seconds(text: str) -> int:
    return sum(int(number) * _SECONDS[unit.lower()] for number, unit in _TTL_PART.findall(text))
