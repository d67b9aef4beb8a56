"""Records of the Python side: whole lines of JSON, as the core writes them."""

import datetime as dt
import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from holdfast import event_log
from holdfast.event_log import EventLog, utc_now

NOON = dt.datetime(2026, 3, 1, 12, 0, 0, 5000, tzinfo=dt.UTC)


@pytest.fixture
def descriptor(tmp_path: Path) -> Iterator[int]:
    opened = os.open(tmp_path / "log", os.O_RDWR | os.O_CREAT | os.O_APPEND)
    yield opened
    os.close(opened)


def test_a_record_is_one_line_with_its_time(descriptor: int, tmp_path: Path) -> None:
    log = EventLog(descriptor, clock=lambda: NOON)
    log.write("certificate_rejected", {"cert": "a\nb.pem", "port": 8443})
    log.write("certificate_loaded", {})
    first, second = (tmp_path / "log").read_text().splitlines()
    assert json.loads(first) == {
        "event": "certificate_rejected",
        "time": "2026-03-01T12:00:00.005Z",
        "cert": "a\nb.pem",
        "port": 8443,
    }
    assert json.loads(second) == {"event": "certificate_loaded", "time": "2026-03-01T12:00:00.005Z"}


def test_a_record_has_nothing_that_a_terminal_obeys_or_that_reorders_it(descriptor: int, tmp_path: Path) -> None:
    hostile = "\x1b[31m\x7f\x9b2J\x85\u202e\u2028\u200b\ufeff grün 🌊"
    EventLog(descriptor).write("worker_log", {"message": hostile})
    line = (tmp_path / "log").read_text(encoding="utf-8")
    assert all(char.isprintable() for char in line.removesuffix("\n")), line
    assert "grün 🌊" in line
    assert json.loads(line)["message"] == hostile


def test_a_log_that_cannot_be_written_stops_nothing() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        EventLog(writer, clock=lambda: NOON).write("certificate_loaded", {})
    finally:
        os.close(writer)


def test_a_reader_that_is_behind_delays_nobody_and_is_told_what_it_missed() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writer, bytes(4096))
    os.set_blocking(writer, True)
    log = EventLog(writer, clock=lambda: NOON)
    log.write("one", {})
    log.write("two", {})
    os.set_blocking(reader, False)
    with suppress(BlockingIOError):
        while os.read(reader, 1 << 20):
            pass
    log.write("three", {})
    records = [json.loads(line) for line in os.read(reader, 4096).splitlines()]
    assert [(one["event"], one.get("count")) for one in records] == [("records_dropped", 2), ("three", None)]
    os.close(reader)
    os.close(writer)


def test_a_long_record_that_nobody_takes_delays_nobody_and_the_next_one_is_a_line() -> None:
    reader, writer = os.pipe()
    log, long = EventLog(writer, clock=lambda: NOON), "x" * 100_000
    # More than a pipe holds.
    log.write("one", {"reason": long})
    taken = os.read(reader, 1 << 20)
    assert 0 < len(taken) < len(long)
    log.write("two", {})
    rest, *lines = (taken + os.read(reader, 1 << 20)).splitlines()
    assert rest.startswith(b'{"event":"one"')
    records = [json.loads(line) for line in lines]
    assert [(one["event"], one.get("count")) for one in records] == [("records_dropped", 1), ("two", None)]
    os.close(reader)
    os.close(writer)


def test_a_long_record_reaches_a_reader_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    # As long as a busy machine may take.
    monkeypatch.setattr(event_log, "LONG_LIMIT_S", 30.0)
    reader, writer = os.pipe()
    long = "x" * 300_000
    with os.fdopen(reader, "rb") as reading, ThreadPoolExecutor(1) as pool:
        taken = pool.submit(reading.readline)
        EventLog(writer, clock=lambda: NOON).write("one", {"reason": long})
        os.close(writer)
        assert json.loads(taken.result(30))["reason"] == long


def test_the_clock_is_in_utc() -> None:
    assert utc_now().utcoffset() == dt.timedelta(0)
