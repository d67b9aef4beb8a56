"""Bindings become values, or the script is refused."""

from typing import Any

import pytest

from holdfast.model.worker_messages import DurableObjectBinding, Load, ServiceBinding
from holdfast.workers.durable.ids import IdSpace
from holdfast.workers.runtime.environment import environment_of
from holdfast.workers.runtime.loading import LoadError
from holdfast.workers.runtime.neighbours import Neighbours


class Namespaces:
    def namespace(self, class_name: str) -> object:
        return {"Room": "the rooms"}[class_name]


def _load(**more: Any) -> Load:
    return Load(
        key="k", name="chat", version="v", code_dir="/c", main="main.py", http_fd=3, channel_fd=4, egress_path="/e",
        objects_dir="/o", run_dir="/r", turn_file="/t", **more,
    )  # fmt: skip


def test_bindings_are_read_by_attribute_and_by_name() -> None:
    variables = {"GREETING": "hello", "LIMITS": {"rooms": 3}}
    env = environment_of(
        _load(
            vars=variables,
            secrets={"KEY": "s3cret"},
            durable_objects=(
                DurableObjectBinding(name="ROOM", class_name="Room"),
                DurableObjectBinding(name="SAME", class_name="Room", script_name="chat"),
            ),
        ),
        Namespaces(),
        Neighbours(),
    )
    assert (env.GREETING, env["KEY"], env.ROOM, env.SAME) == ("hello", "s3cret", "the rooms", "the rooms")
    assert env.LIMITS == {"rooms": 3}
    assert "s3cret" not in repr(env)


def test_variables_that_are_no_texts_answer_to_javascripts_names_and_are_the_scripts_own() -> None:
    variables = {"VERSION": {"id": "1", "tag": ""}, "ROOMS": [{"name": "lobby"}], "N": 3, "NONE": None}
    env = environment_of(_load(vars=variables), Namespaces(), Neighbours())
    assert (env.VERSION.id, env.VERSION["id"], env.VERSION.to_py()) == ("1", "1", {"id": "1", "tag": ""})
    assert (env.ROOMS.length, env.ROOMS[0].name, env.N, env.NONE) == (1, "lobby", 3, None)
    env.ROOMS[0]["name"] = "attic"
    assert variables["ROOMS"] == [{"name": "lobby"}]


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"durable_objects": (DurableObjectBinding(name="A", class_name="Nope"),)}, "'Nope', which is no class"),
    ],
)
def test_a_binding_that_cannot_be_is_refused(more: dict[str, Any], text: str) -> None:
    with pytest.raises(LoadError, match=text):
        environment_of(_load(**more), Namespaces(), Neighbours())


def test_what_another_script_has_is_bound_whether_that_is_there_or_not() -> None:
    env = environment_of(
        _load(
            services=(ServiceBinding(name="S", service="other"), ServiceBinding(name="SELF", service="chat")),
            durable_objects=(DurableObjectBinding(name="SHELF", class_name="Shelf", script_name="store"),),
        ),
        Namespaces(),
        Neighbours("proof", {("store", "Shelf"): "Rack"}),
    )
    assert [repr(one) for one in (env.S, env.SELF, env.SHELF)] == [
        "<Fetcher S>",
        "<Fetcher SELF>",
        "<DurableObjectNamespace Shelf>",
    ]
    assert str(env.SHELF.idFromName("a")) == str(IdSpace("store-Rack").from_name("a"))


def test_a_class_of_its_own_that_went_elsewhere_is_bound_as_another_scripts_with_the_ids_of_before() -> None:
    binding = DurableObjectBinding(name="GONE", class_name="Gone")
    env = environment_of(
        _load(durable_objects=(binding,), moved={"Gone": "old-Room"}), Namespaces(), Neighbours("proof")
    )
    assert str(env.GONE.idFromName("a")) == str(IdSpace("old-Room").from_name("a"))
