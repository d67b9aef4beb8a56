"""Sampling: the count is never wrong, and what is released is never more than the rates allow."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.edge import event_sampling
from holdfast.edge.event_sampling import RATES, Rate, Rates, Sampler
from holdfast.model.event_messages import CountedEvent
from holdfast.model.security_event import SecurityEvent
from tests.unit.edge.events import an_event

NARROW = Rates(kind=Rate(3, 1), zone=Rate(5, 2), edge=Rate(8, 4))
# (seconds since the one before, zone, rule)
_ARRIVALS = st.lists(
    st.tuples(st.sampled_from([0.0, 0.0, 0.1, 3.0]), st.sampled_from("ab"), st.sampled_from("rst")), max_size=120
)


def _kind(event: SecurityEvent) -> tuple[str, str]:
    return event.zone, event.rule_id


@given(_ARRIVALS, st.integers(0, 4))
def test_what_is_released_stands_for_all_of_its_own_kind_and_keeps_to_the_rates(
    arrivals: list[tuple[float, str, str]], room: int
) -> None:
    sampler, now = Sampler(NARROW, now=0.0), 0.0
    offered: Counter[tuple[str, str]] = Counter()
    released: list[CountedEvent] = []
    for pause, zone, rule in arrivals:
        now += pause
        released += sampler.release(now, room=room)
        offered[zone, rule] += 1
        if (one := sampler.offer(an_event(zone=zone, rule_id=rule), now)) is not None:
            released.append(one)
    assert len(released) <= NARROW.edge.burst + NARROW.edge.per_s * now
    by_zone = Counter(one.event.zone for one in released)
    by_kind = Counter(_kind(one.event) for one in released)
    assert all(count <= NARROW.zone.burst + NARROW.zone.per_s * now for count in by_zone.values())
    assert all(count <= NARROW.kind.burst + NARROW.kind.per_s * now for count in by_kind.values())
    for _ in range(20):
        now += 10
        released += sampler.release(now, room=100)
    assert not sampler.is_holding
    counted: Counter[tuple[str, str]] = Counter()
    for one in released:
        counted[_kind(one.event)] += one.count
    assert counted == offered


def test_a_few_events_are_all_kept_as_they_are() -> None:
    sampler = Sampler(now=0.0)
    events = [an_event(number) for number in range(int(RATES.kind.burst))]
    assert [sampler.offer(event, 0.0) for event in events] == [CountedEvent(event, 1) for event in events]


def test_the_newest_of_a_flood_stands_for_those_before_it() -> None:
    sampler = Sampler(NARROW, now=0.0)
    for number in range(3):
        sampler.offer(an_event(number), 0.0)
    for number in range(3, 50):
        assert sampler.offer(an_event(number), 0.5) is None
    assert sampler.statistics()["security_events_held"] == 47
    assert sampler.release(0.9, room=9) == []
    assert sampler.release(1.0, room=9) == [CountedEvent(an_event(49), 47)]
    assert not sampler.is_holding


def test_a_flood_of_one_rule_hides_nothing_of_another() -> None:
    sampler = Sampler(now=0.0)
    for number in range(100_000):
        sampler.offer(an_event(number, rule_id="loud"), number / 1000)
    rare = an_event(rule_id="rare")
    assert sampler.offer(rare, 100.0) == CountedEvent(rare, 1)


def test_where_nothing_can_be_taken_everything_is_held() -> None:
    sampler = Sampler(now=0.0)
    for number in range(10):
        assert sampler.offer(an_event(number), 0.0, has_room=False) is None
    assert sampler.release(1.0, room=0) == []
    assert sampler.release(1.0, room=1) == [CountedEvent(an_event(9), 10)]


def test_kinds_that_are_quiet_are_forgotten_and_of_too_many_the_newest_are_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(event_sampling, "MAX_KINDS", 3)
    sampler = Sampler(now=0.0)
    for rule in "abc":
        assert sampler.offer(an_event(rule_id=rule), 0.0)
    assert sampler.offer(an_event(rule_id="d"), 0.0) is None
    assert sampler.statistics() == {"security_events_held": 0, "security_events_lost": 1}
    assert sampler.offer(an_event(rule_id="a"), 0.0) is not None
    assert sampler.offer(an_event(rule_id="d"), 3600.0) is not None


def test_a_clock_that_stands_still_gives_nothing_back() -> None:
    sampler = Sampler(NARROW, now=5.0)
    kept = [sampler.offer(an_event(number), 5.0) for number in range(9)]
    assert sum(one is not None for one in kept) == 3
    assert sampler.release(4.0, room=9) == []
