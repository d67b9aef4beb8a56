"""What can be asked of a Worker that is being edited, besides what it answers itself: a run of its handler `scheduled`.

Law 1: there is none of this where a Worker is deployed: whoever reaches it could have it run.
Law 2: the answer comes when the run has ended, and says how; what it raised is in the log.

Source: `wrangler dev --test-scheduled`: its middleware for `/__scheduled`, miniflare's for `/cdn-cgi/handler/scheduled`.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs

from holdfast.model.worker_messages import Scheduled
from holdfast.workers.runtime.http_server import Exchange
from holdfast.workers.runtime.scheduling import Outcome

PATH, OLD_PATH = "/cdn-cgi/handler/scheduled", "/__scheduled"
# Of `time`: beyond it is no moment of JavaScript's. Source: ECMA-262, "Time Values and Time Range".
MAX_TIME_MS = 8_640_000_000_000_000
# Of `cron`, which need not be one of the project's. Precedent: `model.cron.MAX_CHARS` of one that is.
MAX_CRON_CHARS = 256
_TEXT = [(b"content-type", b"text/plain;charset=UTF-8")]


class Trying:
    """Answers requests for a run with `run`, and all others as `answer` does."""

    def __init__(
        self, answer: Callable[[Exchange], Awaitable[None]], run: Callable[[Scheduled], Awaitable[Outcome]]
    ) -> None:
        self._answer, self._run = answer, run

    async def answer(self, exchange: Exchange) -> None:
        """Answer a request. Raises what `answer` raises, and Gone."""
        path, _, query = exchange.target.partition("?")
        if path not in {PATH, OLD_PATH}:
            await self._answer(exchange)
            return
        try:
            due = _due(query)
        except ValueError as error:
            await exchange.answer(400, _TEXT, f"{error}\n".encode())
            return
        outcome = await self._run(due)
        is_ok = outcome == "ok"
        said = "Ran scheduled event" if path == OLD_PATH and is_ok else outcome
        await exchange.answer(200 if is_ok else 500, _TEXT, said.encode())


def _due(query: str) -> Scheduled:
    """What is to run: `cron`, "" where it is not said, at `time`, now where it is not. Raises ValueError, a sentence."""
    given = parse_qs(query, keep_blank_values=True)
    cron, at = given.get("cron", [""])[0], given.get("time", [""])[0]
    if len(cron) > MAX_CRON_CHARS:
        raise ValueError(f"cron: expected at most {MAX_CRON_CHARS} characters, got {len(cron)}")
    if not at:
        return Scheduled(cron=cron, scheduled_ms=time.time_ns() // 1_000_000)
    if not (at.isascii() and at.isdigit() and len(at) <= len(str(MAX_TIME_MS)) and int(at) <= MAX_TIME_MS):
        raise ValueError(f"time: expected milliseconds of Unix time, got {at[:40]!r}")
    return Scheduled(cron=cron, scheduled_ms=int(at))
