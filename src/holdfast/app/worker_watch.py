"""`holdfast worker dev`: a project is read again when its files change, and what it has become is served.

Law 1: what cannot be read, or does not load, is said with its traceback, and what was served before goes on.
Law 2: files are compared by their times and sizes, so that an editor may write them in whatever way; by the time of their state too, which no
program gives back to what it has written. A change is taken up when nothing has changed for one look, so that a half-written project is not.
Where something changes all the time, it is read all the same after MOST_LOOKS.
Law 3: whatever is wrong with a project, the next change of it is looked at.
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
# How long changes may go on before one is taken up: a program that writes beside the code does not keep it from being served.
MOST_LOOKS = 8
# Files looked at: the bound of a project, and as many that are none of it. Beyond it changes of the rest go unseen.
MAX_FILES = 10_000
_PASSED_OVER = frozenset({"__pycache__", "node_modules", ".git", ".venv", ".wrangler", ".mypy_cache", ".ruff_cache"})

# Path -> (times of the last changes of its content and of its state, in nanoseconds, size).
Seen = dict[str, tuple[int, int, int]]


class WorkerWatch:
    """Looks after one project for as long as `run` runs."""

    def __init__(
        self, path: Path, data_dir: Path, worker: LocalWorker, *, say: Callable[[str], None], env: str | None = None
    ) -> None:
        self._path, self._env, self._data_dir, self._worker, self._say = path, env, data_dir, worker, say
        self._watched = _watched(path, env)
        # The version that was refused last, and what was said last.
        self._refused = self._said = ""

    async def run(self, host: Host) -> None:
        """Until cancelled."""
        # What was read at the start may have changed since: the first look counts as a change.
        served: Seen = {}
        before: Seen = {}
        changing = 0
        while True:
            await asyncio.sleep(LOOK_INTERVAL_S)
            now = await asyncio.to_thread(seen, self._watched)
            changing = 0 if now == before else changing + 1
            if now != served and (now == before or changing >= MOST_LOOKS):
                is_settled, changing, served = now == before, 0, now
                await self.take_up(host, is_settled=is_settled)
            before = now

    async def take_up(self, host: Host, *, is_settled: bool = True) -> None:
        """Serve the project as it is now. Where it is not `is_settled`, most of it may be as it was: what was said of that is not said again."""
        try:
            worker, project = await asyncio.to_thread(placed, self._path, self._data_dir, self._env)
        except HoldfastError as error:
            self._not_taken_up(str(error), is_settled=is_settled)
            return
        except Exception as error:  # noqa: BLE001  law 3
            self._not_taken_up(f"{type(error).__name__}: {error}", is_settled=is_settled)
            return
        self._watched = project.watched or self._watched
        if worker.key != self._worker.key:
            self._say(f"the Worker is called {worker.name} now: start again to serve it under that name")
            return
        if worker.version == self._worker.version or (worker.version == self._refused and not is_settled):
            return
        answer = await host.deploy(worker.key, worker.version)
        if isinstance(answer, Refused):
            self._refused = worker.version
            self._not_taken_up(answer.error, is_settled=is_settled)
            return
        self._worker, self._refused, self._said = worker, "", ""
        host.schedule(worker.key, worker.crons)
        self._say(f"reloaded: {worker.name}, version {worker.version}")

    def _not_taken_up(self, why: str, *, is_settled: bool) -> None:
        if is_settled or why != self._said:
            self._say(f"the change is not taken up: {why}")
        self._said = why


def seen(watched: tuple[Path, ...]) -> Seen:
    """The files of `watched`, and those below its directories but for those that no project is made of."""
    found: Seen = {}
    for path in watched:
        for file in _files(path) if path.is_dir() else (path,):
            if len(found) >= MAX_FILES:
                return found
            try:
                state = file.lstat() if file.is_dir() else file.stat()
            except OSError:
                continue
            found[str(file)] = (state.st_mtime_ns, state.st_ctime_ns, state.st_size)
    return found


def _files(directory: Path) -> Iterator[Path]:
    for place, directories, names in os.walk(directory):
        directories[:] = sorted(name for name in directories if name not in _PASSED_OVER)
        # A link to a directory is told of a project, or refused: that it is gone is a change.
        links = (name for name in directories if Path(place, name).is_symlink())
        yield from (Path(place, name) for name in sorted((*names, *links)))


def _watched(path: Path, env: str | None) -> tuple[Path, ...]:
    try:
        project: WorkerProject = read_worker(path, env)
    except HoldfastError:
        return (path if path.is_dir() else path.parent,)
    return project.watched
