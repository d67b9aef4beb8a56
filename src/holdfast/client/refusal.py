"""Say why there is no WebSocket: what answered instead of a 101, or what failed before an answer.

Law: every sentence made here is safe to print: what a server sent is escaped and cut.
"""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Mapping

from websockets.exceptions import InvalidHandshake, InvalidMessage, InvalidProxy, InvalidStatus, ProxyError
from websockets.http11 import Response

from holdfast.client.printable import printable

# How much of an explanation in a body is repeated.
_MAX_DETAIL_CHARS = 300


def refused(error: Exception) -> str:
    """One sentence for what `websockets.connect` raised."""
    match error:
        case InvalidStatus(response=response):
            return _answered(response)
        case ProxyError() | InvalidProxy():
            return f"the proxy of this environment is in the way: {_text(error)}"
        case InvalidMessage():
            return "what listens there did not answer in HTTP (is it a TLS port, and the URL ws://, or the other way round?)"
        case InvalidHandshake():
            return f"the server's 101 is not valid: {_text(error)}"
        case _:
            return _not_connected(error)


def _answered(response: Response) -> str:
    """The status, and the explanation that came with it: ours (`cf-error-*`, a problem document), or the first line."""
    status = f"{response.status_code} {printable(response.reason_phrase, limit=60)}".strip()
    said = [f"the server answered {status}, not 101"]
    side = response.headers.get("cf-error-origin")
    code = response.headers.get("cf-error-type")
    if side and code:
        said.append(f"error {printable(code, limit=10)} on the side of the {printable(side, limit=20)}")
    if location := response.headers.get("location"):
        said.append(f"it points to {printable(location, limit=200)}")
    if detail := _detail(bytes(response.body or b""), response.headers.get("content-type", "")):
        said.append(detail)
    if ray := response.headers.get("cf-ray"):
        said.append(f"ray id {printable(ray, limit=40)}")
    return "; ".join(said)


def _detail(body: bytes, content_type: str) -> str:
    text = body[: 64 * 1024].decode("utf-8", "replace")
    kind = content_type.partition(";")[0].strip().lower()
    if kind in ("application/json", "application/problem+json"):
        problem = _json_object(text)
        parts = [problem.get("title"), problem.get("detail")]
        text = ": ".join(part for part in parts if isinstance(part, str) and part) or text
    elif kind != "text/plain":
        # A page is for a browser; its status says as much.
        return ""
    return printable(" ".join(text.split()), limit=_MAX_DETAIL_CHARS)


def _json_object(text: str) -> Mapping[str, object]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


# What can go wrong before an answer, the special before the general; {} is what the system says.
_BEFORE_AN_ANSWER: tuple[tuple[type[Exception], str], ...] = (
    (ssl.SSLCertVerificationError, "the certificate is not trusted: {} (--cacert names an authority, --insecure any)"),
    (ssl.SSLError, "the TLS handshake failed: {} (does this port speak TLS?)"),
    (TimeoutError, "no connection in time"),
    (socket.gaierror, "the host name does not resolve: {}"),
    (ConnectionRefusedError, "nothing listens there: the connection was refused"),
    (ConnectionResetError, "the connection was cut without an answer (ws:// for wss://, or the other way round?)"),
    (OSError, "no connection: {}"),
    (EOFError, "the server closed the connection without an answer"),
)


def _not_connected(error: Exception) -> str:
    for kind, sentence in _BEFORE_AN_ANSWER:
        if isinstance(error, kind):
            return sentence.format(_text(error))
    return _text(error)


def _text(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return printable(error.verify_message, limit=_MAX_DETAIL_CHARS)
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return printable(text or type(error).__name__, limit=_MAX_DETAIL_CHARS)
