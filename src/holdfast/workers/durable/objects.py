"""All objects of a script, in its process: the namespaces that `env` has, who is in memory, who leaves it, the alarms.

An object is known here while it is in memory or has sockets; one that is neither takes no room at all.

Law 1: nothing of an object is touched before the directory's lock is held (`start`), nor after it was given back (`retire`).
Law 2: an object that does nothing for HIBERNATE_S, or less where there are many (`crowding.py`), leaves memory, unless it has a reason to
stay; its sockets do not notice.
Law 3: at a retirement what runs may end, nothing new of a socket or an alarm begins, and what did not begin is the next process's.
"""

import asyncio
import heapq
import time
from collections.abc import Callable, Collection, Mapping
from contextvars import Context
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from holdfast.model.object_names import unique_key
from holdfast.model.worker_messages import MAX_BUSIEST, BusyObject
from holdfast.store.objects.alarms import FILE_NAME, AlarmTable
from holdfast.store.objects.file import ObjectFile
from holdfast.store.objects.identity import Identity
from holdfast.workers.durable.actor import Actor
from holdfast.workers.durable.alarm_marks import AlarmMarks
from holdfast.workers.durable.alarms import AlarmRun, Scheduler
from holdfast.workers.durable.crowding import HIBERNATE_S, patience_s, room
from holdfast.workers.durable.disk import Disk
from holdfast.workers.durable.ids import DurableObjectId, IdSpace
from holdfast.workers.durable.ledger import Ledger
from holdfast.workers.durable.namespace import Namespace
from holdfast.workers.durable.owed import Owed
from holdfast.workers.durable.owner import Fenced, LocalOwner
from holdfast.workers.durable.resting import Resting
from holdfast.workers.durable.services import Channels, ObjectClass, Services, Start
from holdfast.workers.durable.storage import Storage

# After how long without an event it is said, once, why an object is still in memory.
STAYS_S = 60.0
# How often it is looked for objects that may leave.
SWEEP_S = 1.0
# The same where there are more than `room`.
CROWDED_SWEEP_S = 0.1
# How long edges keep sockets of a process that is gone; those that are not here by then never come.
RESUMPTION_S = 90.0
# Threads for commits: they wait for the disk, not for each other.
COMMIT_THREADS = 4


@dataclass(frozen=True, slots=True)
class Figures:
    """What is there now: objects in memory, objects known, their sockets, and what happened since the start."""

    live: int
    known: int
    sockets: int
    happened: Mapping[str, int]


class Exports:
    """`ctx.exports`: the script's own classes as namespaces, by name."""

    def __init__(self, namespaces: Mapping[str, Namespace]) -> None:
        self.__dict__.update(namespaces)

    def __getattr__(self, name: str) -> Namespace:
        raise AttributeError(f"the script exports no Durable Object class '{name}'")


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
        self.services = Services(
            start=start,
            disk=Disk(COMMIT_THREADS, around=self._in_turn),
            open_file=self._open_file,
            make_storage=self._make_storage,
            report=report,
            wall_ms=wall_ms,
        )
        self.services.open_ledger = self._open_ledger
        self._settled_at = float("inf")
        self.is_retiring = False
        # Another process has the objects: what asks for one here is sent there, or told so.
        self.has_left = False
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
        self._directory: Path | None = None
        self._table: AlarmTable | None = None
        self._marks: AlarmMarks | None = None
        self._owed: Owed | None = None
        self._scheduler: Scheduler | None = None
        self._resting = Resting(self._settle)
        self._sweeper: asyncio.TimerHandle | None = None
        # How many may be in memory, with their files open, before they leave it earlier.
        self._room = room(memory_mb)
        self._is_crowded = False
        # How many were in memory when it was last looked for those that may leave.
        self._live_before = 0
        self._leaving: set[asyncio.Task[None]] = set()

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
        self.owner, self._directory = owner, objects_dir
        kept = {kind.unique_key: kind.namespace for kind in self._kinds.values()}
        self._table = AlarmTable.open(
            objects_dir / FILE_NAME,
            lambda: objects_dir.glob("*/*.sqlite"),
            lambda path, written: kept.get(path.parent.name, written),
        )
        self._marks = AlarmMarks(objects_dir)
        self._settled_at = asyncio.get_running_loop().time() + RESUMPTION_S
        self._send_again(objects_dir)
        self._scheduler = Scheduler(self._table, self._run_alarm, self.services.wall_ms, self.services.report)
        self._scheduler.start()
        self._sweep()

    async def retire(self, limit_s: float) -> None:
        """Let what runs end, take all objects out of memory, and give the lock back; `limit_s` bounds the waiting."""
        self.is_retiring = True
        if self._scheduler is not None:
            self._scheduler.stop()
        if self._sweeper is not None:
            self._sweeper.cancel()
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
        awake = [(actor, actor.instance) for actor in self._live if actor.instance is not None]
        open_files = sum(instance.has_file for _, instance in awake)
        hurried_s, self._is_crowded = patience_s(open_files, self._room), open_files > self._room
        self._live_before = len(awake)
        for actor, instance in awake:
            if now - instance.idle_since < (hurried_s if instance.has_file else HIBERNATE_S):
                continue
            if instance.is_idle(now):
                self._leave(actor)
            elif now - instance.idle_since >= STAYS_S and not instance.is_explained:
                instance.is_explained = True
                self._explain(actor, instance.reasons(now))
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
                stored_bytes=self._stored_bytes(actor),
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

    def woke(self, actor: Actor) -> None:
        """It has an instance now."""
        self._live[actor] = None
        if len(self._live) - self._live_before > self._room and not self.is_retiring:
            # A rush, which a second later may have filled the memory.
            self._live_before = len(self._live)
            self._sweep_in(CROWDED_SWEEP_S)

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
        if leaving or self._leaving:
            await asyncio.wait([*leaving, *self._leaving], timeout=max(until - loop.time(), LEAVE_LEAST_S))
        self.has_left = True
        for actor in list(self._live):
            # Not even its last hours have ended: nothing of it may hold its file any more.
            if actor.instance is not None:
                actor.instance.part()

    def _in_turn(self, act: Callable[[], object]) -> None:
        self.services.channels.in_turn(act)

    def _has_all_sockets(self) -> bool:
        return asyncio.get_running_loop().time() >= self._settled_at

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        self.sweep(loop.time())
        self._guard()
        self._sweep_in(CROWDED_SWEEP_S if self._is_crowded else SWEEP_S)

    def _sweep_in(self, delay_s: float) -> None:
        """Look for those that may leave so soon, or sooner where that is due."""
        loop = asyncio.get_running_loop()
        if self._sweeper is not None:
            if loop.time() < self._sweeper.when() <= loop.time() + delay_s:
                return
            self._sweeper.cancel()
        self._sweeper = loop.call_later(delay_s, self._sweep, context=Context())

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

    def _explain(self, actor: Actor, reasons: list[str]) -> None:
        why = ", ".join(dict.fromkeys(reasons))
        text = f"{actor.kind.name} {actor.id} has had no event for {STAYS_S:.0f} s and cannot hibernate: {why}"
        self.services.report("info", text, None)

    def _leave(self, actor: Actor) -> None:
        task = asyncio.Task(actor.leave("inactive"), loop=asyncio.get_running_loop(), context=Context())
        self._leaving.add(task)
        task.add_done_callback(self._left)

    def _left(self, task: "asyncio.Task[None]") -> None:
        self._leaving.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.services.report("error", "an object could not leave memory", error)

    def _run_alarm(self, row: Any, settled: Callable[[bool], None]) -> None:  # noqa: ANN401  `store.objects.alarms.AlarmRow`
        kind = self._kept.get(row.class_name)
        if kind is None:
            settled(self._waits(row))
            return
        actor = self.actor(kind, DurableObjectId(row.object_id, name=row.object_name))
        marks = self._marks
        if marks is not None:
            actor.deliver(AlarmRun((row.class_name, row.object_id), marks, self.services.wall_ms, settled))

    def _waits(self, row: Any) -> bool:  # noqa: ANN401  as above
        """Whether the object of a class that is not here waits for a version that has it again. One whose file is gone does not: the class
        was deleted, or moved to another script."""
        if self._directory is None or self._table is None:
            return True
        if (self._directory / unique_key(self._script, row.class_name) / f"{row.object_id}.sqlite").exists():
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
                owed.read((namespace, digits), ObjectFile.open(self._path(kind, digits)))
                if (actor := self._actors.get((kind.name, digits))) is not None:
                    owed.resumed((namespace, digits), actor.sockets)

    def _away(self, kind: ObjectClass, id: DurableObjectId) -> Any:  # noqa: A002, ANN401  as `id` of the original; a stub
        namespace = self.elsewhere.get(kind.name) if self.has_left else None
        return None if namespace is None else namespace.get(id)

    def _open_ledger(
        self, kind: ObjectClass, digits: str, file: ObjectFile, sessions: Callable[[], Collection[Any]]
    ) -> Ledger | None:
        return None if self._owed is None else self._owed.ledger((kind.namespace, digits), file, sessions)

    def _open_file(self, kind: ObjectClass, digits: str) -> ObjectFile:
        actor = self._actors[kind.name, digits]
        identity = Identity(kind.namespace, digits, actor.id.name)
        return ObjectFile.open(self._path(kind, digits), identity=identity, alarms=self._table)

    def _path(self, kind: ObjectClass, digits: str) -> Path:
        if self._directory is None:
            raise RuntimeError("objects have no directory before start()")
        return self._directory / kind.unique_key / f"{digits}.sqlite"

    def _stored_bytes(self, actor: Actor) -> int:
        try:
            return self._path(actor.kind, str(actor.id)).stat().st_size
        except OSError:
            # It has stored nothing.
            return 0

    def _make_storage(self, file: ObjectFile, instance: Any) -> Storage:  # noqa: ANN401  `instance.Instance`, a StorageHost
        has_alarm = any(hasattr(instance.place.kind.code, name) for name in ("alarm", "on_alarm"))
        return Storage(file, instance, now_ms=self.services.wall_ms, has_alarm_handler=has_alarm)


# How long handlers may go on at a retirement: meanwhile the sockets of all objects wait for the next process.
HANDLERS_LIMIT_S = 5.0
# How long all objects together may take to leave, however late it is.
LEAVE_LEAST_S = 1.0


def _kind(name: str, code: type, namespace: str, script: str) -> ObjectClass:
    key = unique_key(script, namespace)
    return ObjectClass(name=name, namespace=namespace, unique_key=key, code=code, ids=IdSpace(key))
