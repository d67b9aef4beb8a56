"""What goes wrong on one side of open WebSockets: what the other side sees of it, and what the record says.

Law: the reason of a Close that the edge sends begins with the word of the record.
"""

import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.integration.faults import COUNT, DEAD_AFTER_S, KEEPALIVE, NO_CLOSE, Seen, Words, scene, words
from tests.integration.relay import Relay
from tests.integration.run import Run
from tests.integration.waiting import LIMIT_S, poll
from tests.integration.zones_of_run import UNLIMITED, Zones


@pytest.fixture(scope="module")
def zones(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zones]:
    with Run(tmp_path_factory.mktemp("faults") / "data", environment=UNLIMITED) as run, Zones(run) as zones:
        yield zones


@dataclass(frozen=True)
class Case:
    """`who` does `act`; the other side sees one of `seen`, and the record says `words`."""

    who: str
    act: str
    seen: frozenset[Seen]
    words: Words
    settings: dict[str, int]
    sources: frozenset[str]

    def __str__(self) -> str:
        return f"{self.who}-{self.act}"


def case(who: str, act: str, seen: Seen | set[Seen], why: str, *, by: str = "", **settings: int) -> Case:
    seen = seen if isinstance(seen, set) else {seen}
    sources = {"client": "downstream", "origin": "upstream", "edge": "me"}
    return Case(who, act, frozenset(seen), (by or who, why), settings, frozenset({sources[by or who]}))


# RFC 6455 §7.4.1: 1001 tells an origin that its client has gone; 1014 tells a client that the gateway's origin failed.
CASES = [
    case("client", "half-close", (1001, "end_of_stream"), "end_of_stream"),
    case("client", "reset", (1001, "transport_error"), "transport_error"),
    # A Close cannot be sent within a frame: what stands in one gets an orderly end of the stream. Of a reset, the kernel
    # may forget what came before it; then the origin stands between frames.
    case("client", "reset-mid-frame", {NO_CLOSE, (1001, "transport_error")}, "transport_error"),
    case("client", "close-mid-message", (1000, "enough"), "close_frame"),
    case("client", "silence", (1001, "client_unresponsive"), "client_unresponsive", by="edge", **KEEPALIVE),
    case("client", "stall-mid-frame", NO_CLOSE, "read_stalled", by="edge", websocket_read_stall_timeout=3),
    case("origin", "half-close", (1014, "end_of_stream"), "end_of_stream"),
    case("origin", "end", (1014, "end_of_stream"), "end_of_stream"),
    case("origin", "reset", (1014, "transport_error"), "transport_error"),
    case("origin", "reset-mid-frame", {NO_CLOSE, (1014, "transport_error")}, "transport_error"),
    case("origin", "close-mid-message", (1000, "enough"), "close_frame"),
    case("origin", "silence", (1001, "origin_unresponsive"), "origin_unresponsive", by="edge", **KEEPALIVE),
    case("origin", "stall-mid-frame", NO_CLOSE, "read_stalled", by="edge", websocket_read_stall_timeout=3),
]


@pytest.mark.parametrize("one", CASES, ids=str)
def test_what_one_side_does_is_seen_by_the_other_and_told_in_the_record(one: Case, zones: Zones) -> None:
    with scene(zones, one.settings) as here:
        actor, other = (here.clients, "origin") if one.who == "client" else (here.origin, "clients")
        assert actor.ask("act", one.act) == {"acted": COUNT}
        ended = here.ended()
        assert words(ended) == {one.words: COUNT}
        assert {record.connection_close_source for record in ended} == one.sources
        if other == "clients":
            here.clients_ended()
        else:
            here.origin_ended()
        said = here.verdict()
        assert said.faults == []
        assert set(said.seen(other)) <= one.seen
        assert said.seen(other).total() == COUNT
        # Whatever was cut, the side that is left got an orderly end: never a reset.
        accounts = said.origin if other == "origin" else said.clients
        assert {account.ended for account in accounts.values()} <= {"eof", ""}
        for account in accounts.values():
            assert account.is_whole or account.code is None


@pytest.mark.parametrize("who", ["client", "origin"])
def test_a_process_that_is_stopped_is_found_dead_and_the_other_side_told(who: str, zones: Zones) -> None:
    with scene(zones, KEEPALIVE) as here:
        actor = here.clients if who == "client" else here.origin
        actor.signal(signal.SIGSTOP)
        ended = here.ended()
        actor.signal(signal.SIGCONT)
        assert words(ended) == {("edge", f"{who}_unresponsive"): COUNT}
        assert {record.detail for record in ended} == {who}
        assert {record.connection_close_reason for record in ended} == {"timedOut"}
        here.clients_ended()
        here.origin_ended()
        said = here.verdict()
        assert said.faults == []
        assert said.seen("origin" if who == "client" else "clients") == {(1001, f"{who}_unresponsive"): COUNT}


def test_an_origin_that_is_killed_leaves_its_clients_with_1014(zones: Zones) -> None:
    with scene(zones) as here:
        here.origin.signal(signal.SIGKILL)
        ended = here.ended()
        here.clients_ended()
        told = here.clients.ask("report")
        seen = Counter((one["code"], one["reason"].partition(":")[0]) for one in told["connections"].values())
        (word,) = {record.why for record in ended}
        assert word in {"end_of_stream", "transport_error"}
        assert seen == {(1014, word): COUNT}
        assert not any(told["tally"].values())


def test_clients_that_are_killed_leave_their_origin_with_1001(zones: Zones) -> None:
    with scene(zones) as here:
        here.clients.signal(signal.SIGKILL)
        (word,) = {record.why for record in here.ended()}
        assert word in {"end_of_stream", "transport_error"}

        def seen() -> Counter[Seen]:
            told = here.origin.ask("report")["connections"].values()
            return Counter(
                (one["code"], one["reason"].partition(":")[0]) for one in told if one["ended"] or one["code"]
            )

        # The records may be written before the origin has read that far.
        poll(lambda: seen().total() == COUNT, what="the ends at the origin")
        assert seen() == {(1001, word): COUNT}
        told = here.origin.ask("report")
        assert not any(told["tally"].values())


@pytest.mark.parametrize(
    ("setting", "seconds", "word"),
    # Both run while the clients open and talk.
    [("websocket_idle_timeout", 4, "idle_timeout"), ("websocket_max_age", 12, "max_age")],
)
def test_a_timeout_closes_both_sides_with_its_reason_and_no_message_is_lost(
    setting: str, seconds: int, word: str, zones: Zones
) -> None:
    with scene(zones, {setting: seconds, "websocket_max_age_jitter": 0}) as here:
        assert words(here.ended()) == {("edge", word): COUNT}
        here.clients_ended()
        here.origin_ended()
        said = here.verdict()
        assert (said.faults, said.lost_at_the_end()) == ([], {})
        assert said.seen("clients") == said.seen("origin") == {(1001, word): COUNT}


def test_idle_connections_are_kept_alive_and_pings_of_the_edge_are_nobody_elses(zones: Zones) -> None:
    with scene(zones, KEEPALIVE) as here:
        here.stay_open(DEAD_AFTER_S + 1.5)
        said = here.talk()
        # Every ping of a client has its pong, and no pong of an edge's ping came through.
        assert all(one.pings == one.pongs > 0 for one in said.clients.values())
        assert all(one.pongs == 0 for one in said.origin.values())
        here.clients.ask("act", "close-mid-message")
        for record in here.ended():
            assert record.rtt_client_ms is not None
            assert record.rtt_origin_ms is not None
            assert 0 < record.rtt_client_ms < 1000 * LIMIT_S


@pytest.mark.slow
def test_a_ledger_of_bytes_that_come_one_by_one_is_clean_with_keepalive_between_them(zones: Zones) -> None:
    # What is under way delays answers by seconds here, so a single one that is late means nothing.
    patient = {"websocket_keepalive_interval": 1, "websocket_keepalive_misses": 10}
    with Relay(zones.run.plain, chops=True) as relay, scene(zones, patient, address=relay.address, each=11) as here:
        here.stay_open(2.5)
        said = here.talk(each=4)
        assert all(one.pings == one.pongs for one in said.clients.values())
        assert here.clients.ask("act", "close-mid-message") == {"acted": COUNT}
        ended = here.ended()
        assert words(ended) == {("client", "close_frame"): COUNT}
        assert all(record.rtt_client_ms is not None for record in ended)
        assert here.verdict().seen("origin") == {(1000, "enough"): COUNT}


def test_a_killed_edge_is_back_at_once_on_the_same_sockets_and_refuses_nobody(zones: Zones) -> None:
    with scene(zones) as here:
        run = zones.run
        here.clients.ask("load", 400, 100)
        restarts = len(run.records("child_started"))
        run.signal(run.child("edge"), signal.SIGKILL)
        again = run.record(
            lambda one: one["event"] == "child_started" and one["child"] == "edge" and one["restarts"] == 1
        )
        assert restarts < len(run.records("child_started"))
        assert again["pid"] != run.child("edge")
        here.clients.open(COUNT)
        assert here.clients.ask("settle")["unanswered"] == 0
        said = here.verdict()
        # What was open is cut, without a Close that nobody could send; what was said until then came in order.
        assert said.faults == []
        assert {one.code for number, one in said.clients.items() if number < COUNT} == {None}
        assert "ConnectionRefusedError" not in said.refused
        # Who was being let in when it died had a connection that died with it; nobody who came after it failed.
        assert set(said.refused) <= {"reset before the answer", "eof before the answer"}
