"""The table of Workers beside workerd."""

from bench.workers.cases import OURS, PEER, QUICK, cases_named
from bench.workers.figures import Measurement, rows
from bench.workers.table import table


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_every_line_is_as_wide_as_the_others_and_what_failed_is_seen() -> None:
    (echoes,) = cases_named("echoes")
    (deploys,) = cases_named("deploys")
    text = table(
        rows(
            [
                Measurement(round=0, case=echoes, side=OURS, figures={"per_second": 80_000.4}),
                Measurement(round=0, case=echoes, side=PEER, failure="it fell over"),
                Measurement(round=0, case=deploys, side=OURS, figures={"faults": 0, "deploys": 5}),
            ]
        ),
        QUICK,
    )
    head, rule, first, lost, *_ = text.split("\n")
    assert len({len(line) for line in text.split("\n")}) == 1
    assert cells(head) == ["load", "figure", OURS, PEER, "ours / workerd", "target", ""]
    assert set(rule) == set("|-: ")
    figure = "pipelined echoes on one socket, 1/s"
    assert cells(first) == ["1 socket", figure, "80,000", "failed", "", ">= 2x", "not measured"]
    assert cells(lost) == ["5 deployments", "sockets or messages lost, doubled, moved", "0", "-", "", "<= 0", "met"]
