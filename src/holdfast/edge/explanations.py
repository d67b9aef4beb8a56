"""What each error code means to the person who meets it, and what the operator can check. A table, and nothing else.

Codes are Cloudflare's ("HTTP status codes", "1xxx errors"), so that what people know of them stays true. Waits for
1xxx codes are those of its `Retry-After` (2026-03-12); for 5xx codes they are ours: how soon a second attempt may
meet another outcome without adding to the trouble. No wait means that waiting does not help.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Side(StrEnum):
    """Whose side an error is on: where the person should look who wants it gone."""

    CLIENT = "client"
    EDGE = "edge"
    ORIGIN = "origin"


class Explanation(msgspec.Struct, frozen=True, gc=False):
    """One code. `name` is for programs (snake case), `title` and `checks` for people; `retry_after_s` in seconds."""

    name: str
    title: str
    side: Side
    retry_after_s: int | None
    checks: tuple[str, ...]


_SEE_LOG = "Find the ray id in the edge's log: the record names the origin."

EXPLANATIONS: dict[int, Explanation] = {
    421: Explanation(
        "misdirected_request",
        "The request came over a connection for another site",
        Side.CLIENT,
        None,
        ("The client should make a connection of its own for this host name, and name it in TLS (SNI).",),
    ),
    502: Explanation(
        "bad_gateway",
        "Bad gateway",
        Side.ORIGIN,
        None,
        (
            "If the origin answered 502 itself, look at what it forwards to.",
            "For a WebSocket, see that the origin answers 101 with the right Sec-WebSocket-Accept (RFC 6455).",
            "See that it agrees to no subprotocol or extension that was not offered.",
            _SEE_LOG,
        ),
    ),
    503: Explanation(
        "edge_overloaded",
        "The edge is busy",
        Side.EDGE,
        5,
        ("Look at the edge's load and its limits; more threads (--threads) may help.", _SEE_LOG),
    ),
    504: Explanation(
        "gateway_timeout",
        "The origin waited in vain",
        Side.ORIGIN,
        30,
        ("The origin answered 504 itself: look at what it forwards to, and how long that takes.", _SEE_LOG),
    ),
    508: Explanation(
        "loop_detected",
        "Loop detected",
        Side.EDGE,
        None,
        (
            "The origin is this edge, or sends its requests back to it. Point the edge at the server behind it.",
            "CDN-Loop on the request shows the way it took.",
        ),
    ),
    520: Explanation(
        "unknown_origin_error",
        "The origin gave no valid answer",
        Side.ORIGIN,
        10,
        (
            "Look for a crash or a restart of the origin at this time.",
            "Ask the origin directly and look at the answer: is it empty, cut short, or not HTTP/1.1?",
            _SEE_LOG,
        ),
    ),
    521: Explanation(
        "origin_down",
        "The origin is down",
        Side.ORIGIN,
        10,
        (
            "See that the origin runs, and listens on the address and port the edge has for it.",
            "See that no firewall on the origin refuses the edge.",
            _SEE_LOG,
        ),
    ),
    522: Explanation(
        "origin_connect_timeout",
        "Connecting to the origin timed out",
        Side.ORIGIN,
        10,
        (
            "See that no firewall drops what the edge sends to the origin.",
            "See that the origin accepts connections: is it overloaded, stopped, or its backlog full?",
            _SEE_LOG,
        ),
    ),
    523: Explanation(
        "origin_unreachable",
        "The origin is unreachable",
        Side.ORIGIN,
        30,
        ("See that the origin's address is right and that there is a route from the edge to it.", _SEE_LOG),
    ),
    524: Explanation(
        "origin_timeout",
        "The origin took too long",
        Side.ORIGIN,
        30,
        (
            "The origin took the request and did not answer in time: look for what it was doing.",
            "Answer long work early (202 and a place to ask later), or over a WebSocket.",
            _SEE_LOG,
        ),
    ),
    525: Explanation(
        "origin_tls_handshake_failed",
        "TLS with the origin failed",
        Side.ORIGIN,
        None,
        (
            "See that the origin speaks TLS 1.2 or 1.3 on this port.",
            "See that it has a certificate for the name the edge asks for (SNI).",
            _SEE_LOG,
        ),
    ),
    526: Explanation(
        "origin_certificate_invalid",
        "The origin's certificate is not trusted",
        Side.ORIGIN,
        None,
        (
            "See that the origin's certificate is in date, is for its name, and comes with its whole chain.",
            "If its authority is your own, name it to the edge (--origin-ca).",
            _SEE_LOG,
        ),
    ),
    530: Explanation(
        "origin_error",
        "The origin cannot be found",
        Side.ORIGIN,
        None,
        ("See that the origin's name resolves where the edge runs.", _SEE_LOG),
    ),
    1000: Explanation(
        "dns_points_nowhere",
        "The DNS record leads nowhere",
        Side.EDGE,
        None,
        (
            "See that no CNAME of the zone leads back to itself over others.",
            "See that the record's address is one that a server can have, and not this edge's own.",
        ),
    ),
    1001: Explanation(
        "unknown_host",
        "Unknown host name",
        Side.EDGE,
        None,
        ("Add a zone for this host name, or correct the name in the address.",),
    ),
    1004: Explanation(
        "host_not_proxied",
        "This host name is not served here",
        Side.EDGE,
        120,
        ("Set the DNS record of this host name to proxied, or reach its server directly.",),
    ),
    1005: Explanation(
        "network_denied",
        "The network of this address is not let in",
        Side.CLIENT,
        120,
        (
            "An IP access rule of the zone or its account refuses this autonomous system. The answer names the rule.",
            "Let single addresses of it pass with a rule of their own: the more special rule counts.",
        ),
    ),
    1006: Explanation(
        "address_denied",
        "This address is not let in",
        Side.CLIENT,
        None,
        ("An IP access rule of the zone or its account refuses this address. The answer names the rule.",),
    ),
    1009: Explanation(
        "country_denied",
        "The country of this address is not let in",
        Side.CLIENT,
        None,
        (
            "An IP access rule of the zone or its account refuses this country. The answer names the rule.",
            "If the client is elsewhere, see that the edge's database of addresses (geoip_database) is up to date.",
        ),
    ),
    1014: Explanation(
        "cname_cross_account",
        "The DNS record leads into another account",
        Side.EDGE,
        None,
        ("Point the CNAME at a name outside this edge, or put both zones into one account.",),
    ),
    1015: Explanation(
        "rate_limited",
        "Too many requests",
        Side.CLIENT,
        30,
        (
            "A rate limiting rule of the zone or its account holds back this client. The answer names the rule.",
            "A WebSocket counts once, when it is opened: see what opens them again and again.",
        ),
    ),
    1016: Explanation(
        "origin_dns_error",
        "The origin's name does not resolve",
        Side.ORIGIN,
        None,
        ("See that the origin's name exists and resolves where the edge runs.", _SEE_LOG),
    ),
    1019: Explanation(
        "worker_loop",
        "Workers lead to Workers without end",
        Side.ORIGIN,
        None,
        (
            "See which requests of its own the Worker of this host name makes: one of them leads back to it.",
            "`holdfast up --worker` has the Worker for its own origin: give an ORIGIN where fetch(request) is to go.",
        ),
    ),
    1020: Explanation(
        "access_denied",
        "Access denied",
        Side.CLIENT,
        None,
        (
            "A rule of the zone or its account refuses this request. The answer names the rule.",
            "Find the ray id among the zone's security events: they say what the rule matched.",
        ),
    ),
    1033: Explanation(
        "tunnel_error",
        "The origin's tunnel is down",
        Side.ORIGIN,
        120,
        ("See that the tunnel to the origin runs and is connected.", _SEE_LOG),
    ),
    1101: Explanation(
        "worker_exception",
        "The Worker has failed",
        Side.ORIGIN,
        None,
        (
            "The Worker's log says what was raised: look for the ray id in what `holdfast worker tail` shows, or `holdfast up` records.",
            _SEE_LOG,
        ),
    ),
    1102: Explanation(
        "worker_exceeded_limits",
        "The Worker took too long",
        Side.ORIGIN,
        30,
        ("See what the Worker waits for, or computes; its limits are in its configuration.", _SEE_LOG),
    ),
    1200: Explanation(
        "connection_limit",
        "Too many requests wait for the origin",
        Side.EDGE,
        60,
        ("The origin answers more slowly than requests come: see what holds it up.", _SEE_LOG),
    ),
}

# What a zone's setting refuses, by the setting's API name. All are 403.
SETTING_EXPLANATIONS: dict[str, Explanation] = {
    "websockets": Explanation(
        "websockets_off",
        "WebSockets are switched off",
        Side.EDGE,
        None,
        ("The setting websockets of the zone is off. Set it to on to let WebSockets through again.",),
    ),
    "websocket_allowed_origins": Explanation(
        "websocket_origin_not_allowed",
        "Pages of this origin may open no WebSocket here",
        Side.CLIENT,
        None,
        (
            "The Origin of the request is not one of the zone's setting websocket_allowed_origins.",
            "Add it as the browser spells it: scheme, host, and a port that is not the scheme's own.",
        ),
    ),
    "websocket_allowed_subprotocols": Explanation(
        "websocket_subprotocol_not_allowed",
        "None of the subprotocols that are offered may be spoken here",
        Side.CLIENT,
        None,
        (
            "No name in Sec-WebSocket-Protocol is one of the zone's setting websocket_allowed_subprotocols.",
            "Names are compared as they are, capital letters too.",
        ),
    ),
}

# Limits of the edge that a request may meet on its way, by `Fault.kind`. Their waits are the least that is told: so that those
# who were refused together do not come back together, each is told up to as much again, by its ray id.
LIMIT_EXPLANATIONS: dict[str, Explanation] = {
    # One place is free when one of them ends, which in a zone that is full happens every few seconds.
    "zone_connections": Explanation(
        "websocket_connection_limit",
        "All WebSockets that this zone may have are open",
        Side.EDGE,
        10,
        (
            "The zone has as many open as its setting websocket_max_connections lets it have.",
            "Look at those that are open: are there some that nobody uses (websocket_idle_timeout)?",
        ),
    ),
    # They are one client's own, and it may have to end one first.
    "address_connections": Explanation(
        "websocket_address_limit",
        "All WebSockets that this address may have are open",
        Side.CLIENT,
        30,
        (
            "This address has as many open as the zone's setting websocket_max_connections_per_address lets it have.",
            "Clients behind one router have one address: the setting must leave room for all of them.",
        ),
    ),
    # What waits is connected or given up within the time that connecting may take.
    "origin_busy": Explanation(
        "origin_busy",
        "Too many connections to the origin are being made",
        Side.EDGE,
        5,
        (
            "See that the origin accepts connections fast enough: is it starting, or overloaded?",
            "After a restart all clients come back at once; the queue for the origin (origin.max_pending_connects) is full then.",
        ),
    ),
}

# What a rule refuses by asking for a challenge, which is a page with a script: only a browser that shows pages gets over it.
CHALLENGE = Explanation(
    "challenge_not_possible",
    "A challenge is asked for, and cannot be solved here",
    Side.CLIENT,
    None,
    (
        "A rule asks for a challenge. A WebSocket and an API client cannot solve one, so here it is the same as block.",
        "Let the rule skip or leave out these requests, or make it a block to say what happens.",
    ),
)

# 503 before the edge has heard of any zones.
NOT_CONFIGURED = Explanation(
    "edge_not_configured",
    "The edge has no configuration yet",
    Side.EDGE,
    2,
    (
        "See that control runs (`holdfast run`, or `holdfast control`) and that its database answers.",
        "The edge's log says why it hears nothing of control (control_lost).",
    ),
)

_OTHER_REQUEST = Explanation("bad_request", "The request cannot be served", Side.CLIENT, None, (_SEE_LOG,))
_OTHER_EDGE = Explanation("edge_error", "The edge cannot serve this request", Side.EDGE, None, (_SEE_LOG,))


def explanation(*, status: int, code: int) -> Explanation:
    """What to say of `code`; where it is unknown, of `status`; where that is unknown too, of its class."""
    other = _OTHER_REQUEST if 400 <= status < 500 else _OTHER_EDGE
    return EXPLANATIONS.get(code) or EXPLANATIONS.get(status) or other
