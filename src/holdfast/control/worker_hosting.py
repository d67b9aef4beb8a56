"""The scripts' host as control has it: versions staged on the disk, and a Unix socket to ask by.

Law 1: a version's directory is complete before it is named to the host; its code is never changed, its description as a whole. One that the
host refuses is removed, unless it is the one that serves: that was to be begun anew, and goes on.
Law 2: every wait has a limit. A host that is away, or says what nobody understands, is WorkersUnavailable.
Law 3: what a script's files are called has been checked (`model.worker_script.is_module_path`), and is checked again before it becomes a path.
Law 4: of a script's versions the newest KEPT_VERSIONS stay on the disk; the database has the others.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import json
import os
import re
import secrets
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from weakref import WeakValueDictionary

import msgspec

from holdfast import removal
from holdfast.api.context import DeployRefused, Tailing, WorkersUnavailable
from holdfast.control import worker_objects
from holdfast.errors import reason_of
from holdfast.model.data_dir import (
    worker_active_file,
    worker_dir,
    worker_namespace_dir,
    worker_schedules_file,
    worker_version_dir,
    workers_host_socket,
)
from holdfast.model.worker_host_messages import (
    DEPLOY_LIMIT_S,
    MAX_ANSWER_BYTES,
    Answer,
    Delete,
    Deploy,
    Done,
    ListScripts,
    Logged,
    Missed,
    Question,
    Refused,
    Reschedule,
    Scripts,
    ScriptStatus,
    Tail,
)
from holdfast.model.worker_messages import BusyObject, LineReader, Log, WorkerLinkError, line
from holdfast.model.worker_migrations import DurableClass
from holdfast.model.worker_script import ScriptVersion, is_module_path
from holdfast.store.objects.errors import StorageError

# How long the host may take to be reached, and to answer what takes no time.
CONNECT_LIMIT_S = 5.0
ANSWER_LIMIT_S = 30.0
# Whoever scrapes gives up after 10 s, and wants the other figures all the same.
FIGURES_LIMIT_S = 3.0
KEPT_VERSIONS = 5
DESCRIPTION = "script.json"
_READ_BYTES = 64 * 1024
_OBJECT_FILE = re.compile(r"([0-9a-f]{64})\.sqlite")


class WorkerHosting:
    """Who runs scripts: the host of this machine (`api.context.Workers`)."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def turn(self, key: str) -> AsyncIterator[object]:
        """The script with this key to oneself."""
        lock = self._turns.get(key)
        if lock is None:
            lock = self._turns[key] = asyncio.Lock()
        async with lock:
            yield lock

    async def deploy(self, version: ScriptVersion, files: Mapping[str, bytes]) -> None:
        """Stage the version and have the host run it. Raises DeployRefused, WorkersUnavailable."""
        try:
            await asyncio.to_thread(stage, self._data_dir, version, files)
        except OSError as error:
            raise WorkersUnavailable(f"the version cannot be written: {reason_of(error)}") from error
        try:
            await self._ask(Deploy(key=version.key, version=version.version), limit_s=DEPLOY_LIMIT_S + ANSWER_LIMIT_S)
        except DeployRefused as refused:
            directory = worker_version_dir(self._data_dir, version.key, version.version)
            if await self.deployed(version.key) != version.version:
                await asyncio.to_thread(_remove, directory)
            # Where the files lay is nothing to whoever deploys.
            raise DeployRefused(refused.error, refused.traceback.replace(f"{directory / 'code'}/", "")) from None
        await asyncio.to_thread(prune, self._data_dir, version)

    async def delete(self, key: str) -> None:
        """End a script, and remove what it stored. Raises WorkersUnavailable."""
        try:
            await self._ask(Delete(key=key), limit_s=ANSWER_LIMIT_S)
        except DeployRefused as refused:
            raise WorkersUnavailable(refused.error) from refused

    async def deployed(self, key: str) -> str:
        """The version that the host wrote down when it served, if its files are there."""
        return await asyncio.to_thread(_deployed, self._data_dir, key)

    async def doom_objects(self, key: str, unique_keys: Sequence[str]) -> None:
        """Written down beside the script's files. Raises WorkersUnavailable."""
        try:
            await asyncio.to_thread(worker_objects.doom, self._data_dir, key, unique_keys)
        except OSError as error:
            reason = f"it cannot be noted which objects are to be removed: {reason_of(error)}"
            raise WorkersUnavailable(reason) from error

    async def forget_objects(self, key: str, living: Collection[str]) -> None:
        """Remove files of objects: first out of the way as a whole, so that nothing that is new meets them."""
        await asyncio.to_thread(worker_objects.forget, self._data_dir, key, living)

    async def adopt_objects(self, key: str, name: str, one: DurableClass) -> None:
        """Move the files and the alarms of a class's objects from the directory of the script before. Raises WorkersUnavailable."""
        try:
            await asyncio.to_thread(worker_objects.adopt, self._data_dir, key, name, one)
        except (worker_objects.NotLetGo, StorageError) as error:
            raise WorkersUnavailable(f"the objects of {name} cannot be moved: {error}") from error
        except OSError as error:
            raise WorkersUnavailable(f"the objects of {name} cannot be moved: {reason_of(error)}") from error

    async def schedule(self, key: str, crons: Sequence[str]) -> None:
        """Write down when the script runs by itself, and have the host read it. Raises WorkersUnavailable."""
        try:
            is_news = await asyncio.to_thread(_write_schedules, worker_schedules_file(self._data_dir, key), crons)
        except OSError as error:
            raise WorkersUnavailable(f"the schedules cannot be written: {reason_of(error)}") from error
        if not is_news:
            return
        try:
            await self._ask(Reschedule(key=key), limit_s=ANSWER_LIMIT_S)
        except DeployRefused as refused:
            raise WorkersUnavailable(refused.error) from refused

    async def stored_objects(self, key: str, unique_key: str, *, after: str, limit: int) -> Sequence[str]:
        """Ids of objects that have a file. In a thread: there may be a million."""
        return await asyncio.to_thread(_stored, worker_namespace_dir(self._data_dir, key, unique_key), after, limit)

    @asynccontextmanager
    async def tailing(self, key: str, lines: int) -> AsyncIterator[Tailing]:
        """Hear what a script logs. Raises WorkersUnavailable."""
        async with self._connected() as (reader, writer):
            writer.write(line(Tail(key=key, lines=lines)))
            yield _Tail(reader)

    async def busiest(self, key: str, class_name: str) -> Sequence[BusyObject]:
        """The objects of a class that have most to do. Raises WorkersUnavailable."""
        return [
            one
            for status in await self.statuses()
            if status.key == key
            for one in status.busiest
            if one.class_name == class_name
        ]

    async def statuses(self) -> Sequence[ScriptStatus]:
        """How all scripts are, with their figures. Raises WorkersUnavailable."""
        answer = await self._asked(ListScripts(), limit_s=FIGURES_LIMIT_S)
        if not isinstance(answer, Scripts):
            raise WorkersUnavailable("the host of scripts does not say which there are")
        return answer.scripts

    async def _ask(self, question: Question, *, limit_s: float) -> Answer:
        answer = await self._asked(question, limit_s=limit_s)
        if isinstance(answer, Refused):
            raise DeployRefused(answer.error, answer.traceback)
        if not isinstance(answer, Done):
            raise WorkersUnavailable("the host of scripts ended the connection")
        return answer

    async def _asked(self, question: Question, *, limit_s: float) -> Answer | None:
        try:
            async with asyncio.timeout(limit_s), self._connected() as (reader, writer):
                writer.write(line(question))
                answer = await _Tail(reader).answer()
        except TimeoutError:
            raise WorkersUnavailable(f"the host of scripts did not answer within {limit_s:.0f} s") from None
        return answer

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        path = workers_host_socket(self._data_dir)
        try:
            async with asyncio.timeout(CONNECT_LIMIT_S):
                reader, writer = await asyncio.open_unix_connection(path)
        except OSError as error:
            # A TimeoutError is one, too.
            reason = reason_of(error) if error.errno else "no answer"
            raise WorkersUnavailable(f"the host of scripts cannot be reached: {reason}") from error
        try:
            yield reader, writer
        finally:
            writer.close()


class _Tail:
    """The answers on one connection."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self._lines: LineReader[Answer] = LineReader(Answer, max_line_bytes=MAX_ANSWER_BYTES)
        self._waiting: list[Answer] = []

    async def answer(self) -> Answer | None:
        """The next answer; None at the end. Raises WorkersUnavailable."""
        try:
            while not self._waiting:
                data = await self._reader.read(_READ_BYTES)
                if not data:
                    return None
                self._waiting.extend(self._lines.feed(data))
        except TimeoutError:
            raise
        except (OSError, WorkerLinkError) as error:
            raise WorkersUnavailable(f"the host of scripts cannot be understood: {error}") from error
        return self._waiting.pop(0)

    async def next(self) -> Log | int | None:
        """The next line, how many were missed, or None at the end. Raises WorkersUnavailable."""
        answer = await self.answer()
        if isinstance(answer, Logged):
            return answer.log
        if isinstance(answer, Missed):
            return answer.lines
        if isinstance(answer, Refused):
            raise WorkersUnavailable(answer.error)
        return None


def stage(data_dir: Path, version: ScriptVersion, files: Mapping[str, bytes]) -> None:
    """Write a version's directory: whole and on the disk, or not at all, for what is there is not written again. One that is there already,
    to be served again, gets what is known of its script now: which classes it has is the script's. Raises OSError; ValueError for a name that is
    no path of a module."""
    directory = worker_version_dir(data_dir, version.key, version.version)
    if directory.exists():
        beside = directory / f".{DESCRIPTION}-{secrets.token_hex(4)}"
        _write(beside, msgspec.json.encode(version))
        beside.replace(directory / DESCRIPTION)
        return
    directory.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = directory.with_name(f".{version.version}-{secrets.token_hex(4)}")
    try:
        beside.mkdir(mode=0o700)
        (beside / "code").mkdir()
        for name, content in files.items():
            if not is_module_path(name):
                raise ValueError(f"{name!r} is no path of a module")
            file = beside / "code" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            _write(file, content)
        _write(beside / DESCRIPTION, msgspec.json.encode(version))
        # After all is written: the disk takes it at a stretch, and waits for little.
        for one in (*beside.rglob("*"), beside):
            _sync(one)
        beside.rename(directory)
        _sync(directory.parent)
    finally:
        _remove(beside)


def _deployed(data_dir: Path, key: str) -> str:
    try:
        version = worker_active_file(data_dir, key).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
    return version if version and worker_version_dir(data_dir, key, version).is_dir() else ""


def _stored(directory: Path, after: str, limit: int) -> list[str]:
    try:
        with os.scandir(directory) as entries:
            names = (match[1] for entry in entries if (match := _OBJECT_FILE.fullmatch(entry.name)))
            return heapq.nsmallest(limit, (name for name in names if name > after))
    except OSError:
        return []


def prune(data_dir: Path, version: ScriptVersion) -> None:
    """Remove the oldest versions of a script from the disk, and what was left half-written; never `version`."""
    versions = worker_dir(data_dir, version.key) / "versions"
    with contextlib.suppress(OSError):
        found = sorted(versions.iterdir(), key=lambda one: one.stat().st_mtime_ns, reverse=True)
        kept = [one for one in found if not one.name.startswith(".")][:KEPT_VERSIONS]
        for one in found:
            if one not in kept and one.name != version.version:
                _remove(one)


def _write_schedules(file: Path, crons: Sequence[str]) -> bool:
    """Write when a script runs by itself; whether that is news. Raises OSError."""
    content = json.dumps(list(crons)).encode()
    try:
        before = file.read_bytes()
    except FileNotFoundError:
        before = b"[]"
    if before == content:
        return False
    beside = file.with_name(f".schedules-{secrets.token_hex(4)}")
    try:
        _write(beside, content)
        beside.replace(file)
    finally:
        beside.unlink(missing_ok=True)
    return True


def _write(file: Path, content: bytes) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)


def _sync(one: Path) -> None:
    descriptor = os.open(one, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(directory: Path) -> None:
    removal.remove(directory)
