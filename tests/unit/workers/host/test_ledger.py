"""What a script's processes have counted, all together."""

from holdfast.model.worker_messages import Counters
from holdfast.workers.host.ledger import Ledger


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
