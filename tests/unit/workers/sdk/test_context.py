"""What the code that runs now belongs to: its bindings, and who waits for its background work."""

import asyncio
from collections.abc import Awaitable
from contextvars import copy_context
from typing import Any, cast

import pytest

from holdfast.workers.durable import current
from holdfast.workers.sdk import context
from holdfast.workers.sdk.context import CurrentEnv, Env, ExecutionContext, Invocation, patch_env, running, wait_until
from holdfast.workers.sdk.web.globals import Object


@pytest.fixture(autouse=True)
def loaded(monkeypatch: pytest.MonkeyPatch) -> Env:
    env = Env({"KEY": "secret", "N": 1})
    monkeypatch.setattr(context, "environment", context.Environment())
    context.environment.set_default(env)
    return env


def test_bindings_are_attributes_and_keys_and_never_shown(loaded: Env) -> None:
    for env in (loaded, CurrentEnv()):
        assert (env.KEY, env["N"], "KEY" in env, list(env), env.object_keys()) == (
            "secret",
            1,
            True,
            ["KEY", "N"],
            ["KEY", "N"],
        )
        assert env.to_py() == {"KEY": "secret", "N": 1}
        assert repr(env) == "Env(KEY, N)"
        with pytest.raises(AttributeError, match="env has no binding 'X': it has KEY, N"):
            _ = env.X
    with pytest.raises(AttributeError, match="it has none"):
        _ = Env().X


def test_bindings_are_gone_through_as_javascript_goes_through_an_object(loaded: Env) -> None:
    for env in (loaded, CurrentEnv()):
        assert Object.keys(env) == env.object_keys() == ["KEY", "N"]
        assert Object.values(env) == env.object_values() == ["secret", 1]
        assert dict(Object.entries(env)) == dict(env.object_entries()) == {"KEY": "secret", "N": 1}


async def test_a_patch_holds_for_the_code_inside_alone() -> None:
    env = CurrentEnv()
    outside = copy_context()
    with patch_env({"KEY": "other"}, M=2):
        assert (env.KEY, env.N, env.M) == ("other", 1, 2)
        assert outside.run(lambda: env.KEY) == "secret"
        with patch_env([("KEY", "third")]):
            assert env.KEY == "third"
        assert env.KEY == "other"
    assert (env.KEY, "M" in env) == ("secret", False)


async def test_background_work_is_given_to_the_invocation() -> None:
    kept: list[Awaitable[Any]] = []
    work: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    token = running.set(Invocation(None, kept.append))
    try:
        wait_until(work)
    finally:
        running.reset(token)
    ExecutionContext(kept.append, {"a": 1}).waitUntil(work)
    assert kept == [work, work]
    execution = ExecutionContext(kept.append, {"a": 1})
    execution.passThroughOnException()
    assert execution.props.a == 1


async def test_inside_an_object_background_work_is_a_task_of_its() -> None:
    done = asyncio.Event()

    async def work() -> None:
        done.set()

    token = current.CURRENT.set(cast("current.Activity", object()))
    try:
        wait_until(work())
    finally:
        current.CURRENT.reset(token)
    async with asyncio.timeout(30):
        await done.wait()


async def test_outside_of_everything_it_is_refused() -> None:
    work: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    with pytest.raises(RuntimeError, match="only be called while"):
        wait_until(work)
