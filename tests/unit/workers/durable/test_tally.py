"""What is counted of the objects of a class."""

from holdfast.model.worker_figures import times_of
from holdfast.workers.durable.tally import EACH_UNTIL, SAMPLE, Tally


def handled(tally: Tally, count: int, *, seconds: float = 0.002) -> int:
    """Let so many events happen; how many of them were timed."""
    timed = 0
    for _ in range(count):
        event = object()
        tally.begun += 1
        if not tally.begun % tally.every:
            timed += 1
            tally.began(event, 10.0)
        tally.events["websocket"] += 1
        tally.ended(event, 10.0 + seconds)
    return timed


def test_few_events_are_all_timed() -> None:
    tally = Tally()
    assert handled(tally, 100) == 100
    figures = tally.figures()
    assert figures["events_websocket"] == 100
    _, count, sum_s = times_of(figures, "handler") or ([], 0, 0.0)
    assert (count, round(sum_s, 3)) == (100, 0.2)


def test_of_many_events_one_stands_for_others() -> None:
    tally = Tally()
    many = EACH_UNTIL + 100 * SAMPLE
    assert handled(tally, many) == EACH_UNTIL + 100
    _, count, _ = times_of(tally.figures(), "handler") or ([], 0, 0.0)
    assert count == many


def test_each_is_timed_again_once_the_figures_were_looked_at() -> None:
    tally = Tally()
    handled(tally, EACH_UNTIL + SAMPLE)
    tally.figures()
    assert handled(tally, 10) == 10


def test_events_of_an_instance_that_is_gone_are_forgotten() -> None:
    tally, event = Tally(), object()
    tally.began(event, 1.0)
    tally.forget([event, object()])
    tally.ended(event, 9.0)
    assert tally.figures() == {}
