"""The last requests of each zone: the newest, of each zone its own, within bounds."""

import threading

import pytest

from holdfast.edge import recent_requests
from holdfast.edge.decision import Decision, Respond
from holdfast.edge.recent_requests import MAX_NOTED, Recent
from holdfast.model.event_messages import RecordedRequest
from tests.unit.edge.events import a_forward, an_event
from tests.unit.requests import a_request

LIMIT_S = 30.0


def answer(zone: str = "z", status: int = 403) -> Respond:
    return Respond(status, zone=zone)


def add(recent: Recent, number: int, decision: Decision | None = None) -> None:
    recent.add(float(number), a_request(path=f"/{number}"), decision or answer(), ())


def paths(recent: Recent, zone: str = "z", count: int = 100) -> list[str]:
    return [one.request.path for one in recent.of_zone(1, zone, count).requests]


def test_what_was_asked_and_decided_is_told_the_newest_first() -> None:
    recent, request = Recent(), a_request()
    recent.add(1.0, request, a_forward(zone="z"), ())
    recent.add(2.0, request, answer(status=429), (an_event(),))
    told = recent.of_zone(7, "z", 10)
    assert told.request_id == 7
    assert told.requests == (
        RecordedRequest(occurred_at=2.0, request=request, decision="respond", status=429, events=(an_event(),)),
        RecordedRequest(occurred_at=1.0, request=request, decision="forward"),
    )


def test_a_zone_has_its_last_ones_and_no_more_than_are_asked_for() -> None:
    recent = Recent(per_zone=3)
    for number in range(5):
        add(recent, number)
    assert paths(recent) == ["/4", "/3", "/2"]
    add(recent, 5)
    assert paths(recent) == ["/5", "/4", "/3"]
    assert paths(recent, count=1) == ["/5"]
    assert paths(recent, count=-1) == paths(recent, "unknown") == []


def test_a_busy_zone_pushes_out_no_other() -> None:
    recent = Recent(per_zone=3)
    add(recent, 0, answer("quiet"))
    for number in range(MAX_NOTED // 2):
        add(recent, number, answer("busy"))
    assert paths(recent, "quiet") == ["/0"]


def test_requests_of_no_zone_are_not_kept() -> None:
    recent = Recent()
    add(recent, 1, answer(""))
    recent.settle()
    assert recent.statistics() == {"requests_kept_zones": 0, "requests_kept_bytes": 0}


def test_beyond_the_bytes_the_zones_that_were_quiet_longest_go() -> None:
    recent = Recent(max_bytes=6000)
    for number in range(30):
        add(recent, number, answer(f"z{number}"))
        recent.settle()
        assert recent.statistics()["requests_kept_bytes"] <= 6000
    assert paths(recent, "z0") == []
    assert paths(recent, "z29") == ["/29"]
    recent = Recent(max_bytes=10)
    add(recent, 1)
    recent.settle()
    assert recent.statistics() == {"requests_kept_zones": 0, "requests_kept_bytes": 0}


def test_what_is_not_settled_yet_is_bounded_and_said_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent_requests, "MAX_NOTED", 4)
    many = threading.Semaphore(0)
    recent = Recent(on_many=many.release)
    for number in range(10):
        add(recent, number)
    assert many.acquire(blocking=False)
    assert paths(recent) == ["/9", "/8", "/7", "/6"]


def test_two_threads_may_settle_while_a_third_adds() -> None:
    recent, is_over = Recent(per_zone=MAX_NOTED), threading.Event()

    def settle() -> None:
        while not is_over.is_set():
            recent.settle()

    threads = [threading.Thread(target=settle) for _ in range(2)]
    for one in threads:
        one.start()
    for number in range(MAX_NOTED // 2):
        add(recent, number)
    is_over.set()
    for one in threads:
        one.join(LIMIT_S)
    assert len(paths(recent, count=MAX_NOTED)) == MAX_NOTED // 2
