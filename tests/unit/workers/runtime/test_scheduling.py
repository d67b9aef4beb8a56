"""The handler `scheduled`: what it is called with, and what is told of how it ended."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import pytest

from holdfast.model.worker_messages import Scheduled
from holdfast.workers.runtime import scheduling
from holdfast.workers.runtime.host_link import HostLink
from holdfast.workers.runtime.loading import Script
from holdfast.workers.runtime.scheduling import ScheduledController, Scheduling
from holdfast.workers.sdk.entrypoints import WorkerEntrypoint
from tests.unit.workers.runtime.test_dispatch import FakeLog

DUE = Scheduled(cron="* * * * *", scheduled_ms=60_000)


def outcomes(scheduled: Any, *, function: Any = None, runs: int = 1) -> tuple[list[str], list[str]]:
    """How runs of a handler ended, and what they reported."""
    log, reported, work = FakeLog(), list[str](), list[Awaitable[Any]]()
    default = type("Default", (WorkerEntrypoint,), {"scheduled": scheduled} if scheduled else {})
    script = Script(
        ModuleType("main"),
        Path(__file__).parent,
        entrypoints={} if function else {"Default": default},
        functions={"on_scheduled": function} if function else {},
    )

    async def scenario() -> None:
        one = Scheduling(
            script,
            "env",
            key="k",
            log=cast(HostLink, log),
            wait_until=work.append,
            report=lambda error, where: reported.append(f"{where}: {error!r}"),
        )
        for _ in range(runs):
            one.run(DUE)
        await asyncio.gather(*work[:runs])

    asyncio.run(scenario())
    return [more["fields"]["outcome"] for _, _, more in log.lines if more["kind"] == "scheduled"], reported


def test_the_handler_is_called_with_what_is_due() -> None:
    calls: list[Any] = []

    async def scheduled(self: Any, controller: Any, env: Any, ctx: Any) -> None:
        controller.noRetry()
        calls.append((controller.cron, controller.scheduledTime, controller.scheduled_time, controller.type, env))
        ctx.waitUntil(asyncio.get_running_loop().create_future())

    assert outcomes(scheduled) == (["ok"], [])
    assert calls == [("* * * * *", 60_000, 60_000, "scheduled", "env")]
    assert outcomes(None, function=lambda controller: calls.append(controller.cron)) == (["ok"], [])
    assert calls[-1] == "* * * * *"


def test_what_it_raises_is_reported_and_ends_no_other_run() -> None:
    async def scheduled(self: Any, controller: Any) -> None:
        raise SystemExit("boom")

    ended, reported = outcomes(scheduled, runs=2)
    assert ended == ["exception", "exception"]
    assert reported == ["scheduled(\"* * * * *\"): SystemExit('boom')"] * 2


def test_how_a_run_ended_is_told_to_whoever_asked_for_it() -> None:
    async def scheduled(self: Any, controller: Any) -> None:
        if controller.cron == "bad":
            raise ValueError("no")

    default = type("Default", (WorkerEntrypoint,), {"scheduled": scheduled})
    script = Script(ModuleType("main"), Path(__file__).parent, entrypoints={"Default": default})

    async def scenario() -> list[str]:
        one = Scheduling(
            script,
            "env",
            key="k",
            log=cast(HostLink, FakeLog()),
            wait_until=lambda _: None,
            report=lambda _, __: None,
        )
        return [await one.ran(Scheduled(cron=cron, scheduled_ms=0)) for cron in ("good", "bad")]

    assert asyncio.run(scenario()) == ["ok", "exception"]


def test_a_script_without_the_handler_says_so() -> None:
    ended, (reported,) = outcomes(None)
    assert ended == ["exception"]
    assert "Handler does not export a scheduled() function." in reported


def test_a_run_that_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduling, "LIMIT_S", 0.01)

    async def scheduled(self: Any, controller: Any) -> None:
        await asyncio.Event().wait()

    ended, (reported,) = outcomes(scheduled)
    assert ended == ["exception"]
    assert "TimeoutError" in reported


def test_not_to_repeat_is_remembered() -> None:
    controller = ScheduledController("* * * * *", 0)
    controller.no_retry()
    assert not controller.is_repeatable
