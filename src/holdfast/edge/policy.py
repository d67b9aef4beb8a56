"""What the Rust core calls: `decide` and `answer`, with the snapshot and the clock they need.

Law 1: the policy thread is the only reader, and reads the snapshot once a request.
Law 2: this is the one module of the package that reads a clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from holdfast.edge import answers
from holdfast.edge.decide import decide
from holdfast.edge.decision import Decision, Respond
from holdfast.edge.snapshot import Snapshot
from holdfast.model.fault import Fault
from holdfast.model.request import Request


class Policy:
    """The two callables an `Edge` is made with, over one snapshot. `clock` gives Unix time in seconds."""

    def __init__(self, snapshot: Snapshot, *, clock: Callable[[], float] = time.time) -> None:
        self._snapshot = snapshot
        self._clock = clock

    def decide(self, request: Request) -> Decision:
        """What becomes of `request` (`_native.Edge`, `decide`)."""
        return decide(request, self._snapshot, now=self._clock())

    def answer(self, fault: Fault) -> Respond:
        """What the client of a failed forward is told (`_native.Edge`, `answer`)."""
        return answers.answer(fault, now=self._clock())
