"""The database: how it is opened, read and written.

Law 1: a write is one transaction that raises the revision. When `write` is left, it is on the disk (SQLite with
synchronous=FULL, PostgreSQL as its server is set up), or all of it is undone.
Law 2: on SQLite a write takes the one write lock at its beginning, so that it never fails in its middle for want of it.
Law 3: every wait has a limit; who waits too long for the database gets StoreUnavailable.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from threading import Thread
from typing import Any
from weakref import WeakSet

import aiosqlite
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from holdfast.store.schema import INSTALLATION

# How long a statement waits for SQLite's write lock, and a request for a connection.
BUSY_LIMIT_S = 5.0
# Connections to the database at once. Precedents: SQLAlchemy 5 + 10; our reads take a millisecond.
MAX_CONNECTIONS = 8
# How long PostgreSQL may take for one statement, and for a new connection.
STATEMENT_LIMIT_S = 10.0
CONNECT_LIMIT_S = 5.0
# How long the thread of a connection to SQLite may take to end.
CLOSE_LIMIT_S = 5.0

_WRITE = "holdfast_write"
_LOOK = {"holdfast_look": True}
# PostgreSQL's serialization_failure and deadlock_detected: the transaction may be tried again.
_COLLISIONS = ("40001", "40P01")
# Its classes of errors that say that the server is going, gone or full, and nothing of the statement: connection_exception,
# insufficient_resources, operator_intervention (PostgreSQL, Appendix A).
_ABSENCES = ("08", "53", "57")
# What SQLite says of a file that is none of its own, or no longer (SQLite, "Result and Error Codes").
_DAMAGES = {
    sqlite3.SQLITE_NOTADB: "the file is no SQLite database",
    sqlite3.SQLITE_CORRUPT: "the file is damaged",
}


class StoreUnavailable(Exception):
    """The database cannot be reached, or does not answer in time. `str` is a sentence without its address."""


class Database:
    """An open database. `url` is SQLAlchemy's, of `sqlite+aiosqlite` or `postgresql+asyncpg`."""

    def __init__(self, url: str) -> None:
        self._threads: WeakSet[Thread] = WeakSet()
        self._engine = _engine(sa.make_url(url), self._threads)
        self._looking = self._engine.execution_options(
            **(_LOOK if self.is_sqlite else {"isolation_level": "AUTOCOMMIT"})
        )
        # SQLite has one writer; those of this process wait here, in order, and not in its busy loop.
        self._writing: asyncio.Lock | None = asyncio.Lock() if self.is_sqlite else None

    @property
    def engine(self) -> AsyncEngine:
        """The engine, for migrations."""
        return self._engine

    @property
    def is_sqlite(self) -> bool:
        """Whether this is SQLite; else it is PostgreSQL."""
        return self._engine.dialect.name == "sqlite"

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that sees one moment. Raises StoreUnavailable."""
        with _as_unavailable():
            async with self._engine.connect() as connection:
                yield connection

    @asynccontextmanager
    async def look(self) -> AsyncIterator[AsyncConnection]:
        """For reads of which each is complete in itself: every statement sees its own moment, and none costs a transaction.
        Raises StoreUnavailable."""
        with _as_unavailable():
            async with self._looking.connect() as connection:
                yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that raises the revision and is committed at its end. Raises StoreUnavailable."""
        with _as_unavailable():
            async with self._turn(), self._engine.connect() as plain:
                connection = await plain.execution_options(**{_WRITE: True})
                async with connection.begin():
                    yield connection
                    await connection.execute(sa.update(INSTALLATION).values(revision=INSTALLATION.c.revision + 1))

    @asynccontextmanager
    async def note(self) -> AsyncIterator[AsyncConnection]:
        """A transaction for what changes nothing that is published: when a token was last used."""
        with _as_unavailable():
            async with self._turn(), self._engine.connect() as plain:
                connection = await plain.execution_options(**{_WRITE: True})
                async with connection.begin():
                    yield connection

    async def close(self) -> None:
        """Give all connections up, and return when the threads that served them are at their end."""
        await self._engine.dispose()
        for thread in [one for one in self._threads if one.ident is not None]:
            # One that was told to end says so to this loop: it must not be gone by then.
            await asyncio.to_thread(thread.join, CLOSE_LIMIT_S)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        if self._writing is None:
            yield
            return
        try:
            await asyncio.wait_for(self._writing.acquire(), BUSY_LIMIT_S)
        except TimeoutError:
            raise StoreUnavailable(f"the database was busy for {BUSY_LIMIT_S:.0f} s") from None
        try:
            yield
        finally:
            self._writing.release()


class _as_unavailable:  # noqa: N801  a context manager reads as a verb
    """Turns what says that the database is away into StoreUnavailable; everything else passes."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        state = str(getattr(error.orig, "sqlstate", None) or "") if isinstance(error, DBAPIError) else ""
        if isinstance(error, DBAPIError) and (error.connection_invalidated or state.startswith(_ABSENCES)):
            raise StoreUnavailable("the database ended the connection") from error
        # The low byte is the error, the rest says more about it.
        damage = getattr(getattr(error, "orig", None), "sqlite_errorcode", 0) & 0xFF
        if damage in _DAMAGES:
            raise StoreUnavailable(_DAMAGES[damage]) from error
        if isinstance(error, PoolTimeoutError):
            raise StoreUnavailable("every connection to the database is taken") from error
        if isinstance(error, OperationalError | InterfaceError):
            raise StoreUnavailable("the database cannot be used") from error
        if isinstance(error, TimeoutError):
            raise StoreUnavailable("the database did not answer in time") from error
        if isinstance(error, OSError):
            raise StoreUnavailable("the database cannot be reached") from error
        if state in _COLLISIONS:
            raise StoreUnavailable("the write collided with another; nothing of it was done") from error


def _engine(url: sa.URL, threads: WeakSet[Thread]) -> AsyncEngine:
    # Parameters are people's data, and secrets sealed or hashed: they stay out of errors, and so out of the log.
    options: dict[str, Any] = {
        "pool_size": MAX_CONNECTIONS,
        "max_overflow": 0,
        "pool_timeout": BUSY_LIMIT_S,
        "hide_parameters": True,
    }
    if url.get_backend_name() == "sqlite":
        arguments = {"timeout": BUSY_LIMIT_S, "async_creator_fn": partial(_connect_sqlite, threads)}
        engine = create_async_engine(url, connect_args=arguments, **options)
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
        return engine
    limits = {"timeout": CONNECT_LIMIT_S, "command_timeout": STATEMENT_LIMIT_S}
    return create_async_engine(url, connect_args=limits, pool_pre_ping=True, **options)


def _connect_sqlite(threads: WeakSet[Thread], *place: Any, **options: Any) -> aiosqlite.Connection:  # noqa: ANN401  the driver's
    """A connection, not yet awaited, whose thread is noted."""
    connection = aiosqlite.connect(*place, **options)
    # As SQLAlchemy does it where it makes the connection itself: no process waits for the thread to exit.
    thread = connection._thread  # noqa: SLF001
    thread.daemon = True
    threads.add(thread)
    return connection


def _prepare_sqlite(connection: Any, _: object) -> None:  # noqa: ANN401  DB-API connections have no type
    # Transactions are begun by `_begin_sqlite`, and not by the driver at its own discretion.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    options = connection.get_execution_options()
    if not options.keys() & _LOOK.keys():
        connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get(_WRITE, False) else "BEGIN")
