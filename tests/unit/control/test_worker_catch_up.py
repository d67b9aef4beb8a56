"""A host that does not know what the database says is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from holdfast.api.context import DeployRefused, WorkersUnavailable
from holdfast.api.worker_found import Before, described
from holdfast.control.pacing import Pacing
from holdfast.control.worker_catch_up import catch_up, keep_catching_up
from holdfast.model.worker_migrations import DurableClass
from holdfast.store import identities, worker_scripts
from holdfast.store.database import Database
from holdfast.store.identities import Account
from holdfast.store.worker_scripts import packed
from tests.api.workers import FakeWorkers
from tests.unit.store.conftest import ACCOUNT_ID
from tests.unit.store.test_worker_scripts import SCRIPT, version

OTHER = msgspec.structs.replace(SCRIPT, id="b" * 32, name="other", key="ba9876543210", version_id="2" * 32)
OTHERS = msgspec.structs.replace(version(2), script_id=OTHER.id)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = Database(database_url)
    async with opened.write() as connection:
        await identities.insert_account(connection, Account(id=ACCOUNT_ID, name="Ours", created_on=1))
        for script, its in ((SCRIPT, version()), (OTHER, OTHERS)):
            await worker_scripts.insert(connection, script)
            await worker_scripts.insert_version(connection, its, packed({"entry.py": b"x"}))
    yield opened
    await opened.close()


def no_log(event: str, fields: Any) -> None:
    raise AssertionError((event, fields))


async def test_what_is_not_deployed_is_and_what_is_stays_as_it_is(database: Database) -> None:
    workers = FakeWorkers()
    assert await catch_up(database, workers, no_log, set())
    assert {(one.name, one.version) for one, _ in workers.versions} == {("chat", "1" * 32), ("other", "2" * 32)}
    assert dict(workers.versions[0][1]) == {"entry.py": b"x"}
    assert await catch_up(database, workers, no_log, set())
    assert len(workers.versions) == 2


async def test_objects_of_a_class_that_came_from_another_script_are_moved_before_it_is_deployed(
    database: Database,
) -> None:
    moved = msgspec.structs.replace(OTHER, classes={"Hall": DurableClass(namespace="chat-Room", came_from=SCRIPT.key)})
    async with database.write() as connection:
        await worker_scripts.update(connection, moved)
    workers = FakeWorkers()
    workers.doomed = [(OTHER.key, ["other-Gone", "chat-Room"]), (SCRIPT.key, ["chat-Room"])]
    assert await catch_up(database, workers, no_log, set())
    assert workers.adopted == [(OTHER.key, "chat-Room")]
    # And what could not be removed when its class was deleted, is now; not what has yet to be fetched from beside another script.
    assert workers.forgotten == [(OTHER.key, ["other-Gone"])]


async def test_who_deploys_a_script_is_waited_for(database: Database) -> None:
    workers = FakeWorkers()
    async with workers.turn(SCRIPT.key):
        # As a deployment does it, which is run before it is written down.
        await workers.deploy(described(Before(SCRIPT, version(3))), {"entry.py": b"new"})
        catching_up = asyncio.create_task(catch_up(database, workers, no_log, set()))
        async with asyncio.timeout(30):
            while workers.turns.count(SCRIPT.key) < 2:
                await asyncio.wait([asyncio.create_task(asyncio.to_thread(lambda: None))])
        after = msgspec.structs.replace(SCRIPT, version_id="3" * 32, next_number=4)
        async with database.write() as connection:
            await worker_scripts.insert_version(connection, version(3), packed({"entry.py": b"new"}))
            await worker_scripts.update(connection, after)
    assert await catching_up
    assert [one.version for one, _ in workers.versions if one.name == "chat"] == ["3" * 32]


async def test_a_version_that_does_not_run_is_logged_once(database: Database) -> None:
    workers, log, refused = FakeWorkers(), list[Any](), set[str]()
    workers.refusal = DeployRefused("no")
    for _ in range(2):
        assert await catch_up(database, workers, lambda *said: log.append(said), refused)
    assert sorted(fields["worker"] for _, fields in log) == ["chat", "other"]
    assert refused == {"1" * 32, "2" * 32}


async def test_a_host_that_is_not_there_yet_is_waited_for(database: Database) -> None:
    workers = FakeWorkers()
    workers.refusal = WorkersUnavailable("not yet")

    class Pauses(Pacing):
        async def pause(self, _: float) -> bool:
            workers.refusal = None
            return True

    await keep_catching_up(database, workers, no_log, Pauses())
    assert len(workers.versions) == 2


async def test_it_ends_with_control(database: Database) -> None:
    workers, pacing = FakeWorkers(), Pacing()
    workers.refusal = WorkersUnavailable("never")
    pacing.stop()
    await keep_catching_up(database, workers, no_log, pacing)
    assert workers.versions == []
