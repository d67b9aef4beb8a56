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
from holdfast.edge.phases.websockets_switch import websockets_switch
from holdfast.edge.snapshot import Snapshot
from holdfast.edge.view import Phase, PlaceOf, View, view_of
from holdfast.model.request import Request

if TYPE_CHECKING:
    from holdfast.limits.counters import RateCounters
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
    forward,
)

# Takes the events of a request that had any. Never raises, never waits.
Record = Callable[[Request, Sequence["SecurityEvent"]], None]


def decide(
    request: Request,
    snapshot: Snapshot,
    *,
    now: float,
    place_of: PlaceOf | None = None,
    counters: RateCounters | None = None,
    record: Record | None = None,
) -> Decision:
    """What becomes of `request`: the answer of the first phase that has one. `now` is Unix time in seconds."""
    view = view_of(request, snapshot, now=now, place_of=place_of, counters=counters)
    decision, phase = decide_in(request, view)
    if record is not None and (view.notes.findings is not None or isinstance(decision, Respond)):
        # Loaded with the first event: most requests have none.
        from holdfast.edge.firewall.events import events_of  # noqa: PLC0415

        record(request, events_of(request, view, decision, phase=phase.__name__))
    return decision


def decide_in(request: Request, view: View) -> tuple[Decision, Phase]:
    """The same where the view is made already: the decision, and the phase that made it."""
    for phase in PHASES:
        if (decision := phase(request, view)) is not None:
            return in_zone(decision, view.zone, request) if isinstance(decision, Respond) else decision, phase
    raise AssertionError("the last phase always decides")
