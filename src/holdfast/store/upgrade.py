"""Bring a database to today's tables, once, before anybody uses it.

Law 1: an empty database and an older one are brought up by the same steps; a newer one is refused.
Law 2: two processes that start at once do it one after the other.
Law 3: only who serves an installation brings its tables up: whoever else comes by looks (`refuse_others`).
"""

from __future__ import annotations

import secrets
from functools import cache
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from holdfast.errors import SetupError
from holdfast.store.database import Database, StoreUnavailable
from holdfast.store.schema import INSTALLATION

# Any number of ours: whoever holds PostgreSQL's advisory lock of this number migrates.
_LOCK = 0x486F6C64
# How often SQLite's lock is waited for, five seconds each time, and what its driver says when it was not to be had.
_TURNS = 24
_LOCKED = "database is locked"


async def upgrade(database: Database, *, to: str = "head") -> None:
    """Run the steps that are missing, up to that of the revision `to`. Raises SetupError for a newer database, StoreUnavailable
    where there is none, or where somebody else holds it for longer than the steps of a large one take."""
    for turn in range(_TURNS):
        try:
            return await _upgrade(database, to)
        except StoreUnavailable as error:
            # PostgreSQL's lock is waited for; SQLite's gives up after `BUSY_LIMIT_S`, and then another process is at the steps.
            if turn == _TURNS - 1 or _LOCKED not in str(error):
                raise
    raise AssertionError("the last turn returns or raises")


async def _upgrade(database: Database, to: str) -> None:
    async with database.note() as connection:
        if not database.is_sqlite:
            await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        await connection.run_sync(_run_steps, to)
        if await connection.scalar(sa.select(INSTALLATION.c.id)) is None:
            await connection.execute(sa.insert(INSTALLATION).values(id=1, source=secrets.token_hex(16), revision=1))


async def refuse_others(database: Database) -> None:
    """Leave a database as it is. Raises SetupError unless it has today's tables, and something in them; StoreUnavailable where
    there is none."""
    async with database.read() as connection:
        current = await connection.run_sync(_step_of)
        if current is not None and current != _scripts().get_current_head():
            raise SetupError(
                f"the database is of an older Holdfast (its tables are at step {current}): start this version's control, "
                "which brings it up to date, with holdfast run or holdfast control"
            )
        if current is None or await connection.scalar(sa.select(INSTALLATION.c.id)) is None:
            raise SetupError("there is no installation in the database: holdfast run or holdfast init makes one")


def _run_steps(connection: sa.Connection, to: str) -> None:
    current = _step_of(connection)
    if to == "head" and current == _scripts().get_current_head():
        return
    config = _configured()
    config.attributes["connection"] = connection
    command.upgrade(config, to)


def _step_of(connection: sa.Connection) -> str | None:
    """The step that the tables are at; None where there are none. Raises SetupError for a newer database."""
    known = {step.revision for step in _scripts().walk_revisions()}
    current = MigrationContext.configure(connection).get_current_revision()
    if current is not None and current not in known:
        raise SetupError(f"the database is of a newer Holdfast (its tables are at step {current})")
    return current


def _configured() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    return config


@cache
def _scripts() -> ScriptDirectory:
    """All steps, read once a process: Alembic compiles each of their files whenever it reads them."""
    return ScriptDirectory.from_config(_configured())
