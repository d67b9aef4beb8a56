"""What a script's processes have counted, all together."""

import msgspec

from holdfast.model.worker_figures import MAX_CLASSES, MAX_FIGURES, OTHER_CLASS
from holdfast.model.worker_messages import MAX_BUSIEST, BusyObject, Counters
from holdfast.workers.host.ledger import Ledger, heard


def said(requests: int, *, live: int = 0, woken: int = 0) -> Counters:
    return Counters(counters={"requests": requests, "sessions": live}, classes={"Room": {"woken": woken, "live": live}})


def test_what_counts_goes_on_where_a_process_ended() -> None:
    ledger = Ledger()
    assert ledger.totals([(said(5), 100)]) == {"requests": 5, "cpu_ms": 100}
    ledger.ended(said(5), 100)
    assert ledger.totals([]) == {"requests": 5, "cpu_ms": 100}
    assert ledger.totals([(said(2), 10)]) == {"requests": 7, "cpu_ms": 110}


def test_processes_beside_each_other_are_added_and_sizes_are_of_the_one_that_serves() -> None:
    ledger = Ledger()
    ledger.ended(said(1, live=7, woken=3), 0)
    leaving, serving = said(1, live=4, woken=2), said(1, live=1, woken=1)
    assert ledger.classes([leaving, serving], serving) == {"Room": {"woken": 6, "live": 1}}


def test_where_none_serves_there_are_no_sizes() -> None:
    ledger = Ledger()
    ledger.ended(said(1, live=7, woken=3), 0)
    assert ledger.classes([], Counters()) == {"Room": {"woken": 3}}


def test_what_the_host_counts_itself_is_among_them() -> None:
    ledger = Ledger()
    ledger.count("restarts_cpu")
    ledger.count("restarts_cpu")
    assert ledger.totals([]) == {"restarts_cpu": 2}


def test_whatever_processes_say_what_is_kept_of_it_is_bounded() -> None:
    """User code can find the link of its process, and say anything by it."""
    ledger, sizes = Ledger(), list[int]()
    for process in range(1, 13):
        names = [f"{process}-{number}" for number in range(2_000)]
        told = heard(
            Counters(
                counters={"requests": 1, "x" * 1_000_000: 1, **dict.fromkeys(names, 1)},
                objects=dict.fromkeys(names, 1),
                classes={"x" * 1_000_000: {"woken": 1}, **{name: dict.fromkeys(names[:200], 1) for name in names}},
                busiest=tuple(BusyObject(class_name="Room", id="x" * length) for length in (5, 1_000_000) * 100),
            )
        )
        assert len(msgspec.json.encode(told)) < 200_000
        ledger.ended(told, 10)
        sizes.append(len(msgspec.json.encode([ledger.totals([]), ledger.classes([], Counters())])))
    assert sizes[-1] < 2 * sizes[4]
    assert (ledger.totals([])["requests"], ledger.totals([])["cpu_ms"]) == (12, 120)


def test_what_ours_say_is_heard_as_it_is() -> None:
    busiest = tuple(BusyObject(class_name="Room", id="a" * 64, name="n" * 2_000) for _ in range(MAX_BUSIEST))
    classes = {f"Room{number}": {"woken": 1} for number in range(MAX_CLASSES)}
    told = Counters(
        counters={f"name_{number}": number for number in range(MAX_FIGURES)},
        objects={"waits": 2},
        classes=classes,
        busiest=busiest,
    )
    assert heard(told) == told
    more = {**classes, "Room999": {"woken": 5}}
    assert heard(Counters(classes=more)).classes == {**classes, OTHER_CLASS: {"woken": 5}}
