"""The figures of scripts and of their objects as Prometheus reads them.

Law 1: what counts never goes down while control lives, also where the host of scripts began anew.
Law 2: the labels are names of scripts and of their classes, and words of ours; no id of an object, and nothing that a client sends. Scripts of the
same name in several accounts are one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from holdfast.model.worker_figures import GAUGES, Rising, added, added_by_class, times_of
from holdfast.model.worker_host_messages import ScriptStatus

_PREFIX = "holdfast_worker_"

# What counts: name, text, label ("" for none), and the figures with the value of the label.
_COUNTS: tuple[tuple[str, str, str, tuple[tuple[str, str], ...]], ...] = (
    (
        "requests", "Requests that the script answered; 101 are upgrades, requests cut short count as 5xx.", "status",
        tuple((f"answers_{status}", status) for status in ("101", "1xx", "2xx", "3xx", "4xx", "5xx")),
    ),
    ("exceptions", "Exceptions that the code for requests did not catch.", "", (("exceptions", ""),)),
    (
        "messages", "Messages of WebSockets; one that goes to many counts for each.", "direction",
        (("messages_in", "to_script"), ("messages_out", "to_client")),
    ),
    (
        "bytes", "Bytes between the script and the edges: messages, once each, and their heads.", "direction",
        (("bytes_in", "to_script"), ("bytes_out", "to_client")),
    ),
    ("broadcasts", "Messages that were sent to many sockets at once.", "", (("broadcasts", ""),)),
    (
        "restarts", "Processes that ended without being asked to, and were started again.", "why",
        tuple((f"restarts_{why}", why) for why in ("crash", "memory", "cpu", "blocked")),
    ),
    ("deploys", "Deployments.", "outcome", (("deploys_served", "served"), ("deploys_refused", "refused"))),
    ("log_lines", "Lines of the script's log.", "", (("log_lines", ""),)),
    ("log_lines_left_out", "Lines that the log lacks: too many at once.", "", (("log_lines_left_out", ""),)),
)  # fmt: skip

_KINDS = ("websocket", "call", "request", "alarm")
_CLASS_COUNTS: tuple[tuple[str, str, str, tuple[tuple[str, str], ...]], ...] = (
    ("object_events", "Events that objects have handled.", "kind", tuple((f"events_{kind}", kind) for kind in _KINDS)),
    ("object_errors", "Those whose handler raised.", "kind", tuple((f"errors_{kind}", kind) for kind in _KINDS)),
    (
        "object_lives", "What became of objects: woken (made anew), hibernated (with sockets), evicted (without), reset.", "what",
        tuple((what, what) for what in ("woken", "hibernated", "evicted", "reset")),
    ),
    ("object_commits", "Transactions that objects have brought to the disk.", "", (("commits", ""),)),
    ("object_rows_changed", "Rows that these transactions changed, what is noted of events and outputs among them.", "", (("rows_changed", ""),)),
)  # fmt: skip

Figures = Mapping[str, int]


class WorkerMetrics:
    """Makes the families; remembers what it has shown."""

    def __init__(self) -> None:
        self._rising = Rising()

    def families(self, statuses: Sequence[ScriptStatus] | None) -> Iterator[Metric]:
        """All families. `statuses` None: the host of scripts cannot be asked."""
        yield GaugeMetricFamily(
            f"{_PREFIX}host_up", "Whether the host of scripts answers.", value=int(statuses is not None)
        )
        if statuses is None:
            return
        self._rising.retain({one.key for one in statuses})
        scripts = _by_name(statuses, lambda one: {"": self._risen(one.key, "", one.totals)})
        classes = _by_name(
            statuses,
            lambda one: {name: self._risen(one.key, name, figures) for name, figures in one.classes.items()},
        )
        now = [(labels[:1], figures) for labels, figures in scripts]
        yield from _sizes(statuses)
        yield from _counts(_COUNTS, now, ["script"])
        yield _histogram(
            "request_seconds", "How long requests took, to the end of the answer.", "request", now, ["script"]
        )
        yield _cpu(now)
        yield from _object_sizes(classes)
        yield from _counts(_CLASS_COUNTS, classes, ["script", "class"])
        yield _histogram(
            "object_handler_seconds",
            "How long handlers of objects took; where they are many, one of 16 is timed and stands for all.",
            "handler",
            classes,
            ["script", "class"],
        )

    def _risen(self, key: str, of_class: str, figures: Figures) -> dict[str, int]:
        return {
            name: value if name in GAUGES else self._rising.read((key, of_class, name), value)
            for name, value in figures.items()
        }


_Rows = list[tuple[list[str], dict[str, int]]]


def _by_name(statuses: Sequence[ScriptStatus], of: Callable[[ScriptStatus], Mapping[str, Figures]]) -> _Rows:
    """([script, class], figures), those of the same names together."""
    by_script: dict[str, dict[str, dict[str, int]]] = {}
    for one in statuses:
        name = one.name or one.key
        by_script[name] = added_by_class((by_script.get(name, {}), of(one)))
    return [
        ([script, name], figures)
        for script, classes in sorted(by_script.items())
        for name, figures in sorted(classes.items())
    ]


def _sizes(statuses: Sequence[ScriptStatus]) -> Iterator[Metric]:
    sizes: dict[str, dict[str, int]] = {}
    for one in statuses:
        name = one.name or one.key
        figures = {"up": int(one.state == "serving"), "rss": one.rss_bytes, **one.counters}
        sizes[name] = added((sizes.get(name, {}), figures))
    up = GaugeMetricFamily(f"{_PREFIX}up", "Whether a process of the script serves.", labels=["script"])
    memory = GaugeMetricFamily(f"{_PREFIX}memory_bytes", "Memory of the process that serves.", labels=["script"])
    sessions = GaugeMetricFamily(f"{_PREFIX}sessions", "Open WebSockets.", labels=["script", "api"])
    running = GaugeMetricFamily(f"{_PREFIX}requests_running", "Requests that are being answered.", labels=["script"])
    events = GaugeMetricFamily(
        f"{_PREFIX}events_running", "Events of WebSockets that wait for their handlers, or run.", labels=["script"]
    )
    unsent = GaugeMetricFamily(
        f"{_PREFIX}unsent_bytes",
        "Bytes for clients that wait in the script's process, or at edges for those who do not take them.",
        labels=["script", "where"],
    )
    for name, figures in sorted(sizes.items()):
        hibernatable = figures.get("sessions_hibernatable", 0)
        up.add_metric([name], figures["up"])
        memory.add_metric([name], figures["rss"])
        sessions.add_metric([name, "hibernatable"], hibernatable)
        sessions.add_metric([name, "standard"], figures.get("sessions", 0) - hibernatable)
        running.add_metric([name], figures.get("requests_running", 0))
        events.add_metric([name], figures.get("events_in_flight", 0))
        unsent.add_metric([name, "process"], figures.get("waiting_bytes", 0))
        unsent.add_metric([name, "edge"], figures.get("unsent_bytes", 0))
    yield from (up, memory, sessions, running, events, unsent)


def _object_sizes(rows: _Rows) -> Iterator[Metric]:
    objects = GaugeMetricFamily(
        f"{_PREFIX}objects",
        "Objects in memory, and those asleep that have sockets.",
        labels=["script", "class", "state"],
    )
    sockets = GaugeMetricFamily(
        f"{_PREFIX}object_sockets", "WebSockets that objects have accepted.", labels=["script", "class"]
    )
    for labels, figures in rows:
        objects.add_metric([*labels, "memory"], figures.get("live", 0))
        objects.add_metric([*labels, "asleep"], figures.get("asleep", 0))
        sockets.add_metric(labels, figures.get("sockets", 0))
    yield from (objects, sockets)


def _counts(
    table: Sequence[tuple[str, str, str, tuple[tuple[str, str], ...]]], rows: _Rows, labels: list[str]
) -> Iterator[Metric]:
    for name, text, label, parts in table:
        family = CounterMetricFamily(f"{_PREFIX}{name}", text, labels=[*labels, *([label] if label else [])])
        for of, figures in rows:
            for figure, value in parts:
                family.add_metric([*of, *([value] if label else [])], figures.get(figure, 0))
        yield family


def _cpu(rows: _Rows) -> Metric:
    family = CounterMetricFamily(
        f"{_PREFIX}cpu_seconds", "Processor time of the script's processes.", labels=["script"]
    )
    for labels, figures in rows:
        family.add_metric(labels, figures.get("cpu_ms", 0) / 1000)
    return family


def _histogram(name: str, text: str, figure: str, rows: _Rows, labels: list[str]) -> Metric:
    family = HistogramMetricFamily(f"{_PREFIX}{name}", text, labels=labels)
    for of, figures in rows:
        if (times := times_of(figures, figure)) is not None:
            buckets, count, sum_s = times
            written = [*((repr(bound), float(so_far)) for bound, so_far in buckets), ("+Inf", float(count))]
            family.add_metric(of, buckets=written, sum_value=sum_s)
    return family
