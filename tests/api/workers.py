"""Somebody who runs scripts, for tests: remembers what it is asked for, and refuses what a test says.

Law: a turn is one's own, as with the host. Control brings what the database says to it while a test already deploys.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager

from holdfast.api.context import DeployRefused, Tailing, WorkersUnavailable
from holdfast.model.object_names import unique_key
from holdfast.model.worker_messages import BusyObject, Log
from holdfast.model.worker_migrations import DurableClass
from holdfast.model.worker_script import ScriptVersion


class FakeWorkers:
    """`versions` are those deployed, with their files, in order; `deleted` keys. `refusal` is what the next versions are refused with."""

    def __init__(self) -> None:
        self.versions: list[tuple[ScriptVersion, Mapping[str, bytes]]] = []
        self.deleted: list[str] = []
        self.refusal: DeployRefused | WorkersUnavailable | None = None
        self.lines: list[Log | int] = []
        self.turns: list[str] = []
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.objects: dict[str, list[str]] = {}
        self.doomed: list[tuple[str, list[str]]] = []
        self.forgotten: list[tuple[str, list[str]]] = []
        self.adopted: list[tuple[str, str]] = []
        self.crons: dict[str, list[str]] = {}
        self.busy: list[BusyObject] = []

    @asynccontextmanager
    async def turn(self, key: str) -> AsyncIterator[object]:
        """Remember whose, and let nobody else in."""
        self.turns.append(key)
        async with self._locks[key]:
            yield None

    async def deploy(self, version: ScriptVersion, files: Mapping[str, bytes]) -> None:
        """Remember it, or refuse."""
        if self.refusal is not None:
            raise self.refusal
        self.versions.append((version, files))

    async def delete(self, key: str) -> None:
        """Remember it."""
        if isinstance(self.refusal, WorkersUnavailable):
            raise self.refusal
        self.deleted.append(key)

    async def deployed(self, key: str) -> str:
        """The last one of the script."""
        return next((version.version for version, _ in reversed(self.versions) if version.key == key), "")

    async def doom_objects(self, key: str, unique_keys: Sequence[str]) -> None:
        """Remember which."""
        self.doomed.append((key, list(unique_keys)))

    async def forget_objects(self, key: str, living: Collection[str]) -> None:
        """Remember those that are doomed and not living."""
        doomed = sorted({one for of, ones in self.doomed for one in ones if of == key and one not in living})
        self.doomed = [one for one in self.doomed if one[0] != key]
        if doomed:
            self.forgotten.append((key, doomed))

    async def adopt_objects(self, key: str, name: str, one: DurableClass) -> None:
        """Remember it, or refuse."""
        if isinstance(self.refusal, WorkersUnavailable):
            raise self.refusal
        self.adopted.append((key, unique_key(name, one.namespace)))

    async def schedule(self, key: str, crons: Sequence[str]) -> None:
        """Remember them, or refuse."""
        if isinstance(self.refusal, WorkersUnavailable):
            raise self.refusal
        self.crons[key] = list(crons)

    async def stored_objects(self, key: str, unique_key: str, *, after: str, limit: int) -> Sequence[str]:
        """Those of `objects`, which are by unique key."""
        return [one for one in sorted(self.objects.get(unique_key, ())) if one > after][:limit]

    async def busiest(self, key: str, class_name: str) -> Sequence[BusyObject]:
        """Those of `busy`, or refuse."""
        if isinstance(self.refusal, WorkersUnavailable):
            raise self.refusal
        return [one for one in self.busy if one.class_name == class_name]

    @asynccontextmanager
    async def tailing(self, key: str, lines: int) -> AsyncIterator[Tailing]:
        """What there is of `lines`."""
        if isinstance(self.refusal, WorkersUnavailable):
            raise self.refusal
        yield _Lines(self.lines)


class _Lines:
    def __init__(self, lines: list[Log | int]) -> None:
        self._lines = list(lines)

    async def next(self) -> Log | int | None:
        """The next one."""
        return self._lines.pop(0) if self._lines else None
