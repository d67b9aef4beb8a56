"""The last requests of each zone and what was decided, to try rules on. In memory only.

Law 1: `add` is for the policy thread: it notes, and costs a fraction of a microsecond. `settle` does the rest, on another thread.
Law 2: what is kept is bounded: PER_ZONE requests of a zone, MAX_BYTES of all. Beyond it, the zones of which nothing was heard
for longest go first.
Law 3: a request is kept as the bytes it is sent to control as: nothing here looks into it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence

import msgspec

from holdfast.edge.decision import Decision, Respond
from holdfast.model.event_messages import RecentRequests, RecordedRequest
from holdfast.model.request import Request
from holdfast.model.security_event import SecurityEvent

# Requests kept of a zone. Precedent: none; a page of them is what somebody looks at.
PER_ZONE = 50
# Of all zones. A browser's request takes a kilobyte, the longest 40 (its head has 32 at most).
MAX_BYTES = 32 * 1024 * 1024
# Requests that are noted and not settled yet; of more, the newest are kept. 10,000 a second fit.
MAX_NOTED = 1024
# Events kept with a request.
_MAX_EVENTS = 32

_ENCODER = msgspec.msgpack.Encoder()
_Noted = tuple[float, Request, Decision, Sequence[SecurityEvent]]


class _ZoneRequests:
    """Those of one zone, encoded, the newest last."""

    __slots__ = ("bytes", "requests")

    def __init__(self) -> None:
        self.requests: deque[bytes] = deque()
        self.bytes = 0


class Recent:
    """The last requests. `add` is for the policy thread, the rest for any."""

    def __init__(
        self, *, per_zone: int = PER_ZONE, max_bytes: int = MAX_BYTES, on_many: Callable[[], None] = lambda: None
    ) -> None:
        self._per_zone, self._max_bytes, self._on_many = per_zone, max_bytes, on_many
        self._noted: deque[_Noted] = deque(maxlen=MAX_NOTED)
        # Guards what follows.
        self._lock = threading.Lock()
        self._zones: OrderedDict[str, _ZoneRequests] = OrderedDict()
        self._bytes = 0

    def add(self, now: float, request: Request, decision: Decision, events: Sequence[SecurityEvent]) -> None:
        """Note a request of the zone that `decision` counts for. `now` is Unix time in seconds."""
        noted = self._noted
        noted.append((now, request, decision, events))
        if len(noted) == MAX_NOTED // 2:
            self._on_many()

    def settle(self) -> None:
        """Sort what was noted into zones."""
        with self._lock:
            self._settle()

    def of_zone(self, request_id: int, zone_id: str, count: int) -> RecentRequests:
        """The answer to control's question: the last requests of a zone, the newest first."""
        self.settle()
        with self._lock:
            zone = self._zones.get(zone_id)
            encoded = list(zone.requests) if zone is not None else []
        newest_first = encoded[::-1][: max(0, count)]
        return RecentRequests(
            request_id=request_id,
            requests=tuple(msgspec.msgpack.decode(one, type=RecordedRequest) for one in newest_first),
        )

    def statistics(self) -> dict[str, int]:
        """`requests_kept_zones` and `requests_kept_bytes`, now."""
        return {"requests_kept_zones": len(self._zones), "requests_kept_bytes": self._bytes}

    def _settle(self) -> None:
        # The policy thread only adds meanwhile: there are as many at least.
        newest = [self._noted.popleft() for _ in range(len(self._noted))][::-1]
        wanted: dict[str, list[_Noted]] = {}
        for one in newest:
            zone = one[2].zone
            mine = wanted.setdefault(zone, [])
            if zone and len(mine) < self._per_zone:
                mine.append(one)
        for zone, several in wanted.items():
            self._keep(zone, [_ENCODER.encode(_recorded(*one)) for one in reversed(several)])

    def _keep(self, zone_id: str, encoded: Sequence[bytes]) -> None:
        if not encoded:
            return
        zone = self._zones.setdefault(zone_id, _ZoneRequests())
        self._zones.move_to_end(zone_id)
        for one in encoded:
            zone.requests.append(one)
            self._grow(zone, len(one))
        while len(zone.requests) > self._per_zone:
            self._grow(zone, -len(zone.requests.popleft()))
        while self._bytes > self._max_bytes and self._zones:
            _, oldest = self._zones.popitem(last=False)
            self._bytes -= oldest.bytes

    def _grow(self, zone: _ZoneRequests, size: int) -> None:
        zone.bytes += size
        self._bytes += size


def _recorded(now: float, request: Request, decision: Decision, events: Sequence[SecurityEvent]) -> RecordedRequest:
    is_answer = isinstance(decision, Respond)
    return RecordedRequest(
        occurred_at=now,
        request=request,
        decision="respond" if is_answer else "forward",
        status=decision.status if isinstance(decision, Respond) else 0,
        events=tuple(events[:_MAX_EVENTS]),
    )
