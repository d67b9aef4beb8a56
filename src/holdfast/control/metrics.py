"""The figures of all edges as Prometheus reads them.

Law 1: figures are asked for when somebody scrapes; between two scrapes nothing is done for them.
Law 2: a counter only grows, whichever edges come and go: what those that have gone counted is among the reports (`figures`).
Law 3: labels come from tables, zones and status codes: what a client sends can add no time series, and no edge a word for
an end that is not of the vocabulary (`close_reason`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import generate_latest

from holdfast.model.close_reason import counted
from holdfast.model.control_link import Report
from holdfast.model.zone_document import Kind
from holdfast.model.zone_statistics import ZoneStatistics

_Key = TypeVar("_Key", int, str)

# What the core calls its figures -> what Prometheus calls them. Those that are sizes now are gauges, others count.
_GAUGES = {
    "connections_open": ("holdfast_edge_http_connections", "Client connections that are not WebSockets (yet)."),
    "tunnels_open": ("holdfast_edge_websocket_connections", "Open WebSockets."),
    "origin_connections_pooled": (
        "holdfast_edge_origin_connections_idle",
        "Connections to origins that wait for a request.",
    ),
    "policy_waiting": ("holdfast_edge_policy_queue", "Requests that wait for a decision."),
    "certificates_left_out": (
        "holdfast_edge_certificates_left_out",
        "Certificates that cannot be opened or read, and are not shown.",
    ),
    "log_waiting": ("holdfast_edge_log_queue", "Lines that wait for the log."),
    "security_events_waiting": ("holdfast_edge_security_events_queue", "Security events that wait for control."),
    "security_events_held": (
        "holdfast_edge_security_events_held",
        "Security events that wait for one that stands for them.",
    ),
}
_COUNTERS = {
    "connections_accepted": ("holdfast_edge_connections_accepted", "Client connections accepted."),
    "requests": ("holdfast_edge_requests", "Requests read, upgrades among them."),
    "tunnels_opened": ("holdfast_edge_websocket_connections_opened", "WebSockets opened."),
    "policy_asked": ("holdfast_edge_decisions", "Decisions asked for."),
    "policy_refused": ("holdfast_edge_decisions_refused", "Requests refused with 503 because too many waited."),
    "policy_failed": ("holdfast_edge_decisions_failed", "Requests refused with 500 because the policy failed."),
    "tls_handshakes_failed": ("holdfast_edge_tls_handshakes_failed", "TLS handshakes of clients that failed."),
    "origin_faults": ("holdfast_edge_origin_faults", "Requests that failed at or on the way to the origin."),
    "log_written": ("holdfast_edge_log_lines", "Lines written to the log."),
    "log_dropped": ("holdfast_edge_log_lines_dropped", "Lines lost because the log took none."),
    "security_events_sent": ("holdfast_edge_security_events_sent", "Rows of security events that control has taken."),
    "security_events_left_out": (
        "holdfast_edge_security_events_left_out",
        "Security events that no row stands for: too many at once.",
    ),
    "security_events_lost": (
        "holdfast_edge_security_events_lost",
        "Security events that no row stands for: of too many rules at once.",
    ),
}

# Those figures of the core that only grow.
COUNTED = frozenset(_COUNTERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnFigures:
    """What control knows by itself: the `edges` that are connected, and those of them that take nothing new (`retired`); the
    security events in the database (`event_rows`); the rules that do nothing; how many watch WebSockets (`streams`)."""

    edges: int
    retired: int = 0
    event_rows: int = 0
    inert_rules: int = 0
    streams: int = 0


def exposition(
    reports: Sequence[Report],
    own: OwnFigures,
    *,
    zone_name: Callable[[str], str],
    published: Mapping[Kind, tuple[int, int]],
    more: Iterable[Metric] = (),
) -> bytes:
    """The text that Prometheus reads (exposition format 0.0.4). `published` are how many documents of each kind are, and
    how many are refused; `more` families come after the others."""
    registry = CollectorRegistry(auto_describe=False)
    families = [
        *_own_families(own),
        *_published_families(published),
        *_edge_families(reports),
        *_zone_families(reports, zone_name),
        _event_family(reports, zone_name),
        *more,
    ]
    registry.register(_Families(families))
    return generate_latest(registry)


def _own_families(own: OwnFigures) -> Iterator[Metric]:
    for name, text, value in (
        ("holdfast_edges", "Edges that are connected to control.", own.edges),
        ("holdfast_edges_retired", "Those of them that take no new connections.", own.retired),
        ("holdfast_connection_streams", "Clients that watch WebSockets open and close.", own.streams),
        (
            "holdfast_rules_inert",
            "Rules that do nothing, because the managed rules they execute are not loaded.",
            own.inert_rules,
        ),
        ("holdfast_security_events_stored", "Rows of security events.", own.event_rows),
    ):
        yield GaugeMetricFamily(name, text, value=value)


def _published_families(published: Mapping[Kind, tuple[int, int]]) -> Iterator[Metric]:
    zones, refused_zones = published["zone"]
    yield GaugeMetricFamily("holdfast_zones", "Zones that are published.", value=zones)
    yield GaugeMetricFamily(
        "holdfast_zones_refused", "Zones whose newest version does not compile.", value=refused_zones
    )
    kinds = GaugeMetricFamily(
        "holdfast_rule_documents", "Accounts with rules, lists and managed rules that are published.", labels=["kind"]
    )
    refusals = GaugeMetricFamily(
        "holdfast_rule_documents_refused", "Those whose newest version does not compile.", labels=["kind"]
    )
    for kind, (count, refused) in published.items():
        if kind != "zone":
            kinds.add_metric([kind], count)
            refusals.add_metric([kind], refused)
    yield from (kinds, refusals)


class _Families:
    """What a registry collects: families that exist already."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterator[Metric]:
        yield from self._families


def _edge_families(reports: Sequence[Report]) -> Iterator[Metric]:
    totals: Counter[str] = Counter()
    for report in reports:
        totals.update(report.statistics)
    for key, (name, text) in _GAUGES.items():
        yield GaugeMetricFamily(name, text, value=totals[key])
    for key, (name, text) in _COUNTERS.items():
        yield CounterMetricFamily(name, text, value=totals[key])
    buckets: Counter[float] = Counter()
    for report in reports:
        buckets.update(dict(report.decide_buckets))
    count = sum(report.decide_count for report in reports)
    written = [(_number(bound), float(buckets[bound])) for bound in sorted(buckets) if bound != float("inf")]
    yield HistogramMetricFamily(
        "holdfast_edge_decide_seconds",
        "How long decisions took.",
        buckets=[*written, ("+Inf", float(count))],
        sum_value=sum(report.decide_sum_s for report in reports),
    )


def _number(bound: float) -> str:
    return repr(bound)


def _zone_families(reports: Sequence[Report], zone_name: Callable[[str], str]) -> Iterator[Metric]:
    by_zone: dict[str, list[ZoneStatistics]] = defaultdict(list)
    for report in reports:
        for zone in report.zones:
            by_zone[zone_name(zone.zone)].append(zone)
    live = GaugeMetricFamily("holdfast_zone_websocket_connections", "Open WebSockets.", labels=["zone"])
    opened = CounterMetricFamily("holdfast_zone_websocket_connections_opened", "WebSockets opened.", labels=["zone"])
    upgrades = CounterMetricFamily(
        "holdfast_zone_websocket_upgrades", "Answers to WebSocket handshakes.", labels=["zone", "status"]
    )
    requests = CounterMetricFamily(
        "holdfast_zone_http_requests", "Answers to ordinary requests.", labels=["zone", "status"]
    )
    messages = CounterMetricFamily("holdfast_zone_websocket_messages", "Messages.", labels=["zone", "direction"])
    sizes = CounterMetricFamily("holdfast_zone_websocket_bytes", "Bytes of WebSockets.", labels=["zone", "direction"])
    closes = CounterMetricFamily(
        "holdfast_zone_websocket_closes", "Closed WebSockets.", labels=["zone", "closed_by", "why"]
    )
    found = CounterMetricFamily(
        "holdfast_zone_websocket_messages_found", "Messages that broke a message rule.", labels=["zone", "action"]
    )
    for name, several in sorted(by_zone.items()):
        live.add_metric([name], sum(one.connections_open for one in several))
        opened.add_metric([name], sum(one.connections_opened for one in several))
        messages.add_metric([name, "to_origin"], sum(one.messages_to_origin for one in several))
        messages.add_metric([name, "to_client"], sum(one.messages_to_client for one in several))
        sizes.add_metric([name, "to_origin"], sum(one.bytes_to_origin for one in several))
        sizes.add_metric([name, "to_client"], sum(one.bytes_to_client for one in several))
        for status, count in _summed(one.upgrades for one in several).items():
            upgrades.add_metric([name, str(status)], count)
        for status, count in _summed(one.requests for one in several).items():
            requests.add_metric([name, str(status)], count)
        for (closed_by, why), count in _closes(one.closes for one in several).items():
            closes.add_metric([name, closed_by, why], count)
        for action, count in _summed(one.messages_found for one in several).items():
            found.add_metric([name, action], count)
    yield from (live, opened, upgrades, requests, messages, sizes, closes, found)


def _closes(counts: Iterable[Mapping[str, int]]) -> dict[tuple[str, str], int]:
    """How often who ended WebSockets, and why, in the words of the vocabulary."""
    total: Counter[tuple[str, str]] = Counter()
    for one in counts:
        for how, count in one.items():
            closed_by, _, why = how.partition("/")
            total[counted(closed_by, why)] += count
    return dict(sorted(total.items()))


def _event_family(reports: Sequence[Report], zone_name: Callable[[str], str]) -> Metric:
    """All that occurred, also what no row stands for."""
    events = CounterMetricFamily(
        "holdfast_security_events", "What rules and the edge did with requests.", labels=["zone", "source", "action"]
    )
    total: Counter[tuple[str, str, str]] = Counter()
    for report in reports:
        for zone, source, action, count in report.security_events:
            total[zone_name(zone), source, action] += count
    for labels, count in sorted(total.items()):
        events.add_metric(labels, count)
    return events


def _summed(counts: Iterable[Mapping[_Key, int]]) -> dict[_Key, int]:
    total: Counter[_Key] = Counter()
    for one in counts:
        total.update(one)
    return dict(sorted(total.items()))
