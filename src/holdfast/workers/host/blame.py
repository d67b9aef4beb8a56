"""Which events are to blame for ends of a script's processes, and are not delivered again.

Law 1: an event that had the loop when a limit ended the process is; so is one that had it, or was the last one to have it, twice in a row.
Law 2: one that had let the loop go is not to blame when somebody outside kills the process, unless that happens KILLS_BLAMED times in a row.
Law 3: the more ends in a row have nobody to blame, the longer the next process waits for the end of an event before another begins (`wait_s`):
the last one to have the loop is the one that did it then, however long it takes for that.
Law 4: who is to blame stays known when another is too: a process that dies has acknowledged nothing of what it passed over.
"""

from __future__ import annotations

from collections import deque

from holdfast.model.worker_messages import Event, Turn

# From outside, or by code that kills its own process: SIGKILL does not say.
KILLS_BLAMED = 5
# The first wait; each further one is STEP times as long.
FIRST_WAIT_S, STEP, MOST_WAIT_S = 0.1, 4, 10.0
# Ends by somebody outside that count as one: they seldom are an event's.
KILLS_COUNTED = 3
# Precedent: what an edge sends ahead of one socket is 1,024 events; few of a script's end a process.
MOST_BLAMED = 256


class Blame:
    """See above. `died_in` is the last event that is passed over, `before` those before it; `suspect` one that will be, if the process dies in
    it or after it again."""

    __slots__ = ("_ends", "_found", "_killed_after", "_kills", "suspect")

    def __init__(self) -> None:
        self._found: deque[Event] = deque(maxlen=MOST_BLAMED)
        self.suspect: Event | None = None
        self._killed_after: Event | None = None
        self._kills = 0
        # Ends in a row with nobody to blame, in parts of KILLS_COUNTED.
        self._ends = 0

    @property
    def died_in(self) -> Event | None:
        """The event that a process died in last, of those to blame."""
        return self._found[-1] if self._found else None

    @property
    def before(self) -> tuple[Event, ...]:
        """Those found to blame before that one."""
        return tuple(self._found)[:-1]

    def _blame(self, event: Event) -> None:
        if event in self._found:
            self._found.remove(event)
        self._found.append(event)
        self._ends = 0

    @property
    def wait_s(self) -> float:
        """How long the next process waits for the end of an event before another begins."""
        ends = min(self._ends // KILLS_COUNTED, 10)
        return min(FIRST_WAIT_S * STEP ** (ends - 1), MOST_WAIT_S) if ends else 0.0

    def was_well(self) -> None:
        """A process has served for long."""
        self._ends = 0

    def judge(self, turn: Turn | None, *, is_at_fault: bool, was_killed: bool) -> None:
        """A process has ended at `turn`: because a limit of ours ended it (`is_at_fault`), or by SIGKILL of somebody else (`was_killed`)."""
        suspect, self.suspect = self.suspect, None
        if turn is None or not turn.sid:
            return
        event = Event(sid=turn.sid, seq=turn.seq)
        self._ends += 1 if was_killed else KILLS_COUNTED
        if turn.is_past and was_killed:
            self._kills = self._kills + 1 if event == self._killed_after else 1
            self._killed_after = event
            if self._kills >= KILLS_BLAMED:
                self._blame(event)
        # One that has let the loop go may have left behind what ends the process: it is the last one twice only where it came again.
        elif (is_at_fault and not turn.is_past) or event == suspect:
            self._blame(event)
        else:
            self.suspect = event
