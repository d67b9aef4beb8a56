"""A request that a person writes down, to try rules on: a raw head, JSON, or an address and some header fields.

    GET /chat?room=1 HTTP/1.1            {"url": "https://example.com/chat?room=1",
    Host: example.com                     "headers": {"Upgrade": "websocket", "Cookie": ["a=1", "b=2"]},
    Upgrade: websocket                    "client_ip": "203.0.113.7", "country": "NL"}

Law 1: a head is taken as tools print it: lines of `curl -v` may begin with "> ", those of a browser may be HTTP/2's (`:path`).
Law 2: what is not said is what a client over HTTPS would have: port 443, TLS 1.3 for the host. The host is the Host field's,
where there is one beside an address, and the port the address's, as with curl. Whether it is a WebSocket's handshake is found
out from the fields, as the core does (RFC 6455 §4.2.1).
Law 3: whatever is wrong, `RequestTextError` says where (a line, a member) and what was expected. Nothing is put right: rules are
to be tried on requests that no honest client sends. Only what the core reads in one way for all rules is read so here: the
host is without a final dot, `Host` is what an absolute-form names, the `Upgrade` of a handshake is in lower case.
Law 4: what the edge refuses by itself (`request_refusals`) is an error, too: no rule would see it.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from holdfast.errors import shown
from holdfast.model.request import Request, TlsFacts
from holdfast.model.request_refusals import (
    MAX_HEAD_BYTES,
    TOKEN,
    Authority,
    authority_of,
    is_websocket_handshake,
    refusal_of,
)

# Documentation's address (RFC 5737): whoever does not say where a request comes from means nobody.
DEFAULT_CLIENT: Final = "192.0.2.1"
TRIED_RAY: Final = "0000000000000000-LOC"

_REQUEST_LINE = re.compile(r"([^ ]+) ([^ ]+)(?: (HTTP/[0-9](?:\.[0-9])?))?")
_URL = re.compile(r"(?i)(https?|wss?)://([^/?#]*)([^?#]*)(?:\?([^#]*))?(?:#.*)?")
_PSEUDO = re.compile(r":(method|path|authority|scheme):[ \t]*(.*)")
_LINE_BREAKS = re.compile(r"[\x00\r\n]")
_COUNTRY = re.compile(r"[A-Za-z]{2}")
_MEMBERS = ("method", "url", "headers", "protocol", "client_ip", "country", "asn")
_PORTS = {"http": 80, "https": 443}
_SCHEMES = {"ws": "http", "wss": "https"}
# The key is RFC 6455's own (§1.3).
_HANDSHAKE = (
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
)
_MAX_ASN = 2**32 - 1


class RequestTextError(ValueError):
    """A request that cannot be read. `place` says where: "line 3", "/headers/Cookie", or "" for the whole."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"{place}: {reason}" if place else reason)
        self.place, self.reason = place, reason


@dataclass(frozen=True, slots=True)
class GivenRequest:
    """A request, and where it is said to come from: `country` ("" if nobody says) and `asn` (0 if nobody says)."""

    request: Request
    country: str = ""
    asn: int = 0


def parse_request_text(text: str, *, client_ip: str = DEFAULT_CLIENT) -> GivenRequest:
    """A request as JSON, if it begins with "{", or as a raw head; bytes that are no UTF-8 as `surrogateescape` reads them.

    Raises RequestTextError.
    """
    if len(text) > 4 * MAX_HEAD_BYTES:
        raise RequestTextError("", f"expected {4 * MAX_HEAD_BYTES} characters at most, got {len(text)}")
    if not text.lstrip("\ufeff \t\r\n").startswith("{"):
        return GivenRequest(_from_head(text, client_ip))
    try:
        found = json.loads(text.lstrip("\ufeff"))
    except json.JSONDecodeError as error:
        raise RequestTextError(f"line {error.lineno}", f"expected JSON: {error.msg}") from None
    except ValueError:
        # The one other that it raises: Python reads no numbers of thousands of digits.
        raise RequestTextError("", "expected JSON, got a number of too many digits") from None
    except RecursionError:
        raise RequestTextError("", "expected JSON, got what is nested too deeply") from None
    return request_from_object(found, client_ip=client_ip)


def request_from_object(value: object, *, client_ip: str = DEFAULT_CLIENT) -> GivenRequest:
    """A request as JSON says it (see above): `url` is needed, `headers` are texts or arrays of texts. Raises RequestTextError."""
    if not isinstance(value, Mapping):
        raise RequestTextError("", "expected an object with a 'url'")
    for name in value:
        if name not in _MEMBERS:
            raise RequestTextError(f"/{name!s:.60}", f"expected one of {', '.join(_MEMBERS)}")
    request = request_from_url(
        _text(value, "url", ""),
        method=_text(value, "method", "GET"),
        headers=_headers_of(value.get("headers")),
        version=_text(value, "protocol", "HTTP/1.1"),
        client_ip=_text(value, "client_ip", client_ip),
    )
    return GivenRequest(request, country_of(_text(value, "country", "")), _asn(value.get("asn")))


def request_from_url(
    url: str,
    *,
    method: str = "GET",
    headers: Sequence[tuple[str, str]] = (),
    version: str = "HTTP/1.1",
    client_ip: str = DEFAULT_CLIENT,
) -> Request:
    """The request that a client would send for `url`: with a Host, and for ws: and wss: with the fields of a handshake, unless
    `headers` have them. Its host is that of `headers` if they say one.

    Raises RequestTextError.
    """
    match = _URL.fullmatch(url)
    if match is None or not match[2]:
        raise RequestTextError("/url", f"expected an address such as https://example.com/chat, got {shown(url)}")
    scheme = _SCHEMES.get(match[1].lower(), match[1].lower())
    text = match[2].rpartition("@")[2]
    authority = authority_of(text)
    if authority is None:
        raise RequestTextError("/url", f"expected a host, or a host and a port, got {shown(text)}")
    fields = list(headers)
    host = next((value for name, value in fields if name.lower() == "host"), None)
    if host is None:
        fields.insert(0, ("Host", text))
    elif (named := authority_of(host)) is not None:
        authority = authority._replace(host=named.host)
    if match[1].lower() in _SCHEMES:
        given = {name.lower() for name, _ in fields}
        fields += [field for field in _HANDSHAKE if field[0].lower() not in given]
    said = _Said(method, version, client_ip)
    return _made(said, scheme, authority, (match[3] or "/", match[4] or ""), fields)


def request_object(given: GivenRequest) -> dict[str, Any]:
    """A request as JSON, such that `request_from_object` makes the same of it (of bytes that are no text, nearly)."""
    request = given.request
    headers: dict[str, list[str]] = {}
    for name, value in request.headers:
        headers.setdefault(name, []).append(value.encode("latin-1").decode("utf-8", "replace"))
    target = f"{request.path}?{request.query}" if request.query else request.path
    found: dict[str, Any] = {
        "url": f"{request.scheme}://{request.host}:{request.edge_port}{target}",
        "method": request.method,
        "headers": headers,
        "protocol": request.version,
        "client_ip": request.client_ip,
    }
    place = {"country": given.country, "asn": given.asn}
    return found | {name: value for name, value in place.items() if value}


def header_of(text: str, place: str) -> tuple[str, str]:
    """`Name: value` as a field, its bytes one character each. Raises RequestTextError, naming `place`."""
    name, colon, value = text.partition(":")
    if not colon or TOKEN.fullmatch(name) is None:
        raise RequestTextError(
            place, f"expected a header field such as 'Origin: https://example.com', got {shown(text)}"
        )
    if _LINE_BREAKS.search(value) is not None:
        raise RequestTextError(place, f"expected a value without line breaks and null bytes, got {shown(value)}")
    try:
        return name, value.strip(" \t").encode("utf-8", "surrogateescape").decode("latin-1")
    except UnicodeEncodeError:
        raise RequestTextError(place, f"expected a value in UTF-8, got {shown(value)}") from None


def country_of(text: str) -> str:
    """A country in capitals, "" for none. Raises RequestTextError."""
    if text and _COUNTRY.fullmatch(text) is None:
        raise RequestTextError("/country", f"expected two letters (ISO 3166-1), got {shown(text)}")
    return text.upper()


# A raw head.


def _from_head(text: str, client_ip: str) -> Request:
    pseudo: dict[str, str] = {}
    fields: list[tuple[str, str]] = []
    first: re.Match[str] | None = None
    for number, line in _lines_of(text):
        place = f"line {number}"
        if (match := _PSEUDO.fullmatch(line)) is not None:
            pseudo[match[1]] = match[2]
        elif first is None and not pseudo and not fields:
            first = _request_line(line, place)
        else:
            fields.append(header_of(line, place))
    if first is None and "path" not in pseudo:
        raise RequestTextError("line 1", "expected a request line such as 'GET /chat HTTP/1.1', got nothing")
    method, target, version = (
        first.groups() if first is not None else (pseudo.get("method", "GET"), pseudo["path"], None)
    )
    version = version or "HTTP/1.1"
    hosts = [value for name, value in fields if name.lower() == "host"]
    if (url := _URL.fullmatch(target)) is not None:
        named = url[2].rpartition("@")[2]
        fields = [(name, named if name.lower() == "host" else value) for name, value in fields]
        return request_from_url(url[0], method=method, headers=fields, version=version, client_ip=client_ip)
    host = hosts[0] if hosts else pseudo.get("authority", "")
    if not host:
        raise RequestTextError("", "expected a Host field: it says which zone is asked")
    if not hosts:
        fields.insert(0, ("Host", host))
    authority = authority_of(host)
    if authority is None:
        raise RequestTextError("/headers/Host", f"expected a host, or a host and a port, got {shown(host)}")
    path, _, query = target.partition("?")
    return _made(_Said(method, version, client_ip), pseudo.get("scheme", "https"), authority, (path, query), fields)


def _lines_of(text: str) -> Iterable[tuple[int, str]]:
    """The lines of the head, without what `curl -v` adds."""
    is_begun = False
    for number, raw in enumerate(text.lstrip("\ufeff").replace("\r\n", "\n").split("\n"), 1):
        if raw.startswith(("* ", "< ", "{ ", "} ")):
            continue
        line = raw.removeprefix(">").removeprefix(" ") if raw.startswith(">") else raw
        if not line.strip():
            if is_begun:
                return
            continue
        is_begun = True
        yield number, line


def _request_line(line: str, place: str) -> re.Match[str]:
    match = _REQUEST_LINE.fullmatch(line.strip(" \t"))
    if match is None or TOKEN.fullmatch(match[1]) is None:
        raise RequestTextError(place, f"expected a request line such as 'GET /chat HTTP/1.1', got {shown(line)}")
    return match


# What all ways have in common.


@dataclass(frozen=True, slots=True)
class _Said:
    """What is said of a request beside its target and its fields."""

    method: str
    version: str
    client_ip: str


def _made(
    said: _Said, scheme: str, authority: Authority, target: tuple[str, str], headers: Sequence[tuple[str, str]]
) -> Request:
    method, version = said.method, said.version
    path, query = target
    if scheme not in _PORTS:
        raise RequestTextError("/scheme", f"expected http or https, got {shown(scheme)}")
    if not path.startswith("/") and (path, method) != ("*", "OPTIONS"):
        raise RequestTextError("/url", f"expected a path that begins with '/', got {shown(path)}")
    if version not in ("HTTP/1.0", "HTTP/1.1", "HTTP/2", "HTTP/3"):
        raise RequestTextError("/protocol", f"expected HTTP/1.0, HTTP/1.1, HTTP/2 or HTTP/3, got {shown(version)}")
    refused = refusal_of(method, f"{path}?{query}" if query else path, version, headers)
    if refused is not None:
        raise RequestTextError(*refused)
    is_upgrade = is_websocket_handshake(method, version, headers)
    if is_upgrade:
        headers = [(name, "websocket" if name.lower() == "upgrade" else value) for name, value in headers]
    return Request(
        TRIED_RAY,
        method,
        scheme,
        authority.host,
        path,
        query,
        version,
        tuple(headers),
        _address(said.client_ip),
        0,
        authority.port or _PORTS[scheme],
        TlsFacts("TLSv1.3", "TLS13_AES_256_GCM_SHA384", authority.host) if scheme == "https" else None,
        is_upgrade,
    )


def _address(text: str) -> str:
    """An address as the core writes a client's: IPv4 that came as IPv6 is IPv4, and there are no scopes."""
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        raise RequestTextError("/client_ip", f"expected an address, got {shown(text)}") from None
    if getattr(found, "scope_id", None):
        raise RequestTextError("/client_ip", f"expected an address without a scope, got {shown(text)}")
    return str(getattr(found, "ipv4_mapped", None) or found)


def _text(value: Mapping[str, Any], name: str, default: str) -> str:
    found = value.get(name, default)
    if not isinstance(found, str):
        raise RequestTextError(f"/{name}", f"expected a text, got {found!r:.60}")
    return found


def _asn(value: object) -> int:
    if value is None:
        return 0
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MAX_ASN:
        raise RequestTextError("/asn", f"expected the number of an autonomous system, got {value!r:.60}")
    return value


def _headers_of(value: object) -> list[tuple[str, str]]:
    """Fields from an object of texts or arrays of texts."""
    if value is None:
        return []
    if not isinstance(value, Mapping):
        raise RequestTextError("/headers", f"expected an object of names and values, got {value!r:.60}")
    fields = []
    for name, held in value.items():
        if TOKEN.fullmatch(name) is None:
            raise RequestTextError(f"/headers/{name}", f"expected the name of a header field, got {shown(name)}")
        for one in held if isinstance(held, list) else [held]:
            if not isinstance(one, str):
                raise RequestTextError(f"/headers/{name}", f"expected a text or an array of texts, got {one!r:.60}")
            fields.append(header_of(f"{name}:{one}", f"/headers/{name}"))
    return fields
