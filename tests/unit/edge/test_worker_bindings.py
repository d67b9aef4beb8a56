"""Where bindings lead, as it was deployed."""

from pathlib import Path
from typing import Any

import pytest

from holdfast.edge import worker_bindings
from holdfast.edge.worker_bindings import NotBound, Target, WorkerBindings
from holdfast.edge.worker_scripts import Script
from holdfast.model.data_dir import worker_active_file, worker_caller_file, worker_key, worker_version_dir
from holdfast.model.worker_egress import BoundCall
from holdfast.model.worker_messages import DurableObjectBinding, ServiceBinding
from holdfast.model.worker_migrations import DurableClass, MovedClass
from tests.unit.edge.deployed import ACCOUNT, PROOF, deployed

ID = "ab" * 32
CHAT, STORE = worker_key(ACCOUNT, "chat"), worker_key(ACCOUNT, "store")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    deployed(
        tmp_path,
        "chat",
        services=(
            ServiceBinding(name="STORE", service="store"),
            ServiceBinding(name="ADMIN", service="store", entrypoint="Admin"),
            ServiceBinding(name="SELF", service="chat"),
            ServiceBinding(name="GONE", service="gone"),
        ),
        durable_objects=(
            DurableObjectBinding(name="ROOM", class_name="Room"),
            DurableObjectBinding(name="SHELF", class_name="Shelf", script_name="store"),
            DurableObjectBinding(name="NOPE", class_name="Nope", script_name="store"),
            DurableObjectBinding(name="LOST", class_name="Shelf", script_name="gone"),
        ),
        classes={"Room": DurableClass(namespace="Room")},
    )
    deployed(tmp_path, "store", classes={"Shelf": DurableClass(namespace="Rack")})
    return tmp_path


def a_call(binding: str, **more: Any) -> BoundCall:
    return BoundCall(binding=binding, proof=more.pop("proof", PROOF), **more)


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (a_call("STORE"), Target(Script(STORE, "store"), "chat")),
        (a_call("ADMIN"), Target(Script(STORE, "store"), "chat", entrypoint="Admin")),
        (a_call("SELF"), Target(Script(CHAT, "chat"), "chat")),
        (a_call("SHELF", object_id=ID), Target(Script(STORE, "store"), "chat", class_name="Shelf")),
        (a_call("ROOM", object_id=ID), Target(Script(CHAT, "chat"), "chat", class_name="Room")),
    ],
)
def test_a_binding_leads_where_it_was_written_down(home: Path, call: BoundCall, expected: Target) -> None:
    assert WorkerBindings(home).target(CHAT, call) == expected


@pytest.mark.parametrize(
    ("key", "call", "outcome", "text"),
    [
        (CHAT, a_call("STORE", proof="wrong"), "unbound", "does not prove"),
        (CHAT, a_call("STORE", proof=""), "unbound", "does not prove"),
        (CHAT, a_call("STORE", proof="ungültig"), "unbound", "does not prove"),
        ("0" * 12, a_call("STORE"), "unbound", "does not prove"),
        (STORE, a_call("STORE"), "unbound", 'the Worker "store" has no service binding "STORE"'),
        (CHAT, a_call("SHELF"), "unbound", 'no service binding "SHELF"'),
        (CHAT, a_call("STORE", object_id=ID), "unbound", 'no Durable Object binding "STORE"'),
        (CHAT, a_call("SHELF", object_id="../../etc"), "refused", "64 hexadecimal digits"),
        (CHAT, a_call("GONE"), "refused", 'the Worker "gone" is not deployed, which the binding "GONE" of the Worker "chat" names'),
        (CHAT, a_call("LOST", object_id=ID), "refused", '"gone" is not deployed'),
        (CHAT, a_call("NOPE", object_id=ID), "refused", 'has no Durable Object class "Nope".*it has: Shelf'),
    ],
)  # fmt: skip
def test_what_was_not_written_down_is_not_reached(
    home: Path, key: str, call: BoundCall, outcome: str, text: str
) -> None:
    with pytest.raises(NotBound, match=text) as caught:
        WorkerBindings(home).target(key, call)
    assert caught.value.outcome == outcome


def test_a_deployment_counts_at_once(home: Path) -> None:
    bindings = WorkerBindings(home)
    assert bindings.target(CHAT, a_call("STORE")).script.name == "store"
    deployed(home, "chat", version="v2")
    with pytest.raises(NotBound, match="no service binding"):
        bindings.target(CHAT, a_call("STORE"))
    worker_active_file(home, CHAT).unlink()
    with pytest.raises(NotBound, match="the Worker that calls is not deployed"):
        bindings.target(CHAT, a_call("STORE"))


def test_a_proof_that_is_replaced_is_the_only_one(home: Path) -> None:
    bindings = WorkerBindings(home)
    bindings.target(CHAT, a_call("STORE"))
    file = worker_caller_file(home, CHAT)
    beside = file.with_name("beside")
    beside.write_text("another proof altogether", encoding="ascii")
    beside.replace(file)
    with pytest.raises(NotBound):
        bindings.target(CHAT, a_call("STORE"))
    bindings.target(CHAT, a_call("STORE", proof="another proof altogether"))


@pytest.mark.parametrize("content", [b"", b"\xff", b"[]", b'{"name": 1}', b'{"name": ' + b"[" * 100_000])
def test_a_description_that_cannot_be_read_is_no_deployment(home: Path, content: bytes) -> None:
    (worker_version_dir(home, CHAT, "v1") / "script.json").write_bytes(content)
    with pytest.raises(NotBound, match="not deployed"):
        WorkerBindings(home).target(CHAT, a_call("STORE"))


@pytest.mark.parametrize("version", ["", "../v1", "\xff", "v" * 1000])
def test_a_version_that_is_no_name_is_no_deployment(home: Path, version: str) -> None:
    worker_active_file(home, CHAT).write_bytes(version.encode("latin-1"))
    with pytest.raises(NotBound, match="not deployed"):
        WorkerBindings(home).target(CHAT, a_call("STORE"))


def test_an_empty_proof_is_nobodys(home: Path) -> None:
    worker_caller_file(home, CHAT).write_text("\n", encoding="ascii")
    for proof in ("", "\n", "\0"):
        with pytest.raises(NotBound):
            WorkerBindings(home).target(CHAT, a_call("STORE", proof=proof))


def test_so_many_scripts_are_remembered(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_bindings, "MAX_KEPT", 1)
    bindings = WorkerBindings(home)
    for _ in range(2):
        assert bindings.target(CHAT, a_call("STORE")).script.name == "store"
    assert bindings.statistics() == {"deployed": 1}


def test_a_binding_leads_to_where_its_class_went(home: Path) -> None:
    shelf = MovedClass(script="rack", class_name="Board", unique_key="store-Rack")
    deployed(home, "store", version="v2", moved={"Shelf": shelf})
    deployed(home, "rack", classes={"Plank": DurableClass(namespace="store-Rack")},
             moved={"Board": MovedClass(class_name="Plank", unique_key="store-Rack")})  # fmt: skip
    rack = Script(worker_key(ACCOUNT, "rack"), "rack")
    assert WorkerBindings(home).target(CHAT, a_call("SHELF", object_id=ID)) == Target(rack, "chat", class_name="Plank")
    # One that is made anew under the old name is what the binding names.
    deployed(home, "store", version="v3", moved={"Shelf": shelf}, classes={"Shelf": DurableClass(namespace="Shelf")})
    assert WorkerBindings(home).target(CHAT, a_call("SHELF", object_id=ID)).script.name == "store"


def test_a_class_that_went_in_a_circle_is_not_looked_for_without_end(home: Path) -> None:
    deployed(home, "store", version="v2", moved={"Shelf": MovedClass(class_name="Shelf", unique_key="store-Shelf")})
    with pytest.raises(NotBound, match='the Durable Object class "Shelf" is on the move'):
        WorkerBindings(home).target(CHAT, a_call("SHELF", object_id=ID))
