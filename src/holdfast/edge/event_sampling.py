"""Which security events are kept: all of them, until there are so many that one has to stand for others.

Law 1: nothing is lost from the count: the events that are released stand (`CountedEvent.count`) for just as many as were offered,
but for those that are still held.
Law 2: an event stands for events of its own kind only: the same zone, source, action and rule. So a flood that one rule
refuses hides nothing that another one says.
Law 3: of one kind, one zone and one edge no more are released than RATES allow, whoever sends how much.
Law 4: pure: time is an argument, in seconds of a clock that never goes back.

Precedent: Cloudflare's `firewallEventsAdaptive` samples too, and says how many an event stands for (`sampleInterval`).
"""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.model.event_messages import CountedEvent
from holdfast.model.security_event import SecurityEvent


@dataclass(frozen=True, slots=True)
class Rate:
    """So many at once, and then so many a second."""

    burst: float
    per_s: float


@dataclass(frozen=True, slots=True)
class Rates:
    """What is released of one kind, of one zone, and of all. A row takes about a kilobyte in the database: a zone that is
    flooded for a day leaves less than a gigabyte, were it not trimmed."""

    kind: Rate = Rate(100, 2)
    zone: Rate = Rate(400, 10)
    edge: Rate = Rate(2000, 100)


RATES = Rates()
# Kinds that are told apart at once; beyond it events are lost, and counted. Each is a rule that somebody wrote.
MAX_KINDS = 16_384
# How often those of which nothing was heard for long are forgotten.
_SWEEP_S = 10.0

_Kind = tuple[str, str, str, str]


class _Bucket:
    """A rate that is kept: tokens that come back with time."""

    __slots__ = ("at", "rate", "tokens")

    def __init__(self, rate: Rate, now: float) -> None:
        self.rate, self.tokens, self.at = rate, rate.burst, now

    def has_one(self, now: float) -> bool:
        if now > self.at:
            self.tokens = min(self.rate.burst, self.tokens + (now - self.at) * self.rate.per_s)
            self.at = now
        return self.tokens >= 1

    def is_full(self, now: float) -> bool:
        return self.has_one(now) and self.tokens >= self.rate.burst


@dataclass(slots=True)
class _Held:
    """The newest event of a kind that waits to be released, and how many it stands for."""

    event: SecurityEvent
    count: int = 0


class Sampler:
    """Events in, fewer events out that stand for all of them. For one thread."""

    def __init__(self, rates: Rates = RATES, *, now: float) -> None:
        self._rates = rates
        self._edge = _Bucket(rates.edge, now)
        self._zones: dict[str, _Bucket] = {}
        self._kinds: dict[_Kind, _Bucket] = {}
        self._held: dict[_Kind, _Held] = {}
        self._swept_at = now
        self._lost = 0

    @property
    def is_holding(self) -> bool:
        """Whether something waits for its turn."""
        return bool(self._held)

    def offer(self, event: SecurityEvent, now: float, *, has_room: bool = True) -> CountedEvent | None:
        """`event`, or what stands for it and those before it; None where it is held. `has_room` is False where nothing can be
        taken at all."""
        kind = (event.zone, event.source, event.action, event.rule_id)
        if kind not in self._kinds and not self._make_room(now):
            self._lost += 1
            return None
        held = self._held.pop(kind, None) or _Held(event)
        held.event, held.count = event, held.count + 1
        if has_room and self._may(kind, now):
            return CountedEvent(event, held.count)
        self._held[kind] = held
        return None

    def release(self, now: float, *, room: int) -> list[CountedEvent]:
        """What was held and may go now, at most `room` of them, those first of which nothing came for longest."""
        released: list[CountedEvent] = []
        for kind in list(self._held):
            # Nobody's turn: with thousands of kinds, asking each takes milliseconds.
            if len(released) >= room or not self._edge.has_one(now):
                break
            if self._may(kind, now):
                held = self._held.pop(kind)
                released.append(CountedEvent(held.event, held.count))
        return released

    def statistics(self) -> dict[str, int]:
        """`security_events_held` now, and `security_events_lost` since the start because there were too many kinds."""
        return {
            "security_events_held": sum(held.count for held in list(self._held.values())),
            "security_events_lost": self._lost,
        }

    def _may(self, kind: _Kind, now: float) -> bool:
        """Whether one more of a kind may go; then it is counted."""
        zone = kind[0]
        if zone not in self._zones:
            self._zones[zone] = _Bucket(self._rates.zone, now)
        if kind not in self._kinds:
            self._kinds[kind] = _Bucket(self._rates.kind, now)
        buckets = (self._kinds[kind], self._zones[zone], self._edge)
        if not all(one.has_one(now) for one in buckets):
            return False
        for one in buckets:
            one.tokens -= 1
        return True

    def _make_room(self, now: float) -> bool:
        """Whether one more kind can be told apart. Forgets those that have been quiet until their buckets were full again:
        they would not be treated differently."""
        if now - self._swept_at >= _SWEEP_S:
            self._swept_at = now
            for kind in [one for one, bucket in self._kinds.items() if bucket.is_full(now) and one not in self._held]:
                del self._kinds[kind]
            for zone in [one for one, bucket in self._zones.items() if bucket.is_full(now)]:
                del self._zones[zone]
        return len(self._kinds) < MAX_KINDS
