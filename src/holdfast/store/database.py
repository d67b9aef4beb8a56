"""The database: how it is opened, read and written.

Law 1: a write is one transaction that raises the revision. When `write` is left, it is on the disk (SQLite with
synchronous=FULL, PostgreSQL as its server is set up), or all of it is undone.
Law 2: on SQLite a write takes the one write lock at its beginning, so that it never fails in its middle for want of it.
Law 3: every wait has a limit; who waits too long for the database gets StoreUnavailable.
Law 4: what is wrong with the storage is remembered until a write succeeds, damage for good: reads from memory may go on
as if nothing were.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
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
# Its disk_full and read_only_sql_transaction.
_REFUSED_WRITES = {"53100": "its disk is full", "25006": "it is read-only"}
# Its classes of errors that say that the server is going, gone or full, and nothing of the statement: connection_exception,
# insufficient_resources, operator_intervention (PostgreSQL, Appendix A).
_ABSENCES = ("08", "53", "57")
# What it says to whoever connects: invalid_catalog_name, the class invalid_authorization_specification, insufficient_privilege,
# object_not_in_prerequisite_state.
_REFUSED_CONNECTIONS = {
    "3D000": "the server has no database of this name: make it, or correct the name",
    "28": "the server does not let this user in",
    "42501": "the server does not let this user into this database",
    "55000": "the server accepts no connections to this database",
}
# What SQLite says of a file that is none of its own, or no longer (SQLite, "Result and Error Codes").
_DAMAGES = {
    sqlite3.SQLITE_NOTADB: "the file is no SQLite database",
    sqlite3.SQLITE_CORRUPT: "the file is damaged",
}
# What it says where the disk is full, or failing, or may not be written.
_DISK_FAULTS = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY)


class StoreUnavailable(Exception):
    """The database cannot be reached, or does not answer in time. `str` is a sentence without its address."""


class StorageFault(StoreUnavailable):
    """The database can be reached, and its storage is full, failing or read-only."""


class StorageDamaged(StorageFault):
    """The file is no database, or no longer: it has to be put back."""


class Database:
    """An open database. `url` is SQLAlchemy's, of `sqlite+aiosqlite` or `postgresql+asyncpg`.

    `on_fault` is told, in a sentence, what is wrong with the storage: once, until a write has succeeded.
    """

    def __init__(self, url: str, *, on_fault: Callable[[str], None] = lambda _: None) -> None:
        self._on_fault = on_fault
        self._fault, self._is_damaged = "", False
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

    @property
    def storage_fault(self) -> str:
        """What was wrong with the storage when it was last needed, a sentence; "" for nothing."""
        return self._fault

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that sees one moment. Raises StoreUnavailable."""
        with self._noting_damage(), _as_unavailable():
            async with self._engine.connect() as connection:
                # PostgreSQL's default sees another moment at each statement. Reading alone never conflicts.
                options = {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"}
                yield await connection.execution_options(**options)

    @asynccontextmanager
    async def look(self) -> AsyncIterator[AsyncConnection]:
        """For reads of which each is complete in itself: every statement sees its own moment, and none costs a transaction.
        Raises StoreUnavailable."""
        with self._noting_damage(), _as_unavailable():
            async with self._looking.connect() as connection:
                yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction that raises the revision and is committed at its end. Raises StoreUnavailable."""
        with self._noting_faults(), _as_unavailable():
            async with self._turn(), self._engine.connect() as plain:
                connection = await plain.execution_options(**{_WRITE: True})
                async with connection.begin():
                    yield connection
                    await connection.execute(sa.update(INSTALLATION).values(revision=INSTALLATION.c.revision + 1))

    @asynccontextmanager
    async def note(self) -> AsyncIterator[AsyncConnection]:
        """A transaction for what changes nothing that is published: when a token was last used."""
        with self._noting_faults(), _as_unavailable():
            async with self._turn(), self._engine.connect() as plain:
                connection = await plain.execution_options(**{_WRITE: True})
                async with connection.begin():
                    yield connection

    async def try_to_write(self) -> None:
        """Find out whether the storage is well again, by a write that changes nothing. Raises StoreUnavailable."""
        async with self.note() as connection:
            await connection.execute(sa.update(INSTALLATION).values(revision=INSTALLATION.c.revision))

    async def close(self) -> None:
        """Give all connections up, and return when the threads that served them are at their end."""
        await self._engine.dispose()
        for thread in [one for one in self._threads if one.ident is not None]:
            # One that was told to end says so to this loop: it must not be gone by then.
            await asyncio.to_thread(thread.join, CLOSE_LIMIT_S)

    @contextmanager
    def _noting_damage(self) -> Iterator[None]:
        try:
            yield
        except StorageDamaged as error:
            self._note_fault(error)
            raise

    @contextmanager
    def _noting_faults(self) -> Iterator[None]:
        try:
            yield
        except StorageFault as error:
            self._note_fault(error)
            raise
        if not self._is_damaged:
            self._fault = ""

    def _note_fault(self, error: StorageFault) -> None:
        is_news = not self._fault
        self._is_damaged = self._is_damaged or isinstance(error, StorageDamaged)
        self._fault = str(error)
        if is_news:
            self._on_fault(self._fault)

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
        unavailable = _storage_fault(error) or _absence(error) if error is not None else None
        if unavailable is not None:
            raise unavailable from error


def _storage_fault(error: BaseException) -> StorageFault | None:
    """What `error` says of the storage, if it does."""
    words = getattr(error, "orig", None)
    # The low byte is the error, the rest says more about it.
    code = getattr(words, "sqlite_errorcode", 0) & 0xFF
    if code in _DAMAGES:
        return StorageDamaged(_DAMAGES[code])
    if code in _DISK_FAULTS:
        return StorageFault(f"the database cannot be written: {words}")
    if refusal := _REFUSED_WRITES.get(_sqlstate(error)):
        return StorageFault(f"the database cannot be written: {refusal}")
    return None


def _absence(error: BaseException) -> StoreUnavailable | None:
    """What `error` says of a database that is away or busy, if it does."""
    state = _sqlstate(error)
    if isinstance(error, DBAPIError) and (error.connection_invalidated or state.startswith(_ABSENCES)):
        return StoreUnavailable("the database ended the connection")
    if isinstance(error, DBAPIError) and error.statement is None:
        # Nothing was asked: it is about the connection.
        refusal = _REFUSED_CONNECTIONS.get(state) or _REFUSED_CONNECTIONS.get(state[:2])
        if refusal:
            return StoreUnavailable(refusal)
    if isinstance(error, OperationalError | InterfaceError):
        # PostgreSQL's words may have its address.
        is_file = hasattr(error.orig, "sqlite_errorcode")
        return StoreUnavailable(f"the database cannot be used{f': {error.orig}' if is_file else ''}")
    if state in _COLLISIONS:
        return StoreUnavailable("the write collided with another; nothing of it was done")
    if isinstance(error, UnicodeDecodeError | json.JSONDecodeError):
        # The driver's, of a file that is damaged in a way that SQLite does not notice.
        return StoreUnavailable("the database holds something that cannot be read")
    return next((StoreUnavailable(sentence) for kind, sentence in _ABSENT if isinstance(error, kind)), None)


def _sqlstate(error: BaseException) -> str:
    return str(getattr(error.orig, "sqlstate", None) or "") if isinstance(error, DBAPIError) else ""


# An exception of the pool's, of asyncio and of sockets: in this order, as TimeoutError is an OSError.
_ABSENT: tuple[tuple[type[BaseException], str], ...] = (
    (PoolTimeoutError, "every connection to the database is taken"),
    (TimeoutError, "the database did not answer in time"),
    (OSError, "the database cannot be reached"),
)


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
