"""The head of one request as SecLang's variables: ARGS, REQUEST_HEADERS and their kin.

Law 1: a variable is made when it is first asked for, and once a request.
Law 2: the values are ModSecurity 2's: targets, names and cookies as they came; arguments, and the path as REQUEST_FILENAME,
decoded once.
Law 3: what costs by the piece is bounded: beyond MAX_PIECES arguments or cookies the rest is one more, whole and undivided,
so nothing is looked at less for being many.

Source: ModSecurity Reference Manual, "Variables"; its `apache2/re_variables.c` where the manual is silent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final
from urllib.parse import unquote_to_bytes

from holdfast._native import transform
from holdfast.rules.context import EvaluationContext
from holdfast.rules.seclang.vocabulary import EMPTY_VARIABLES, FAULT_VARIABLES, RESPONSE_VARIABLES

Pair = tuple[bytes, bytes]
Pairs = Sequence[Pair]

# Precedent: ModSecurity's recommended SecArgumentsLimit, 1000; beyond it, ModSecurity refuses or ignores.
MAX_PIECES: Final = 1_000
_URL_DECODE = ("urlDecode",)
_COMPUTED = "seclang"
_PROCESSORS: Final = (
    (re.compile(rb"application/x-www-form-urlencoded"), b"URLENCODED"),
    (re.compile(rb"multipart/form-data"), b"MULTIPART"),
    (re.compile(rb"application/(?:[a-z0-9.-]+\+)?json"), b"JSON"),
    (re.compile(rb"(?:application/(?:soap\+)?|text/)xml"), b"XML"),
)


class RequestVariables:
    """The variables of one request. `pairs` are (member's name, value); a variable without members has one pair, named b""."""

    __slots__ = ("_by_name", "_pairs", "context")

    def __init__(self, context: EvaluationContext) -> None:
        self.context = context
        self._pairs: dict[str, Pairs] = {}
        self._by_name: dict[str, dict[bytes, list[Pair]]] = {}

    @classmethod
    def of(cls, context: EvaluationContext) -> RequestVariables:
        """The variables of this request, the same for every set of rules that asks."""
        found: RequestVariables | None = context.computed.get(_COMPUTED)
        if found is None:
            found = context.computed[_COMPUTED] = cls(context)
        return found

    def pairs(self, name: str) -> Pairs:
        """All there is of the variable `name`, in order."""
        try:
            return self._pairs[name]
        except KeyError:
            found = self._pairs[name] = _MADE_BY[name](self)
            return found

    def named(self, name: str, member: bytes) -> Pairs:
        """The members of the collection `name` that are called `member` (in small letters), in any case."""
        try:
            by_name = self._by_name[name]
        except KeyError:
            by_name = self._by_name[name] = {}
            for pair in self.pairs(name):
                by_name.setdefault(pair[0].lower(), []).append(pair)
        return by_name.get(member, ())


def as_bytes(text: str) -> bytes:
    """What the client sent: the edge reads bytes as latin-1. Text from elsewhere is UTF-8."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode()


def _one(value: bytes | str) -> Pairs:
    return ((b"", as_bytes(value) if isinstance(value, str) else value),)


def _decoded(value: bytes) -> bytes:
    return transform(_URL_DECODE, value) if b"%" in value or b"+" in value else value


def _bounded(text: bytes, separator: bytes) -> list[bytes]:
    """The pieces of `text`; Law 3."""
    return text.split(separator, MAX_PIECES)


def _arguments(of: RequestVariables) -> Pairs:
    query = of.context.request.query
    if not query:
        return ()
    pairs = []
    for piece in _bounded(as_bytes(query), b"&"):
        if piece:
            name, _, value = piece.partition(b"=")
            pairs.append((_decoded(name), _decoded(value)))
    return pairs


def _cookies(of: RequestVariables) -> Pairs:
    pairs: list[Pair] = []
    for _, header in of.named("REQUEST_HEADERS", b"cookie"):
        for piece in _bounded(header, b";"):
            name, _, value = piece.lstrip().partition(b"=")
            if name:
                pairs.append((name, value))
    if len(pairs) > MAX_PIECES + 1:
        rest = pairs[MAX_PIECES:]
        pairs[MAX_PIECES:] = [(rest[0][0], b"; ".join(b"%b=%b" % pair for pair in rest))]
    return pairs


def _names_of(collection: str) -> Callable[[RequestVariables], Pairs]:
    return lambda of: [(name, name) for name, _ in of.pairs(collection)]


def _combined_size(of: RequestVariables) -> Pairs:
    return _one(b"%d" % sum(len(name) + len(value) for name, value in of.pairs("ARGS")))


def _headers(of: RequestVariables) -> Pairs:
    return [(as_bytes(name), as_bytes(value)) for name, value in of.context.request.headers]


def _target(of: RequestVariables) -> str:
    request = of.context.request
    return f"{request.path}?{request.query}" if request.query else request.path


def _line(of: RequestVariables) -> Pairs:
    request = of.context.request
    return _one(f"{request.method} {_target(of)} {request.version}")


def _filename(of: RequestVariables) -> Pairs:
    path = as_bytes(of.context.request.path)
    return _one(unquote_to_bytes(path) if b"%" in path else path)


def _basename(of: RequestVariables) -> Pairs:
    path = of.pairs("REQUEST_FILENAME")[0][1]
    return _one(path[max(path.rfind(b"/"), path.rfind(b"\\")) + 1 :])


def _body_processor(of: RequestVariables) -> Pairs:
    """What would read a body of this type, as ModSecurity and its recommended rules choose it."""
    types = of.named("REQUEST_HEADERS", b"content-type")
    kind = types[0][1].partition(b";")[0].strip().lower() if types else b""
    named = next((name for pattern, name in _PROCESSORS if pattern.fullmatch(kind)), b"")
    return _one(named)


def _full_request(of: RequestVariables) -> Pairs:
    lines = [of.pairs("REQUEST_LINE")[0][1], *(b"%b: %b" % pair for pair in of.pairs("REQUEST_HEADERS"))]
    return _one(b"\n".join(lines) + b"\n\n")


def _is_badly_encoded(of: RequestVariables) -> Pairs:
    pieces = of.context.request.query.split("%")[1:]
    return _one(b"1" if any(not _is_hex(piece[:2]) for piece in pieces) else b"0")


def _is_hex(digits: str) -> bool:
    return len(digits) == 2 and all(digit in "0123456789abcdefABCDEF" for digit in digits)


def _moment(form: str) -> Callable[[RequestVariables], Pairs]:
    def made(of: RequestVariables) -> Pairs:
        now_ms = of.context.facts.now_ms
        return () if now_ms is None else _one(datetime.fromtimestamp(now_ms / 1000, UTC).strftime(form))

    return made


def _constant(value: bytes) -> Callable[[RequestVariables], Pairs]:
    return lambda _: ((b"", value),)


def _nothing(_: RequestVariables) -> Pairs:
    return ()


_MADE_BY: Final[Mapping[str, Callable[[RequestVariables], Pairs]]] = MappingProxyType(
    dict.fromkeys(EMPTY_VARIABLES | RESPONSE_VARIABLES, _nothing)
    | {name: _constant(b"0") for name in FAULT_VARIABLES}
    | {
        "ARGS": _arguments,
        "ARGS_COMBINED_SIZE": _combined_size,
        "ARGS_GET": lambda of: of.pairs("ARGS"),
        "ARGS_GET_NAMES": lambda of: of.pairs("ARGS_NAMES"),
        "ARGS_NAMES": _names_of("ARGS"),
        # No clock is read here: a duration has two digits for rules that ask for them, and says nothing.
        "DURATION": _constant(b"00"),
        "FULL_REQUEST": _full_request,
        "FULL_REQUEST_LENGTH": lambda of: _one(b"%d" % len(of.pairs("FULL_REQUEST")[0][1])),
        "QUERY_STRING": lambda of: _one(of.context.request.query) if of.context.request.query else (),
        "REMOTE_ADDR": lambda of: _one(of.context.request.client_ip),
        "REMOTE_HOST": lambda of: _one(of.context.request.client_ip),
        "REMOTE_PORT": lambda of: _one(str(of.context.request.client_port)),
        "REQBODY_ERROR_MSG": _constant(b""),
        "REQBODY_PROCESSOR": _body_processor,
        "REQBODY_PROCESSOR_ERROR_MSG": _constant(b""),
        "REQUEST_BASENAME": _basename,
        "REQUEST_COOKIES": _cookies,
        "REQUEST_COOKIES_NAMES": _names_of("REQUEST_COOKIES"),
        "REQUEST_FILENAME": _filename,
        "REQUEST_HEADERS": _headers,
        "REQUEST_HEADERS_NAMES": _names_of("REQUEST_HEADERS"),
        "REQUEST_LINE": _line,
        "REQUEST_METHOD": lambda of: _one(of.context.request.method),
        "REQUEST_PROTOCOL": lambda of: _one(of.context.request.version),
        "REQUEST_URI": lambda of: _one(_target(of)),
        "REQUEST_URI_RAW": lambda of: _one(_target(of)),
        "SERVER_ADDR": lambda of: _one(of.context.facts.server_ip) if of.context.facts.server_ip else (),
        "SERVER_NAME": lambda of: _one(of.context.request.host),
        "SERVER_PORT": lambda of: _one(str(of.context.request.edge_port)),
        "TIME": _moment("%H:%M:%S"),
        "TIME_DAY": _moment("%-d"),
        "TIME_EPOCH": lambda of: () if (now_ms := of.context.facts.now_ms) is None else _one(b"%d" % (now_ms // 1000)),
        "TIME_HOUR": _moment("%-H"),
        "TIME_MIN": _moment("%-M"),
        "TIME_MON": _moment("%-m"),
        "TIME_SEC": _moment("%-S"),
        "TIME_WDAY": _moment("%w"),
        "TIME_YEAR": _moment("%Y"),
        "UNIQUE_ID": lambda of: _one(of.context.request.ray),
        "URLENCODED_ERROR": _is_badly_encoded,
    }
)
