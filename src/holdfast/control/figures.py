"""What all edges have counted, those that have ended too: a counter of the installation only grows.

Prometheus takes a counter that falls for one that began anew, and counts all that is left as new. So what an edge has counted must
not go with it, as it does at the end of each release.

Law 1: an edge counts by the last figures that it gave, connected or not, until it gives newer ones.
Law 2: of an edge that has gone only what it counted is kept. One that may come back stands by itself, of MOST_GONE at most, besides those that
are connected; others are summed up. Of zones that are not published any more nothing is kept.
Law 3: all that is in a file, written whenever an edge goes, for the next control: one that ends in order has let all of them go. After
one that was killed, edges that live are not counted until they are back, a moment later.
Law 4: a file that cannot be read or written costs figures, and nothing else.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from holdfast.control.metrics import COUNTED
from holdfast.model.control_link import Report
from holdfast.model.zone_statistics import ZoneStatistics

# Edges that have gone, and might come back: to the next control, or after the connection to this one has failed.
MOST_GONE = 16

_Key = TypeVar("_Key", int, str, float, tuple[str, str, str])
# The name of an edge, and its process.
Edge = tuple[str, int]


class _Kept(msgspec.Struct, frozen=True):
    """What is in the file."""

    gone: list[tuple[str, int, Report]]
    ended: Report


class Figures:
    """Give it each report of an edge (`take`), say when one has gone, and ask for those that count now (`reports`).

    `file` is where they outlive control, None for nowhere; `is_published` tells a zone that there is from one that was.
    """

    def __init__(self, file: Path | None = None, *, is_published: Callable[[str], bool] = lambda _: True) -> None:
        self._file = file
        self._is_published = is_published
        # Those that may come back, whoever has gone last at the end; the last figures of those that are connected among them.
        self._last: dict[Edge, Report] = {}
        self._ended = _nothing()

    def load(self) -> None:
        """Take up what the control before this one kept."""
        if self._file is None:
            return
        with suppress(OSError, msgspec.MsgspecError):
            kept = msgspec.msgpack.decode(self._file.read_bytes(), type=_Kept)
            self._last = {(edge, pid): report for edge, pid, report in kept.gone}
            self._ended = kept.ended

    def take(self, edge: Edge, report: Report) -> None:
        """An edge gives its figures."""
        before = self._last.pop(edge, None)
        if before is not None and _is_of_another(before, report):
            self._ended = self._sum((self._ended, before))
        self._last[edge] = report

    def gone(self, edge: Edge, *, for_good: bool, will_give: Collection[Edge] = ()) -> None:
        """An edge is not connected any more; `for_good`: and has ended. `will_give` are those that give their figures again: they are
        connected, or will be to the next control."""
        report = self._last.pop(edge, None)
        if report is not None and not for_good:
            self._last[edge] = self._sum((report,))
        elif report is not None:
            self._ended = self._sum((self._ended, report))
        # Who gives all that he has counted again is not to be among the sum as well.
        away = [one for one in self._last if one not in will_give]
        for oldest in away[: max(0, len(away) - MOST_GONE)]:
            self._ended = self._sum((self._ended, self._last.pop(oldest)))
        self._save()

    def reports(self, connected: Iterable[Edge]) -> list[Report]:
        """What counts now: of those that are connected all, of the others what they counted."""
        present = set(connected)
        counting = [self._last[edge] for edge in present if edge in self._last]
        gone = [report for edge, report in self._last.items() if edge not in present]
        return [*counting, self._sum((self._ended, *gone))] if gone or self._ended.statistics else counting

    def _sum(self, reports: Iterable[Report]) -> Report:
        """What several edges counted, without what was so at a moment: what is open, or waits."""
        reports = tuple(reports)
        zones: dict[str, ZoneStatistics] = {}
        for one in (zone for report in reports for zone in report.zones):
            if not one.zone or self._is_published(one.zone):
                zones[one.zone] = _sum_of_zone(one, zones.get(one.zone))
        buckets = _summed(dict(report.decide_buckets) for report in reports)
        events = _summed(
            {(zone, source, action): count for zone, source, action, count in report.security_events}
            for report in reports
        )
        kept = {key: count for key, count in events.items() if not key[0] or self._is_published(key[0])}
        counted = _summed(report.statistics for report in reports)
        return Report(
            request_id=0,
            revision=0,
            statistics={name: count for name, count in counted.items() if name in COUNTED},
            zones=tuple(zones.values()),
            decide_buckets=tuple(sorted(buckets.items())),
            decide_sum_s=sum(report.decide_sum_s for report in reports),
            decide_count=sum(report.decide_count for report in reports),
            security_events=tuple((*key, count) for key, count in kept.items()),
        )

    def _save(self) -> None:
        if self._file is None:
            return
        gone = [(edge, pid, report) for (edge, pid), report in self._last.items()]
        draft = self._file.with_name(f"{self._file.name}.new")
        with suppress(OSError):
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(msgspec.msgpack.encode(_Kept(gone, self._ended)))
            draft.replace(self._file)


def _nothing() -> Report:
    return Report(request_id=0, revision=0, statistics={})


def _is_of_another(before: Report, report: Report) -> bool:
    """Whether these are not of the edge that gave those before: numbers of processes come again."""
    names = ("connections_accepted", "requests")
    return any(report.statistics.get(name, 0) < before.statistics.get(name, 0) for name in names)


def _sum_of_zone(one: ZoneStatistics, other: ZoneStatistics | None) -> ZoneStatistics:
    both = [one] if other is None else [one, other]
    return ZoneStatistics(
        zone=one.zone,
        connections_open=0,
        connections_opened=sum(each.connections_opened for each in both),
        messages_to_origin=sum(each.messages_to_origin for each in both),
        messages_to_client=sum(each.messages_to_client for each in both),
        bytes_to_origin=sum(each.bytes_to_origin for each in both),
        bytes_to_client=sum(each.bytes_to_client for each in both),
        upgrades=_summed(each.upgrades for each in both),
        requests=_summed(each.requests for each in both),
        closes=_summed(each.closes for each in both),
        messages_found=_summed(each.messages_found for each in both),
    )


def _summed(counts: Iterable[Mapping[_Key, int]]) -> dict[_Key, int]:
    total: Counter[_Key] = Counter()
    for one in counts:
        total.update(one)
    return dict(total)
