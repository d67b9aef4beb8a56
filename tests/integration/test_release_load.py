"""Releases while connections talk and new ones arrive: none is lost, no message is lost or moved, nobody is refused; and what is left
at the deadline is closed with 1012, evenly.

Law: every message of every connection is numbered in both directions and checked at both ends (`numbered.py`).
"""

import signal
import statistics
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.command import run_to_end
from tests.integration.edge import Edge
from tests.integration.numbered_run import Clients, Origin, Verdict, verdict
from tests.integration.run import Run
from tests.integration.zones_of_run import UNLIMITED, Zones, origin_ip

COUNT = 200
RATE, ARRIVALS = 600, 40
RELEASES = 3
# How long a release may take on a busy machine: up to four interpreters start, one after the other.
RELEASE_LIMIT_S = 120.0
DEADLINE_S, SPREAD_S = 1, 4
# Without the first, the command listens on its own port, plainly.
LISTENERS = ("--listen", "127.0.0.1:0", "--tls-listen", "127.0.0.1:0")


@dataclass(slots=True)
class Place:
    """An edge under a supervisor, whichever command it is of, and who talks through it."""

    command: Edge | Run
    data: Path
    clients: Clients
    origin: Origin

    def release(self) -> None:
        """Replace it, and wait until it is."""
        ended = run_to_end(["release", "--data", self.data], limit_s=RELEASE_LIMIT_S)
        assert ended.returncode == 0, ended

    def verdict(self) -> Verdict:
        return verdict(self.clients, self.origin)


PlaceOf = Callable[..., AbstractContextManager[Place]]


@contextmanager
def of_up(data: Path, *arguments: str) -> Iterator[Place]:
    """`holdfast up`."""
    with (
        Origin() as origin,
        Edge(origin.url, data, "--listen", "127.0.0.1:0", "--threads", "2", *arguments) as edge,
        Clients(edge.plain) as clients,
    ):
        yield Place(edge, data, clients, origin)


@contextmanager
def of_up_with_tls(data: Path, *arguments: str) -> Iterator[Place]:
    """The same, where clients speak TLS."""
    with (
        Origin() as origin,
        Edge(origin.url, data, *LISTENERS, "--threads", "2", *arguments) as edge,
        Clients(edge.tls, tls=True) as clients,
    ):
        yield Place(edge, data, clients, origin)


@contextmanager
def of_run(data: Path, *arguments: str) -> Iterator[Place]:
    """`holdfast run`, with a zone."""
    with (
        Run(data, *arguments, environment=UNLIMITED) as run,
        Zones(run) as zones,
        Origin(origin_ip(), run.plain[1]) as origin,
    ):
        _, host = zones.add(origin.host, {"websocket_keepalive_interval": 1})
        with Clients(run.plain, host=host) as clients:
            yield Place(run, data, clients, origin)


PLACES = pytest.mark.parametrize("place_of", [of_up, of_up_with_tls, of_run], ids=["up", "up-tls", "run"])


@pytest.mark.timeout(480)
@PLACES
def test_releases_in_a_row_under_load_cost_no_connection_no_message_and_no_connect(
    place_of: PlaceOf, tmp_path: Path
) -> None:
    with place_of(tmp_path / "data") as place:
        place.clients.open(COUNT)
        place.clients.ask("load", RATE, ARRIVALS)
        for _ in range(RELEASES):
            place.release()
        assert place.clients.ask("settle") == {"unanswered": 0}
        said = place.verdict()
        assert said.faults == []
        assert said.lost_at_the_end() == {}
        assert said.refused == {}
        # Those that were open before the first release are, on the first edge; new ones stay on each since.
        assert [one for number, one in said.clients.items() if number < COUNT and one.ended] == []
        assert {one.code for one in said.clients.values() if one.ended} <= {1000}
        assert said.connects["open"] > COUNT + RELEASES
        assert all(one.pings == one.pongs for one in said.clients.values())


@pytest.mark.timeout(480)
@PLACES
@pytest.mark.parametrize("how", ["release", "drain"])
def test_at_the_deadline_everybody_gets_1012_with_a_reason_evenly_over_the_window(
    how: str, place_of: PlaceOf, tmp_path: Path
) -> None:
    terms = ("--release-deadline", str(DEADLINE_S), "--release-spread", str(SPREAD_S))
    with place_of(tmp_path / "data", *terms) as place:
        place.clients.open(COUNT)
        place.clients.ask("load", RATE, 0)
        with begun(how, place):
            assert place.clients.ask("closed", RELEASE_LIMIT_S, limit_s=RELEASE_LIMIT_S + 10) == {"open": 0}
        said = place.verdict()
        assert said.faults == []
        assert said.seen("clients") == said.seen("origin") == {(1012, how): COUNT}
        assert {one.ended for one in said.clients.values()} == {"eof"}
        times = sorted(one.at_s for one in said.clients.values())
        assert uneven(times, SPREAD_S) <= 0.1


@contextmanager
def begun(how: str, place: Place) -> Iterator[None]:
    """A release or a drain that is under way, and ends well."""
    if how == "release":
        place.release()
        yield
        return
    place.command.process.send_signal(signal.SIGTERM)
    yield
    assert place.command.ended() == 0


def uneven(times: list[float], window_s: float) -> float:
    """How far closes are from their places in an even spread over the window, as a part of it: the median, for where a busy
    machine stands still it is some that are late, not half of them. Places count from the close that is late the least."""
    last = len(times) - 1
    late = [at / window_s - place / last for place, at in enumerate(times)]
    return statistics.median(late) - min(late)


@pytest.mark.timeout(120)
def test_a_release_by_signal_is_the_same(tmp_path: Path) -> None:
    with of_up(tmp_path / "data") as place:
        place.clients.open(COUNT)
        place.clients.ask("load", RATE, ARRIVALS)
        edge = place.command
        assert isinstance(edge, Edge)
        before = edge.pid
        edge.process.send_signal(signal.SIGHUP)
        edge.record(lambda one: one["event"] == "child_started" and one["pid"] != before, limit_s=RELEASE_LIMIT_S)
        place.clients.ask("settle")
        said = place.verdict()
        assert (said.faults, said.lost_at_the_end(), said.refused) == ([], {}, {})
        assert [one for number, one in said.clients.items() if number < COUNT and one.ended] == []


def test_an_even_spread_is_even_and_a_burst_is_not() -> None:
    assert uneven([100 + place / 10 for place in range(101)], 10) == pytest.approx(0)
    assert uneven([100.0] * 11, 10) == pytest.approx(0.5)
    assert uneven([100 + place / 5 for place in range(101)], 10) == pytest.approx(0.5)
    in_four_bursts = [100 + 2.5 * (place // 25) for place in range(100)]
    assert uneven(in_four_bursts, 10) > 0.1
    a_second_late = [100 + place / 10 + (40 <= place < 50) * (50 - place) / 10 for place in range(101)]
    assert uneven(a_second_late, 10) == pytest.approx(0)
