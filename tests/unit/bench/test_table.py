"""Columns line up, ours comes first, and what failed is seen to have failed."""

from __future__ import annotations

from bench.cases import CPU, PSS, Case, Kind, Leg
from bench.figures import Measurement, rows
from bench.table import table

IDLE = Case(kind=Kind.IDLE, connections=5_000)
RELAY = Case(kind=Kind.RELAY, connections=2_000, message_bytes=16_384)


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def idle(proxy: str, pss: float) -> Measurement:
    return Measurement(round=0, leg=Leg.TLS, case=IDLE, proxy=proxy, figures={PSS: pss})


def test_ours_comes_first_and_every_line_is_as_wide_as_the_others() -> None:
    text = table(rows([idle("nginx", 42_976.3), idle("holdfast", 5_155.0)]), ["nginx", "holdfast"], decide_us=3.061)
    head, rule, body, decide = text.split("\n")
    assert len({len(line) for line in (head, rule, body, decide)}) == 1
    assert cells(head) == ["leg", "load", "figure", "holdfast", "nginx", "ours / best peer", "target", ""]
    figure = "PSS per idle connection, B"
    assert cells(body) == ["wss", "5,000 idle", figure, "5,155", "42,976", "0.120 (nginx)", "<= 9,216 B", "met"]
    assert cells(decide) == ["", "catch-all zone", "decide, µs", "3.06", "", "", "<= 10 µs", "met"]


def test_numbers_are_aligned_right() -> None:
    rule = table(rows([idle("holdfast", 1.0)]), ["holdfast"], decide_us=None).split("\n")[1]
    assert [cell.endswith(":") for cell in cells(rule)] == [False, False, False, True, False, False, False]


def test_failures_stand_beside_what_succeeded_or_alone() -> None:
    figures = {CPU: 23.84, "p50_us": 42_467.0, "p99_us": 84_410.0}
    measurements = [
        Measurement(round=0, leg=Leg.PLAIN, case=RELAY, proxy="holdfast", figures=figures),
        Measurement(round=1, leg=Leg.PLAIN, case=RELAY, proxy="holdfast", failure="reset"),
        Measurement(round=0, leg=Leg.PLAIN, case=RELAY, proxy="envoy", failure="reset"),
    ]
    cpu = cells(table(rows(measurements), ["holdfast", "envoy"], decide_us=None).split("\n")[2])
    assert cpu[:5] == ["ws", "2,000 conns, 16 KiB", "CPU per round trip, µs", "23.8 (1 failed)", "- (1 failed)"]
    assert cpu[5:] == ["", "<= 0.95", "not measured"]


def test_a_slow_decide_is_told_as_missed() -> None:
    text = table([], ["holdfast"], decide_us=10.01)
    assert cells(text.split("\n")[-1])[-1] == "missed"
