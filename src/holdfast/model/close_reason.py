"""Why a WebSocket ended, in one vocabulary: what the log, the API, metrics and the Close reason that clients see say.

Law 1: who ended it and why are one word each, of the two enums here and no other. A test holds them against the core's.
Law 2: what is ended by a limit, a timeout or an unanswered ping was ended by the edge; `detail` of the record says which
side it was about.
Law 3: what is counted by these words is bounded: a word that is not here is counted as `OTHER`.

`OriginalReason` and `OriginalSource` are the words of Cloudflare's dataset `websocket_analytics` (`ConnectionCloseReason`,
`ConnectionCloseSource`), which every record has beside ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

# What is counted for a word that is not of this vocabulary: an edge of a newer version sent it.
OTHER: Final = "other"


class ClosedBy(StrEnum):
    """Who ended it."""

    CLIENT = "client"
    ORIGIN = "origin"
    EDGE = "edge"
    WORKER = "worker"


class Why(StrEnum):
    """What ended it: the first of these that happened."""

    CLOSE_FRAME = "close_frame"
    END_OF_STREAM = "end_of_stream"
    TRANSPORT_ERROR = "transport_error"
    TLS_ERROR = "tls_error"
    CLIENT_UNRESPONSIVE = "client_unresponsive"
    ORIGIN_UNRESPONSIVE = "origin_unresponsive"
    IDLE_TIMEOUT = "idle_timeout"
    MAX_AGE = "max_age"
    READ_STALLED = "read_stalled"
    WRITE_STALLED = "write_stalled"
    MESSAGE_TOO_BIG = "message_too_big"
    RATE_EXCEEDED = "rate_exceeded"
    MESSAGE_RULE = "message_rule"
    PROTOCOL_ERROR = "protocol_error"
    WORKER_RESTARTED = "worker_restarted"
    WORKER_UNRESPONSIVE = "worker_unresponsive"
    CLOSED_BY_OPERATOR = "closed_by_operator"
    RELEASE = "release"
    DRAIN = "drain"
    EDGE_STOPPING = "edge_stopping"


class OriginalReason(StrEnum):
    """Cloudflare's `ConnectionCloseReason`."""

    NONE = "none"
    UNSPECIFIED_ERROR = "unspecifiedError"
    TIMED_OUT = "timedOut"
    PEER_RESET = "peerReset"
    UPSTREAM_RESET = "upstreamReset"
    PROTOCOL_VIOLATION = "protocolViolation"
    PEER_NO_ERROR = "peerNoError"


class OriginalSource(StrEnum):
    """Cloudflare's `ConnectionCloseSource`: the origin, the client, the edge, or both sides."""

    UPSTREAM = "upstream"
    DOWNSTREAM = "downstream"
    ME = "me"
    BOTH = "both"


CLOSED_BY: Final[Mapping[ClosedBy, str]] = MappingProxyType(
    {
        ClosedBy.CLIENT: "the client",
        ClosedBy.ORIGIN: "the origin",
        ClosedBy.EDGE: "the edge: a limit, a timeout, an operator or a release",
        ClosedBy.WORKER: "a script: a Worker, or an object of one",
    }
)
WHYS: Final[Mapping[Why, str]] = MappingProxyType(
    {
        Why.CLOSE_FRAME: "a Close frame",
        Why.END_OF_STREAM: "the connection ended without one: what a browser reports as 1006",
        Why.TRANSPORT_ERROR: "a reset, or another failure of the connection",
        Why.TLS_ERROR: "a TLS record that could not be read",
        Why.CLIENT_UNRESPONSIVE: "the client left as many pings in a row unanswered as `websocket_keepalive_misses` allows",
        Why.ORIGIN_UNRESPONSIVE: "the origin did",
        Why.IDLE_TIMEOUT: "nothing passed for `websocket_idle_timeout`",
        Why.MAX_AGE: "it was open for `websocket_max_age`",
        Why.READ_STALLED: "a side began a frame, or a text message under rules, and did not go on with it; `detail` says which",
        Why.WRITE_STALLED: "a side took nothing of what was to be written to it; `detail` says which",
        Why.MESSAGE_TOO_BIG: "a message was longer than `websocket_max_message_bytes`",
        Why.RATE_EXCEEDED: "a side sent more than `websocket_rate_limits` allows, with the action `close`",
        Why.MESSAGE_RULE: "a rule of `websocket_message_rules` with the action `close` matched a message, "
        "or there was no room to look at one (1013)",
        Why.PROTOCOL_ERROR: "frames that break RFC 6455 or RFC 9113, where the edge has to understand them",
        Why.WORKER_RESTARTED: "the process of the Worker was replaced, and the WebSocket was not hibernatable",
        Why.WORKER_UNRESPONSIVE: "no process of the Worker answered for a minute",
        Why.CLOSED_BY_OPERATOR: "an operator closed it, or the zone was removed",
        Why.RELEASE: "the edge was replaced by a newer one, and the deadline of that had come",
        Why.DRAIN: "the edge was drained without a successor, and the deadline of that had come",
        Why.EDGE_STOPPING: "the edge was told to stop at once",
    }
)

_CLOSED_BY_WORDS, _WHY_WORDS = frozenset(map(str, ClosedBy)), frozenset(map(str, Why))

# Codes of a Close frame that a server may send (RFC 6455 §7.4, and the registry of close codes), as ranges.
SENDABLE_CODES: Final = ((1000, 1003), (1007, 1009), (1011, 1014), (3000, 4999))
SENDABLE_SAID: Final = "1000 to 1003, 1007 to 1009, 1011 to 1014 or 3000 to 4999"
# RFC 6455 §5.5: the payload of a control frame is at most 125 bytes, of which the code takes two.
MAX_REASON_BYTES: Final = 123


def is_sendable(code: int) -> bool:
    """Whether a server may send a Close frame with this code."""
    return any(first <= code <= last for first, last in SENDABLE_CODES)


def counted(closed_by: str, why: str) -> tuple[str, str]:
    """The two words as they are counted: `OTHER` for one that is not of this vocabulary."""
    return (closed_by if closed_by in _CLOSED_BY_WORDS else OTHER, why if why in _WHY_WORDS else OTHER)
