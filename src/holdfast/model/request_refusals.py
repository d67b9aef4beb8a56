"""What the edge answers before it asks any rule: whoever writes such a request down learns it, for no rule would ever see it.

Law 1: these are the checks of the core (`native/core/src/http`, `handshake.rs`) on what a person can write down, in its order:
the request line, the fields, the framing, the host, the handshake.
Law 2: the first that fails is told, by its place (a JSON pointer into the request), what was expected, and the edge's status.

Source: RFC 9112 §3, §5, §6; RFC 9110 §5.6.2; RFC 6455 §4.2.1.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from holdfast.errors import shown

# What the core reads at most.
MAX_HEAD_BYTES: Final = 32 * 1024
MAX_TARGET_BYTES: Final = 16 * 1024
MAX_FIELDS: Final = 256
_MAX_METHOD_BYTES = 32
_MAX_HOST_CHARS = 253
_MAX_LENGTH_DIGITS = 20
_MAX_PROTOCOLS = 64
_KEY_BYTES = 16

TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NO_TARGET = re.compile(r"[\x00-\x20#\x7f]")
_NO_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_NAME = re.compile(r"[0-9A-Za-z_~-]+(?:\.[0-9A-Za-z_~-]+)*")
_AUTHORITY = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*)(?::([0-9]{1,5}))?")
_REFUSED_METHODS = ("CONNECT", "TRACE")
# Over HTTP/2 a WebSocket is asked for otherwise (RFC 8441), and rules see what it would be over 1.1.
_OPENING_VERSIONS = ("HTTP/1.1", "HTTP/2")

# Fields by their names in lower case, each with its values in order.
Fields = Mapping[str, Sequence[str]]


class Refused(NamedTuple):
    """Where it is wrong, such as "/headers/Host", and what was expected: a sentence without its stop."""

    place: str
    reason: str


class Authority(NamedTuple):
    """A host in lower case, without a final dot, an IPv6 address with its brackets; and a port, 0 where none is said."""

    host: str
    port: int


def authority_of(text: str) -> Authority | None:
    """`host[:port]` as the core reads it; None for what is none."""
    match = _AUTHORITY.fullmatch(text)
    if match is None or (match[2] and not 1 <= int(match[2]) <= 65535):
        return None
    host = match[1].lower().removesuffix(".")
    is_name = len(host) <= _MAX_HOST_CHARS and _NAME.fullmatch(host) is not None
    return Authority(host, int(match[2] or 0)) if is_name or _is_ipv6(host) else None


def refusal_of(method: str, target: str, version: str, headers: Sequence[tuple[str, str]]) -> Refused | None:
    """Why the edge asks no rule about a request with this line and these fields; None where it asks them."""
    fields = _by_name(headers)
    return (
        _of_line(method, target)
        or _of_fields(headers, target)
        or _of_framing(fields, version)
        or _of_host(fields)
        or _of_handshake(method, version, fields)
    )


def is_websocket_handshake(method: str, version: str, headers: Iterable[tuple[str, str]]) -> bool:
    """Whether these open a WebSocket (RFC 6455 §4.2.1), as the core finds it."""
    fields = _by_name(headers)
    return _is_attempt(fields) and version in _OPENING_VERSIONS and _of_handshake(method, version, fields) is None


def _by_name(headers: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    for name, value in headers:
        fields.setdefault(name.lower(), []).append(value)
    return fields


def _of_line(method: str, target: str) -> Refused | None:
    if TOKEN.fullmatch(method) is None:
        return Refused("/method", f"expected a method such as GET, got {shown(method)}")
    if method in _REFUSED_METHODS or len(method) > _MAX_METHOD_BYTES:
        return Refused("/method", f"no rule is asked about {shown(method)}: the edge refuses the method itself")
    try:
        size = len(target.encode())
    except UnicodeEncodeError:
        return _before("/url", "expected a path and a query in UTF-8", 400)
    if size > MAX_TARGET_BYTES:
        return _before("/url", f"expected a path and a query of {MAX_TARGET_BYTES} bytes at most, got {size}", 414)
    if (match := _NO_TARGET.search(target)) is not None:
        reason = f"expected a path and a query without spaces, control bytes and '#' ('%20' is a space), got {shown(match[0])}"
        return _before("/url", reason, 400)
    return None


def _of_fields(headers: Sequence[tuple[str, str]], target: str) -> Refused | None:
    for name, value in headers:
        if (match := _NO_VALUE.search(value)) is not None:
            return _before(f"/headers/{name}", f"expected a value without control bytes, got {shown(match[0])}", 400)
    size = sum(len(name) + len(value) + 4 for name, value in headers) + len(target.encode())
    if len(headers) > MAX_FIELDS or size > MAX_HEAD_BYTES:
        return _before("/headers", f"expected {MAX_FIELDS} fields and {MAX_HEAD_BYTES} bytes at most", 431)
    return None


def _of_framing(fields: Fields, version: str) -> Refused | None:
    lengths, codings = fields.get("content-length", ()), fields.get("transfer-encoding", ())
    if codings:
        if lengths:
            return _before("/headers/Content-Length", "expected it without Transfer-Encoding, or that alone", 400)
        if version == "HTTP/1.0" or [coding.lower() for coding in codings] != ["chunked"]:
            return _before("/headers/Transfer-Encoding", "expected 'chunked' alone, in HTTP/1.1", 400)
    if len(lengths) > 1 or any(not _is_length(length) for length in lengths):
        return _before("/headers/Content-Length", "expected one line of digits", 400)
    return None


def _of_host(fields: Fields) -> Refused | None:
    hosts = fields.get("host", ())
    if len(hosts) != 1:
        return _before("/headers/Host", f"expected one line, got {len(hosts)}", 400)
    if authority_of(hosts[0]) is None:
        return _before("/headers/Host", f"expected a host, or a host and a port, got {shown(hosts[0])}", 400)
    return None


def _is_attempt(fields: Fields) -> bool:
    has_key = "sec-websocket-key" in fields
    return _has_token(fields, "upgrade", "websocket") or (has_key and _has_token(fields, "connection", "upgrade"))


def _of_handshake(method: str, version: str, fields: Fields) -> Refused | None:
    """What keeps an attempt to open a WebSocket from being one. Whatever is no attempt is a request like others."""
    if not _is_attempt(fields) or version not in ("HTTP/1.0", *_OPENING_VERSIONS):
        return None
    if method != "GET":
        return _before("/method", f"expected GET to open a WebSocket, got {shown(method)}", 400)
    if version == "HTTP/1.0":
        return _before("/protocol", "expected HTTP/1.1 to open a WebSocket", 400)
    return next(_handshake_faults(fields), None)


def _handshake_faults(fields: Fields) -> Iterator[Refused]:
    if not _has_token(fields, "connection", "upgrade"):
        yield _before("/headers/Connection", "expected 'Upgrade' in it to open a WebSocket", 400)
    if [value.lower() for value in fields.get("upgrade", ())] != ["websocket"]:
        yield _before("/headers/Upgrade", "expected one line with 'websocket' alone to open a WebSocket", 400)
    if "transfer-encoding" in fields or any(length.strip("0") for length in fields.get("content-length", ())):
        yield _before("/headers/Content-Length", "expected no body where a WebSocket is opened", 400)
    if fields.get("sec-websocket-version") != ["13"]:
        yield _before("/headers/Sec-WebSocket-Version", "expected one line with '13' to open a WebSocket", 400)
    keys = fields.get("sec-websocket-key", ())
    if len(keys) != 1 or not _is_key(keys[0]):
        yield _before("/headers/Sec-WebSocket-Key", "expected one line with 16 bytes in base64", 400)
    if (offered := fields.get("sec-websocket-protocol")) is not None:
        names = [name for name in _elements(offered) if name]
        is_fine = 0 < len(names) <= _MAX_PROTOCOLS and len(set(names)) == len(names)
        if not is_fine or any(TOKEN.fullmatch(name) is None for name in names):
            reason = "expected names of token characters (RFC 9110 §5.6.2), separated by commas, each once"
            yield _before("/headers/Sec-WebSocket-Protocol", reason, 400)


def _before(place: str, expected: str, status: int) -> Refused:
    return Refused(place, f"{expected}: the edge answers {status} before it asks rules")


def _elements(values: Iterable[str]) -> Iterator[str]:
    return (element.strip(" \t") for value in values for element in value.split(","))


def _has_token(fields: Fields, name: str, token: str) -> bool:
    return token in (element.lower() for element in _elements(fields.get(name, ())))


def _is_length(value: str) -> bool:
    return value.isascii() and value.isdigit() and len(value) <= _MAX_LENGTH_DIGITS and int(value) < 2**64


def _is_key(value: str) -> bool:
    try:
        return len(base64.b64decode(value, validate=True)) == _KEY_BYTES
    except (binascii.Error, ValueError):
        return False


def _is_ipv6(host: str) -> bool:
    if not (host.startswith("[") and host.endswith("]")):
        return False
    try:
        # RFC 6874's zone has no place in Host.
        return "%" not in host and bool(ipaddress.IPv6Address(host[1:-1]))
    except ValueError:
        return False
