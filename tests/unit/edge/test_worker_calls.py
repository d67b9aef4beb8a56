"""What becomes of a call that a Worker makes by a binding."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from holdfast.edge.decide import decide
from holdfast.edge.decision import Decision, Forward, Respond
from holdfast.edge.policy import Policy
from holdfast.edge.snapshot import Snapshot, empty_snapshot
from holdfast.edge.worker_calls import TOO_DEEP
from holdfast.edge.worker_processes import Processes
from holdfast.model.data_dir import worker_key
from holdfast.model.fault import Fault
from holdfast.model.request import Request
from holdfast.model.worker_egress import (
    CALLED_FIELD,
    MAX_DEPTH,
    BoundCall,
    Called,
    Egress,
    RequestContext,
    field_of,
    read_context,
)
from holdfast.model.worker_messages import DurableObjectBinding, ServiceBinding
from holdfast.model.worker_migrations import DurableClass
from tests.unit.edge.deployed import ACCOUNT, PROOF, deployed
from tests.unit.edge.origins import PORTS

CHAT, STORE = worker_key(ACCOUNT, "chat"), worker_key(ACCOUNT, "store")
ID = "0f" * 32


@pytest.fixture
def snapshot(tmp_path: Path) -> Snapshot:
    deployed(
        tmp_path,
        "chat",
        services=(ServiceBinding(name="STORE", service="store", entrypoint="Admin", props={"user": "ü"}),),
        durable_objects=(DurableObjectBinding(name="SHELF", class_name="Shelf", script_name="store"),),
    )
    deployed(tmp_path, "store", classes={"Shelf": DurableClass(namespace="Shelf")})
    return empty_snapshot(instance="00ff", ports=PORTS, processes=Processes(tmp_path))


def a_request(
    call: BoundCall, *, is_upgrade: bool = False, headers: tuple[tuple[str, str], ...] = (), **context: Any
) -> Request:
    """What the core makes of a process's call."""
    said = field_of(Egress(scheme="https", script=CHAT, call=call, **context))
    fields = (("Host", "inner"), ("Holdfast-Egress", said), *headers)
    return Request(
        "230b030023ae2822-LOC", "POST", "http", "inner", "/a", "", "HTTP/1.1", fields, "0.0.0.0", 0, 0, None, is_upgrade,
        is_egress=True,
    )  # fmt: skip


def a_call(binding: str = "STORE", **more: Any) -> BoundCall:
    return BoundCall(binding=binding, proof=PROOF, **more)


def forwarded(request: Request, snapshot: Snapshot) -> Forward:
    decision = decide(request, snapshot, now=1.0)
    assert isinstance(decision, Forward)
    return decision


def told(decision: Decision | None) -> tuple[str, str]:
    assert isinstance(decision, Respond)
    return dict(decision.headers)[CALLED_FIELD], decision.body.decode()


def context_of(decision: Forward) -> RequestContext:
    ((name, field),) = decision.set_headers
    assert name == "Holdfast-Context"
    return read_context(field)


def test_a_call_goes_to_the_process_of_the_script_and_says_by_whom_and_for_whom(snapshot: Snapshot) -> None:
    around: dict[str, Any] = {
        "zone": "z",
        "host": "example.com",
        "client_ip": "203.0.113.7",
        "ray": "aa-LOC",
        "depth": 2,
    }
    decision = forwarded(a_request(a_call(cf={"country": "DE"}), **around), snapshot)
    assert (decision.origin.label, decision.remove_headers, decision.park, decision.zone) == (
        "worker:store",
        (),
        None,
        "",
    )
    assert decision.worker is not None
    assert decision.worker.script == STORE
    assert context_of(decision) == RequestContext(
        ray="aa-LOC",
        script=STORE,
        zone="z",
        scheme="https",
        host="example.com",
        client_ip="203.0.113.7",
        depth=3,
        cf={"country": "DE"},
        called=Called(caller="chat", entrypoint="Admin", props={"user": "ü"}),
    )


def test_a_call_of_an_object_names_it(snapshot: Snapshot) -> None:
    decision = forwarded(a_request(a_call("SHELF", object_id=ID, object_name="a", is_rpc=True)), snapshot)
    assert context_of(decision).called == Called(
        caller="chat", class_name="Shelf", object_id=ID, object_name="a", is_rpc=True
    )
    assert context_of(decision).ray == "230b030023ae2822-LOC"


def test_a_websocket_of_a_call_is_kept_for_the_caller(snapshot: Snapshot) -> None:
    decision = forwarded(a_request(a_call(), is_upgrade=True, park=True), snapshot)
    assert decision.park is not None
    assert decision.park.script == CHAT
    assert forwarded(a_request(a_call(), is_upgrade=True), snapshot).park is None


@pytest.mark.parametrize(
    ("call", "context", "expected"),
    [
        (a_call(), {"depth": MAX_DEPTH - 1}, ("refused", TOO_DEEP)),
        (a_call("OTHER"), {}, ("unbound", 'the Worker "chat" has no service binding "OTHER".')),
        (msgspec.structs.replace(a_call(), proof="?"), {}, ("unbound", "the process does not prove which Worker's it is.")),
    ],
)  # fmt: skip
def test_a_call_that_leads_nowhere_is_told_why(
    snapshot: Snapshot, call: BoundCall, context: dict[str, Any], expected: tuple[str, str]
) -> None:
    assert told(decide(a_request(call, **context), snapshot, now=1.0)) == expected


def test_an_edge_without_workers_says_so(snapshot: Snapshot) -> None:
    bare = empty_snapshot(instance="00ff", ports=PORTS)
    assert told(decide(a_request(a_call()), bare, now=1.0)) == ("refused", "This edge runs no Workers.")


def test_who_calls_is_told_that_the_other_process_failed(snapshot: Snapshot) -> None:
    policy = Policy(snapshot, clock=lambda: 1.0)

    def answered(request: Request) -> Respond:
        return policy.answer(
            Fault(status=500, code=1101, reason="It closed the connection.", origin="worker:store", request=request)
        )

    told_it = answered(a_request(a_call()))
    assert told(told_it) == ("lost", "It closed the connection.")
    assert (told_it.status, dict(told_it.headers)["cf-error-type"]) == (502, "1101")


@pytest.mark.parametrize("field", [field_of(Egress(scheme="https", script=CHAT)), "?", None])
def test_a_request_that_is_no_call_has_the_answer_of_any_other(snapshot: Snapshot, field: str | None) -> None:
    request = msgspec.structs.replace(
        a_request(a_call()), headers=() if field is None else (("Holdfast-Egress", field),)
    )
    fault = Fault(status=500, code=1101, reason="It failed.", origin="worker:store", request=request)
    answer = Policy(snapshot, clock=lambda: 1.0).answer(fault)
    assert CALLED_FIELD not in dict(answer.headers)


def test_a_client_cannot_call(snapshot: Snapshot) -> None:
    """What a client writes in the field is nobody's word: only requests of the processes' socket are read so."""
    forged = msgspec.structs.replace(a_request(a_call()), is_egress=False)
    decision = decide(forged, snapshot, now=1.0)
    assert isinstance(decision, Respond)
    assert CALLED_FIELD not in dict(decision.headers)
