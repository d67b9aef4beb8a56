"""What the Rust core calls: `decide` and `answer`, with the snapshot and the clock they need.

Law 1: the policy thread is the only reader, and reads the snapshot once a request; `publish` swaps it in one step, from
any thread.
Law 2: this is the one module the phases run under that reads a clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from holdfast.edge import answers
from holdfast.edge.decide import Record, decide
from holdfast.edge.decision import Decision, Respond
from holdfast.edge.snapshot import Snapshot
from holdfast.edge.view import PlaceOf, view_of
from holdfast.model.fault import Fault
from holdfast.model.request import Request

if TYPE_CHECKING:
    from holdfast.edge.firewall.rate_limit import Counters


class Policy:
    """The two callables an `Edge` is made with, over the snapshot that is in force.

    `clock` gives Unix time in seconds. `place_of` is None where there is no database of addresses. `counters` are those of
    rate limits; where they are None, `open_counters` makes them when the first limit is about to be published
    (`expect_limits`), and without that there are none. `record` takes the events of a request that had some, on the policy
    thread.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        *,
        clock: Callable[[], float] = time.time,
        place_of: PlaceOf | None = None,
        counters: Counters | None = None,
        open_counters: Callable[[], Counters] | None = None,
        record: Record | None = None,
    ) -> None:
        self._snapshot = snapshot
        self._clock = clock
        self._place_of = place_of
        self._counters = counters
        self._open_counters = open_counters
        self._record = record

    @property
    def snapshot(self) -> Snapshot:
        """What requests are decided by now."""
        return self._snapshot

    @property
    def counters(self) -> Counters | None:
        """The counters of rate limits; None before there was one."""
        return self._counters

    def expect_limits(self) -> None:
        """Make the counters, if they are not there: before a snapshot with rate limits is published, by whoever publishes."""
        if self._counters is None and self._open_counters is not None:
            self._counters = self._open_counters()

    def publish(self, snapshot: Snapshot) -> None:
        """Decide by `snapshot` from the next request on."""
        self._snapshot = snapshot

    def decide(self, request: Request) -> Decision:
        """What becomes of `request` (`_native.Edge`, `decide`)."""
        return decide(
            request,
            self._snapshot,
            now=self._clock(),
            place_of=self._place_of,
            counters=self._counters,
            record=self._record,
        )

    def answer(self, fault: Fault) -> Respond:
        """What the client of a failed forward is told (`_native.Edge`, `answer`)."""
        if fault.request.is_egress:
            # Loaded with the first of them: most edges have no Workers.
            from holdfast.edge.worker_calls import answer_of  # noqa: PLC0415

            if (told := answer_of(fault)) is not None:
                return told
        now = self._clock()
        view = view_of(fault.request, self._snapshot, now=now)
        return answers.in_zone(answers.answer(fault, now=now, zone=view.zone.name), view.zone, fault.request)
