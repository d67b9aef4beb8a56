"""The base classes, and what of a module is exported."""

from types import ModuleType
from typing import Any

import pytest

from holdfast.workers.sdk.entrypoints import (
    DurableObject,
    WorkerEntrypoint,
    WorkflowEntrypoint,
    exported_classes,
    fetch_arguments,
    fetch_of,
    global_handlers,
    handler,
    handler_of,
)
from holdfast.workers.sdk.request import Request
from holdfast.workers.sdk.web.request import Request as WebRequest


def module_with(**names: object) -> ModuleType:
    module = ModuleType("script")
    for name, value in names.items():
        setattr(module, name, value)
    return module


class Default(WorkerEntrypoint): ...


class Room(DurableObject): ...


class _Hidden(DurableObject): ...


class Flow(WorkflowEntrypoint): ...


def on_fetch(request: Any, env: Any) -> Any:
    return request, env


def test_classes_that_derive_from_a_base_are_exported_by_name() -> None:
    module = module_with(
        Default=Default, Room=Room, Alias=Room, _Hidden=_Hidden, Flow=Flow, DurableObject=DurableObject, other=int, x=5
    )
    assert exported_classes(module) == {"Default": Default, "Room": Room, "Alias": Room, "Flow": Flow}
    module.__all__ = ["Room", "x", "missing"]  # type: ignore[attr-defined]
    assert exported_classes(module) == {"Room": Room}


def test_module_functions_are_handlers_of_the_older_style() -> None:
    assert global_handlers(module_with(on_fetch=on_fetch, on_other=on_fetch, fetch=on_fetch)) == {"on_fetch": on_fetch}
    assert global_handlers(module_with(Default=Default)) == {}
    with pytest.raises(TypeError, match=r"^Cannot define multiple default entrypoints$"):
        global_handlers(module_with(on_fetch=on_fetch, Default=Default))


class Older:
    def on_fetch(self, request: Any) -> Any:
        return request


class Both(Older):
    def fetch(self, request: Any) -> Any:
        return request


def test_requests_are_answered_by_fetch_or_by_its_older_name() -> None:
    assert (fetch_of(Older), fetch_of(Both), fetch_of(Room)) == (Older.on_fetch, Both.fetch, None)
    assert (handler_of(Older, "scheduled"), handler_of(Both, "fetch")) == (None, Both.fetch)


class Ways:
    """`fetch` as public code writes it."""

    def none(self) -> Any: ...
    def plain(self, request: Any) -> Any: ...
    def all_of_them(self, request: Any, env: Any, ctx: Any) -> Any: ...
    def bindings(self, request: Any, env: Any) -> Any: ...
    def defaults(self, request: Any = None, path: str = "/", ctx: Any = None) -> Any: ...
    def any_number(self, *args: Any, **more: Any) -> Any: ...
    def named(self, request: Any, *, path: str = "/") -> Any: ...
    def too_many(self, request: Any, env: Any, ctx: Any, more: Any) -> Any: ...
    @staticmethod
    def static(request: Any, env: Any) -> Any: ...
    @handler
    def decorated(self, request: Any, env: Any) -> Any: ...


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("none", ()),
        ("plain", ("request",)),
        ("all_of_them", ("request", "env", "ctx")),
        ("bindings", ("request", "env")),
        ("defaults", ("request",)),
        ("any_number", ("request",)),
        ("named", ("request",)),
        ("too_many", ("request", "env", "ctx")),
        ("static", ("request", "env")),
        ("decorated", ("request", "env")),
    ],
)
def test_fetch_is_given_the_request_and_of_the_rest_what_it_must_have(name: str, given: tuple[str, ...]) -> None:
    assert fetch_arguments(getattr(Ways(), name), "request", "env", "ctx") == given


def test_what_has_no_signature_is_given_the_request() -> None:
    assert fetch_arguments(dict.fromkeys, "request", "env", "ctx") == ("request",)


def test_the_decorator_gives_requests_their_python_face() -> None:
    decorated = handler(on_fetch)
    request, env = decorated(WebRequest("https://a.test/"), "env")
    assert isinstance(request, Request)
    assert (env, decorated("x", "y")) == ("env", ("x", "y"))
    assert decorated.__name__ == "on_fetch"


@pytest.mark.parametrize("base", [WorkerEntrypoint, DurableObject, WorkflowEntrypoint])
def test_a_base_keeps_context_and_bindings(base: Any) -> None:
    made = base("ctx", "env")
    assert (made.ctx, made.env) == ("ctx", "env")
