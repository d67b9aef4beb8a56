"""Decide what happens to a request of a Worker's own (`fetch`, `new WebSocket`), which came over the socket of the processes.

Law 1: a request for the zone that the Worker answers for goes straight to that zone's origin: no rules, no route, so that
`return await fetch(request)` ends there. What a record says that is not proxied, and what no record says, is dialled as anywhere else.
What has no origin, but the Worker itself, a custom domain or an address of `holdfast up`, is answered by that.
Law 2: a request for another zone of this edge is a request like any other: every phase is asked, and a Worker there may answer.
Workers that lead to Workers are counted, and there is an end (`model.worker_egress.MAX_DEPTH`).
Law 3: everything else is dialled, over TLS that is verified, but for addresses that nobody is at or a cloud has for its machine's
secrets (`model.origin_address`), which a name does not lead to either. What the edge says of a client (`CF-Connecting-IP` and its like) does not
leave this installation.
Law 4: a call by a binding is none of these, whatever host it names (`worker_calls.py`).
Law 5: whatever a process sends, there is an answer; nothing raises.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from holdfast.edge.answers import refuse
from holdfast.edge.decision import Decision, Forward
from holdfast.edge.firewall.notes import Notes
from holdfast.edge.headers import origin_headers
from holdfast.edge.phases.worker_route import named_port, script_of, to_script
from holdfast.edge.route import DeadEnd, route_of
from holdfast.edge.snapshot import Snapshot
from holdfast.edge.view import NO_TARGET, NO_ZONE, PlaceOf, View
from holdfast.edge.worker_calls import decide_call
from holdfast.edge.zone import CompiledZone
from holdfast.edge.zone_headers import zone_headers
from holdfast.model.origin_address import is_nowhere, parse_address
from holdfast.model.request import Request
from holdfast.model.worker_egress import EGRESS_FIELD, Egress, read_egress
from holdfast.model.zone_document import CATCH_ALL

if TYPE_CHECKING:
    from holdfast._native import WorkerTarget

# The client of a request that a Worker makes of another zone: this machine.
LOCAL = "127.0.0.1"
_BETWEEN_US = "holdfast-"
# Of all that an origin is told, what anybody is told; and what is the edge's word about a client.
_SAID_TO_ANYBODY = frozenset({"CF-Ray", "CDN-Loop"})
_EDGES_WORD = frozenset({"cf-connecting-ip", "cf-visitor"})

# Asks all phases about a request, at a depth.
DecideAll = Callable[[Request, int], Decision]


class _Asked(msgspec.Struct, frozen=True, gc=False):
    """What a process asks for: its words, and the request as those have it. `edge_port` is the port that it names."""

    egress: Egress
    request: Request


def decide_egress(
    request: Request, snapshot: Snapshot, *, now: float, decide_all: DecideAll, place_of: PlaceOf | None = None
) -> Decision:
    """What becomes of `request`. `decide_all` asks every phase. `now` is Unix time in seconds."""
    try:
        asked = _asked(request)
    except ValueError as error:
        return refuse(request, status=400, code=400, reason=f"The request of a Worker's process: {error}.", now=now)
    if asked.egress.call is not None:
        return decide_call(asked.request, asked.egress, asked.egress.call, snapshot)
    parent, zone = _zones(asked, snapshot)
    if zone is not None and zone is not parent:
        abroad = msgspec.structs.replace(asked.request, client_ip=LOCAL)
        return _parked(decide_all(abroad, asked.egress.depth + 1), asked, snapshot)
    view = View(
        snapshot=snapshot,
        zone=parent or NO_ZONE,
        target=NO_TARGET if zone is None else zone.target_of(asked.request.host) or NO_TARGET,
        now=now,
        notes=Notes(),
        place_of=place_of,
        depth=asked.egress.depth + 1,
    )
    return _to_host(asked, view) if zone is None else _to_own(asked, view)


def _asked(request: Request) -> _Asked:
    fields = request.header_values(EGRESS_FIELD)
    if len(fields) != 1:
        raise ValueError(f"expected one {EGRESS_FIELD}, got {len(fields)}")
    egress = read_egress(fields[0])
    meant = msgspec.structs.replace(
        request,
        scheme=egress.scheme,
        client_ip=_address(egress.client_ip),
        edge_port=named_port(request, egress.scheme),
        # What is between a process and an edge is nobody else's, also where the request is shown to whoever may see it.
        headers=tuple(one for one in request.headers if not one[0].lower().startswith(_BETWEEN_US)),
        is_egress=False,
    )
    return _Asked(egress, meant)


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return LOCAL


def _zones(asked: _Asked, snapshot: Snapshot) -> tuple[CompiledZone | None, CompiledZone | None]:
    """The zone that the Worker answers for, and the one that it asks; None for none of ours.

    Of a zone for every host name only the address of the request that the Worker answers is its own; the rest is the world. A port of
    this edge is the same address as the one that it was asked at.
    """
    egress, host = asked.egress, asked.request.host
    parent = snapshot.zone(egress.zone)
    if parent is not None and parent.name == CATCH_ALL and host == egress.host and _is_its_own_port(asked, snapshot):
        return parent, parent
    return parent, snapshot.own_zone_of(host)


def _is_its_own_port(asked: _Asked, snapshot: Snapshot) -> bool:
    """Whether the port is that of the URL that the Worker answers (which a proxy before this edge may have made), or listened on here."""
    return asked.request.edge_port == asked.egress.port or asked.request.edge_port in _listening(asked, snapshot)


def _listening(asked: _Asked, snapshot: Snapshot) -> tuple[int, ...]:
    return snapshot.ports.tls if asked.request.scheme == "https" else snapshot.ports.plain


def _to_own(asked: _Asked, view: View) -> Decision:
    workers = view.zone.workers
    script = None if workers is None else workers.domains.get(asked.request.host)
    if script is None and _is_before_nothing(view):
        script = script_of(asked.request, view)
    if script is not None:
        # The origin of a custom domain is a Worker. One that asks for its own never ends but for the depth.
        decision = to_script(asked.request, view, script)
        return _parked(decision, asked, view.snapshot)
    if not view.target.is_proxied:
        return _to_host(asked, view)
    route = route_of(asked.request, view)
    if isinstance(route, DeadEnd):
        return refuse(asked.request, status=530, code=route.code, reason=route.reason, now=view.now)
    features = view.zone.features
    set_headers, remove_headers = _own_headers(asked.request, view)
    if route.host_header:
        set_headers += (("Host", route.host_header),)
    return Forward(
        route.target.origin(features.origin_tls, route.port, features.answer_timeout_s),
        set_headers,
        remove_headers,
        server_name=route.server_name,
        park=_park(asked, view.snapshot),
    )


def _is_before_nothing(view: View) -> bool:
    """Whether it is a Worker of `holdfast up` without an origin. Its own address is what its client named: that is dialled for nobody."""
    return view.zone.name == CATCH_ALL and view.target.is_prohibited


def _to_host(asked: _Asked, view: View) -> Decision:
    """To a host as anybody would."""
    request, processes = asked.request, view.snapshot.processes
    if processes is None:
        return refuse(request, status=500, code=1101, reason="This edge runs no Workers.", now=view.now)
    if (address := parse_address(request.host.strip("[]"))) is not None and is_nowhere(address):
        reason = f"The host cannot be dialled: no origin can be at {address}."
        return refuse(request, status=530, code=1016, reason=reason, now=view.now)
    try:
        origin = processes.host(request.scheme, request.host, request.edge_port)
    except ValueError as error:
        return refuse(request, status=530, code=1016, reason=f"The host cannot be dialled: {error}.", now=view.now)
    set_headers, remove_headers = _foreign_headers(asked, view)
    return Forward(origin, set_headers, remove_headers, park=_park(asked, view.snapshot))


def _park(asked: _Asked, snapshot: Snapshot) -> WorkerTarget | None:
    if not (asked.egress.park and asked.request.is_upgrade and snapshot.processes is not None):
        return None
    return snapshot.processes.target(asked.egress.script)


def _parked(decision: Decision, asked: _Asked, snapshot: Snapshot) -> Decision:
    if not isinstance(decision, Forward):
        return decision
    return msgspec.structs.replace(decision, park=_park(asked, snapshot))


def _own_headers(request: Request, view: View) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    """What the zone's origin is told: as if the client had come straight to it, and that a Worker asks."""
    set_headers, removed = origin_headers(request, view.snapshot.loop_member)
    passed = request.header_values("X-Forwarded-For")
    if passed and passed[-1].rpartition(",")[2].strip(" \t") == request.client_ip:
        # The Worker passes the client's request on, in which the client is named already.
        set_headers = tuple(one for one in set_headers if one[0] != "X-Forwarded-For")
    return (*set_headers, *zone_headers(request, view), *_worker_of(view.zone)), removed


def _foreign_headers(asked: _Asked, view: View) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    """What anybody else is told: nothing of a client, but for what the Worker says itself."""
    set_headers, removed = origin_headers(asked.request, view.snapshot.loop_member)
    client = asked.egress.client_ip
    of_client = [
        name
        for name, value in asked.request.headers
        if name.lower() in _EDGES_WORD or (client and name.lower() == "x-forwarded-for" and client in value)
    ]
    kept = tuple(one for one in set_headers if one[0] in _SAID_TO_ANYBODY)
    return (*kept, *_worker_of(view.zone)), (*removed, *of_client)


def _worker_of(zone: CompiledZone) -> tuple[tuple[str, str], ...]:
    """Whose Worker asks (Cloudflare, "CF-Worker")."""
    return (("CF-Worker", zone.name),) if zone.name and zone.name != CATCH_ALL else ()
