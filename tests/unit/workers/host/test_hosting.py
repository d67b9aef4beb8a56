"""The host of all scripts: starts, deployments one after the other, successors, and ends."""

import asyncio
import os
from contextlib import closing
from pathlib import Path

from holdfast.app.kept_pair import kept_pair
from holdfast.model.data_dir import worker_dir, worker_http_socket, workers_host_socket
from holdfast.model.worker_host_messages import Done, Refused
from holdfast.workers.host import sockets
from holdfast.workers.host.desk import Desk
from holdfast.workers.host.hosting import Host
from holdfast.workers.host.kept_sockets import KeptSockets
from tests.unit.workers.host.hosts import Hosting, hosting


def test_what_has_served_is_served_again_without_anybody_asking(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with hosting(tmp_path) as one:
            await one.deploy("v1")
            await one.deploy("v2", "refuse no")
        async with hosting(tmp_path) as again:
            assert await again.ask() == "v1"
        # Nobody listens any more, and no file says otherwise.
        assert not worker_http_socket(tmp_path, again.key).exists()

    asyncio.run(scenario())


def test_many_deployments_in_a_row_lose_nobody_who_asks(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with hosting(tmp_path) as one:
            await one.deploy("v0")
            answers, is_over = list[str](), False

            async def ask_on() -> None:
                while not is_over or len(answers) <= 10:
                    answers.append(await one.ask())

            asking = [asyncio.create_task(ask_on()) for _ in range(3)]
            for number in range(1, 11):
                assert await one.deploy(f"v{number}") == Done()
            is_over = True
            await asyncio.gather(*asking)
            assert "" not in answers
            assert set(answers) <= {f"v{number}" for number in range(11)}

    asyncio.run(scenario())


def test_a_successor_has_the_same_sockets_and_serves_when_it_may(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with hosting(tmp_path) as before:
            await before.deploy("v1")
            desk = Desk(before.host)
            await desk.open(sockets.bound(workers_host_socket(tmp_path)))
            after = Hosting(tmp_path)
            after.host = Host(after.setting, may_serve=False)
            given = await asyncio.to_thread(sockets.inherited, tmp_path)
            after.host.begin(given)
            await after.host.settled()
            assert (after.status.state, await before.ask()) == ("loading", "v1")
            await before.deploy("v2")
            await desk.close()
            await before.host.stop()
            assert worker_http_socket(tmp_path, before.key).exists()
            waiting = asyncio.create_task(after.ask())
            after.host.allow_serving()
            assert await waiting in {"v1", "v2"}
            await after.until(lambda: after.status.serving == "v2", "what the one before deployed last")
            await after.host.stop()

    asyncio.run(scenario())


def test_a_deleted_script_is_gone_with_its_objects(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with hosting(tmp_path) as one:
            await one.deploy("v1")
            assert await one.host.delete(one.key) == Done()
            assert not worker_dir(tmp_path, one.key).exists()
            assert one.host.scripts().scripts == ()
            assert await one.host.delete(one.key) == Done()
            assert isinstance(await one.host.delete("../.."), Refused)
            assert isinstance(await one.host.restart(one.key), Refused)
            assert isinstance(await one.host.deploy(one.key, "v1"), Refused)

    asyncio.run(scenario())


def test_a_restart_is_another_process_of_the_same_version(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with hosting(tmp_path) as one:
            await one.deploy("v1")
            before = one.status.pid
            assert await one.host.restart(one.key) == Done()
            assert (one.status.serving, one.status.pid == before) == ("v1", False)

    asyncio.run(scenario())


def test_what_was_handed_to_a_successor_that_does_not_get_there_is_kept_on(tmp_path: Path) -> None:
    async def scenario() -> None:
        with kept_pair() as pair, closing(KeptSockets(tmp_path, [os.dup(end) for end in pair])) as kept:
            one = Hosting(tmp_path)
            one.host = Host(one.setting, kept=kept)
            one.host.begin(kept.take())
            desk = Desk(one.host)
            await desk.open(sockets.bound(workers_host_socket(tmp_path)))
            # A successor asks, and ends.
            assert await asyncio.to_thread(sockets.inherited, tmp_path) == {}
            await one.deploy("v1")
            with closing(KeptSockets(tmp_path, [os.dup(end) for end in pair])) as next_one:
                found = next_one.take()
            assert list(found) == [one.key]
            for each in found.values():
                each.close()
            await desk.close()
            await one.host.stop()

    asyncio.run(scenario())
