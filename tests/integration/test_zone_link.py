"""Zones on a running edge: what control publishes is in force when it is said to be, whatever becomes of control."""

import json
import os
import resource
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from holdfast.model.control_link import (
    VERSION,
    Applied,
    AskReport,
    CloseConnections,
    ConnectionsClosed,
    Delta,
    FullSnapshot,
    Hello,
    Report,
    Resync,
    Welcome,
    frame,
)
from holdfast.model.zone_document import SnapshotDocument, ZoneDocument
from tests.integration import wire
from tests.integration.certificates import Authority
from tests.integration.frames import TEXT, Frame
from tests.integration.waiting import poll
from tests.integration.zone_parts import ORIGIN_IP, SOURCE, Bench, bench, with_fields
from tests.unit.edge.origins import a_document, a_record, zone_id

HOST = "chat.example.com"


@pytest.fixture
def parts(tmp_path: Path, authority: Authority) -> Iterator[Bench]:
    with bench(tmp_path, authority.issue("own.test")) as everything:
        yield everything


def zone(name: str = "example.com", **fields: object) -> ZoneDocument:
    """A zone whose names go to the origin."""
    return a_document(name, a_record(name, ORIGIN_IP), a_record(f"*.{name}", ORIGIN_IP), **fields)


def status_of(address: wire.Address, data: bytes) -> int:
    with wire.connect(address) as client:
        client.send(data)
        return client.read_answer().status


def upgrade_status(parts: Bench, host: str = HOST) -> int:
    return status_of(parts.plain, wire.upgrade("/echo", host=host))


def test_an_edge_that_knows_nothing_says_so_and_serves_what_it_is_given(parts: Bench) -> None:
    parts.start_edge()
    hello = parts.control.welcome()
    assert (hello.version, hello.edge, hello.pid) == (VERSION, "edge-1", os.getpid())
    assert (hello.source, hello.revision) == ("", 0)
    assert upgrade_status(parts) == 530
    parts.control.full(zone())
    assert upgrade_status(parts) == 101


def test_each_change_is_in_force_when_it_is_said_to_be(parts: Bench) -> None:
    parts.start_edge()
    parts.control.welcome()
    parts.control.full(zone())
    for _ in range(20):
        parts.control.delta(zone(websockets="off"))
        assert upgrade_status(parts) == 403
        parts.control.delta(zone())
        assert upgrade_status(parts) == 101
    parts.control.delta(zone("other.test"), removed=(zone_id("example.com"),))
    assert upgrade_status(parts) == 530
    assert upgrade_status(parts, "other.test") == 101


def test_open_websockets_keep_what_they_began_with(parts: Bench) -> None:
    parts.start_edge()
    parts.control.welcome()
    parts.control.full(zone())
    with wire.websocket(parts.plain, "/echo", name=HOST) as (client, _):
        parts.control.delta(zone(websockets="off"))
        parts.control.delta(removed=(zone_id("example.com"),))
        client.send_frame(Frame(opcode=TEXT, payload=b"still here"))
        assert client.read_message() == b"still here"


def test_control_can_close_the_websockets_of_one_zone(parts: Bench) -> None:
    parts.start_edge()
    parts.control.welcome()
    parts.control.full(zone(), zone("other.test"))
    with (
        wire.websocket(parts.plain, "/echo", name=HOST) as (closed, _),
        wire.websocket(parts.plain, "/echo", name="other.test") as (kept, _),
    ):
        parts.control.send(CloseConnections(request_id=7, zone_id=zone_id("example.com"), code=1001, reason="bye"))
        assert parts.control.hear(ConnectionsClosed) == ConnectionsClosed(request_id=7, count=1)
        frame_ = closed.read_close()
        assert (frame_.close_code, frame_.close_reason) == (1001, "bye")
        kept.send_frame(Frame(opcode=TEXT, payload=b"not me"))
        assert kept.read_message() == b"not me"


def test_control_gets_the_figures_of_each_zone(parts: Bench) -> None:
    parts.start_edge()
    parts.control.welcome()
    parts.control.full(zone(), zone("other.test", websockets="off"))
    with wire.websocket(parts.plain, "/echo", name=HOST):
        assert upgrade_status(parts, "other.test") == 403
        parts.control.send(AskReport(request_id=3))
        report = parts.control.hear(Report)
    figures = {one.zone: one for one in report.zones}
    assert (report.request_id, report.revision) == (3, parts.control.revision)
    assert figures[zone_id("example.com")].connections_open == 1
    assert figures[zone_id("example.com")].upgrades == {101: 1}
    assert figures[zone_id("other.test")].upgrades == {403: 1}
    assert report.decide_count >= 2
    assert report.statistics


def test_figures_of_zones_that_are_gone_are_told_once_more_and_forgotten(parts: Bench) -> None:
    parts.start_edge()
    parts.control.welcome()
    parts.control.full(zone())
    assert upgrade_status(parts) == 101
    parts.control.delta(removed=(zone_id("example.com"),))

    def zones_told() -> set[str]:
        parts.control.send(AskReport(request_id=1))
        return {one.zone for one in parts.control.hear(Report).zones}

    assert zone_id("example.com") in zones_told()
    poll(lambda: zone_id("example.com") not in zones_told(), what="the zone to be forgotten")


def test_a_zone_that_does_not_compile_keeps_its_last_version_and_others_are_served(parts: Bench) -> None:
    edge = parts.start_edge()
    parts.control.welcome()
    parts.control.full(zone())
    broken = with_fields(zone(), records=(a_record("example.com", "not an address!"),))
    (refused,) = parts.control.delta(broken, zone("other.test"), refused=1)
    assert refused.id == zone_id("example.com")
    assert "'example.com', records[example.com].content: expected" in refused.reason
    assert upgrade_status(parts) == 101
    assert upgrade_status(parts, "other.test") == 101
    assert edge.logged("zone_refused")["zone"] == zone_id("example.com")
    # What is not served as it should be is asked for again, whatever revision the rest has.
    parts.control.hang_up()
    assert parts.control.welcome().revision == 0


def test_a_delta_on_something_else_makes_the_edge_ask_for_everything_once(parts: Bench) -> None:
    parts.start_edge()
    parts.control.welcome()
    parts.control.full(zone())
    for base in (41, 42, 43):
        parts.control.send(Delta(source=SOURCE, base=base, revision=base + 1, removed=(zone_id("example.com"),)))
    assert parts.control.hear(Resync).revision == parts.control.revision
    assert upgrade_status(parts) == 101
    parts.control.full(zone(websockets="off"))
    assert upgrade_status(parts) == 403


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xff\xff\xff",
        b"\x00\x00\x00\x01\x00",
        b"GET / HTTP/1.1\r\n\r\n",
        frame(Hello(version=VERSION, edge="x", pid=1)),
        frame(Welcome(version=VERSION)),
    ],
    ids=["too long", "no message", "another protocol", "of the other side", "once too often"],
)
def test_what_control_may_not_say_ends_the_connection_and_not_the_service(parts: Bench, data: bytes) -> None:
    edge = parts.start_edge()
    parts.control.welcome()
    parts.control.full(zone())
    parts.control.send_bytes(data)
    assert parts.control.has_ended()
    assert edge.logged("control_lost")["reason"]
    assert upgrade_status(parts) == 101
    hello = parts.control.welcome()
    assert (hello.source, hello.revision) == (SOURCE, parts.control.revision)
    parts.control.delta(zone(websockets="off"))
    assert upgrade_status(parts) == 403


def test_another_version_of_control_is_left_alone(parts: Bench) -> None:
    edge = parts.start_edge()
    parts.control.accept()
    parts.control.send(Welcome(version=VERSION + 1))
    assert parts.control.has_ended()
    assert f"version {VERSION + 1}" in str(edge.logged("control_lost")["reason"])
    parts.control.welcome()
    parts.control.full(zone())
    assert upgrade_status(parts) == 101


def test_an_edge_starts_from_its_journal_while_control_is_away(parts: Bench) -> None:
    first = parts.start_edge()
    parts.control.welcome()
    parts.control.full(zone(), zone("gone.test"))
    parts.control.delta(zone(websockets="off"), zone("new.test"), removed=(zone_id("gone.test"),))
    first.stop()
    assert "control_lost" not in [event for event, _ in first.log], "an edge that stops has lost nothing"
    parts.control.hang_up()
    second = parts.start_edge()
    assert second.had_a_journal
    assert upgrade_status(parts) == 403
    assert upgrade_status(parts, "new.test") == 101
    assert upgrade_status(parts, "gone.test") == 530
    hello = parts.control.welcome()
    assert (hello.source, hello.revision) == (SOURCE, parts.control.revision)
    parts.control.delta(zone())
    assert upgrade_status(parts) == 101


def test_a_large_snapshot_does_not_keep_requests_waiting(parts: Bench) -> None:
    parts.start_edge()
    parts.control.welcome()
    parts.control.full(zone())
    many = tuple(zone(f"zone-{number}.test") for number in range(5_000))
    answered = 0
    done = threading.Event()

    def ask() -> None:
        nonlocal answered
        while not done.is_set():
            assert upgrade_status(parts) == 101
            answered += 1

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        parts.control.full(zone(), *many)
    finally:
        done.set()
        asking.join()
    assert upgrade_status(parts, "zone-4999.test") == 101
    # While 5,000 zones are compiled some hundreds are; a handful are where that is done at a stretch.
    assert answered > 80


def test_control_that_says_nothing_is_waited_for_without_harm(parts: Bench) -> None:
    edge = parts.start_edge()
    parts.control.accept()

    def is_connected() -> bool:
        return edge.link.is_connected

    assert not is_connected()
    parts.control.send(Welcome(version=VERSION))
    snapshot = SnapshotDocument(source=SOURCE, revision=1, zones=(zone(),))
    for byte in frame(FullSnapshot(snapshot=snapshot)):
        parts.control.send_bytes(bytes([byte]))
    assert parts.control.hear(Applied).revision == 1
    assert is_connected()
    assert upgrade_status(parts) == 101


def test_the_answer_of_the_switch_says_who_refused(parts: Bench) -> None:
    parts.start_edge()
    parts.control.welcome()
    parts.control.full(zone(websockets="off"))
    with wire.connect(parts.plain) as client:
        answer, body = client.request(wire.upgrade("/echo", host=HOST))
    assert answer.status == 403
    assert answer.value("Holdfast-Refused") == 'setting;id="websockets";zone="example.com"'
    said = json.loads(body)
    assert (said["setting"], said["zone"], said["error_name"]) == ("websockets", "example.com", "websockets_off")
    with suppress(wire.EndedError):
        assert status_of(parts.plain, wire.request("GET", "/status/200", host=HOST)) == 200


def test_control_may_go_in_the_middle_of_a_message(parts: Bench) -> None:
    edge = parts.start_edge()
    parts.control.welcome()
    parts.control.full(zone())
    change = frame(Delta(source=SOURCE, base=1, revision=2, zones=(zone(websockets="off"),)))
    for cut in (1, 4, 5, len(change) // 2, len(change) - 1):
        parts.control.send_bytes(change[:cut])
        parts.control.hang_up()
        assert parts.control.welcome().revision == 1
        assert upgrade_status(parts) == 101
    parts.control.send_bytes(change)
    assert parts.control.hear(Applied).revision == 2
    assert upgrade_status(parts) == 403
    assert edge.link.is_connected


def test_the_link_works_with_descriptors_beyond_what_select_takes(parts: Bench) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2048 if hard == resource.RLIM_INFINITY else min(hard, 2048)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    try:
        with ExitStack() as stack:
            for _ in range(1100):
                stack.enter_context(Path(os.devnull).open("rb"))
            parts.start_edge()
            parts.control.welcome()
            parts.control.full(zone())
            assert upgrade_status(parts) == 101
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
