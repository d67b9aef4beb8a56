"""Security events that control does not have yet.

Law 1: an event stays here until control says that it has it; a control that ends meanwhile, or is not there, loses none.
Law 2: one batch is under way at a time; what is new waits for its answer. A connection that is made anew begins with the
oldest that was not taken.
Law 3: there is a bound, in number and bytes. What has no room is not added: it waits where it comes from (`event_sampling`), which
then lets one event stand for many.
"""

from __future__ import annotations

import os
import secrets
import threading
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from typing import NamedTuple

import msgspec

from holdfast.model.control_link import LinkError
from holdfast.model.event_messages import MAX_BATCH, CountedEvent, EventsTaken, SecurityEvents

# What waits for a control that is away. As many as a database gets in three minutes of the worst flood.
MAX_EVENTS = 20_000
MAX_BYTES = 24 * 1024 * 1024
# A batch ends with the event that takes it over this.
MAX_BATCH_BYTES = 512 * 1024

_ENCODER = msgspec.msgpack.Encoder()


class _Waiting(NamedTuple):
    number: int
    event: CountedEvent
    size: int


class EventOutbox:
    """What waits for control. Any thread may call anything; `fileno` is readable when a batch has become ready."""

    def __init__(self) -> None:
        self._run = secrets.token_hex(8)
        self._lock = threading.Lock()
        self._waiting: deque[_Waiting] = deque()
        self._bytes = 0
        self._next = 1
        # The number that the batch under way ends before; 0 for none.
        self._sent_until = 0
        self._taken = 0
        self._news = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def fileno(self) -> int:
        """The descriptor to wait for."""
        return self._news

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._news)

    @property
    def room(self) -> int:
        """How many events can be added."""
        return 0 if self._bytes >= MAX_BYTES else max(0, MAX_EVENTS - len(self._waiting))

    def add(self, events: Iterable[CountedEvent]) -> None:
        """Keep events for control."""
        with self._lock:
            before = self._next
            for event in events:
                size = len(_ENCODER.encode(event))
                self._waiting.append(_Waiting(self._next, event, size))
                self._bytes += size
                self._next += 1
            if self._next == before or self._sent_until:
                return
        os.eventfd_write(self._news, 1)

    def begin(self) -> None:
        """A connection has begun: nothing is under way on it."""
        with self._lock:
            self._sent_until = 0

    def next_batch(self, *, is_last: bool = False) -> SecurityEvents | None:
        """What to send now; None where nothing waits, or a batch is under way. `is_last`: what comes after that, for there will
        be no answer."""
        with self._lock:
            with suppress(BlockingIOError):
                os.eventfd_read(self._news)
            if self._sent_until and not is_last:
                return None
            batch = self._batch()
            if not batch:
                return None
            self._sent_until = batch[-1].number + 1
            return SecurityEvents(run=self._run, first=batch[0].number, events=tuple(one.event for one in batch))

    def taken(self, message: EventsTaken) -> None:
        """Control has the batch that is under way. Raises LinkError where it has something else."""
        with self._lock:
            if not self._sent_until or (message.run, message.until) != (self._run, self._sent_until):
                raise LinkError("control took security events that were not sent")
            self._sent_until = 0
            while self._waiting and self._waiting[0].number < message.until:
                self._bytes -= self._waiting.popleft().size
                self._taken += 1

    def _batch(self) -> list[_Waiting]:
        """The oldest that were not sent on this connection."""
        batch: list[_Waiting] = []
        size = 0
        for one in self._waiting:
            if len(batch) == MAX_BATCH or size > MAX_BATCH_BYTES:
                break
            if one.number >= self._sent_until:
                batch.append(one)
                size += one.size
        return batch

    def statistics(self) -> dict[str, int]:
        """`security_events_waiting` now, and `security_events_sent` (and taken) since the start."""
        return {"security_events_waiting": len(self._waiting), "security_events_sent": self._taken}
