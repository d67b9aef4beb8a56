"""WebSockets of Durable Objects outlive the code and the process behind them: deployments, crashes, endless loops, releases.

Each test has real clients on a real edge, and asks the object in the end what it was told: every message once, in order.
"""

import asyncio
import os
import signal
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from holdfast.app.local_project import KEPT_VERSIONS
from holdfast.model.worker_host_messages import Done
from tests.integration.releasing import released
from tests.integration.speakers import WINDOW, client, heard, said, spoken, told, until_said
from tests.integration.waiting import poll
from tests.integration.worker_up import ROOM, ServedWorker, worker_up

# How often a process is killed while it is at work.
KILLS = 8


@pytest.fixture(scope="module")
def served() -> Iterator[ServedWorker]:
    """One for the tests that change nothing but its code."""
    with worker_up() as one:
        yield one


def test_deployments_in_a_row_under_load_lose_no_socket_and_no_message(served: ServedWorker) -> None:
    versions, names = [f"d{number}" for number in range(10)], ("deploy-a", "deploy-b", "deploy-c")

    def deploy() -> None:
        for version in versions:
            assert served.deploy(version) == Done()
            # Everybody hears this version before the next one takes its place.
            for name in names:
                until_said(served, f"{name} ", len(said(served, f"{name} ")))

    speakers = asyncio.run(spoken(served, deploy, names=names))
    for one in speakers:
        assert one.unanswered == []
        # Each deployment is there when it is said to be, and none comes back.
        assert one.versions[-len(versions) :] == versions


def test_a_killed_process_costs_no_socket_and_no_message(served: ServedWorker) -> None:
    def kill() -> None:
        for _ in range(5):
            before = served.status()
            os.kill(before.pid, signal.SIGKILL)
            served.until_restarted(before)

    for one in asyncio.run(spoken(served, kill, names=("kill-a", "kill-b"))):
        assert one.unanswered == []


def test_a_process_that_is_killed_at_any_moment_has_said_everything_once_to_everybody(served: ServedWorker) -> None:
    """What is answered, and what others are told, is written down with what is kept: whichever of the two the process had come to."""
    heard_by: list[list[str]] = [[], []]

    async def listen(texts: list[str], is_there: asyncio.Event) -> None:
        async with client(served, "/listener") as socket:
            assert await told(socket, "who") == "listener guest"
            is_there.set()
            while (text := await heard(socket)) != "all gone over":
                texts.append(text)

    def kill() -> None:
        for _ in range(KILLS):
            before, heard_before = served.status(), len(said(served, "gone-"))
            os.kill(before.pid, signal.SIGKILL)
            served.until_restarted(before)
            # An event at which process after process dies would be passed over.
            until_said(served, "gone-", heard_before + 2 * WINDOW)

    async def scenario() -> None:
        there = [asyncio.Event() for _ in heard_by]
        listening = [asyncio.create_task(listen(*one)) for one in zip(heard_by, there, strict=True)]
        for one in there:
            await one.wait()
        for speaker in await spoken(served, kill, names=("gone-a", "gone-b", "gone-c")):
            assert speaker.unanswered == []
        async with client(served) as last:
            await told(last, "gone over")
        await asyncio.gather(*listening)

    asyncio.run(scenario())
    expected = [f"all {text}" for text in said(served, "gone-")]
    for texts in heard_by:
        assert texts == expected


def test_a_message_whose_handler_dies_is_tried_once_more_and_then_passed_over(served: ServedWorker) -> None:
    async def scenario() -> None:
        before = served.status().restarts
        async with client(served) as socket:
            await socket.send("die")
            assert (await told(socket, "die after")).endswith(" die after")
        assert served.status().restarts == before + 2

    asyncio.run(scenario())


def test_an_endless_loop_is_ended_after_its_processor_time_and_not_begun_again() -> None:
    async def scenario(served: ServedWorker) -> None:
        async with client(served) as looping, client(served, "/b") as other:
            assert await told(other, "loop before") == "v0 loop before"
            await looping.send("loop")
            assert await told(looping, "loop after") == "v0 loop after"
            assert await told(other, "loop other") == "v0 loop other"
        assert served.status().restarts == 1

    with worker_up(more="[limits]\ncpu_ms = 500") as served:
        asyncio.run(scenario(served))
        crashed = served.command.record(lambda record: record["event"] == "worker_crashed")
        assert "limits.cpu_ms is 500" in crashed["reason"]


def test_a_process_that_takes_too_much_memory_is_replaced_and_its_sockets_stay() -> None:
    async def scenario(served: ServedWorker) -> None:
        async with client(served) as socket:
            before = served.status()
            # Whether it is answered depends on when it is looked at the process.
            await socket.send("hog")
            await asyncio.to_thread(served.until_restarted, before)
            await socket.send("hog after")
            while await heard(socket) != "v0 hog after":
                pass
        assert said(served, "hog ") == ["hog after"]

    with worker_up(more="[limits]\nmemory_mb = 160") as served:
        asyncio.run(scenario(served))
        crashed = served.command.record(lambda record: record["event"] == "worker_crashed")
        assert "limits.memory_mb is 160" in crashed["reason"]


def test_a_release_replaces_edge_and_host_and_objects_are_where_they_were() -> None:
    async def scenario(served: ServedWorker) -> None:
        async with client(served) as kept:
            assert await told(kept, "release 1") == "v0 release 1"
            before = served.status().pid
            await asyncio.to_thread(released, served.data)
            assert served.status().pid != before
            assert await told(kept, "release 2") == "v0 release 2"
            async with client(served, "/b") as new:
                assert await told(new, "release 3") == "v0 release 3"
            assert said(served, "release ") == ["release 1", "release 2", "release 3"]

    with worker_up() as served:
        asyncio.run(scenario(served))


def test_a_host_that_is_killed_costs_no_socket_and_no_request() -> None:
    async def scenario(served: ServedWorker) -> None:
        async with client(served) as kept:
            assert await told(kept, "host 1") == "v0 host 1"
            for number in range(3):
                host = served.started("workers")
                os.kill(host, signal.SIGKILL)
                # Nobody listens for the Worker now: the request waits for the next host.
                answers = await asyncio.gather(*(asyncio.to_thread(served.get, "/version") for _ in range(4)))
                assert [one.text for one in answers] == ["v0"] * 4
                poll(partial(is_replaced, served, host), what="the next host")
                assert await told(kept, f"host kept {number}") == f"v0 host kept {number}"

    with worker_up() as served:
        asyncio.run(scenario(served))


def test_a_host_that_is_killed_serves_what_was_deployed_and_not_what_the_command_began_with(tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    endless = f"import time\nopen('{begun}', 'w').close()\ntime.sleep(3600)\n{ROOM}"

    async def scenario(served: ServedWorker) -> None:
        async with client(served) as kept:
            assert await told(kept, "late 1") == "v0 late 1"
            # So many that the one it began with is not kept on the disk.
            for number in range(KEPT_VERSIONS + 3):
                assert await asyncio.to_thread(served.deploy, f"late{number}") == Done()
            newest = f"late{KEPT_VERSIONS + 2}"
            host = served.started("workers")
            deploying = asyncio.create_task(asyncio.to_thread(served.deploy, "never", endless))
            await asyncio.to_thread(poll, begun.exists, what="the version that is loaded")
            os.kill(host, signal.SIGKILL)
            await asyncio.wait([deploying])
            poll(partial(is_replaced, served, host), what="the next host")
            assert deploying.exception() is not None
            assert await told(kept, "late 2") == f"{newest} late 2"
            await asyncio.to_thread(released, served.data)
            assert await told(kept, "late 3") == f"{newest} late 3"

    with worker_up() as served:
        asyncio.run(scenario(served))


def is_replaced(served: ServedWorker, host: int) -> bool:
    return served.started("workers") != host
