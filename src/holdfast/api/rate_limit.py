"""The global rate limit: how often one user, over all of their tokens, and one address may ask the API.

Law 1: whoever breaks a limit gets 429 for every call until the block ends, and is told when.
Law 2: memory is bounded: who has been quiet is forgotten, the longest first; users apart from addresses.
Law 3: times are those of the wall clock. Where that was set back, who asks begins anew: a window must not last for as long as it was wrong.

Source: Cloudflare, "Rate limits": 1,200 requests in 5 minutes a user, then blocked for 5 minutes; 200 a second an address.
An address is let in again with the next second: behind one address there may be many.
"""

from __future__ import annotations

import email.utils
import ipaddress
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import HTTPConnection

from holdfast.api.context import Limits
from holdfast.api.faults import ApiFault, Complaint
from holdfast.model.moment import Moment

WINDOW_US = 300 * 1_000_000
SECOND_US = 1_000_000
# Users and addresses remembered at most; each takes about 200 bytes.
MAX_REMEMBERED = 20_000
TOO_MANY = 10429
# What a request that has been counted says of itself.
_COUNTED = "holdfast.counted"


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
        # Apart, so that no flood of addresses makes a user forgotten.
        self._users: OrderedDict[str, _Window] = OrderedDict()
        self._addresses: OrderedDict[str, _Window] = OrderedDict()

    def statistics(self) -> dict[str, int]:
        """How many users and addresses are remembered."""
        return {"users": len(self._users), "addresses": len(self._addresses)}

    def count(self, request: HTTPConnection, user: str) -> None:
        """Count one request of `user`, once however often it is told of, and add the headers that say how many are left.
        Raises ApiFault when it is one too many."""
        limit = self._limits.requests_per_5_minutes
        if not limit or _COUNTED in request.scope:
            return
        request.scope[_COUNTED] = True
        now = self._clock()
        window = _counted(self._users, user, now, length=WINDOW_US)
        if window.blocked_until <= now and window.count > limit:
            window.blocked_until = now + WINDOW_US
        reset = max(window.since + WINDOW_US, window.blocked_until)
        headers = {
            "x-ratelimit-limit": str(limit),
            "x-ratelimit-remaining": str(max(limit - window.count, 0)),
            "x-ratelimit-reset": email.utils.formatdate(-(-reset // SECOND_US), usegmt=True),
        }
        request.scope["holdfast.headers"] = [(name.encode(), value.encode()) for name, value in headers.items()]
        if window.blocked_until > now:
            raise _too_many(window.blocked_until - now)

    def count_address(self, address: str) -> None:
        """Count one request from `address`, authenticated or not. Raises ApiFault when it is one too many. "" is no address
        and has no limit: only this machine connects without one."""
        limit = self._limits.requests_per_second_and_address
        if not limit or not address:
            return
        now = self._clock()
        window = _counted(self._addresses, asker_of(address), now, length=SECOND_US)
        if window.count > limit:
            window.blocked_until = max(window.blocked_until, window.since + SECOND_US)
            raise _too_many(window.blocked_until - now)


def _counted(windows: OrderedDict[str, _Window], key: str, now: Moment, *, length: Moment) -> _Window:
    window = windows.get(key)
    if (
        window is None
        or (now >= window.since + length and window.blocked_until <= now)
        # Law 3
        or now < window.since
    ):
        window = windows[key] = _Window(now)
    window.count += 1
    windows.move_to_end(key)
    while len(windows) > MAX_REMEMBERED:
        windows.popitem(last=False)
    return window


def asker_of(address: str) -> str:
    """Whom an address counts as: one of IPv6 counts as its /64, which one asker has all of."""
    if ":" not in address:
        return address
    try:
        ip = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    return str(ip.ipv4_mapped or ipaddress.IPv6Network((int(ip) >> 64 << 64, 64)).network_address)


def _too_many(wait: Moment) -> ApiFault:
    seconds = -(-wait // SECOND_US)
    complaint = Complaint(TOO_MANY, f"Rate limited. Please wait {seconds} s before you ask again")
    return ApiFault(429, (complaint,), {"Retry-After": str(seconds)})
