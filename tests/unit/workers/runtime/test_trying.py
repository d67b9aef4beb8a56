"""What can be asked of a Worker that is being edited: runs of `scheduled`, and nothing else of its requests."""

from __future__ import annotations

import asyncio
import time
from typing import Any, cast

import pytest

from holdfast.model.worker_messages import Scheduled
from holdfast.workers.runtime.http_server import Exchange
from holdfast.workers.runtime.scheduling import Outcome
from holdfast.workers.runtime.trying import MAX_TIME_MS, Trying


class Asked:
    """A request for `target`, and what it was answered."""

    def __init__(self, target: str) -> None:
        self.target = target
        self.answers: list[tuple[int, bytes]] = []

    async def answer(self, status: int, _fields: Any, body: bytes) -> None:
        self.answers.append((status, body))


def tried(target: str, outcome: Outcome = "ok") -> tuple[list[tuple[int, bytes]], list[Scheduled], list[str]]:
    """What a request is answered, what ran, and what was left to the Worker."""
    asked, ran, left = Asked(target), list[Scheduled](), list[str]()

    async def run(due: Scheduled) -> Outcome:
        ran.append(due)
        return outcome

    async def answer(exchange: Exchange) -> None:
        left.append(exchange.target)

    asyncio.run(Trying(answer, run).answer(cast(Exchange, asked)))
    return asked.answers, ran, left


@pytest.mark.parametrize(
    ("target", "outcome", "answer", "cron"),
    [
        ("/__scheduled?cron=*+*+*+*+*", "ok", (200, b"Ran scheduled event"), "* * * * *"),
        ("/__scheduled", "exception", (500, b"exception"), ""),
        ("/cdn-cgi/handler/scheduled?cron=0%20*%20*%20*%20*", "ok", (200, b"ok"), "0 * * * *"),
        ("/cdn-cgi/handler/scheduled", "exception", (500, b"exception"), ""),
    ],
)
def test_a_run_is_asked_for_and_answered_with_how_it_ended(
    target: str, outcome: Outcome, answer: tuple[int, bytes], cron: str
) -> None:
    before_ms = time.time_ns() // 1_000_000
    answers, (due,), left = tried(target, outcome)
    assert (answers, due.cron, left) == ([answer], cron, [])
    assert before_ms <= due.scheduled_ms <= time.time_ns() // 1_000_000


def test_the_time_of_a_run_may_be_said() -> None:
    _, ran, _ = tried(f"/cdn-cgi/handler/scheduled?cron=x&time={MAX_TIME_MS}")
    assert ran == [Scheduled(cron="x", scheduled_ms=MAX_TIME_MS)]


@pytest.mark.parametrize("time", ["soon", "-1", "1.5", "²", str(MAX_TIME_MS + 1), "9" * 5000])
def test_a_time_that_is_none_is_refused(time: str) -> None:
    ((status, said),), ran, _ = tried(f"/cdn-cgi/handler/scheduled?time={time}")
    assert (status, ran) == (400, [])
    assert said.startswith(b"time: expected milliseconds of Unix time, got ")


def test_a_cron_that_is_too_long_is_refused() -> None:
    ((status, said),), ran, _ = tried(f"/__scheduled?cron={'x' * 257}")
    assert (status, said, ran) == (400, b"cron: expected at most 256 characters, got 257\n", [])


@pytest.mark.parametrize("target", ["/", "/__scheduled/x", "/x?/__scheduled", "*", ""])
def test_every_other_request_is_the_workers(target: str) -> None:
    assert tried(target) == ([], [], [target])
