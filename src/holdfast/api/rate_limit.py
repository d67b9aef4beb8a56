"""The global rate limit: how often one user, over all of their tokens, and one address may ask the API.

Law 1: whoever breaks a limit gets 429 for every call until the block ends, and is told when.
Law 2: memory is bounded: who has been quiet is forgotten, the longest first.

Source: Cloudflare, "Rate limits": 1,200 requests in 5 minutes a user, then blocked for 5 minutes; 200 a second an address.
"""

from __future__ import annotations

import email.utils
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from fastapi import Request

from holdfast.api.context import Limits
from holdfast.api.faults import ApiFault, Complaint
from holdfast.model.moment import Moment

WINDOW_US = 300 * 1_000_000
SECOND_US = 1_000_000
# Users and addresses remembered at most; each takes about 200 bytes.
MAX_REMEMBERED = 20_000
TOO_MANY = 10429


@dataclass(slots=True)
class _Window:
    """One window of one asker: since when, how many, and until when they are blocked."""

    since: Moment
    count: int = 0
    blocked_until: Moment = 0


class RateLimit:
    """Counts, and refuses. `clock` is the time in microseconds."""

    def __init__(self, limits: Limits, clock: Callable[[], Moment]) -> None:
        self._limits = limits
        self._clock = clock
        self._windows: OrderedDict[str, _Window] = OrderedDict()

    async def count(self, request: Request, user: str) -> None:
        """Count one request of `user`. Raises ApiFault when it is one too many."""
        now = self._clock()
        limit = self._limits.requests_per_5_minutes
        if not limit:
            return
        window = self._count(f"user/{user}", now, length=WINDOW_US)
        if window.blocked_until <= now and window.count > limit:
            window.blocked_until = now + WINDOW_US
        reset = max(window.since + WINDOW_US, window.blocked_until)
        headers = {
            "x-ratelimit-limit": str(limit),
            "x-ratelimit-remaining": str(max(limit - window.count, 0)),
            "x-ratelimit-reset": email.utils.formatdate(reset / SECOND_US, usegmt=True),
        }
        request.scope["holdfast.headers"] = [(name.encode(), value.encode()) for name, value in headers.items()]
        if window.blocked_until > now:
            raise _too_many(window.blocked_until - now)

    def count_address(self, address: str) -> None:
        """Count one request from `address`, authenticated or not. Raises ApiFault when it is one too many."""
        limit = self._limits.requests_per_second_and_address
        if not limit:
            return
        now = self._clock()
        window = self._count(f"address/{address}", now, length=SECOND_US)
        if window.count > limit:
            window.blocked_until = max(window.blocked_until, now + SECOND_US)
            raise _too_many(window.blocked_until - now)

    def _count(self, key: str, now: Moment, *, length: Moment) -> _Window:
        window = self._windows.get(key)
        if window is None or (now >= window.since + length and window.blocked_until <= now):
            window = self._windows[key] = _Window(now)
        window.count += 1
        self._windows.move_to_end(key)
        while len(self._windows) > MAX_REMEMBERED:
            self._windows.popitem(last=False)
        return window


def _too_many(wait: Moment) -> ApiFault:
    seconds = -(-wait // SECOND_US)
    complaint = Complaint(TOO_MANY, f"Rate limited. Please wait {seconds} s before you ask again")
    return ApiFault(429, (complaint,), {"Retry-After": str(seconds)})
