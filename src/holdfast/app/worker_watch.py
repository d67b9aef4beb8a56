"""`holdfast worker dev`: a project is read again when its files change, and what it has become is served.

Law 1: what cannot be read, or does not load, is said with its traceback, and what was served before goes on.
Law 2: files are compared by their times and sizes, so that an editor may write them in whatever way; a change is taken up when nothing
has changed for one look, so that a half-written project is not.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from holdfast.app.local_project import placed
from holdfast.config.wrangler import WorkerProject, read_worker
from holdfast.errors import HoldfastError
from holdfast.model.local_worker import LocalWorker
from holdfast.model.worker_host_messages import Refused
from holdfast.workers.host.hosting import Host

LOOK_INTERVAL_S = 0.25
# Files looked at: the bound of a project, and as many that are none of it. Beyond it changes of the rest go unseen.
MAX_FILES = 10_000
_PASSED_OVER = frozenset({"__pycache__", "node_modules", ".git", ".venv", ".wrangler", ".mypy_cache", ".ruff_cache"})

# Path -> (time of the last change in nanoseconds, size).
Seen = dict[str, tuple[int, int]]


class WorkerWatch:
    """Looks after one project for as long as `run` runs."""

    def __init__(self, path: Path, data_dir: Path, worker: LocalWorker, *, say: Callable[[str], None]) -> None:
        self._path, self._data_dir, self._worker, self._say = path, data_dir, worker, say
        self._watched = _watched(path)

    async def run(self, host: Host) -> None:
        """Until cancelled."""
        # What was read at the start may have changed since: the first look counts as a change.
        served: Seen = {}
        before: Seen = {}
        while True:
            await asyncio.sleep(LOOK_INTERVAL_S)
            now = await asyncio.to_thread(seen, self._watched)
            if now == before and now != served:
                served = now
                await self.take_up(host)
            before = now

    async def take_up(self, host: Host) -> None:
        """Serve the project as it is now."""
        try:
            worker, project = await asyncio.to_thread(placed, self._path, self._data_dir)
        except HoldfastError as error:
            self._say(f"the change is not taken up: {error}")
            return
        self._watched = project.watched or self._watched
        if worker.key != self._worker.key:
            self._say(f"the Worker is called {worker.name} now: start again to serve it under that name")
            return
        if worker.version == self._worker.version:
            return
        answer = await host.deploy(worker.key, worker.version)
        if isinstance(answer, Refused):
            self._say(f"the change is not taken up: {answer.error}")
            return
        self._worker = worker
        host.schedule(worker.key, worker.crons)
        self._say(f"reloaded: {worker.name}, version {worker.version}")


def seen(directories: tuple[Path, ...]) -> Seen:
    """The files below `directories`, but for those that no project is made of."""
    found: Seen = {}
    for directory in directories:
        for file in _files(directory):
            if len(found) >= MAX_FILES:
                return found
            try:
                state = file.stat()
            except OSError:
                continue
            found[str(file)] = (state.st_mtime_ns, state.st_size)
    return found


def _files(directory: Path) -> Iterator[Path]:
    for place, directories, names in os.walk(directory):
        directories[:] = sorted(name for name in directories if name not in _PASSED_OVER)
        yield from (Path(place, name) for name in sorted(names))


def _watched(path: Path) -> tuple[Path, ...]:
    try:
        project: WorkerProject = read_worker(path)
    except HoldfastError:
        return (path if path.is_dir() else path.parent,)
    return project.watched
