"""Decide what becomes of a call that a Worker makes by a binding: to an entrypoint of another script, or to one of its objects.

No rule is asked and no zone: nobody outside can make such a request, and what it reaches was written down by whoever deployed the caller
(`worker_bindings.py`). The process that is called is told by whom, and whom for, in `Holdfast-Context`.

Law 1: whatever goes wrong, the caller's process gets an answer that says so in CALLED_FIELD, and no page for people.
Law 2: a request passes as it is: the edge adds nothing of a client to it, for it is not a client's.
"""

from __future__ import annotations

from holdfast.edge.decision import Decision, Forward, Respond
from holdfast.edge.snapshot import Snapshot
from holdfast.edge.worker_bindings import NotBound
from holdfast.model.fault import Fault
from holdfast.model.request import Request
from holdfast.model.worker_egress import (
    CALLED_FIELD,
    CONTEXT_FIELD,
    EGRESS_FIELD,
    MAX_DEPTH,
    BoundCall,
    Called,
    Egress,
    Outcome,
    RequestContext,
    field_of,
    read_egress,
)

# As the original says it.
TOO_DEEP = (
    "Subrequest depth limit exceeded. This request recursed through Workers too many times. This can happen e.g. if you have a "
    "Worker or Durable Object that calls other Workers or objects recursively."
)
_STATUSES: dict[Outcome, int] = {"lost": 502, "unbound": 403}


def decide_call(request: Request, egress: Egress, call: BoundCall, snapshot: Snapshot) -> Decision:
    """What becomes of `request`, which is what the process asks for."""
    processes = snapshot.processes
    if processes is None:
        return refusal("refused", "This edge runs no Workers.")
    if egress.depth + 1 >= MAX_DEPTH:
        return refusal("refused", TOO_DEEP)
    try:
        target = processes.bindings.target(egress.script, call)
    except NotBound as error:
        return refusal(error.outcome, f"{error}.")
    context = RequestContext(
        ray=egress.ray or request.ray,
        script=target.script.key,
        zone=egress.zone,
        scheme=egress.scheme,
        host=egress.host,
        port=egress.port,
        client_ip=egress.client_ip,
        depth=egress.depth + 1,
        cf=call.cf,
        called=Called(
            caller=target.caller,
            entrypoint=target.entrypoint,
            props=target.props,
            class_name=target.class_name,
            object_id=call.object_id,
            object_name=call.object_name,
            is_rpc=call.is_rpc,
        ),
    )
    origin, worker = processes.of(target.script)
    park = processes.target(egress.script) if egress.park and request.is_upgrade else None
    return Forward(origin, ((CONTEXT_FIELD, field_of(context)),), worker=worker, park=park)


def answer_of(fault: Fault) -> Respond | None:
    """What the process is told whose call failed on the way; None where the request was no call."""
    request = fault.request
    if not request.is_egress:
        return None
    try:
        (field,) = request.header_values(EGRESS_FIELD)
        call = read_egress(field).call
    except ValueError:
        return None
    return None if call is None else refusal("lost", fault.reason, code=fault.code)


def refusal(outcome: Outcome, reason: str, *, code: int = 0) -> Respond:
    """An answer that is the edge's own. `code` is that of the fault, for who reads logs."""
    fields = ((CALLED_FIELD, outcome), ("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store"))
    return Respond(_STATUSES.get(outcome, 500), (*fields, ("cf-error-type", str(code or 1101))), reason.encode())
