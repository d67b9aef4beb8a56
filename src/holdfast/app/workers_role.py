"""The workers role: the process that hosts scripts. From options to exit status, around `holdfast.workers.host`.

Law 1: one host for each data directory: it holds a lock. The successor of a release loads everything, says so, and serves when its
predecessor is gone.
Law 2: it says that it is ready when it can be asked; where it is given a Worker (`holdfast up --worker`), when that serves, and a
first one that does not is a sentence, and the end.
Law 3: whatever becomes of one script, the host goes on.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from holdfast.app.data_lock import DataLock
from holdfast.app.descriptors import log_descriptor, raise_descriptor_limit
from holdfast.app.surroundings import Surroundings
from holdfast.app.words import Stop
from holdfast.client.printable import printable_lines
from holdfast.config.run import Config
from holdfast.config.up import UpOptions
from holdfast.errors import SetupError
from holdfast.event_log import EventLog
from holdfast.model.data_dir import local_home, workers_host_socket
from holdfast.model.local_worker import LocalWorker
from holdfast.model.worker_host_messages import KEPT_LINES, Logged, Refused
from holdfast.model.worker_messages import Log
from holdfast.model.worker_script import ScriptVersion
from holdfast.workers.host import sockets, versions
from holdfast.workers.host.beginning import Setting
from holdfast.workers.host.desk import Desk
from holdfast.workers.host.hosting import Host
from holdfast.workers.host.kept_sockets import KeptSockets
from holdfast.workers.host.sockets import ScriptSockets

T = TypeVar("T")

_ROLE = "workers"
# How often a successor looks whether the one before is gone.
_LOCK_POLL_S = 0.02
# For the one before to stop its scripts, and some.
_LOCK_LIMIT_S = 30.0


def serve_workers(
    options: UpOptions | Config, around: Surroundings, *, worker: LocalWorker | None = None, kept: Sequence[int] = ()
) -> int:
    """Host scripts until told to end; then the exit status, 0. For the main thread of a process of its own. `kept` are the descriptors
    of what it keeps its listening sockets in (`kept_sockets`), where there is something of the kind.

    Raises HoldfastError, a sentence, when it cannot start.
    """
    data_dir = (local_home(options.data_dir) if isinstance(options, UpOptions) else options.data_dir).absolute()
    # Each script takes two listening sockets and what leads to its process.
    raise_descriptor_limit()
    with (
        log_descriptor(options.log_file) as log_fd,
        closing(DataLock(data_dir, _ROLE)) as lock,
        ExitStack() as around_all,
    ):
        log = EventLog(log_fd)
        if not around.is_successor:
            lock.take()
        is_dev = isinstance(options, UpOptions) and options.watch
        setting = Setting(data_dir=data_dir, unseal=_unsealing(data_dir), record=log.write, is_dev=is_dev)
        sockets.make_directories(data_dir)
        kept_sockets = around_all.enter_context(closing(KeptSockets(data_dir, kept))) if kept else None
        asyncio.run(_Role(options, around, lock, setting, log, worker=worker, kept=kept_sockets).run())
    return 0


class _Role:
    def __init__(
        self,
        options: UpOptions | Config,
        around: Surroundings,
        lock: DataLock,
        setting: Setting,
        log: EventLog,
        *,
        worker: LocalWorker | None,
        kept: KeptSockets | None,
    ) -> None:
        self._kept = kept
        self._options, self._around, self._lock = options, around, lock
        self._setting, self._log, self._worker = setting, log, worker
        self._ended = asyncio.Event()

    async def run(self) -> None:
        self._end_when_told()
        host = Host(self._setting, may_serve=self._lock.is_held, only=self._worker, kept=self._kept)
        desk = Desk(host)
        tasks: list[asyncio.Task[None]] = []
        host.begin(self._sockets_of_before())
        try:
            if await self._has_the_objects(host):
                host.allow_serving()
                await desk.open(sockets.bound(workers_host_socket(self._setting.data_dir)))
                for place, worker in enumerate(self._worker.all if self._worker is not None else ()):
                    tasks += await self._serve_local(host, worker, self._path_of(place))
                self._around.ready(())
                await self._ended.wait()
        finally:
            for task in tasks:
                task.cancel()
            await desk.close()
            if self._lock.is_held:
                # A successor binds it anew, when it has the lock.
                workers_host_socket(self._setting.data_dir).unlink(missing_ok=True)
            await host.stop()

    def _sockets_of_before(self) -> Mapping[str, ScriptSockets] | None:
        """Those of the host before this one: it hands them over, or it has died and they were kept."""
        if self._around.is_successor:
            return sockets.inherited(self._setting.data_dir)
        return self._kept.take() if self._kept is not None else None

    async def _has_the_objects(self, host: Host) -> bool:
        """Wait, as a successor, until the host before is gone; False where this one is told to end before."""
        if self._lock.is_held:
            return True
        await self._unless_ended(host.settled())
        self._around.prepared()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _LOCK_LIMIT_S
        while not self._ended.is_set() and not self._lock.try_to_take():
            if loop.time() >= deadline:
                self._lock.take(limit_s=0)  # says who has it
            await asyncio.sleep(_LOCK_POLL_S)
        return not self._ended.is_set()

    def _path_of(self, place: int) -> Path | None:
        """The project of a Worker of the command line, where it is watched. Its place is that in `LocalWorker.all`: the first is last."""
        if not isinstance(self._options, UpOptions) or not self._options.watch:
            return None
        first, *beside = self._options.worker
        return (*beside, first)[place]

    async def _serve_local(self, host: Host, worker: LocalWorker, watched: Path | None) -> list[asyncio.Task[None]]:
        """Serve the Worker of the command line. Raises SetupError where that has never served and does not."""
        printing = asyncio.create_task(self._print_log(host, worker))
        data_dir = self._setting.data_dir
        # By a host before this one: what was deployed since then is newer than the command line.
        has_begun = versions.has_begun(data_dir, worker.key, worker.run)
        if not has_begun and versions.active_version(data_dir, worker.key) != worker.version:
            answer = await self._unless_ended(host.deploy(worker.key, worker.version))
            if isinstance(answer, Refused) and watched is None:
                _say(answer.traceback)
                printing.cancel()
                raise SetupError(f"the Worker {worker.name} cannot be served: {answer.error}")
            if isinstance(answer, Refused):
                _say(f"not served: {worker.name}: {answer.error}: requests wait until its files are saved and it is")
        versions.begin(data_dir, worker.key, worker.run)
        host.schedule(worker.key, worker.crons)
        tasks = [printing]
        if watched is not None:
            # Loaded here and not with this module: only who edits a project needs it.
            from holdfast.app.worker_watch import WorkerWatch  # noqa: PLC0415

            known = msgspec.structs.replace(worker, version="") if has_begun else worker
            env = self._options.env if isinstance(self._options, UpOptions) else None
            watch = WorkerWatch(watched, self._options.data_dir, known, say=_say, env=env)
            tasks.append(asyncio.create_task(watch.run(host)))
        return tasks

    async def _print_log(self, host: Host, worker: LocalWorker) -> None:
        """Tell what the Worker logs: as lines for a person who edits it, else as records."""
        hosted = await host.known(worker.key)
        woken = asyncio.Event()
        reading = hosted.log.read(woken.set, lines=KEPT_LINES)
        while True:
            await woken.wait()
            woken.clear()
            for answer in reading.take():
                if isinstance(answer, Logged):
                    self._print(answer.log, worker)

    def _print(self, log: Log, worker: LocalWorker) -> None:
        if self._setting.is_dev:
            whose = f"{worker.name}: " if self._worker is not None and self._worker.beside else ""
            # Scripts print what clients send: lines of theirs are set off from ours, and do nothing to the terminal.
            _say(printable_lines(f"[{log.level}] {whose}{log.message.rstrip()}").replace("\n", "\n  "))
        elif log.kind not in {"host", "request"}:  # what the host says is recorded already, and requests are counted
            where = {"ray_id": log.ray, "entrypoint": log.entrypoint}
            said = {"worker": worker.name, "level": log.level, "message": log.message}
            self._log.write("worker_log", {**said, **{name: text for name, text in where.items() if text}})

    async def _unless_ended(self, doing: Coroutine[None, None, T]) -> T | None:
        """What `doing` gives; None where this process is told to end first."""
        task = asyncio.create_task(doing)
        ended = asyncio.create_task(self._ended.wait())
        await asyncio.wait((task, ended), return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        return task.result() if task.done() else None

    def _end_when_told(self) -> None:
        loop = asyncio.get_running_loop()
        for number in self._around.ending_signals:
            loop.add_signal_handler(number, self._ended.set)
        if (lifeline := self._around.lifeline) is None:
            return
        self._around.ignore_signals()

        def look() -> None:
            if any(isinstance(word, Stop) for word in lifeline.words()):
                self._ended.set()
            if lifeline.is_cut:
                loop.remove_reader(lifeline.fileno())
                self._log.write("supervisor_gone", {"child": _ROLE})
                self._ended.set()

        loop.add_reader(lifeline.fileno(), look)


def _say(text: str) -> None:
    """Print for a person; nobody has to read it."""
    if text and sys.stderr is not None:
        with suppress(OSError, ValueError):
            sys.stderr.write(f"{text.rstrip()}\n")
            sys.stderr.flush()


def _unsealing(data_dir: Path) -> Callable[[ScriptVersion], Mapping[str, str]]:
    def unseal(version: ScriptVersion) -> Mapping[str, str]:
        if not version.sealed_secrets:
            return {}
        # Loaded here and not with this module: most hosts have no secrets to open, and cryptography is large.
        from holdfast.app.worker_secrets import unsealed  # noqa: PLC0415

        return unsealed(version, data_dir)

    return unseal
