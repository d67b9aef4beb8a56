"""Sessions without a link come back, or end as a disconnect."""

import asyncio
from typing import Any

import pytest

from holdfast.workers.channel import away as absence
from holdfast.workers.channel.away import Away, Mark
from holdfast.workers.channel.records import GONE
from holdfast.workers.channel.session import Session

KEY = ("0badcafe", 0)


class Hearer:
    """The WebSocket of a session."""

    def __init__(self) -> None:
        self.end: list[tuple[Any, ...]] = []
        self.has_ended = asyncio.Event()

    def ended(self, code: int, reason: str, *, was_clean: bool, seq: int) -> None:
        self.end.append((code, reason, was_clean, seq))
        self.has_ended.set()


class FakeLink:
    """A link of which the kernel has so much."""

    def __init__(self, gone: int) -> None:
        self.gone = gone

    def has_passed(self, mark: int) -> bool:
        return self.gone >= mark


def _session(sid: int, *, is_hibernatable: bool) -> tuple[Session, Hearer]:
    session, hearer = Session(sid, None), Hearer()
    session.is_hibernatable = is_hibernatable
    session.socket = hearer  # type: ignore[assignment]  # as far as it is told of its end
    return session, hearer


async def test_those_that_can_wait_do_and_others_end_with_their_link() -> None:
    away = Away()
    waits, _ = _session(1, is_hibernatable=True)
    ends, hearer = _session(2, is_hibernatable=False)
    away.add(KEY, [waits, ends])
    assert (len(away), bool(away), hearer.end) == (1, True, [(1006, GONE, False, 0)])
    assert (away.take(KEY, 2), away.take(("other", 0), 1), away.take(KEY, 1)) == (None, None, waits)
    away.stop()


async def test_a_link_without_sessions_leaves_nobody_away() -> None:
    away = Away()
    away.add(KEY, [])
    assert not away


async def test_who_has_not_come_back_in_time_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(absence, "RESUME_S", 0.001)
    away = Away()
    session, hearer = _session(1, is_hibernatable=True)
    away.add(KEY, [session])
    await asyncio.wait_for(hearer.has_ended.wait(), 30)
    assert (session.is_over, len(away), bool(away)) == (True, 0, False)
    assert hearer.end == [(1006, GONE, False, 0)]


async def test_an_edge_that_came_back_without_it_ends_it_at_once() -> None:
    away = Away()
    session, hearer = _session(1, is_hibernatable=True)
    away.add(KEY, [session])
    away.give_up(KEY)
    assert (session.is_over, hearer.end) == (True, [(1006, GONE, False, 0)])


def _mark(away: Away, *marks: tuple[Any, int]) -> Mark:
    return Mark(lambda: list(marks), away)


async def test_nothing_has_passed_while_somebody_is_away() -> None:
    away = Away()
    link: Any = FakeLink(5)
    assert _mark(away, (link, 5)).is_passed()
    assert not _mark(away, (link, 5), (link, 6)).is_passed()
    session, _ = _session(1, is_hibernatable=True)
    away.add(KEY, [session])
    assert not _mark(away, (link, 5)).is_passed()
    away.give_up(KEY)
    assert _mark(away, (link, 5)).is_passed()


@pytest.mark.parametrize("is_away_before", [False, True])
async def test_what_was_held_for_who_is_back_has_passed_when_their_link_has_passed_it_on(is_away_before: bool) -> None:
    away, link, session = Away(), FakeLink(5), _session(1, is_hibernatable=True)[0]
    sent = 5

    def marks() -> list[tuple[Any, int]]:
        return [(link, sent)]

    if is_away_before:
        away.add(KEY, [session])
    mark = Mark(marks, away)
    if not is_away_before:
        away.add(KEY, [session])
    assert away.take(KEY, 1) is session
    away.give_up(KEY)
    # What was held is behind what the kernel has.
    sent = 9
    assert not mark.is_passed()
    # What comes later is not waited for.
    sent = 20
    assert not mark.is_passed()
    link.gone = 9
    assert mark.is_passed()
