"""`holdfast.api.worker_traces`: lines of a log become events of invocations, and filters let some through."""

from __future__ import annotations

from typing import Any

import pytest

from holdfast.api.worker_traces import HOLD_S, MAX_HELD, Filters, Traces, missed
from holdfast.model.worker_messages import Log


def said(message: str, ray: str = "r", **given: Any) -> Log:
    return Log(level="log", message=message, ts_ms=1, ray=ray, entrypoint="Default", **given)


END = said("GET http://a.example/x 200", kind="request", fields={"method": "GET", "status": 200})
CRON = said(
    '"* * * * *" exception',
    kind="scheduled",
    fields={"cron": "* * * * *", "scheduled_ms": 60_000, "outcome": "exception"},
)
THROWN = said('Traceback (most recent call last):\n  File "entry.py"\nValueError: boom: 1', kind="exception")


def test_what_an_invocation_logs_is_told_with_its_end() -> None:
    traces = Traces("chat")
    assert list(traces.feed(said("one"), 0)) == list(traces.feed(said("other", ray="q"), 0)) == []
    assert list(traces.feed(THROWN, 0)) == []
    (event,) = traces.feed(END, 1)
    assert [one["message"] for one in event["logs"]] == [["one"]]
    assert [(one["name"], one["message"]) for one in event["exceptions"]] == [("ValueError", "boom: 1")]
    assert (event["outcome"], event["event"]["request"]["url"]) == ("exception", "http://a.example/x")


def test_a_run_by_the_clock_says_how_it_ended() -> None:
    (event,) = Traces("chat").feed(CRON, 0)
    assert (event["outcome"], event["event"]) == ("exception", {"cron": "* * * * *", "scheduledTime": 60_000})


def test_an_event_names_the_ray_of_its_request() -> None:
    for ray, headers in (("230b030023ae2822-LOC", {"cf-ray": "230b030023ae2822-LOC"}), ("", {})):
        end = said("GET http://a.test/ 500", ray=ray, kind="request", fields={"method": "GET", "status": 500})
        (event,) = Traces("chat").feed(end, 0)
        assert event["event"]["request"] == {"method": "GET", "url": "http://a.test/", "headers": headers, "cf": {}}


def test_a_request_that_was_cut_says_so_beside_where_its_code_stood() -> None:
    cut = said("GET http://a.example/x 500", kind="request", fields={"status": 500, "outcome": "exceededCpu"})
    traces = Traces("chat")
    assert list(traces.feed(THROWN, 0)) == []
    (event,) = traces.feed(cut, 1)
    assert (event["outcome"], len(event["exceptions"])) == ("exceededCpu", 1)


def test_a_request_whose_client_left_is_canceled() -> None:
    left = said("GET http://a.example/x 499", kind="request", fields={"status": 499, "outcome": "canceled"})
    (event,) = Traces("chat").feed(left, 0)
    assert (event["outcome"], event["event"]["response"]) == ("canceled", {"status": 499})


def test_what_has_no_end_is_told_by_itself() -> None:
    traces = Traces("chat")
    assert [one["event"] for one in traces.feed(said("x", ray=""), 0)] == [None]
    assert list(traces.feed(said("x"), 0)) == list(traces.late(HOLD_S - 0.1)) == []
    (event,) = traces.late(HOLD_S)
    assert ([one["message"] for one in event["logs"]], event["event"]) == ([["x"]], None)
    assert list(traces.late(9)) == []


def test_what_is_held_is_bounded() -> None:
    traces = Traces("chat")
    told = [event for place in range(MAX_HELD + 3) for event in traces.feed(said("x", ray=str(place)), 0)]
    assert [len(one["logs"]) for one in told] == [1, 1, 1]
    assert len(list(traces.late(HOLD_S))) == MAX_HELD


@pytest.mark.parametrize(
    ("filters", "is_through"),
    [
        (Filters(), True),
        (Filters(outcomes=frozenset({"exception"})), True),
        (Filters(outcomes=frozenset({"ok"})), False),
        (Filters(methods=frozenset({"GET"})), True),
        (Filters(methods=frozenset({"POST"})), False),
        (Filters(query="boom"), True),
        (Filters(query="gone"), False),
        (Filters(version="v"), False),
        (Filters(sampling_rate=0.6), True),
        (Filters(sampling_rate=0.5), False),
    ],
)
def test_filters_let_through_what_is_asked_for(filters: Filters, is_through: bool) -> None:
    traces = Traces("chat")
    assert list(traces.feed(THROWN, 0)) == []
    (event,) = traces.feed(END, 0)
    assert filters.lets_through(event, lambda: 0.5) is is_through


def test_lines_that_were_left_out_are_an_event() -> None:
    event = missed("chat", 3, 5)
    assert (event["event"]["type"], event["eventTimestamp"]) == ("overload", 5)
    assert Filters().lets_through({**event, "scriptVersion": {"id": ""}})
