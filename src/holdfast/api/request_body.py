"""The body of a request, read whole before its handler runs.

Law 1: a body has a bound in bytes and in time.
Law 2: all bodies that are held at once have a bound together; what is held is given back when the request has been answered.
Law 3: a small body is never refused for what others hold: the number of connections bounds those.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.types import Receive, Scope

from holdfast.api.faults import ApiFault, Complaint, fault
from holdfast.model.worker_script import MAX_FILES_BYTES

# The largest honest body is a certificate chain or a batch of a few thousand records.
MAX_BODY_BYTES = 4 * 1024 * 1024
# The largest upload of a Worker: its modules, and what the form takes beside them.
MAX_UPLOAD_BYTES = MAX_FILES_BYTES + 1024 * 1024
# How long a body may take to arrive.
BODY_LIMIT_S = 30.0
# All bodies that are held at once, but for the beginning of each. Beyond it 503, with Retry-After.
MAX_HELD_BYTES = 64 * 1024 * 1024
# The beginning that is not counted; uvicorn itself holds as much for each connection before it stops reading.
UNCOUNTED_BYTES = 64 * 1024
TOO_LARGE = 10413
TOO_SLOW = 10408
TOO_MUCH_HELD = 10503
# When a client may ask again: bodies are gone after milliseconds, mostly.
_RETRY_AFTER_S = 1


class BodyBudget:
    """How many bytes of bodies are held, of all requests in flight."""

    def __init__(self, limit_bytes: int = MAX_HELD_BYTES) -> None:
        self._limit = limit_bytes
        self._held = 0

    def statistics(self) -> dict[str, int]:
        """How many bytes are held that count."""
        return {"held_bytes": self._held}

    @contextmanager
    def share(self, limit_bytes: int = MAX_BODY_BYTES) -> Iterator[Share]:
        """What one request holds, until the block is left; at most `limit_bytes`."""
        share = Share(self, limit_bytes)
        try:
            yield share
        finally:
            self._held -= share.counted

    def take(self, count: int) -> None:
        """Count `count` more bytes as held. Raises ApiFault."""
        if self._held + count > self._limit:
            complaint = Complaint(TOO_MUCH_HELD, "Too many request bodies at once. Please ask again")
            raise ApiFault(503, (complaint,), {"Retry-After": str(_RETRY_AFTER_S)})
        self._held += count


class Share:
    """One request's part of a budget. `counted` are the bytes of it that count, `limit_bytes` the most there may be."""

    def __init__(self, budget: BodyBudget, limit_bytes: int = MAX_BODY_BYTES) -> None:
        self._budget = budget
        self.limit_bytes = limit_bytes
        self._received = 0
        self.counted = 0

    def grow(self, count: int) -> None:
        """Note that `count` more bytes have come. Raises ApiFault when they are too many, for a body or for all."""
        self._received += count
        if self._received > self.limit_bytes:
            raise _too_large(self.limit_bytes)
        more = max(self._received - UNCOUNTED_BYTES, 0) - self.counted
        if more:
            self._budget.take(more)
            self.counted += more


async def read_body(scope: Scope, receive: Receive, share: Share) -> bytes | None:
    """The whole body, None if the client went away. Raises ApiFault."""
    announced = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    if announced.isdigit() and int(announced[:20]) > share.limit_bytes:
        raise _too_large(share.limit_bytes)
    try:
        async with asyncio.timeout(BODY_LIMIT_S):
            return await _all(receive, share)
    except TimeoutError:
        raise fault(408, TOO_SLOW, f"The request body did not arrive within {BODY_LIMIT_S:.0f} s") from None


async def _all(receive: Receive, share: Share) -> bytes | None:
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message.get("body", b""))
        share.grow(len(parts[-1]))
        if not message.get("more_body", False):
            return b"".join(parts)


def _too_large(limit_bytes: int) -> ApiFault:
    return fault(413, TOO_LARGE, f"The request body is longer than {limit_bytes} bytes")
