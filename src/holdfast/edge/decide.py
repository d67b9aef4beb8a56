"""Decide what happens to one request.

Rule 1: nothing here awaits, logs or reads a clock; what is needed is in the view.
Rule 2: a phase returns a Decision or None. It never raises for something a client sent.
Rule 3: phases do not call each other; their order is PHASES, and only PHASES.
"""

from __future__ import annotations

from holdfast.edge.answers import in_zone
from holdfast.edge.decision import Decision, Respond
from holdfast.edge.phases.find_zone import find_zone
from holdfast.edge.phases.forward import forward
from holdfast.edge.phases.misdirected import misdirected
from holdfast.edge.phases.redirect import redirect
from holdfast.edge.phases.refuse_loop import refuse_loop
from holdfast.edge.phases.websockets_switch import websockets_switch
from holdfast.edge.snapshot import Snapshot
from holdfast.edge.view import Phase, PlaceOf, view_of
from holdfast.model.request import Request

PHASES: tuple[Phase, ...] = (find_zone, refuse_loop, misdirected, redirect, websockets_switch, forward)


def decide(request: Request, snapshot: Snapshot, *, now: float, place_of: PlaceOf | None = None) -> Decision:
    """What becomes of `request`: the answer of the first phase that has one. `now` is Unix time in seconds."""
    view = view_of(request, snapshot, now=now, place_of=place_of)
    for phase in PHASES:
        if (decision := phase(request, view)) is not None:
            return in_zone(decision, view.zone, request) if isinstance(decision, Respond) else decision
    raise AssertionError("the last phase always decides")
