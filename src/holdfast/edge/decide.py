"""Decide what happens to one request.

Rule 1: nothing here awaits, logs or reads a clock; what is needed is in the view.
Rule 2: a phase returns a Decision or None. It never raises for something a client sent.
Rule 3: phases do not call each other; their order is PHASES, and only PHASES.
Rule 4: every request goes through all of them, whatever it says it is: an upgrade that is none is an ordinary request.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from holdfast.edge.answers import in_zone
from holdfast.edge.decision import Decision, Respond
from holdfast.edge.phases.custom_rules import custom_rules
from holdfast.edge.phases.find_zone import find_zone
from holdfast.edge.phases.forward import forward
from holdfast.edge.phases.ip_access import ip_access
from holdfast.edge.phases.managed_rules import managed_rules
from holdfast.edge.phases.misdirected import misdirected
from holdfast.edge.phases.rate_limits import rate_limits
from holdfast.edge.phases.redirect import redirect
from holdfast.edge.phases.refuse_loop import refuse_loop
from holdfast.edge.phases.websocket_origins import websocket_origins
from holdfast.edge.phases.websocket_subprotocols import websocket_subprotocols
from holdfast.edge.phases.websockets_switch import websockets_switch
from holdfast.edge.phases.worker_route import worker_route
from holdfast.edge.snapshot import Snapshot
from holdfast.edge.view import Phase, PlaceOf, View, view_of
from holdfast.model.request import Request

if TYPE_CHECKING:
    from holdfast.edge.firewall.rate_limit import Counters
    from holdfast.model.security_event import SecurityEvent

PHASES: tuple[Phase, ...] = (
    find_zone,
    refuse_loop,
    misdirected,
    redirect,
    ip_access,
    custom_rules,
    rate_limits,
    managed_rules,
    websockets_switch,
    websocket_origins,
    websocket_subprotocols,
    worker_route,
    forward,
)

# Those that ask rules, in the order of the bits of `Firewall.asks`.
_ASKING: tuple[Phase, ...] = (ip_access, custom_rules, rate_limits, managed_rules)
# What is left of all of them without those that would find nothing to ask, by what there is to be asked.
_PHASES_BY_ASKED: tuple[tuple[Phase, ...], ...] = tuple(
    tuple(phase for phase in PHASES if phase not in _ASKING or asked >> _ASKING.index(phase) & 1)
    for asked in range(1 << len(_ASKING))
)

# Takes the events of a request that had any. Never raises, never waits.
Record = Callable[[Request, Sequence["SecurityEvent"]], None]


def decide(
    request: Request,
    snapshot: Snapshot,
    *,
    now: float,
    place_of: PlaceOf | None = None,
    counters: Counters | None = None,
    record: Record | None = None,
) -> Decision:
    """What becomes of `request`: the answer of the first phase that has one. `now` is Unix time in seconds.

    What a Worker's process asks for (`is_egress`) has a road of its own, which may lead back here.
    """
    if request.is_egress:
        # Loaded with the first of them: most edges have no Workers.
        from holdfast.edge.egress import decide_egress  # noqa: PLC0415

        def decide_all(asked: Request, depth: int) -> Decision:
            view = view_of(asked, snapshot, now=now, place_of=place_of, counters=counters, depth=depth)
            return decide_in(asked, view, record)

        return decide_egress(request, snapshot, now=now, decide_all=decide_all, place_of=place_of)
    return decide_in(request, view_of(request, snapshot, now=now, place_of=place_of, counters=counters), record)


def decide_in(request: Request, view: View, record: Record | None = None) -> Decision:
    """The same where the view is made already."""
    asked = 0
    for firewall in view.firewalls:
        asked |= firewall.asks
    for phase in _PHASES_BY_ASKED[asked]:
        if (decision := phase(request, view)) is not None:
            if isinstance(decision, Respond):
                decision = in_zone(decision, view.zone, request)
            elif view.notes.findings is None:
                return decision
            if record is not None:
                _tell(record, request, view, decision, phase)
            return decision
    raise AssertionError("the last phase always decides")


def _tell(record: Record, request: Request, view: View, decision: Decision, phase: Phase) -> None:
    # Loaded with the first event: most requests have none.
    from holdfast.edge.firewall.events import events_of  # noqa: PLC0415

    record(request, events_of(request, view, decision, phase=phase.__name__))
