"""Decide what happens to one request.

Rule 1: nothing here awaits, logs or reads a clock; what is needed is in the view.
Rule 2: a phase returns a Decision or None. It never raises for something a client sent.
Rule 3: phases do not call each other; their order is PHASES, and only PHASES.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from holdfast.edge.answers import refuse
from holdfast.edge.decision import Decision, Forward
from holdfast.edge.headers import is_loop, origin_headers
from holdfast.edge.snapshot import Snapshot, Zone
from holdfast.model.request import Request


class View(msgspec.Struct, frozen=True, gc=False):
    """What the phases see besides the request.

    `zone` is the snapshot's for the request's host. `now` is Unix time in seconds.
    """

    snapshot: Snapshot
    zone: Zone | None
    now: float


Phase = Callable[[Request, View], Decision | None]


def decide(request: Request, snapshot: Snapshot, *, now: float) -> Decision:
    """What becomes of `request`: the answer of the first phase that has one. `now` is Unix time in seconds."""
    view = View(snapshot, snapshot.zone_of(request.host), now)
    for phase in PHASES:
        if (decision := phase(request, view)) is not None:
            return decision
    raise AssertionError("the last phase always decides")


def find_zone(request: Request, view: View) -> Decision | None:
    """A host name that nobody configured is refused (Cloudflare's 1001)."""
    if view.zone is not None:
        return None
    return refuse(request, status=530, code=1001, reason="No zone of this edge has this host name.", now=view.now)


def refuse_loop(request: Request, view: View) -> Decision | None:
    """A request that this instance has forwarded before would come round forever (RFC 8586)."""
    if not is_loop(request, view.snapshot.loop_member):
        return None
    reason = "The origin sent this request back to the edge that had forwarded it."
    return refuse(request, status=508, code=508, reason=reason, now=view.now)


def forward(request: Request, view: View) -> Decision | None:
    """What nobody refused goes to the zone's origin."""
    if view.zone is None:
        raise AssertionError("find_zone decides where there is none")
    set_headers, remove_headers = origin_headers(request, view.snapshot.loop_member)
    return Forward(view.zone.origin, set_headers, remove_headers)


PHASES: tuple[Phase, ...] = (find_zone, refuse_loop, forward)
