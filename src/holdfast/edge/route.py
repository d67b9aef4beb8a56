"""Find the way to the origin: origin rules, then aliases through our own zones, then scheme and port.

Law 1: an alias to a name in a zone of ours is followed through its records; a resolver is asked for other names only.
Law 2: the walk is bounded: MAX_ALIASES steps, and what goes in a circle never ends before that.
Law 3: an alias may not lead into a zone of another account: its records are not this zone's to use (Cloudflare's 1014).
"""

from __future__ import annotations

from contextlib import suppress

import msgspec

from holdfast.edge.ports import origin_port
from holdfast.edge.snapshot import Snapshot
from holdfast.edge.view import View
from holdfast.edge.zone import CompiledZone, OriginRule, Target
from holdfast.model.request import Request

# Precedents: BIND follows 16, Unbound 11, most stub resolvers 8.
MAX_ALIASES = 8


class Route(msgspec.Struct, frozen=True, gc=False):
    """The way to an origin. `host_header` "" leaves the client's; `server_name` is "" where there is no TLS."""

    target: Target
    port: int
    host_header: str
    server_name: str


class DeadEnd(msgspec.Struct, frozen=True, gc=False):
    """No way: the 1xxx code and, as one public sentence, why."""

    code: int
    reason: str


_LOOP = DeadEnd(1000, "The DNS record of this host name is an alias that leads back to itself, or on and on.")
_PROHIBITED = DeadEnd(1000, "The DNS record of this host name points to an address that no origin can have.")
_FOREIGN = DeadEnd(1014, "The DNS record of this host name is an alias into a zone of another account.")
_MISSING = DeadEnd(1016, "The DNS record of this host name is an alias of a name that does not exist.")


def route_of(request: Request, view: View) -> Route | DeadEnd:
    """The way that `request` takes from here."""
    target, port, host_header, server_name = view.target, 0, "", ""
    for rule in _matching(request, view) if view.zone.rules else ():
        target = rule.target or target
        port = rule.port or port
        host_header = rule.host_header or host_header
        server_name = rule.server_name or server_name
    end = _end_of(target, view.zone, view.snapshot) if target.alias else target
    if isinstance(end, DeadEnd):
        return end
    if end.is_prohibited:
        return _PROHIBITED
    if end.ready is not None:
        return Route(end, 0, host_header, server_name)
    is_tls = view.zone.features.origin_tls != "plain"
    port = port or origin_port(request.edge_port, client_is_tls=request.scheme == "https", origin_is_tls=is_tls)
    return Route(end, port, host_header, (server_name or request.host) if is_tls else "")


def _matching(request: Request, view: View) -> list[OriginRule]:
    from holdfast.rules.errors import Undecided  # noqa: PLC0415  loaded with the first rule

    context, found = view.context(request), []
    for rule in view.zone.rules:
        # What is undecided changes nothing: a way that nobody asked for is worse than the one that the record says.
        with suppress(Undecided):
            if rule.matches(context):
                found.append(rule)
    return found


def _end_of(target: Target, zone: CompiledZone, snapshot: Snapshot) -> Target | DeadEnd:
    """Where the aliases end: at addresses, or at a name that is none of ours."""
    for _ in range(MAX_ALIASES):
        if not target.alias:
            return target
        owner = snapshot.own_zone_of(target.alias)
        if owner is None:
            return target
        if owner.account_id != zone.account_id:
            return _FOREIGN
        following = owner.target_of(target.alias)
        if following is None:
            return _MISSING
        target = following
    return _LOOP
