"""What a script's process knows of others."""

from pathlib import Path
from typing import Any

import pytest

from holdfast.model.data_dir import worker_caller_file, worker_dir, worker_key, worker_objects_dir
from holdfast.model.worker_messages import DurableObjectBinding, Load, ServiceBinding
from holdfast.model.worker_migrations import DurableClass, MovedClass
from holdfast.workers.runtime.neighbours import Neighbours, is_foreign, neighbours_of
from tests.unit.edge.deployed import ACCOUNT, deployed

KEY = worker_key(ACCOUNT, "chat")
SHELF = DurableObjectBinding(name="SHELF", class_name="Shelf", script_name="store")


def a_load(data_dir: Path, **more: Any) -> Load:
    worker_dir(data_dir, KEY).mkdir(parents=True, exist_ok=True)
    return Load(
        key=KEY, name="chat", account=ACCOUNT, version="v", code_dir="/c", main="main.py", http_fd=3, channel_fd=4,
        egress_path="/e", objects_dir=str(worker_objects_dir(data_dir, KEY)), run_dir="/r", turn_file="/t", **more,
    )  # fmt: skip


def test_a_script_without_bindings_needs_nothing(tmp_path: Path) -> None:
    load = a_load(tmp_path)
    assert neighbours_of(load) == Neighbours()
    assert not worker_caller_file(tmp_path, KEY).exists()
    assert [is_foreign(one, load) for one in ("", "chat", "store")] == [False, False, True]


def test_a_script_that_names_its_own_objects_alone_does_without_a_proof_where_there_can_be_none(tmp_path: Path) -> None:
    load = a_load(tmp_path, durable_objects=(DurableObjectBinding(name="ROOM", class_name="Room"),))
    assert len(neighbours_of(load).proof) == 64
    worker_caller_file(tmp_path, KEY).unlink()
    worker_dir(tmp_path, KEY).rmdir()
    assert neighbours_of(load) == Neighbours()


def test_the_proof_is_made_once_and_is_nobody_elses_to_read(tmp_path: Path) -> None:
    load = a_load(tmp_path, services=(ServiceBinding(name="STORE", service="store"),))
    first = neighbours_of(load)
    file = worker_caller_file(tmp_path, KEY)
    assert len(first.proof) == 64
    assert (file.read_text(encoding="ascii").strip(), file.stat().st_mode & 0o777) == (first.proof, 0o600)
    assert neighbours_of(load) == first
    assert [one.name for one in worker_dir(tmp_path, KEY).iterdir()] == ["caller"]


def test_ids_are_made_as_the_other_script_makes_them(tmp_path: Path) -> None:
    load = a_load(tmp_path, durable_objects=(SHELF,))
    assert neighbours_of(load).namespace("store", "Shelf") == "Shelf"
    deployed(tmp_path, "store", classes={"Shelf": DurableClass(namespace="Rack")})
    assert neighbours_of(load).namespace("store", "Shelf") == "Rack"
    deployed(tmp_path, "store", version="v2", classes={"Other": DurableClass(namespace="Rack")})
    assert neighbours_of(load).namespace("store", "Shelf") == "Shelf"


def test_a_directory_that_cannot_be_used_is_an_error(tmp_path: Path) -> None:
    load = a_load(tmp_path, durable_objects=(SHELF,))
    worker_dir(tmp_path, KEY).rmdir()
    with pytest.raises(OSError, match="No such file"):
        neighbours_of(load)


def test_ids_of_a_class_that_went_elsewhere_stay(tmp_path: Path) -> None:
    moved = MovedClass(script="rack", class_name="Board", unique_key="store-Rack")
    deployed(tmp_path, "store", moved={"Shelf": moved})
    assert neighbours_of(a_load(tmp_path, durable_objects=(SHELF,))).namespace("store", "Shelf") == "store-Rack"


def test_a_script_whose_own_class_went_elsewhere_proves_who_it_is(tmp_path: Path) -> None:
    assert neighbours_of(a_load(tmp_path, moved={"Room": "chat-Room"})).proof
