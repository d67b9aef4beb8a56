"""The queue between the policy thread and the one that passes events on: bounded, and it counts everything."""

import threading

from hypothesis import given
from hypothesis import strategies as st

from holdfast.edge.event_queue import MAX_OF_ONE, MAX_WAITING, EventQueue
from tests.unit.edge.events import ZONE, an_event

LIMIT_S = 30.0


def test_what_is_put_is_taken_in_order() -> None:
    queue = EventQueue()
    events = [an_event(number) for number in range(4)]
    queue.put(events[:1])
    queue.put(events[1:3])
    queue.put([])
    queue.put(events[3:])
    assert queue.wait(LIMIT_S) == events
    assert queue.drain() == []
    assert queue.wait(0.001) == []


def test_who_waits_gets_what_comes_at_once() -> None:
    queue, found = EventQueue(), list[object]()
    waiting = threading.Thread(target=lambda: found.extend(queue.wait(LIMIT_S)))
    waiting.start()
    queue.put([an_event()])
    waiting.join(LIMIT_S)
    assert found == [an_event()]


def test_a_nudge_ends_a_wait_without_an_event() -> None:
    queue = EventQueue()
    queue.nudge()
    assert queue.wait(LIMIT_S) == []


@given(st.lists(st.integers(0, 3 * MAX_OF_ONE), max_size=200))
def test_what_waits_is_bounded_and_everything_is_counted(sizes: list[int]) -> None:
    queue, event = EventQueue(), an_event()
    for size in sizes:
        queue.put([event] * size)
    figures, total = queue.statistics(), sum(sizes)
    assert figures["security_events_queued"] <= MAX_WAITING
    assert figures["security_events_queued"] + figures["security_events_left_out"] == total
    assert sum(queue.counts().values()) == total
    assert len(queue.drain()) == figures["security_events_queued"]
    assert queue.statistics()["security_events_queued"] == 0


def test_of_one_request_the_first_and_the_last_events_are_kept() -> None:
    queue = EventQueue()
    events = [an_event(number) for number in range(MAX_OF_ONE + 5)]
    queue.put(events)
    assert queue.drain() == [*events[: MAX_OF_ONE - 1], events[-1]]


def test_a_full_queue_takes_again_what_comes_after_it_was_drained() -> None:
    queue = EventQueue()
    for _ in range(MAX_WAITING + 1):
        queue.put([an_event()])
    assert len(queue.drain()) == MAX_WAITING
    queue.put([an_event(7)])
    assert queue.drain() == [an_event(7)]


def test_counts_are_by_zone_source_and_action_and_forget_zones_that_are_gone() -> None:
    queue = EventQueue()
    queue.put([an_event(), an_event(action="log"), an_event(zone="gone"), an_event()])
    everything = {
        (ZONE, "firewallCustom", "block"): 2,
        (ZONE, "firewallCustom", "log"): 1,
        ("gone", "firewallCustom", "block"): 1,
    }
    assert queue.counts(keep={ZONE}) == everything
    del everything["gone", "firewallCustom", "block"]
    assert queue.counts() == everything
