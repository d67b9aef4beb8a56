"""The fields of the rules language: the type of each, and how it is read from a request.

Law 1: a field is here if this edge knows its value for every request. What the original has beyond that is in
       `refused_fields` and is refused when an expression is read: a rule that can never match must not look as if it could.
Law 2: a reader takes the context and returns the value or None, which means missing.
Law 3: fields of the path are of the normalised one (`url_normalization`); those below `raw.` are of what the client sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from types import MappingProxyType
from typing import Any, TypeAlias

from holdfast.model.request import Request
from holdfast.rules import request_values as values
from holdfast.rules.context import EvaluationContext
from holdfast.rules.literals import bytes_of, parse_address
from holdfast.rules.url_normalization import normalized_path
from holdfast.rules.value_types import (
    BOOL,
    BYTES,
    BYTES_ARRAY,
    BYTES_ARRAY_MAP,
    INT,
    IP,
    Address,
    ValueType,
)

Reader: TypeAlias = Callable[[EvaluationContext], Any]

_HEADERS = "http.request.headers"
# How often headers are gone through for one of them before they are gathered by name, which takes as long as three times.
_MAX_SEARCHES = 2
_SEARCHES = "searches of headers"


@dataclass(frozen=True, slots=True)
class Field:
    """A field: its name, the type of its values, and what reads it."""

    name: str
    type: ValueType
    read: Reader


def once(name: str, compute: Callable[[EvaluationContext], Any]) -> Reader:
    """A reader that computes its value for the first expression that asks, and remembers it as `name` for the others."""

    def read(context: EvaluationContext) -> Any:  # noqa: ANN401
        computed = context.computed
        if name in computed:
            return computed[name]
        value = computed[name] = compute(context)
        return value

    return read


def _headers(context: EvaluationContext) -> values.ArrayMap:
    computed = context.computed
    headers: values.ArrayMap | None = computed.get(_HEADERS)
    if headers is None:
        headers = computed[_HEADERS] = values.header_map(context.request)
    return headers


def header_lines(context: EvaluationContext, name: str) -> list[str] | None:
    """The values of a header (`name` in lower case), None if it was not sent."""
    computed = context.computed
    headers: values.ArrayMap | None = computed.get(_HEADERS)
    if headers is None:
        searches = computed.get(_SEARCHES, 0)
        if searches < _MAX_SEARCHES:
            computed[_SEARCHES] = searches + 1
            return values.lines_of(context.request, name)
        headers = _headers(context)
    return headers.get(name)


def _of_request(name: str, compute: Callable[[Request], Any]) -> Reader:
    return once(name, lambda context: compute(context.request))


def _of_header(name: str, header: str, compute: Callable[[values.ArrayMap], Any]) -> Reader:
    """A reader of what `compute` makes of one header."""

    def read(context: EvaluationContext) -> Any:  # noqa: ANN401
        lines = header_lines(context, header)
        return compute({} if lines is None else {header: lines})

    return once(name, read)


def _of_target(attribute: str) -> Reader:
    """A reader of a text that may have letters beyond ASCII. Asking that is cheaper than remembering the answer."""
    find = attrgetter(f"request.{attribute}")

    def read(context: EvaluationContext) -> str:
        text: str = find(context)
        return text if text.isascii() else bytes_of(text)

    return read


def _of_text_header(name: str, header: str, between: str) -> Reader:
    """A reader of a header as one text, "" if it was not sent."""

    def read(context: EvaluationContext) -> str:
        text: str | None = context.computed.get(name)
        if text is None:
            lines = header_lines(context, header)
            text = "" if lines is None else lines[0] if len(lines) == 1 else between.join(lines)
            context.computed[name] = text
        return text

    return read


def path_of(context: EvaluationContext) -> str:
    """The path of the request as rules see it; computed once."""
    path = context.path
    if path is None:
        path = context.path = normalized_path(context.request.path, context.facts.url_form)
    return path


_path_as_sent = _of_target("path")


def _of_path(name: str, compute: Callable[[Request, str], str], path: Callable[[EvaluationContext], str]) -> Reader:
    return once(name, lambda context: compute(context.request, path(context)))


def _of_place(type_: ValueType, attribute: str) -> Reader:
    read = attrgetter(f"facts.place.{attribute}")
    if type_ is not BYTES:
        return read
    # Names of places have letters beyond ASCII; values have one character a byte.
    return once(f"place.{attribute}", lambda context: None if (text := read(context)) is None else bytes_of(text))


def _seconds(context: EvaluationContext) -> int | None:
    now_ms = context.facts.now_ms
    return None if now_ms is None else now_ms // 1000


def _milliseconds(context: EvaluationContext) -> int | None:
    """Those after the second, 0 to 999; the whole time takes both fields."""
    now_ms = context.facts.now_ms
    return None if now_ms is None else now_ms % 1000


def _server_address(context: EvaluationContext) -> Address | None:
    address = context.facts.server_ip
    return None if address is None else parse_address(address)


_PLACE: Mapping[str, tuple[ValueType, str]] = {
    "asnum": (INT, "asn"),
    "city": (BYTES, "city"),
    "continent": (BYTES, "continent"),
    "country": (BYTES, "country"),
    "is_in_european_union": (BOOL, "in_european_union"),
    "lat": (BYTES, "latitude"),
    "lon": (BYTES, "longitude"),
    "metro_code": (BYTES, "metro_code"),
    "postal_code": (BYTES, "postal_code"),
    "region": (BYTES, "region"),
    "region_code": (BYTES, "region_code"),
    "subdivision_1_iso_code": (BYTES, "subdivision_1"),
    "subdivision_2_iso_code": (BYTES, "subdivision_2"),
    "timezone.name": (BYTES, "timezone"),
}
# The older names of some of them.
_GEOIP = (
    "asnum",
    "continent",
    "country",
    "is_in_european_union",
    "subdivision_1_iso_code",
    "subdivision_2_iso_code",
)

# Of a query, which is not normalised; the original has each a second time under `raw.`, and so it is the same here.
_QUERY: Mapping[str, tuple[ValueType, Callable[[Request], Any]]] = {
    "uri.args": (BYTES_ARRAY_MAP, values.argument_map),
    "uri.args.names": (BYTES_ARRAY, values.argument_names),
    "uri.args.values": (BYTES_ARRAY, values.argument_values),
}

# Of what has the path in it.
_URI: Mapping[str, Callable[[Request, str], str]] = {
    "full_uri": values.full_uri,
    "uri": values.uri,
    "uri.path.extension": values.extension,
}

_COMPUTED: Mapping[str, tuple[ValueType, Callable[[Request], Any]]] = {
    "cf.ray_id": (BYTES, values.ray_id),
    "cf.tls_cipher": (BYTES, values.tls_cipher),
    "cf.tls_version": (BYTES, values.tls_version),
    "http.request.headers": (BYTES_ARRAY_MAP, values.header_map),
    "http.request.headers.names": (BYTES_ARRAY, values.header_names),
    "http.request.headers.values": (BYTES_ARRAY, values.header_values),
    "ip.src": (IP, values.client_address),
}

# Of one header each.
_OF_HEADERS: Mapping[str, tuple[ValueType, str, Callable[[values.ArrayMap], Any]]] = {
    "http.request.accepted_languages": (BYTES_ARRAY, "accept-language", values.accepted_languages),
    "http.request.cookies": (BYTES_ARRAY_MAP, "cookie", values.cookie_map),
}

# Of one header each as it came, and what stands between its lines where they are several (RFC 9110 §5.3, RFC 6265 §5.4).
_TEXT_HEADERS: Mapping[str, tuple[str, str]] = {
    "http.cookie": ("cookie", "; "),
    "http.referer": ("referer", ", "),
    "http.user_agent": ("user-agent", ", "),
    "http.x_forwarded_for": ("x-forwarded-for", ", "),
}

_DIRECT: Mapping[str, tuple[ValueType, str]] = {
    "cf.edge.server_port": (INT, "request.edge_port"),
    "cf.random_seed": (BYTES, "facts.random_seed"),
    "cf.worker.upstream_zone": (BYTES, "facts.upstream_zone"),
    "cf.zone.name": (BYTES, "facts.zone_name"),
    "cf.zone.plan": (BYTES, "facts.zone_plan"),
    "http.request.method": (BYTES, "request.method"),
    "http.request.version": (BYTES, "request.version"),
}


def _fields() -> dict[str, Field]:
    found = [Field(name, type_, attrgetter(path)) for name, (type_, path) in _DIRECT.items()]
    found += [Field(name, type_, _of_request(name, compute)) for name, (type_, compute) in _COMPUTED.items()]
    found += [
        Field(name, type_, _of_header(name, header, compute)) for name, (type_, header, compute) in _OF_HEADERS.items()
    ]
    found += [Field(name, BYTES, _of_text_header(name, *how)) for name, how in _TEXT_HEADERS.items()]
    queries: dict[str, tuple[ValueType, Reader]] = {"uri.query": (BYTES, _of_target("query"))}
    for suffix, (type_, compute) in _QUERY.items():
        queries[suffix] = type_, _of_request(f"http.request.{suffix}", compute)
    for prefix, path in (("http.request.", path_of), ("raw.http.request.", _path_as_sent)):
        found += [Field(prefix + suffix, type_, read) for suffix, (type_, read) in queries.items()]
        found.append(Field(f"{prefix}uri.path", BYTES, path))
        for suffix, of_path in _URI.items():
            found.append(Field(prefix + suffix, BYTES, _of_path(prefix + suffix, of_path, path)))
    found += [Field(f"ip.src.{suffix}", type_, _of_place(type_, name)) for suffix, (type_, name) in _PLACE.items()]
    found += [Field(f"ip.geoip.{suffix}", _PLACE[suffix][0], _of_place(*_PLACE[suffix])) for suffix in _GEOIP]
    found += [
        Field("http.host", BYTES, _of_target("host")),
        # Every connection of this edge is TCP: it has no HTTP/3.
        Field("cf.edge.client_tcp", BOOL, lambda _: True),
        Field("cf.edge.server_ip", IP, once("cf.edge.server_ip", _server_address)),
        # A request with more header fields than the edge reads is refused, so none is ever cut short.
        Field("http.request.headers.truncated", BOOL, lambda _: False),
        Field("http.request.timestamp.msec", INT, _milliseconds),
        Field("http.request.timestamp.sec", INT, _seconds),
        Field("ssl", BOOL, lambda context: context.request.scheme == "https"),
    ]
    return {field.name: field for field in found}


FIELDS: Mapping[str, Field] = MappingProxyType(_fields())
