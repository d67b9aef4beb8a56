"""The threads that wait for the disk: commits of objects, and the closing of their files.

The standard library's executor does the same, for a third of what a short commit costs: a future with its condition, a semaphore and a weak
reference for each, and a way back to the loop that reads twice. Here a job is one small object, and a number in the kernel wakes the loop.

Law 1: a job is done once, whatever it raises; who waits for it is told once: `told` by the loop, in the order in which jobs ended, `then` by the
thread, or at once where it has ended.
Law 2: what has ended when the loop comes to it is told in one turn (`around`).
Law 3: there are as many threads as jobs that wait for the disk at the same time, up to a limit; beyond it they wait in order. An
object has one commit under way, so no more wait than there are objects.
Law 4: what is submitted after `shutdown`, or where the machine has no room for a first thread, is done at once, by who submits it: nothing is
left open, and nobody waits for what never comes.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections import deque
from collections.abc import Callable
from contextvars import Context
from queue import SimpleQueue

# Held for a few instructions at a time: one for all jobs.
_ending = threading.Lock()


class Job:
    """Something that a thread does. `error` is what it raised, once it has ended."""

    __slots__ = ("_act", "_then", "error", "has_ended", "told")

    def __init__(self, act: Callable[[], object], told: Callable[[Job], object] | None = None) -> None:
        """`told` hears of its end, by the loop."""
        self._act = act
        self._then: list[Callable[[Job], object]] = []
        self.told = told
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
        for then in self._then:
            try:
                then(self)
            except BaseException as error:  # noqa: BLE001  the thread has others' jobs to do
                self.error = self.error or error

    def then(self, then: Callable[[Job], object]) -> None:
        """Tell this one too, by the thread; at once where it has ended."""
        with _ending:
            if not self.has_ended:
                self._then.append(then)
                return
        then(self)

    def wait(self) -> None:
        """Block until it has ended."""
        if not self.has_ended:
            over = threading.Event()
            self.then(lambda _: over.set())
            over.wait()


class Disk:
    """See above. One thread submits: that of the loop which runs then."""

    def __init__(self, limit: int, *, around: Callable[[Callable[[], object]], object] | None = None) -> None:
        """`limit`: so many threads at most. `around` is given what tells of all that has ended, and does that."""
        self._limit, self._around = limit, around
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._submitted = 0
        # By thread.
        self._done: list[int] = []
        self._ended: deque[Job] = deque()
        # The number by which the loop is woken; -1 until there is a thread. Whether it was raised since the loop has looked.
        self._number = -1
        self._is_raised = self._is_over = False
        self._loop: asyncio.AbstractEventLoop | None = None

    def submit(self, act: Callable[[], object], told: Callable[[Job], object] | None = None) -> Job:
        """Have it done; `told` hears of its end, by the loop."""
        job = Job(act, told)
        if self._is_over:
            job.run()
            self._ended.append(job)
            self._tell()
            return job
        self._submitted += 1
        if len(self._threads) < self._limit and self._submitted - sum(self._done) > len(self._threads):
            self._begin_thread()
        if self._threads:
            self._jobs.put(job)
        else:
            self._submitted -= 1
            job.run()
            self._ended.append(job)
            asyncio.get_running_loop().call_soon(self._tell_in_turn, context=Context())
        return job

    def shutdown(self) -> None:
        """Block until all is done and told, and end the threads."""
        self._is_over = True
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()
        self._threads.clear()
        if self._loop is not None:
            self._loop.remove_reader(self._number)
            os.close(self._number)
            self._loop = None
        self._tell()

    def _begin_thread(self) -> None:
        """Begin another, if there is room for it."""
        if self._loop is None:
            try:
                self._number = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
            except OSError:
                return
            self._loop = asyncio.get_running_loop()
            # In a context of nobody's.
            Context().run(self._loop.add_reader, self._number, self._look)
        self._done.append(0)
        # A disk that hangs is not to keep the process from ending.
        thread = threading.Thread(target=self._work, args=(len(self._threads),), name="commit", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            # The system gives no more of them, to this process or to all.
            self._done.pop()
            return
        self._threads.append(thread)

    def _work(self, number: int) -> None:
        while (job := self._jobs.get()) is not None:
            job.run()
            self._done[number] += 1
            if job.told is not None:
                self._ended.append(job)
                if not self._is_raised:
                    self._is_raised = True
                    os.eventfd_write(self._number, 1)
            # What it was about is not to be kept until the next one.
            del job

    def _look(self) -> None:
        os.eventfd_read(self._number)
        # Before what has ended is taken: what ends from now on raises it again.
        self._is_raised = False
        self._tell_in_turn()

    def _tell_in_turn(self) -> None:
        if self._around is None:
            self._tell()
        else:
            self._around(self._tell)

    def _tell(self) -> None:
        while self._ended:
            job = self._ended.popleft()
            if job.told is not None:
                try:
                    job.told(job)
                except Exception as error:  # noqa: BLE001  as the loop does with a callback
                    _report(error)


def _report(error: Exception) -> None:
    asyncio.get_running_loop().call_exception_handler(
        {"message": "what waited for the disk could not be ended", "exception": error}
    )
