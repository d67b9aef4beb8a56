"""One script in the host, with real processes: what they are given, what is heard of them, what their limits do."""

import asyncio
import json
import os
import signal
from pathlib import Path

import pytest

from holdfast.model.worker_host_messages import Done, Refused
from holdfast.model.worker_messages import WorkerLimits
from holdfast.workers.host.phases import LOAD_LIMIT_S
from holdfast.workers.host.script import Script
from tests.unit.loop_clock import LoopClock
from tests.unit.workers.host.hosts import LIMIT_S, hosting


def test_a_process_is_given_what_it_needs_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_SECRET_KEY", "secret")
    monkeypatch.setenv("DATABASE_URL", "postgres://u:p@h/d")

    async def scenario() -> None:
        async with hosting(tmp_path) as one:
            assert await one.deploy("v1", "environment") == Done()
            state = json.loads(next(text for text in one.logged() if text.startswith("{")))
            given = state["given"]
            assert {"HOLDFAST_SECRET_KEY", "DATABASE_URL"} & set(state["env"]) == set()
            # Standard ones, link, two listeners; and the one that reads the list.
            assert len(state["fds"]) == 7
            assert {0, 1, 2, given["http_fd"], given["channel_fd"]} < set(state["fds"])
            assert state["cwd"] == given["run_dir"] == state["env"]["TMPDIR"]
            assert given["secrets"] == {"TOKEN": "hush"}
            assert given["code_dir"] == str(tmp_path / "workers" / one.key / "versions" / "v1" / "code")
            assert state["turn_bytes"] == 64
            assert state["objects_mode"] == 0o700
            runs.append(Path(given["run_dir"]))

    runs: list[Path] = []
    asyncio.run(scenario())
    assert not runs[0].exists()


def test_what_a_process_says_and_prints_is_its_log(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with hosting(tmp_path) as one:
            await one.deploy("v1", "log said\nprint printed")
            await one.until(lambda: {"said", "printed"} <= set(one.logged()), "both lines")

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("code", "error", "traceback"),
    [
        ("refuse ImportError: no", "ImportError: no", 'Traceback:\n  File "worker.py"\n'),
        ("print boom\nexit 3", "it ended with status 3 before it was loaded: boom", ""),
        ("garbage", "it does not keep to the protocol", ""),
    ],
)
def test_what_does_not_load_is_refused_and_the_one_before_goes_on(
    tmp_path: Path, code: str, error: str, traceback: str
) -> None:
    async def scenario() -> None:
        async with hosting(tmp_path) as one:
            await one.deploy("v1")
            pid = one.status.pid
            refused = await one.deploy("v2", code)
            assert isinstance(refused, Refused)
            assert refused.error.startswith(error)
            assert refused.traceback == traceback
            assert (one.status.pid, one.status.serving, await one.ask()) == (pid, "v1", "v1")
            assert "worker_refused" in {event for event, _ in one.records}

    asyncio.run(scenario())


def test_what_is_not_loaded_in_time_is_refused_with_where_it_stood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, stood = asyncio.Event(), Script.stood

    def standing(script: Script, number: int, where: str) -> None:
        stood(script, number, where)
        told.set()

    monkeypatch.setattr(Script, "stood", standing)
    monkeypatch.setattr("holdfast.workers.host.hosted.TELL_S", 2 * LIMIT_S)

    async def scenario() -> None:
        async with hosting(tmp_path) as one:
            await one.deploy("v1")
            clock = LoopClock(asyncio.get_running_loop())
            deploying = asyncio.create_task(one.deploy("v2", "hang in-endless"))
            await one.until(lambda: "it hangs" in one.logged(), "code that hangs")
            clock.passes(LOAD_LIMIT_S)
            await asyncio.wait_for(told.wait(), LIMIT_S)
            clock.passes(2 * LIMIT_S)
            assert await deploying == Refused(error="it was not loaded within 30 s", traceback="in-endless")
            assert (await one.ask(), "in-endless" in one.logged()) == ("v1", False)

    asyncio.run(scenario())


def test_a_version_that_is_not_there_is_refused(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with hosting(tmp_path) as one:
            await one.deploy("v1")
            refused = await one.host.deploy(one.key, "v9")
            assert refused == Refused(error="version v9 cannot be read: no such file or directory")

    asyncio.run(scenario())


def test_a_killed_process_is_there_again_and_whoever_asks_meanwhile_waits(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with hosting(tmp_path) as one:
            await one.deploy("v1")
            before = one.status.pid
            os.kill(before, signal.SIGKILL)
            assert await one.ask() == "v1"
            await one.until(lambda: one.status.serving == "v1", "another process")
            assert one.status.pid != before
            assert one.status.restarts == 1

    asyncio.run(scenario())


def test_an_event_that_never_lets_the_loop_go_is_ended_and_not_delivered_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with hosting(tmp_path, limits=WorkerLimits(cpu_ms=200)) as one:
            await one.deploy("v1", "spin")
            await one.until(lambda: "died in {'sid': 7, 'seq': 3}" in one.logged(), "the event that it died in")
            assert any("limits.cpu_ms is 200" in text for text in one.logged())

    asyncio.run(scenario())


def test_code_that_cannot_tell_where_it_stands_is_told_of_by_what_it_left(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with hosting(tmp_path, limits=WorkerLimits(cpu_ms=200)) as one:
            await one.deploy("v1", "spin in-endless")
            await one.until(lambda: "it was ended here:\nin-endless" in one.logged(), "where it stood")
            await one.until(lambda: any("limits.cpu_ms is 200" in text for text in one.logged()), "the limit")

    asyncio.run(scenario())


def test_a_process_that_has_too_much_memory_is_ended(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with hosting(tmp_path, limits=WorkerLimits(memory_mb=64)) as one:
            await one.deploy("v1", "hog 100")
            await one.until(lambda: any("limits.memory_mb is 64" in text for text in one.logged()), "the limit")

    asyncio.run(scenario())
