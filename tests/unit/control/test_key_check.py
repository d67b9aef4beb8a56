"""One key for good: written down once, and every other one refused; none made where one has been used."""

from collections.abc import AsyncIterator

import pytest
import sqlalchemy as sa

from holdfast.control.key_check import claim_key, refuse_to_make_a_key
from holdfast.errors import SetupError
from holdfast.sealing import SealingKey, sealing_purpose
from holdfast.store import certificates
from holdfast.store.database import Database
from holdfast.store.upgrade import upgrade

KEY, OTHER = SealingKey(b"k" * 32), SealingKey(b"o" * 32)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = Database(database_url)
    await upgrade(opened)
    yield opened
    await opened.close()


def sealed_with(monkeypatch: pytest.MonkeyPatch, *keys: SealingKey) -> None:
    """Have certificates in the database, one sealed with each of `keys`."""
    found = [(f"c{at}", key.seal(b"pem", purpose=sealing_purpose(f"c{at}"))) for at, key in enumerate(keys)]

    async def some(_: object, *, limit: int) -> list[tuple[str, bytes]]:
        return found[:limit]

    monkeypatch.setattr(certificates, "some_sealed_keys", some)


async def test_the_first_key_is_written_down_and_another_is_refused(database: Database) -> None:
    await refuse_to_make_a_key(database)
    await claim_key(database, KEY)
    await claim_key(database, KEY)
    with pytest.raises(SetupError, match=r"another key than the one given here: put back the secret\.key .*SECRET_KEY"):
        await claim_key(database, OTHER)
    await claim_key(database, KEY)


async def test_no_key_is_made_where_one_has_been_used(database: Database) -> None:
    await claim_key(database, KEY)
    with pytest.raises(SetupError, match=r"is missing: put back the secret\.key of the data directory .*SECRET_KEY$"):
        await refuse_to_make_a_key(database)


async def test_a_database_from_before_knows_its_key_by_what_it_opens(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealed_with(monkeypatch, OTHER, KEY)
    with pytest.raises(SetupError, match="is missing"):
        await refuse_to_make_a_key(database)
    with pytest.raises(SetupError, match="another key"):
        await claim_key(database, SealingKey(b"x" * 32))
    await claim_key(database, KEY)
    monkeypatch.undo()
    async with database.read() as connection:
        assert await connection.scalar(sa.text("SELECT key_fingerprint FROM installation")) == KEY.fingerprint
