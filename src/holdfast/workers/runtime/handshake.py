"""WebSocket handshakes of our own, as `new WebSocket(url, protocols)` and an upgrading `fetch()` begin them.

Law: what user code may not choose (the key, the version, the connection's fields) is ours; the edge checks the answer.
"""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Iterable
from dataclasses import replace

from holdfast.workers.runtime import egress
from holdfast.workers.runtime.egress_answer import Parked
from holdfast.workers.runtime.egress_request import Outgoing
from holdfast.workers.sdk.errors import JsSyntaxError, NetworkError
from holdfast.workers.sdk.web import url_parsing
from holdfast.workers.sdk.web.url_parsing import UrlError, UrlRecord

_SCHEMES = {"ws": "http", "wss": "https", "http": "http", "https": "https"}
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
_OURS = frozenset({b"sec-websocket-key", b"sec-websocket-version", b"connection", b"upgrade"})


def upgrade_fields(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Header fields of a request with those of a handshake put in."""
    return [
        *((name, value) for name, value in headers if name.lower() not in _OURS),
        (b"Connection", b"Upgrade"),
        (b"Upgrade", b"websocket"),
        (b"Sec-WebSocket-Version", b"13"),
        (b"Sec-WebSocket-Key", base64.b64encode(secrets.token_bytes(16))),
    ]


def websocket_url(url: object) -> UrlRecord:
    """The URL of a `new WebSocket()`, its scheme as HTTP has it. JsSyntaxError where it is none (the standard's texts)."""
    try:
        record = url_parsing.parse(str(url))
    except UrlError:
        raise JsSyntaxError("WebSocket Constructor: The url is invalid.") from None
    if record.scheme not in {"ws", "wss"}:
        raise JsSyntaxError(
            "WebSocket Constructor: The url scheme must be one of ws or wss."
            if record.scheme not in {"http", "https"}
            else f"WebSocket Constructor: The url scheme must be ws or wss, not {record.scheme}."
        )
    if record.fragment is not None:
        raise JsSyntaxError("WebSocket Constructor: The url fragment must be empty.")
    return as_http(record)


def as_http(record: UrlRecord) -> UrlRecord:
    """ws as http, wss as https; others as they are."""
    return replace(record, scheme=_SCHEMES.get(record.scheme, record.scheme))


def checked_protocols(protocols: object) -> list[str]:
    """The subprotocols to offer. JsSyntaxError for what is no token, and for one that comes twice."""
    if protocols is None:
        return []
    names = [protocols] if isinstance(protocols, str) else [str(name) for name in _listed(protocols)]
    for name in names:
        if not _TOKEN.match(name):
            raise JsSyntaxError("WebSocket Constructor: The protocol header token is invalid.")
    if len({name.lower() for name in names}) < len(names):
        raise JsSyntaxError("WebSocket Constructor: The protocols contain a duplicate.")
    return names


async def open_websocket(url: UrlRecord, protocols: Iterable[str] = ()) -> Parked:
    """The upstream of a `new WebSocket()`, parked in the edge. NetworkError if the other side does not open it."""
    offered = ", ".join(protocols)
    asked = [(b"Sec-WebSocket-Protocol", offered.encode("ascii"))] if offered else []
    answer = await egress.send(Outgoing("GET", url, upgrade_fields(asked), is_upgrade=True))
    if answer.parked is not None:
        return answer.parked
    if answer.body is not None:
        answer.body.close()
    raise NetworkError(
        f"Failed to establish the WebSocket connection: expected server to reply with HTTP status code 101 (switching protocols), but received {answer.status} instead."
    )


def _listed(protocols: object) -> Iterable[object]:
    if isinstance(protocols, Iterable):
        return protocols
    raise JsSyntaxError("WebSocket Constructor: The protocols must be a string or a list of strings.")
