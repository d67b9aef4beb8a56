"""Both databases, for whatever must hold on both: SQLite in a directory of the test, and a real PostgreSQL.

Law 1: a test gets a database of its own with today's tables in it and nothing in them: a copy of a template that is made once a
session, or on PostgreSQL one that a test before it used, emptied.
Law 2: the PostgreSQL is Debian's, started for the session on a Unix socket in a directory of its own, and gone with it.
"""

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.store.schema import INSTALLATION, METADATA

BINARIES = Path("/usr/lib/postgresql")
# The server refuses to be root; this is whom Debian's package makes for it.
OWNER = "postgres"
# How long the server may take to start and to stop, and a program to make a database. The machine may be busy with other tests.
LIMIT_S = 100.0
TEMPLATE = "template_holdfast"
_UPGRADE = """
import asyncio, sys
from holdfast.store.database import Database
from holdfast.store.upgrade import upgrade
async def main():
    database = Database(sys.argv[1])
    await upgrade(database)
    await database.close()
asyncio.run(main())
"""


def binaries() -> Path:
    """Where PostgreSQL's programs are. Raises AssertionError, a sentence, where there are none."""
    found = sorted(BINARIES.glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    assert found, "PostgreSQL is not installed: `scripts/need --install test` installs Debian's package postgresql"
    return found[-1].parent


class Cluster:
    """A PostgreSQL server of this session. `close` ends it and removes all it wrote."""

    def __init__(self) -> None:
        self._bin = binaries()
        self._count = 0
        self._emptied: list[str] = []
        self._as: dict[str, str] = {"user": OWNER, "group": OWNER} if os.geteuid() == 0 else {}
        # Not below pytest's directories: those are closed to other users, and too long for the path of a socket.
        self._directory = Path(tempfile.mkdtemp(prefix="holdfast-pg-"))
        try:
            self._initialise()
            self._server = self._start()
        except BaseException:
            shutil.rmtree(self._directory, ignore_errors=True)
            raise
        try:
            self._sql(f"CREATE DATABASE {TEMPLATE}", database="postgres")
            _upgrade(self.url(TEMPLATE))
        except BaseException:
            self.close()
            raise

    def _initialise(self) -> None:
        if self._as:
            owner = pwd.getpwnam(OWNER)
            os.chown(self._directory, owner.pw_uid, owner.pw_gid)
        data = str(self._directory / "data")
        self._run("initdb", "-D", data, "-U", OWNER, "-A", "trust", "-N", "--locale=C.UTF-8", "-E", "UTF8")

    def _start(self) -> subprocess.Popen[bytes]:
        data = str(self._directory / "data")
        with (self._directory / "log").open("ab") as log:
            server: subprocess.Popen[bytes] = subprocess.Popen(
                [str(self._bin / "postgres"), "-D", data, "-k", str(self._directory), *_SERVER_OPTIONS],
                stdout=log,
                stderr=log,
                cwd=self._directory,
                **self._as,  # type: ignore[call-overload]  # user and group
            )
        end = time.monotonic() + LIMIT_S
        while not self._answers():
            if server.poll() is not None or time.monotonic() > end:
                server.kill()
                server.wait()
                raise AssertionError(f"PostgreSQL did not start: {(self._directory / 'log').read_text()}")
        return server

    def _answers(self) -> bool:
        # It waits itself, a second at most, so that nobody sleeps here.
        command = [str(self._bin / "pg_isready"), "-q", "-h", str(self._directory), "-t", "1"]
        return subprocess.run(command, check=False, timeout=LIMIT_S).returncode == 0

    def _run(self, name: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self._bin / name), *arguments],
            check=False,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            cwd=self._directory,
            **self._as,  # type: ignore[call-overload]  # user and group
        )
        assert done.returncode == 0, f"{name}: {done.stderr}"

    def _sql(self, statement: str, *, database: str) -> None:
        self._run(
            "psql",
            "-q",
            "-X",
            "-v",
            "ON_ERROR_STOP=1",
            "-h",
            str(self._directory),
            "-U",
            OWNER,
            "-d",
            database,
            "-c",
            statement,
        )

    def url(self, database: str) -> str:
        """SQLAlchemy's URL of a database."""
        return f"postgresql+asyncpg://{OWNER}@/{database}?host={self._directory}"

    def lend(self) -> str:
        """A database with today's tables and nothing in them; its name. To be given back."""
        return self._emptied.pop() if self._emptied else self.create()

    def take_back(self, name: str) -> None:
        """Empty a database for the next test; one that somebody still holds is removed instead."""
        try:
            self._sql(_EMPTY, database=name)
        except AssertionError:
            self.drop(name)
        else:
            self._emptied.append(name)

    def create(self) -> str:
        """A new database with today's tables; its name."""
        self._count += 1
        name = f"test_{self._count}"
        self._sql(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}", database="postgres")
        return name

    def create_empty(self) -> str:
        """A new database with nothing in it; its name."""
        self._count += 1
        name = f"test_{self._count}"
        self._sql(f"CREATE DATABASE {name}", database="postgres")
        return name

    def drop(self, name: str) -> None:
        """Remove a database, whoever is connected."""
        self._sql(f"DROP DATABASE {name} WITH (FORCE)", database="postgres")

    def stop(self) -> None:
        """End the server, whoever is connected: SIGINT is its fast shutdown. Its databases stay."""
        self._server.send_signal(2)
        try:
            self._server.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()

    def start(self) -> None:
        """Start the server again after `stop`."""
        self._server = self._start()

    def close(self) -> None:
        """End the server and remove its directory."""
        self.stop()
        shutil.rmtree(self._directory, ignore_errors=True)


# Copying the template takes a third of a second, emptying tables a tenth of that.
_EMPTY = f"""
    SET lock_timeout = '5s';
    TRUNCATE {", ".join(table.name for table in METADATA.sorted_tables if table is not INSTALLATION)};
    UPDATE installation SET revision = 1, source = md5(random()::text), key_fingerprint = NULL;
"""
_SERVER_OPTIONS = (
    # A Unix socket only; and nothing that is written needs to outlive the session.
    *("-c", "listen_addresses="),
    *("-c", "fsync=off"),
    *("-c", "full_page_writes=off"),
    *("-c", "shared_buffers=32MB"),
    *("-c", "max_connections=64"),
)


def _upgrade(url: str) -> None:
    """Bring a database's tables up to date, in a process of its own: the fixtures here are not asynchronous."""
    done = subprocess.run(
        [sys.executable, "-c", _UPGRADE, url], check=False, capture_output=True, text=True, timeout=LIMIT_S
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[Cluster]:
    cluster = Cluster()
    yield cluster
    cluster.close()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "holdfast.db"
    _upgrade(f"sqlite+aiosqlite:///{path}")
    return path


@pytest.fixture(params=("sqlite", "postgresql"))
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database with today's tables and nothing else. Whoever takes it is run for each of the two."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "holdfast.db")
        yield f"sqlite+aiosqlite:///{tmp_path}/holdfast.db"
        return
    cluster: Cluster = request.getfixturevalue("postgres_cluster")
    name = cluster.lend()
    yield cluster.url(name)
    cluster.take_back(name)


@pytest.fixture(params=("sqlite", "postgresql"))
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without tables."""
    if request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path}/holdfast.db"
        return
    cluster: Cluster = request.getfixturevalue("postgres_cluster")
    name = cluster.create_empty()
    yield cluster.url(name)
    cluster.drop(name)
