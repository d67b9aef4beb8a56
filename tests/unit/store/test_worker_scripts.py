"""Scripts, versions and deployments as they are kept."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.worker_messages import DurableObjectBinding, WorkerLimits
from holdfast.model.worker_migrations import DurableClass
from holdfast.store import worker_scripts
from holdfast.store.database import Database
from holdfast.store.worker_scripts import (
    MAX_VERSIONS,
    Deployment,
    Script,
    Version,
    VersionSettings,
    packed,
    unpacked,
)
from tests.unit.store.conftest import ACCOUNT_ID

SCRIPT = Script(
    id="a" * 32,
    account_id=ACCOUNT_ID,
    name="chat",
    key="0123456789ab",
    version_id="1" * 32,
    next_number=2,
    tags=("x",),
    classes={"Room": DurableClass(namespace="Hall", storage="legacy-kv")},
    migration_tag="v1",
    created_on=1,
    modified_on=2,
)


def version(number: int = 1) -> Version:
    return Version(
        id=f"{number:x}" * 32 if number < 16 else f"{number:032d}",
        script_id=SCRIPT.id,
        number=number,
        settings=VersionSettings(
            main="entry.py",
            vars={"A": {"b": [1, None, "c"]}},
            durable_objects=(DurableObjectBinding(name="ROOMS", class_name="Room"),),
            limits=WorkerLimits(cpu_ms=5),
        ),
        secrets={"TOKEN": b"\x00\xff"},
        etag="e" * 64,
        author_email="a@example.com",
        source="api",
        message="",
        tag="",
        created_on=number,
    )


async def test_what_is_written_is_what_is_read(database: Database) -> None:
    files = packed({"entry.py": b"x"})
    async with database.write() as connection:
        await worker_scripts.insert(connection, SCRIPT)
        await worker_scripts.insert_version(connection, version(), files)
    async with database.read() as connection:
        assert await worker_scripts.find(connection, ACCOUNT_ID, "chat") == SCRIPT
        assert await worker_scripts.find(connection, ACCOUNT_ID, "gone") is None
        assert await worker_scripts.of_account(connection, ACCOUNT_ID) == [(SCRIPT, version())]
        assert await worker_scripts.everywhere(connection) == [(SCRIPT, version())]
        assert await worker_scripts.find_version(connection, SCRIPT.id, version().id) == version()
        assert await worker_scripts.files_of(connection, SCRIPT.id, version().id) == files
        assert await worker_scripts.count(connection, ACCOUNT_ID) == 1
    async with database.write() as connection:
        await worker_scripts.delete(connection, SCRIPT.id)
        assert await worker_scripts.versions(connection, SCRIPT.id) == []


async def test_scripts_with_a_class_that_came_from_another_are_found(database: Database) -> None:
    came = {"Hall": DurableClass(namespace="chat-Room", came_from=SCRIPT.key)}
    heir = msgspec.structs.replace(SCRIPT, id="b" * 32, name="hall", key="ba9876543210", classes=came)
    other = msgspec.structs.replace(heir, id="c" * 32, name="namesake", key="ca9876543210")
    named_so = {SCRIPT.key: DurableClass(namespace=SCRIPT.key)}
    async with database.write() as connection:
        for one in (SCRIPT, heir, msgspec.structs.replace(other, classes=named_so)):
            await worker_scripts.insert(connection, one)
        assert await worker_scripts.heirs(connection, ACCOUNT_ID, SCRIPT.key) == [heir]
        assert await worker_scripts.heirs(connection, ACCOUNT_ID, "%") == []


async def test_the_deployed_version_is_kept_however_old_it_is(database: Database) -> None:
    async with database.write() as connection:
        await worker_scripts.insert(connection, SCRIPT)
        for number in range(1, MAX_VERSIONS + 4):
            await worker_scripts.insert_version(connection, version(number), b"")
        kept = await worker_scripts.versions(connection, SCRIPT.id)
    assert [one.number for one in kept] == [*range(MAX_VERSIONS + 3, 3, -1), 1]


async def test_deployments_are_told_the_newest_first(database: Database) -> None:
    made = [
        Deployment(
            id=f"{at}" * 32,
            script_id=SCRIPT.id,
            version_id="1" * 32,
            author_email="a",
            source="api",
            message="",
            created_on=at,
        )
        for at in (1, 2)
    ]
    async with database.write() as connection:
        await worker_scripts.insert(connection, SCRIPT)
        for one in made:
            await worker_scripts.insert_deployment(connection, one)
        assert await worker_scripts.deployments(connection, SCRIPT.id) == made[::-1]


@given(st.dictionaries(st.text(min_size=1, max_size=9), st.binary(max_size=30), max_size=5))
def test_files_come_back_as_they_went(files: dict[str, bytes]) -> None:
    assert unpacked(packed(files)) == files
    assert packed(files) == packed(dict(reversed(files.items())))


@pytest.mark.parametrize("kept", [b"", b"nonsense", packed({})[:-1]])
def test_what_are_no_files_is_refused(kept: bytes) -> None:
    with pytest.raises(ValueError, match="the files of a version cannot be read"):
        unpacked(kept)
