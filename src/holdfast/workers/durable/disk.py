"""The threads that wait for the disk: commits of objects, and the closing of their files.

The standard library's executor does the same, for a third of what a short commit costs: a future with its condition, a semaphore and a weak
reference for each. Here a job is one small object, and its end is told by the thread that did it.

Law 1: a job is done once, whatever it raises; who waits for it is told once, by the thread, or at once where it has ended.
Law 2: there are as many threads as jobs that wait for the disk at the same time, up to a limit; beyond it they wait in order.
Law 3: what is submitted after `shutdown` is done at once, by who submits it: nothing is left open.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue

# Held for a few instructions at a time: one for all jobs.
_ending = threading.Lock()


class Job:
    """Something that a thread does. `error` is what it raised, once it has ended."""

    __slots__ = ("_act", "_ended", "error", "has_ended")

    def __init__(self, act: Callable[[], object], ended: Callable[[Job], object] | None = None) -> None:
        """`ended` is told by the thread."""
        self._act = act
        self._ended = [] if ended is None else [ended]
        self.error: BaseException | None = None
        self.has_ended = False

    def run(self) -> None:
        """Do it."""
        try:
            self._act()
        except BaseException as error:  # noqa: BLE001  told to who waits
            self.error = error
        with _ending:
            self.has_ended = True
        for ended in self._ended:
            ended(self)

    def then(self, ended: Callable[[Job], object]) -> None:
        """Tell this one too, by the thread; at once where it has ended."""
        with _ending:
            if not self.has_ended:
                self._ended.append(ended)
                return
        ended(self)

    def wait(self) -> None:
        """Block until it has ended."""
        if not self.has_ended:
            over = threading.Event()
            self.then(lambda _: over.set())
            over.wait()


class Disk:
    """See above. One thread submits."""

    def __init__(self, limit: int) -> None:
        """`limit`: so many threads at most."""
        self._limit = limit
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._submitted = 0
        # By thread.
        self._done: list[int] = []
        self._is_over = False

    def submit(self, act: Callable[[], object], ended: Callable[[Job], object] | None = None) -> Job:
        """Have it done; `ended` is told by the thread that did it."""
        job = Job(act, ended)
        if self._is_over:
            job.run()
            return job
        self._submitted += 1
        if len(self._threads) < self._limit and self._submitted - sum(self._done) > len(self._threads):
            self._begin_thread()
        self._jobs.put(job)
        return job

    def statistics(self) -> dict[str, int]:
        """`disk_threads`, `disk_waiting`: jobs that no thread has begun."""
        return {"disk_threads": len(self._threads), "disk_waiting": self._jobs.qsize()}

    def shutdown(self) -> None:
        """Block until all is done, and end the threads."""
        self._is_over = True
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def _begin_thread(self) -> None:
        self._done.append(0)
        # A disk that hangs is not to keep the process from ending.
        thread = threading.Thread(target=self._work, args=(len(self._threads),), name="commit", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work(self, number: int) -> None:
        while (job := self._jobs.get()) is not None:
            job.run()
            self._done[number] += 1
            # What it was about is not to be kept until the next one.
            del job
