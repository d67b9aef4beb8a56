"""What the policy thread tells of each decision, and the thread that makes something of it.

policy thread -> EventQueue, Recent -> this thread -> Sampler -> EventOutbox -> control link.

Law 1: what the policy thread calls never waits and never raises, whatever becomes of control, of the link and of this thread.
Law 2: what happens alone is passed on at once, what happens often every INTERVAL_S.
Law 3: the policy thread gets the interpreter: nothing here computes for longer than a SLICE without a pause.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence

from holdfast.edge.decision import Decision
from holdfast.edge.event_outbox import EventOutbox
from holdfast.edge.event_queue import EventQueue
from holdfast.edge.event_sampling import Sampler
from holdfast.edge.recent_requests import Recent
from holdfast.model.event_messages import CountedEvent
from holdfast.model.request import Request
from holdfast.model.security_event import SecurityEvent

Decide = Callable[[Request], Decision]
Log = Callable[[str, Mapping[str, str | int]], None]

# How often events are passed on that come one after the other.
INTERVAL_S = 0.1
# How long nothing is done where nothing happens.
IDLE_S = 1.0
# Events that are looked at without a pause: about 0.2 ms.
SLICE = 64
_PAUSE_S = 0.0002
_STOP_LIMIT_S = 2.0


class Recorder:
    """Takes decisions from the policy thread, and has `outbox` for the control link."""

    def __init__(self, *, log: Log, clock: Callable[[], float] = time.time) -> None:
        self._log = log
        self._clock = clock
        # Of the request that is decided now: one thread decides.
        self._latest: Sequence[SecurityEvent] = ()
        self._has_complained = False
        self._is_stopping = threading.Event()
        self._sampler = Sampler(now=time.monotonic())
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)
        self.queue = EventQueue()
        self.outbox = EventOutbox()
        self.recent = Recent(on_many=self.queue.nudge)

    def record(self, request: Request, events: Sequence[SecurityEvent]) -> None:
        """Take over what had a say in the decision on `request`, before that returns (`edge.decide.Record`)."""
        self._latest = events
        self.queue.put(events)

    def deciding(self, decide: Decide) -> Decide:
        """`decide`, with each decision noted."""
        add, clock = self.recent.add, self._clock

        def decide_and_note(request: Request) -> Decision:
            decision = decide(request)
            events, self._latest = self._latest, ()
            # What a Worker's process asks is no client's: who looks at the last requests of a zone looks for those.
            if not request.is_egress:
                add(clock(), request, decision, events)
            return decision

        return decide_and_note

    def start(self) -> None:
        """Begin to pass on."""
        self._thread.start()

    def stop(self) -> None:
        """Pass on what there is, and end."""
        self._is_stopping.set()
        self.queue.nudge()
        if self._thread.ident is not None:
            self._thread.join(_STOP_LIMIT_S)
        self.turn(self.queue.drain())

    def turn(self, events: Sequence[SecurityEvent]) -> None:
        """Pass `events` on, and what may go by now of earlier ones."""
        now = time.monotonic()
        room = self.outbox.room
        ready: list[CountedEvent] = self._sampler.release(now, room=room)
        for index, event in enumerate(events):
            # What belongs to no zone nobody could ask for; it is counted.
            if event.zone and (one := self._sampler.offer(event, now, has_room=len(ready) < room)) is not None:
                ready.append(one)
            if index % SLICE == SLICE - 1:
                time.sleep(_PAUSE_S)
        self.outbox.add(ready)
        self.recent.settle()

    def statistics(self) -> dict[str, int]:
        """Counters and sizes, by name."""
        parts = (self.queue, self._sampler, self.outbox, self.recent)
        return {name: value for part in parts for name, value in part.statistics().items()}

    def _run(self) -> None:
        while not self._is_stopping.is_set():
            try:
                self.turn(self.queue.wait(INTERVAL_S if self._sampler.is_holding else IDLE_S))
            except Exception as error:  # noqa: BLE001  a mistake of ours must not cost all that follows
                self._complain(error)
            self._is_stopping.wait(INTERVAL_S)

    def _complain(self, error: Exception) -> None:
        if not self._has_complained:
            self._has_complained = True
            self._log("security_events_failed", {"reason": f"{type(error).__name__}: {error}"})
