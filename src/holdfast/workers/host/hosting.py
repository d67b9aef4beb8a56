"""The host: all scripts of a data directory, from what lies on the disk to what serves.

Law 1: what has served before is served again without anybody asking: after a restart, a crash, a release.
Law 2: as the successor of another host it loads everything beside that, with the same listening sockets, and serves when it is told
that the one before is gone.
Law 3: so many scripts are loaded at a time as there are processors, or two, so that a start with a hundred of them is no storm.
Law 4: its end is bounded: what has not retired in time is killed.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from threading import Thread

from holdfast.errors import HoldfastError, reason_of
from holdfast.model.data_dir import worker_dir
from holdfast.model.local_worker import LocalWorker
from holdfast.model.worker_host_messages import Answer, Done, Refused, Scripts
from holdfast.workers.host import sockets, versions
from holdfast.workers.host.beginning import Setting
from holdfast.workers.host.commands import Conclude
from holdfast.workers.host.hosted import HostedScript
from holdfast.workers.host.kept_sockets import KeptSockets
from holdfast.workers.host.phases import EXIT_LIMIT_S, RETIRE_LIMIT_S, RETIRE_MARGIN_S
from holdfast.workers.host.schedules import ScheduleError, Timetable, seconds_to_next_look
from holdfast.workers.host.sockets import ScriptSockets

# How often processes are looked at: while user code runs in one of them, and otherwise.
BUSY_INTERVAL_S, IDLE_INTERVAL_S = 0.1, 0.5
# How long stopping takes at most, and then being killed.
STOP_LIMIT_S = RETIRE_LIMIT_S + RETIRE_MARGIN_S + EXIT_LIMIT_S
# Scripts of one data directory. Each is a process, of 30 MB and more.
MAX_SCRIPTS = 1_000


class Host:
    """The scripts of `setting.data_dir`. For one event loop."""

    def __init__(
        self,
        setting: Setting,
        *,
        may_serve: bool = True,
        only: LocalWorker | None = None,
        kept: KeptSockets | None = None,
    ) -> None:
        """`may_serve` is False while another host has the objects. `only` is the one script to know, with those beside it, where there
        is one: what it served before is no more than what it is to serve now, unless this `holdfast up` has served it since. `kept` is where sockets
        outlive this host."""
        self._kept, self._is_to_be_kept = kept, False
        self._setting, self._may_serve, self._only = setting, may_serve, only
        self._scripts: dict[str, HostedScript] = {}
        self._given: dict[str, ScriptSockets] = {}
        self._to_start: deque[tuple[HostedScript, str]] = deque()
        self._starting: list[HostedScript] = []
        self._most_starting = max(2, len(os.sched_getaffinity(0)))
        self._has_changed = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None
        self._timetable = Timetable(setting.data_dir)
        self._ticking: asyncio.Task[None] | None = None
        self._is_stopping = False
        # Another host has the sockets: their files are its own.
        self.is_inherited = False

    @property
    def sockets(self) -> Mapping[str, ScriptSockets]:
        """What is listened on, by script."""
        return {key: one.sockets for key, one in self._scripts.items()}

    def script(self, key: str) -> HostedScript | None:
        """The script with this key."""
        return self._scripts.get(key)

    async def known(self, key: str) -> HostedScript:
        """The script with this key, once there is one."""
        await self._until(lambda: key in self._scripts)
        return self._scripts[key]

    def begin(self, given: Mapping[str, ScriptSockets] | None = None) -> None:
        """Load every script that has served before. `given` are sockets of the host before (`sockets.inherited`)."""
        self._given = dict(given or {})
        self._start_known()
        if self._may_serve:
            self._ticking = asyncio.create_task(self._tick())
        self._clear()
        self._watching = asyncio.create_task(self._watch())

    async def settled(self) -> None:
        """Wait until each script has loaded, or cannot."""
        await self._until(lambda: not self._starting and not self._to_start)

    def allow_serving(self) -> None:
        """No other host has the objects any more: serve."""
        self._may_serve = True
        for hosted in self._scripts.values():
            hosted.allow_serving()
        self._keep_soon()
        # What was deployed by the host before, since this one looked.
        self._start_known()
        if self._ticking is None:
            self._ticking = asyncio.create_task(self._tick())

    async def stop(self) -> None:
        """End all scripts."""
        self._is_stopping = True
        if self._ticking is not None:
            self._ticking.cancel()
        self._to_start.clear()
        for hosted in self._scripts.values():
            hosted.stop()
        try:
            async with asyncio.timeout(STOP_LIMIT_S):
                await self._until(self._is_over)
        except TimeoutError:
            for hosted in self._scripts.values():
                hosted.kill()
        if self._watching is not None:
            self._watching.cancel()
        for key, hosted in self._scripts.items():
            hosted.close()
            if not self.is_inherited:
                sockets.unlink_of(self._setting.data_dir, key)

    # --- What people ask for ---

    async def deploy(self, key: str, version: str) -> Answer:
        """Serve this version."""
        try:
            hosted = self._scripts.get(key) or self._added(key)
        except HoldfastError as error:
            return Refused(error=str(error))
        return _answer(await hosted.deploy(version))

    async def restart(self, key: str) -> Answer:
        """Replace the script's process."""
        hosted = self._scripts.get(key)
        return _answer(await hosted.restart()) if hosted is not None else _unknown(key)

    async def delete(self, key: str) -> Answer:
        """End the script, and remove what it has."""
        hosted = self._scripts.get(key)
        if hosted is not None:
            hosted.stop(is_last=True)
            await self._until(lambda: hosted.script.is_over)
            self._timetable.forget(key)
            if self._scripts.pop(key, None) is not None:
                hosted.close()
                hosted.log.end()
                self._keep_soon()
        if not versions.is_key(key):
            return _unknown(key)
        try:
            versions.remove(self._setting.data_dir, key)
        except OSError as error:
            return Refused(error=f"its directory cannot be removed: {reason_of(error)}")
        self._clear()
        return Done()

    def reschedule(self, key: str) -> Answer:
        """Read again when the script runs by itself."""
        if key not in self._scripts:
            return _unknown(key)
        try:
            self._timetable.read(key)
        except ScheduleError as error:
            return Refused(error=str(error))
        return Done()

    def schedule(self, key: str, crons: Sequence[str]) -> None:
        """Have a script of the command line run at these times, and at no others. Raises ValueError."""
        self._timetable.put(key, crons)

    def scripts(self) -> Scripts:
        """How all are."""
        return Scripts(scripts=tuple(one.status() for _, one in sorted(self._scripts.items())))

    # --- Below ---

    def _clear(self) -> None:
        # Nobody waits for it, not even the end of this process: the next host goes on.
        Thread(target=versions.clear, args=(self._setting.data_dir,), name="clear", daemon=True).start()

    def _start_known(self) -> None:
        data_dir = self._setting.data_dir
        for key in versions.keys(data_dir):
            version = versions.active_version(data_dir, key)
            known = self._scripts.get(key)
            if (
                not version
                or not self._is_wanted(key, version)
                or (known is not None and known.script.version == version)
            ):
                continue
            try:
                hosted = known or self._added(key)
            except HoldfastError as error:
                self._setting.record("worker_failed", {"key": key, "reason": str(error)})
                continue
            self._to_start.append((hosted, version))
        self._start_next()

    def _is_wanted(self, key: str, version: str) -> bool:
        if self._only is None:
            return True
        served = next((one for one in self._only.all if one.key == key), None)
        if served is None:
            return False
        return version == served.version or versions.has_begun(self._setting.data_dir, key, served.run)

    def _added(self, key: str) -> HostedScript:
        """A script that is not known yet. Raises HoldfastError."""
        directory = worker_dir(self._setting.data_dir, key)
        if not versions.is_key(key) or not directory.is_dir():
            raise versions.VersionError(f"there is no script {key}")
        if len(self._scripts) >= MAX_SCRIPTS:
            raise versions.VersionError(f"there are {MAX_SCRIPTS} scripts, which is as many as one machine may have")
        pair = self._given.pop(key, None) or sockets.bound_for(self._setting.data_dir, key)
        hosted = HostedScript(key, pair, self._setting, may_serve=self._may_serve, changed=self._changed)
        self._scripts[key] = hosted
        self._keep_soon()
        try:
            self._timetable.read(key)
        except ScheduleError as error:
            self._setting.record("worker_failed", {"key": key, "reason": str(error)})
        self._has_changed.set()
        return hosted

    def _keep_soon(self) -> None:
        """Have the sockets outlive this host, as they are at the end of this turn: many scripts may be added in it."""
        if self._kept is not None and not self._is_to_be_kept:
            self._is_to_be_kept = True
            asyncio.get_running_loop().call_soon(self._keep)

    def _keep(self) -> None:
        self._is_to_be_kept = False
        # Before and after that they are another host's to keep. One that they were handed to may not get there.
        if self._kept is not None and self._may_serve and not self._is_stopping:
            self._kept.put(self.sockets)

    def _changed(self) -> None:
        self._has_changed.set()
        if not self._is_stopping:
            self._start_next()

    def _start_next(self) -> None:
        self._starting = [one for one in self._starting if not one.script.is_settled]
        while self._to_start and len(self._starting) < self._most_starting:
            hosted, version = self._to_start.popleft()
            self._starting.append(hosted)
            if hosted.script.version and hosted.script.version != version:
                hosted.replace(version)
            else:
                hosted.start(version)

    def _is_over(self) -> bool:
        return all(one.script.is_over for one in self._scripts.values())

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._has_changed.clear()
            await self._has_changed.wait()

    async def _tick(self) -> None:
        """Have scripts run at their times. Only who has the objects does."""
        while True:
            now_s = time.time()
            for key, due in self._timetable.due(now_s):
                if (hosted := self._scripts.get(key)) is not None:
                    hosted.run(due)
            await asyncio.sleep(seconds_to_next_look(time.time()))

    async def _watch(self) -> None:
        is_any_busy = False
        while True:
            await asyncio.sleep(BUSY_INTERVAL_S if is_any_busy else IDLE_INTERVAL_S)
            looks = [one.look() for one in list(self._scripts.values())]
            is_any_busy = any(looks)


def _answer(concluded: Conclude) -> Answer:
    if concluded.error:
        return Refused(error=concluded.error, traceback=concluded.traceback)
    return Done()


def _unknown(key: str) -> Refused:
    return Refused(error=f"there is no script {key}")
