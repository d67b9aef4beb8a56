"""What edges counted that have gone: it is counted on, over controls too, and nothing twice."""

from pathlib import Path

import pytest

from holdfast.control.figures import MOST_GONE, Figures
from holdfast.model.control_link import Report
from holdfast.model.zone_statistics import ZoneStatistics


def a_report(requests: int, *, zone: str = "z", waiting: int = 0) -> Report:
    """Of an edge that has taken so many upgrades for a zone, all of which are open."""
    return Report(
        request_id=1,
        revision=1,
        statistics={"connections_accepted": requests, "requests": requests, "policy_waiting": waiting},
        zones=(
            ZoneStatistics(
                zone=zone,
                connections_open=requests,
                connections_opened=requests,
                messages_to_origin=2 * requests,
                messages_to_client=3 * requests,
                bytes_to_origin=4 * requests,
                bytes_to_client=5 * requests,
                upgrades={101: requests},
                requests={200: requests},
                closes={"client/close_frame": requests},
                messages_found={"drop": requests},
            ),
        ),
        decide_buckets=((0.001, requests), (float("inf"), requests)),
        decide_sum_s=0.5 * requests,
        decide_count=requests,
        security_events=((zone, "waf", "block", requests),),
    )


def counted(reports: list[Report]) -> dict[str, int]:
    """Over all edges, by statistics, by zones and by decisions."""
    zones = [zone for report in reports for zone in report.zones]
    return {
        "requests": sum(report.statistics.get("requests", 0) for report in reports),
        "opened": sum(zone.connections_opened for zone in zones),
        "open": sum(zone.connections_open for zone in zones),
        "bytes": sum(zone.bytes_to_client for zone in zones),
        "101": sum(zone.upgrades[101] for zone in zones),
        "closes": sum(zone.closes["client/close_frame"] for zone in zones),
        "decisions": sum(report.decide_count for report in reports),
        "in a millisecond": sum(dict(report.decide_buckets).get(0.001, 0) for report in reports),
        "events": sum(count for report in reports for *_, count in report.security_events),
        "waiting": sum(report.statistics.get("policy_waiting", 0) for report in reports),
    }


def all_of(requests: int, *, still_open: int, waiting: int = 0) -> dict[str, int]:
    several = dict.fromkeys(
        ("requests", "opened", "101", "closes", "decisions", "in a millisecond", "events"), requests
    )
    return several | {"open": still_open, "bytes": 5 * requests, "waiting": waiting}


@pytest.mark.parametrize("for_good", [True, False])
def test_what_an_edge_counted_does_not_go_with_it_and_what_was_open_does(for_good: bool) -> None:
    figures = Figures()
    figures.take(("e", 1), a_report(5, waiting=2))
    figures.take(("e", 2), a_report(7))
    assert counted(figures.reports([("e", 1), ("e", 2)])) == all_of(12, still_open=12, waiting=2)
    figures.gone(("e", 1), for_good=for_good)
    assert counted(figures.reports([("e", 2)])) == all_of(12, still_open=7)
    figures.take(("e", 2), a_report(8))
    assert counted(figures.reports([("e", 2)])) == all_of(13, still_open=8)


def test_an_edge_that_comes_back_is_not_counted_twice() -> None:
    figures = Figures()
    figures.take(("e", 1), a_report(5))
    figures.gone(("e", 1), for_good=False)
    # Connected again, and not asked yet.
    assert counted(figures.reports([("e", 1)])) == all_of(5, still_open=0)
    figures.take(("e", 1), a_report(6))
    assert counted(figures.reports([("e", 1)])) == all_of(6, still_open=6)


def test_another_edge_with_the_number_of_one_before_counts_beside_it() -> None:
    figures = Figures()
    figures.take(("e", 1), a_report(5))
    figures.gone(("e", 1), for_good=False)
    figures.take(("e", 1), a_report(2))
    assert counted(figures.reports([("e", 1)])) == all_of(7, still_open=2)


def test_an_edge_that_does_not_answer_counts_by_what_it_said_last() -> None:
    figures = Figures()
    figures.take(("e", 1), a_report(5))
    assert counted(figures.reports([("e", 1), ("e", 2)])) == all_of(5, still_open=5)


def test_however_many_edges_have_gone_what_is_kept_is_bounded_and_complete(tmp_path: Path) -> None:
    figures = Figures(tmp_path / "figures.bin")
    sizes = []
    for pid in range(3 * MOST_GONE):
        figures.take(("e", pid), a_report(1))
        figures.gone(("e", pid), for_good=False)
        sizes.append((tmp_path / "figures.bin").stat().st_size)
    # Numbers that grow take a byte more now and then; one more edge would take hundreds.
    assert sizes[-1] - sizes[MOST_GONE] < sizes[1] - sizes[0]
    assert counted(figures.reports([])) == all_of(3 * MOST_GONE, still_open=0)


def test_the_next_control_counts_on(tmp_path: Path) -> None:
    before, after = (Figures(tmp_path / "figures.bin") for _ in range(2))
    for pid, requests in ((1, 5), (2, 7)):
        before.take(("e", pid), a_report(requests))
    before.gone(("e", 1), for_good=True)
    # Control is stopped, the edge goes on.
    before.gone(("e", 2), for_good=False)
    after.load()
    assert counted(after.reports([])) == all_of(12, still_open=0)
    after.take(("e", 2), a_report(8))
    assert counted(after.reports([("e", 2)])) == all_of(13, still_open=8)


@pytest.mark.parametrize("content", [None, b"", b"\xc1", b"\x92\x90"])
def test_a_file_that_is_not_there_or_none_of_ours_costs_figures_only(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "figures.bin"
    if content is not None:
        file.write_bytes(content)
    figures = Figures(file)
    figures.load()
    assert figures.reports([("e", 1)]) == []


def test_a_file_that_cannot_be_written_does_no_harm(tmp_path: Path) -> None:
    figures = Figures(tmp_path / "none" / "figures.bin")
    figures.take(("e", 1), a_report(5))
    figures.gone(("e", 1), for_good=True)
    assert counted(figures.reports([])) == all_of(5, still_open=0)


def test_of_a_zone_that_is_gone_nothing_is_kept() -> None:
    published = {"z", "y"}
    figures = Figures(is_published=published.__contains__)
    for pid, zone in enumerate(("z", "y", "")):
        figures.take(("e", pid), a_report(5, zone=zone))
        figures.gone(("e", pid), for_good=True)
    published.remove("y")
    [ended] = figures.reports([])
    assert {zone.zone for zone in ended.zones} == {zone for zone, *_ in ended.security_events} == {"z", ""}


def test_edges_that_are_connected_are_not_counted_twice_however_many_there_are() -> None:
    """A release after the other leaves more of them than may come back."""
    figures, edges = Figures(), [("e", pid) for pid in range(2 * MOST_GONE)]
    for edge in edges:
        figures.take(edge, a_report(1))
    figures.gone(edges[-1], for_good=True, will_give=edges[:-1])
    for edge in edges[:-1]:
        figures.take(edge, a_report(1))
    assert counted(figures.reports(edges[:-1])) == all_of(len(edges), still_open=len(edges) - 1)
