"""What a phase sees besides the request: the snapshot, what the host name leads to in it, and the moment.

Law: a view is made once for a request and never changes; what a phase finds out, it returns.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from holdfast.edge.decision import Decision
from holdfast.edge.features import features_of
from holdfast.edge.snapshot import Snapshot
from holdfast.edge.zone import CompiledZone, Target
from holdfast.model.request import Request
from holdfast.model.zone_document import ZoneSettings
from holdfast.rules.context import Place

# Where an address is, as far as it is known. Never raises, never waits.
PlaceOf = Callable[[str], Place]

# What stands in a view where there is no such thing, so that no phase but `find_zone` has to ask.
NO_ZONE = CompiledZone(id="", name="", account_id="", features=features_of(ZoneSettings(), paused=True), targets={})
NO_TARGET = Target(name="", is_proxied=False)


class View(msgspec.Struct, frozen=True, gc=False):
    """`host` is the request's without a final dot; `zone` and `target` are what it leads to, or NO_ZONE and NO_TARGET.

    `now` is Unix time in seconds. `place_of` is None where the edge has no database of addresses.
    """

    snapshot: Snapshot
    host: str
    zone: CompiledZone
    target: Target
    now: float
    place_of: PlaceOf | None = None


Phase = Callable[[Request, View], Decision | None]


def view_of(request: Request, snapshot: Snapshot, *, now: float, place_of: PlaceOf | None = None) -> View:
    """What is known when `request` has come."""
    # A final dot says that a name is whole (RFC 1034 §3.1), and is no part of it.
    host = request.host.removesuffix(".")
    zone = snapshot.zone_of(host) or NO_ZONE
    return View(snapshot, host, zone, zone.target_of(host) or NO_TARGET, now, place_of)
