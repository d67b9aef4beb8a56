"""All objects of a script, in its process: the namespaces that `env` has, who is in memory, who leaves it, the alarms.

An object is known here while it is in memory or has sockets; one that is neither takes no room at all.

Law 1: nothing of an object is touched before the directory's lock is held (`start`), nor after it was given back (`retire`).
Law 2: an object that does nothing leaves memory after a while (`crowding.py`), unless it has a reason to stay; its sockets do not notice.
Law 3: at a retirement what runs may end, nothing new of a socket or an alarm begins, and what did not begin is the next process's.
"""

import asyncio
import heapq
import time
from collections.abc import Callable, Collection, Mapping
from contextvars import Context
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from holdfast.model.object_names import unique_key
from holdfast.model.worker_messages import MAX_BUSIEST, BusyObject
from holdfast.store.objects.alarms import FILE_NAME, AlarmTable
from holdfast.store.objects.file import ObjectFile
from holdfast.workers.durable.actor import Actor
from holdfast.workers.durable.alarm_marks import AlarmMarks
from holdfast.workers.durable.alarms import AlarmRun, Scheduler, pause_s
from holdfast.workers.durable.crowding import Crowd
from holdfast.workers.durable.disk import Disk
from holdfast.workers.durable.files import Files, storage_of
from holdfast.workers.durable.ids import DurableObjectId, IdSpace
from holdfast.workers.durable.ledger import Ledger
from holdfast.workers.durable.namespace import Exports, Namespace
from holdfast.workers.durable.owed import Owed
from holdfast.workers.durable.owner import Fenced, LocalOwner
from holdfast.workers.durable.resting import Resting
from holdfast.workers.durable.services import Channels, ObjectClass, Services, Start

# How long edges keep sockets of a process that is gone; those that are not here by then never come.
RESUMPTION_S = 90.0
# Threads for commits: they wait for the disk, not for each other.
COMMIT_THREADS = 4
# How long handlers may go on at a retirement: meanwhile the sockets of all objects wait for the next process.
HANDLERS_LIMIT_S = 5.0
# How long all objects together may take to leave, however late it is.
LEAVE_LEAST_S = 1.0


@dataclass(frozen=True, slots=True)
class Figures:
    """What is there now: objects in memory, objects known, their sockets, and what happened since the start."""

    live: int
    known: int
    sockets: int
    happened: Mapping[str, int]


class Objects:
    """See above. Give it `channels` and `env`, then `start()`; then sockets and calls may come."""

    def __init__(
        self,
        *,
        script: str,
        classes: Mapping[str, type],
        start: Start,
        report: Callable[[str, str, BaseException | None], None],
        namespaces: Mapping[str, str] | None = None,
        memory_mb: int = 512,
        wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        """`classes` by name; `namespaces`: the first name of a class that was renamed. `memory_mb`: what the process may have.

        `report(level, text, error)` tells the script's log. `start` is `runtime.pump.Pump.start`.
        """
        self._files = Files(self._name_of)
        self.services = Services(
            start=start,
            disk=Disk(COMMIT_THREADS, around=self._in_turn),
            open_file=self._files.open,
            make_storage=partial(storage_of, now_ms=wall_ms),
            report=report,
            wall_ms=wall_ms,
        )
        self.services.open_ledger = self._open_ledger
        self._settled_at = float("inf")
        self.is_retiring = False
        # Another process has the objects: what asks for one here is sent there, or told so.
        self.has_left = False
        # Called when they were taken from us: this process is to end.
        self.lost: Callable[[], None] = _nothing
        # By class: its namespace there.
        self.elsewhere: Mapping[str, Namespace] = {}
        self.owner: LocalOwner | None = None
        self._kinds = {
            name: _kind(name, code, (namespaces or {}).get(name, name), script) for name, code in classes.items()
        }
        self._script = script
        self._kept = {kind.namespace: kind for kind in self._kinds.values()}
        self._namespaces = {name: Namespace(kind, self.actor, away=self._away) for name, kind in self._kinds.items()}
        self.services.exports = Exports(self._namespaces)
        self._actors: dict[tuple[str, str], Actor] = {}
        # Those that came to be known since the last sweep: they may come to nothing.
        self._fresh: list[tuple[str, str]] = []
        self._live: dict[Actor, None] = {}
        self._table: AlarmTable | None = None
        self._marks: AlarmMarks | None = None
        self._owed: Owed | None = None
        self._scheduler: Scheduler | None = None
        self._resting = Resting(self._settle)
        self._crowd = Crowd(self._live, memory_mb, look=self._look, report=report)

    # What the process gives and asks.

    @property
    def channels(self) -> Channels:
        """The links to the edges."""
        return self.services.channels

    @channels.setter
    def channels(self, channels: Channels) -> None:
        self.services.channels = channels

    @property
    def env(self) -> Any:  # noqa: ANN401  the bindings of the script
        """What constructors get as `env`."""
        return self.services.env

    @env.setter
    def env(self, env: Any) -> None:  # noqa: ANN401  as above
        self.services.env = env

    def namespace(self, class_name: str) -> Namespace:
        """The value of a binding. Raises KeyError where the script has no such class."""
        return self._namespaces[class_name]

    async def start(self, objects_dir: Path, *, node: str = "local", address: str = "") -> None:
        """Own the objects below this directory, and begin with their alarms. Raises NotOwned, StorageError."""
        owner = LocalOwner(objects_dir)
        await owner.join(node, address)
        self.owner = owner
        kept = {kind.unique_key: kind.namespace for kind in self._kinds.values()}
        self._table = AlarmTable.open(
            objects_dir / FILE_NAME,
            lambda: objects_dir.glob("*/*.sqlite"),
            lambda path, written: kept.get(path.parent.name, written),
        )
        self._files.found(objects_dir, self._table)
        self._marks = AlarmMarks(objects_dir)
        self._settled_at = asyncio.get_running_loop().time() + RESUMPTION_S
        self._send_again(objects_dir)
        self._scheduler = Scheduler(self._table, self._run_alarm, self.services.wall_ms, self.services.report)
        self._scheduler.start(self._marks.died_at_birth, in_s=pause_s(self._marks.ends))
        self._crowd.begin()

    async def retire(self, limit_s: float) -> None:
        """Let what runs end, take all objects out of memory, and give the lock back; `limit_s` bounds the waiting."""
        self.is_retiring = True
        if self._scheduler is not None:
            self._scheduler.stop()
        self._crowd.stop()
        until = asyncio.get_running_loop().time() + limit_s
        await self._handlers_end(min(limit_s, HANDLERS_LIMIT_S))
        await self._all_leave(until)
        self.services.disk.shutdown()
        if self._table is not None:
            self._table.close()
        if self._marks is not None:
            self._marks.close()
            self._marks = None
        if self.owner is not None:
            await self.owner.leave()

    def parted(self, *, is_all_out: bool) -> None:
        """After `retire` the links have ended as well; `is_all_out`: with everything that was to leave by them."""
        if self._owed is not None:
            self._owed.close(is_all_out=is_all_out)
            self._owed = None

    def sweep(self, now: float) -> None:
        """Let objects leave that had no reason to stay for long enough by now (the loop's time), and forget those that are nothing."""
        self._crowd.sweep(now)
        if self._owed is not None:
            self._owed.sweep()
        self._resting.sweep(now)
        fresh, self._fresh = self._fresh, []
        for key in fresh:
            if (known := self._actors.get(key)) is not None and not known.is_needed:
                del self._actors[key]

    def figures(self) -> Figures:
        """What is there now."""
        sockets = sum(actor.socket_count for actor in self._actors.values())
        return Figures(len(self._live), len(self._actors), sockets, dict(self.services.statistics))

    def classes(self) -> dict[str, dict[str, int]]:
        """The figures of each class (`model.worker_figures`): what was counted, and how many objects are in memory and asleep, with their sockets."""
        found = {name: kind.tally.figures() for name, kind in self._kinds.items()}
        for actor in self._actors.values():
            figures = found[actor.kind.name]
            state = "asleep" if actor.instance is None else "live"
            figures[state] = figures.get(state, 0) + 1
            figures["sockets"] = figures.get("sockets", 0) + actor.socket_count
        return found

    def busiest(self) -> tuple[BusyObject, ...]:
        """Of the objects in memory those that have handled most events since they are there, most first."""
        awake = ((actor, actor.instance) for actor in self._live if actor.instance is not None)
        found = heapq.nlargest(MAX_BUSIEST, awake, key=lambda one: one[1].handled)
        return tuple(
            BusyObject(
                class_name=actor.kind.name,
                id=str(actor.id),
                name=actor.id.name or "",
                sockets=actor.socket_count,
                events=instance.handled,
                errors=instance.errors,
                waiting=instance.queued,
                stored_bytes=self._files.stored_bytes(actor.kind, str(actor.id)),
            )
            for actor, instance in found
        )

    def reasons(self) -> dict[str, list[str]]:
        """Object (`Class id`) -> why it is in memory."""
        now = asyncio.get_running_loop().time()
        return {
            f"{actor.kind.name} {actor.id}": actor.instance.reasons(now)
            for actor in self._live
            if actor.instance is not None
        }

    # What sockets tell (`runtime.sockets.SocketOwner`); those that have an object tell that.

    def resumed(self, ws: Any, binding: Any) -> bool:  # noqa: ANN401  a WebSocket; `channel.binding.Binding`
        """A socket of a process before this one; False where the script has no such class any more."""
        kind = self._kept.get(binding.class_name)
        if kind is None:
            return False
        actor = self.actor(kind, DurableObjectId(binding.object_id, name=binding.object_name))
        actor.resume(ws)
        if self._owed is not None:
            # Its edge is late; the others got theirs at the start.
            self._owed.resumed((kind.namespace, binding.object_id), (ws,))
        return True

    def message(self, ws: Any, data: Any, seq: int) -> None:  # noqa: ANN401  a WebSocket; str or bytes
        """A message of a socket that has been given to an object."""
        ws.owner.message(ws, data, seq)

    def closed(self, ws: Any, code: int, reason: str, was_clean: bool, seq: int) -> None:  # noqa: ANN401  a WebSocket
        """The end of a socket that has been given to an object."""
        ws.owner.closed(ws, code, reason, was_clean, seq)

    def failed(self, ws: Any, error: Any, seq: int) -> None:  # noqa: ANN401  a WebSocket; its error
        """An error of a socket that has been given to an object."""
        ws.owner.failed(ws, error, seq)

    # What objects tell (`actor.Registry`).

    def actor(self, kind: ObjectClass, id: DurableObjectId) -> Actor:  # noqa: A002  as `id` of the original
        """The object with this id, known from now on."""
        key = (kind.name, str(id))
        if (actor := self._actors.get(key)) is None:
            actor = self._actors[key] = Actor(self, self.services, kind, id)
            self._fresh.append(key)
        elif actor.id.name is None and id.name is not None:
            actor.id = id
        return actor

    def known(self, actor: Actor) -> Actor:
        """Who stands for the object of this one, which may have been forgotten: this one again, unless another does by now."""
        return self._actors.setdefault((actor.kind.name, str(actor.id)), actor)

    def woke(self, actor: Actor) -> None:
        """It has an instance now."""
        self._live[actor] = None
        self._crowd.woke()

    def slept(self, actor: Actor) -> None:
        """It has none any more."""
        self._live.pop(actor, None)
        if self._owed is not None:
            self._owed.slept((actor.kind.namespace, str(actor.id)))
        if not actor.is_needed:
            self._actors.pop((actor.kind.name, str(actor.id)), None)
            self.services.channels.forget(actor.group)
        else:
            self._resting.add(actor)

    def roused(self, actor: Actor) -> None:
        """Its sockets are not put away."""
        self._resting.add(actor)

    # Inside.

    def _settle(self) -> object:
        """Have what objects that are not in memory are known by lie where there is room now; what it was until now."""
        before = self._actors
        self._actors = {(actor.kind.name, str(actor.id)): actor for actor in before.values()}
        return before, self.services.channels.settle()

    async def _handlers_end(self, limit_s: float) -> None:
        try:
            async with asyncio.timeout(limit_s):
                while not all(actor.instance is None or actor.instance.is_at_rest for actor in self._live):
                    rested = self.services.rested = asyncio.Event()
                    await rested.wait()
        except TimeoutError:
            self.services.report("warn", "handlers still run, and others wait for that: they are ended", None)

    async def _all_leave(self, until: float) -> None:
        loop = asyncio.get_running_loop()
        leaving = [loop.create_task(actor.leave("codeUpdated"), context=Context()) for actor in list(self._live)]
        if leaving or self._crowd.leaving:
            await asyncio.wait([*leaving, *self._crowd.leaving], timeout=max(until - loop.time(), LEAVE_LEAST_S))
        self.has_left = True
        for actor in list(self._live):
            # Not even its last hours have ended: nothing of it may hold its file any more.
            if actor.instance is not None:
                actor.instance.part()

    def _name_of(self, kind: ObjectClass, digits: str) -> str | None:
        return self._actors[kind.name, digits].id.name

    def _in_turn(self, act: Callable[[], object]) -> None:
        self.services.channels.in_turn(act)

    def _has_all_sockets(self) -> bool:
        return asyncio.get_running_loop().time() >= self._settled_at

    def _look(self) -> None:
        self.sweep(asyncio.get_running_loop().time())
        self._guard()

    def _guard(self) -> None:
        """Stop everything where the objects are not ours any more."""
        try:
            if self.owner is not None and not self.has_left:
                self.owner.check()
        except Fenced as error:
            self.is_retiring = self.has_left = True
            if self._scheduler is not None:
                self._scheduler.stop()
            self.services.report("error", "The objects are not this process's any more: all of them are reset", error)
            for actor in list(self._live):
                if actor.instance is not None:
                    actor.instance.break_(error)
            self.lost()

    def _run_alarm(self, row: Any, settled: Callable[[bool], None]) -> None:  # noqa: ANN401  `store.objects.alarms.AlarmRow`
        kind = self._kept.get(row.class_name)
        if kind is None:
            settled(self._waits(row))
            return
        actor = self.actor(kind, DurableObjectId(row.object_id, name=row.object_name))
        marks = self._marks
        if marks is not None:
            run = AlarmRun((row.class_name, row.object_id), marks, self.services.wall_ms, settled)
            run.seen = self.services.run_seen
            marks.bear((row.class_name, row.object_id))
            actor.deliver(run)

    def _waits(self, row: Any) -> bool:  # noqa: ANN401  as above
        """Whether the object of a class that is not here waits for a version that has it again. One whose file is gone does not: the class
        was deleted, or moved to another script."""
        if self._table is None or self._files.path(unique_key(self._script, row.class_name), row.object_id).exists():
            return True
        self._table.delete(row.class_name, row.object_id)
        return False

    def _send_again(self, directory: Path) -> None:
        owed = self._owed = Owed(
            directory,
            self.services.channels,
            has_all_sockets=self._has_all_sockets,
            report=self.services.report,
        )
        for namespace, digits in owed.keys:
            if (kind := self._kept.get(namespace)) is None:
                owed.drop((namespace, digits))
            else:
                owed.read((namespace, digits), self._files.open_as_it_is(kind, digits))
                if (actor := self._actors.get((kind.name, digits))) is not None:
                    owed.resumed((namespace, digits), actor.sockets)

    def _away(self, kind: ObjectClass, id: DurableObjectId) -> Any:  # noqa: A002, ANN401  as `id` of the original; a stub
        namespace = self.elsewhere.get(kind.name) if self.has_left else None
        return None if namespace is None else namespace.get(id)

    def _open_ledger(
        self, kind: ObjectClass, digits: str, file: ObjectFile, sessions: Callable[[], Collection[Any]]
    ) -> Ledger | None:
        return None if self._owed is None else self._owed.ledger((kind.namespace, digits), file, sessions)


def _nothing() -> None:
    """Who makes objects without a process, as tests do, has none to end."""


def _kind(name: str, code: type, namespace: str, script: str) -> ObjectClass:
    key = unique_key(script, namespace)
    return ObjectClass(name=name, namespace=namespace, unique_key=key, code=code, ids=IdSpace(key))
