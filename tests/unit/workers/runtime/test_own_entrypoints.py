"""`ctx.exports`: what a script exports, called by itself."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest

from holdfast.workers.runtime.own_entrypoints import exports_of
from holdfast.workers.sdk.context import Env, running
from holdfast.workers.sdk.entrypoints import WorkerEntrypoint
from holdfast.workers.sdk.errors import DOMException, JsTypeError
from holdfast.workers.sdk.request import Request
from holdfast.workers.sdk.response import Response
from tests.unit.workers.durable.stage import turn


class Admin(WorkerEntrypoint):
    kind = "admin"

    async def add(self, numbers: list[int], *, more: int = 0) -> int:
        numbers.append(more)
        return sum(numbers)

    def who(self) -> list[object]:
        invocation = running.get()
        assert invocation is not None
        return [self.env.NAME, self.ctx.props.get("user"), invocation.env.NAME]

    async def fails(self) -> None:
        raise LookupError("nobody")

    async def later(self) -> None:
        self.ctx.waitUntil(turn())

    async def fetch(self, request: Request) -> Response:
        return Response(f"{request.method} {request.url} {await request.text()}", status=201)


class Default(WorkerEntrypoint):
    async def fetch(self, request: Request) -> Any:
        return "no answer"


@pytest.fixture
def kept() -> list[Awaitable[Any]]:
    return []


@pytest.fixture
def exports(kept: list[Awaitable[Any]]) -> Any:
    return exports_of({}, {"Admin": Admin, "Default": Default}, Env({"NAME": "lab"}), kept.append)


async def test_a_method_is_called_with_copies_and_answers(exports: Any) -> None:
    numbers = [1, 2]
    assert await exports.Admin.add(numbers, more=4) == 7
    assert numbers == [1, 2]
    assert list(await asyncio.gather(exports.Admin.add([1]), exports.Admin.add([2]))) == [1, 2]
    assert await exports.Admin.kind == "admin"


async def test_an_entrypoint_has_the_scripts_bindings_and_the_props_that_it_is_called_with(exports: Any) -> None:
    assert await exports.Admin.who() == ["lab", None, "lab"]
    assert await exports.Admin(props={"user": "x"}).who() == ["lab", "x", "lab"]
    assert await exports.Admin({"props": {"user": "y"}}).who() == ["lab", "y", "lab"]


async def test_a_request_is_answered_by_its_fetch(exports: Any) -> None:
    answer = await exports.Admin.fetch("http://own/a?b", method="POST", body="said")
    assert (answer.status, await answer.text()) == (201, "POST http://own/a?b said")
    with pytest.raises(TypeError, match="str"):
        await exports.default.fetch("http://own/")


async def test_what_is_wrong_is_told_to_who_calls(exports: Any) -> None:
    with pytest.raises(LookupError, match="nobody") as caught:
        await exports.Admin.fails()
    assert caught.value.remote is True  # type: ignore[attr-defined]  # what came from elsewhere says so
    with pytest.raises(JsTypeError, match='does not implement the method "nope"'):
        await exports.Admin.nope()
    with pytest.raises(JsTypeError, match='"kind" is not a function'):
        await exports.Admin.kind()
    with pytest.raises(DOMException, match="cannot be sent"):
        exports.Admin.add(object())
    with pytest.raises(AttributeError, match="the script exports no class 'Other'"):
        _ = exports.Other


async def test_what_it_leaves_behind_is_kept_by_the_script(exports: Any, kept: list[Awaitable[Any]]) -> None:
    await exports.Admin.later()
    await turn()
    assert len(kept) == 1
    await kept[0]
