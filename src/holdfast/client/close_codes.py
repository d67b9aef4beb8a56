"""What a close code means, in a sentence. RFC 6455 §7.4 and the IANA registry of WebSocket close codes."""

from __future__ import annotations

from holdfast.client.printable import printable

CLOSE_CODES = {
    1000: "normal closure: the work is done",
    1001: "going away: the server or the edge stops, or the page was left",
    1002: "protocol error: one side broke RFC 6455",
    1003: "unsupported data: this kind of message is not accepted",
    1005: "no code was given",
    1006: "the connection was lost without a Close frame",
    1007: "invalid data: a text message was not UTF-8, or not what was agreed",
    1008: "policy violation: the server refused what was sent",
    1009: "message too big",
    1010: "an extension that the client needs was not agreed",
    1011: "internal error of the server",
    1012: "service restart: connect again, after a random pause",
    1013: "try again later: the server is overloaded",
    1014: "bad gateway: the edge got no valid answer from the origin",
    1015: "the TLS handshake failed",
}


def explained(code: int, reason: str) -> str:
    """`code`, the reason that came with it, and what the code means; safe to print."""
    said = f' "{printable(reason, limit=200)}"' if reason else ""
    return f"{code}{said} ({_meaning(code)})"


def _meaning(code: int) -> str:
    if code in CLOSE_CODES:
        return CLOSE_CODES[code]
    if 3000 <= code <= 3999:
        return "a code that a library or framework registered"
    if 4000 <= code <= 4999:
        return "a code of the application's own"
    return "a code that no one may send"
