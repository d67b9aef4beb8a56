"""Who leaves memory, and when: an object that does nothing for HIBERNATE_S; earlier, the more objects have their files open.

An open file takes some FILE_KIB, most of it SQLite's, and four descriptors, so some thousand objects that are spoken to within ten seconds
would take all the memory that their script may have. The square makes the number of them rise with the cube root only of how many are woken a second.

Law 1: what has a reason to stay stays, and says so once, after STAYS_S.
Law 2: it is looked for those that may leave each SWEEP_S, sooner in a rush; nothing that happens puts that off.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextvars import Context

from holdfast.workers.durable.actor import Actor

# Precedent: the original's.
HIBERNATE_S = 10.0
# Measured: 147 KiB for a bare connection with a journal, the rest is the object's.
FILE_KIB = 185
# How much of the memory that a script may have its idle objects' files may take before they are given up earlier.
PART = 0.2
# After how long without an event it is said, once, why an object is still in memory.
STAYS_S = 60.0
# How often it is looked for objects that may leave.
SWEEP_S = 1.0
# The same where there are more than `room`.
CROWDED_SWEEP_S = 0.1


def room(memory_mb: int) -> int:
    """How many objects may have their files open, of a script that may have so much memory, before they leave earlier than else."""
    return max(int(memory_mb * 1024 * PART / FILE_KIB), 1)


def patience_s(open_files: int, room: int) -> float:
    """How long one that has its file open may do nothing, where `open_files` have."""
    return HIBERNATE_S if open_files <= room else HIBERNATE_S * (room / open_files) ** 2


class Crowd:
    """The objects in memory, as far as they may leave it."""

    def __init__(
        self,
        live: Mapping[Actor, None],
        memory_mb: int,
        *,
        look: Callable[[], None],
        report: Callable[[str, str, BaseException | None], None],
    ) -> None:
        """`live`: those in memory. `look` is called each SWEEP_S, or sooner, and has `sweep` called."""
        self._live, self._look, self._report = live, look, report
        # How many may be in memory, with their files open, before they leave it earlier.
        self.room = room(memory_mb)
        # The next look; None before the first one and when there is to be none.
        self.next: asyncio.TimerHandle | None = None
        # Those that are on their way out.
        self.leaving: set[asyncio.Task[None]] = set()
        self._is_crowded = False
        # How many were in memory when it was last looked for those that may leave.
        self._before = 0

    def begin(self) -> None:
        """Look now, and again and again."""
        self.next = None
        try:
            self._look()
        except Exception as error:  # noqa: BLE001  the disk's, which may be there again at the next look
            self._report("error", "objects that may leave memory could not be looked for", error)
        self._look_in(CROWDED_SWEEP_S if self._is_crowded else SWEEP_S)

    def stop(self) -> None:
        """Look no more."""
        if self.next is not None:
            self.next.cancel()
            self.next = None

    def woke(self) -> None:
        """One more is in memory."""
        if self.next is not None and len(self._live) - self._before > self.room:
            # A rush, which a second later may have filled the memory.
            self._before = len(self._live)
            self._look_in(CROWDED_SWEEP_S)

    def sweep(self, now: float) -> None:
        """Let those leave that had no reason to stay for long enough by now (the loop's time)."""
        awake = [(actor, actor.instance) for actor in self._live if actor.instance is not None]
        open_files = sum(instance.has_file for _, instance in awake)
        hurried_s, self._is_crowded = patience_s(open_files, self.room), open_files > self.room
        self._before = len(awake)
        for actor, instance in awake:
            if now - instance.idle_since < (hurried_s if instance.has_file else HIBERNATE_S):
                continue
            if instance.is_idle(now):
                self._leave(actor)
            elif now - instance.idle_since >= STAYS_S and not instance.is_explained:
                instance.is_explained = True
                self._explain(actor, instance.reasons(now))

    def _look_in(self, delay_s: float) -> None:
        """Look for those that may leave so soon, or sooner where that is due."""
        loop = asyncio.get_running_loop()
        if self.next is not None:
            # Also one that is due already, and that what happens now has come before.
            if self.next.when() <= loop.time() + delay_s:
                return
            self.next.cancel()
        self.next = loop.call_later(delay_s, self.begin, context=Context())

    def _explain(self, actor: Actor, reasons: list[str]) -> None:
        why = ", ".join(dict.fromkeys(reasons))
        text = f"{actor.kind.name} {actor.id} has had no event for {STAYS_S:.0f} s and cannot hibernate: {why}"
        self._report("info", text, None)

    def _leave(self, actor: Actor) -> None:
        task = asyncio.Task(actor.leave("inactive"), loop=asyncio.get_running_loop(), context=Context())
        self.leaving.add(task)
        task.add_done_callback(self._left)

    def _left(self, task: asyncio.Task[None]) -> None:
        self.leaving.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._report("error", "an object could not leave memory", error)
