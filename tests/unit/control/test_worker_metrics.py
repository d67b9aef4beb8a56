"""The figures of scripts, as Prometheus's own parser reads them."""

from collections.abc import Sequence

from prometheus_client.parser import text_string_to_metric_families

from holdfast.control.metrics import OwnFigures, exposition
from holdfast.control.worker_metrics import WorkerMetrics
from holdfast.model.worker_figures import Times
from holdfast.model.worker_host_messages import ScriptStatus


def status(key: str = "k1", name: str = "chat", **more: object) -> ScriptStatus:
    return ScriptStatus(key=key, name=name, account="a", version="v1", serving="v1", state="serving", **more)  # type: ignore[arg-type]  # of each test


def shown(metrics: WorkerMetrics, statuses: Sequence[ScriptStatus] | None) -> dict[str, float]:
    """`name{label="value"}`, with sorted labels, to its value."""
    text = exposition(
        [], OwnFigures(edges=0), zone_name=str, published={"zone": (0, 0)}, more=metrics.families(statuses)
    ).decode()
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}"] = sample.value
    return {name: value for name, value in found.items() if name.startswith("holdfast_worker_")}


def test_a_script_is_shown_by_its_name() -> None:
    totals = {"answers_101": 4, "answers_2xx": 9, "messages_in": 5, "bytes_out": 70, "restarts_cpu": 1, "cpu_ms": 1500}
    found = shown(
        WorkerMetrics(),
        [
            status(
                totals=totals, rss_bytes=1024, counters={"sessions": 5, "sessions_hibernatable": 3, "unsent_bytes": 8}
            )
        ],
    )
    assert found["holdfast_worker_host_up{}"] == 1
    assert found["holdfast_worker_up{script=chat}"] == 1
    assert found["holdfast_worker_requests_total{script=chat,status=101}"] == 4
    assert found["holdfast_worker_requests_total{script=chat,status=2xx}"] == 9
    assert found["holdfast_worker_messages_total{direction=to_script,script=chat}"] == 5
    assert found["holdfast_worker_bytes_total{direction=to_client,script=chat}"] == 70
    assert found["holdfast_worker_restarts_total{script=chat,why=cpu}"] == 1
    assert found["holdfast_worker_restarts_total{script=chat,why=crash}"] == 0
    assert found["holdfast_worker_cpu_seconds_total{script=chat}"] == 1.5
    assert found["holdfast_worker_memory_bytes{script=chat}"] == 1024
    assert found["holdfast_worker_sessions{api=hibernatable,script=chat}"] == 3
    assert found["holdfast_worker_sessions{api=standard,script=chat}"] == 2
    assert found["holdfast_worker_unsent_bytes{script=chat,where=edge}"] == 8
    assert found["holdfast_worker_unsent_bytes{script=chat,where=process}"] == 0


def test_objects_are_shown_by_their_class() -> None:
    times = Times()
    times.add(0.003)
    room = {
        "events_websocket": 8,
        "errors_alarm": 1,
        "woken": 2,
        "commits": 6,
        "rows_changed": 7,
        "live": 1,
        "asleep": 4,
        "sockets": 9,
    }
    found = shown(WorkerMetrics(), [status(classes={"Room": {**room, **times.flat("handler")}})])
    of_room = "class=Room"
    assert found[f"holdfast_worker_object_events_total{{{of_room},kind=websocket,script=chat}}"] == 8
    assert found[f"holdfast_worker_object_errors_total{{{of_room},kind=alarm,script=chat}}"] == 1
    assert found[f"holdfast_worker_object_lives_total{{{of_room},script=chat,what=woken}}"] == 2
    assert found[f"holdfast_worker_object_commits_total{{{of_room},script=chat}}"] == 6
    assert found[f"holdfast_worker_object_rows_changed_total{{{of_room},script=chat}}"] == 7
    assert found[f"holdfast_worker_objects{{{of_room},script=chat,state=memory}}"] == 1
    assert found[f"holdfast_worker_objects{{{of_room},script=chat,state=asleep}}"] == 4
    assert found[f"holdfast_worker_object_sockets{{{of_room},script=chat}}"] == 9
    assert found[f"holdfast_worker_object_handler_seconds_bucket{{{of_room},le=0.001,script=chat}}"] == 0
    assert found[f"holdfast_worker_object_handler_seconds_bucket{{{of_room},le=0.005,script=chat}}"] == 1
    assert found[f"holdfast_worker_object_handler_seconds_sum{{{of_room},script=chat}}"] == 0.003


def test_what_counts_does_not_go_down_where_the_host_began_anew() -> None:
    metrics, name = WorkerMetrics(), "holdfast_worker_broadcasts_total{script=chat}"
    assert [
        shown(metrics, [status(totals={"broadcasts": value})])[name] for value in (3, 10, 4, 5)
    ] == [3, 10, 14, 15]  # fmt: skip


def test_scripts_of_one_name_in_two_accounts_are_one() -> None:
    both = [status("k1", totals={"broadcasts": 1}, rss_bytes=5), status("k2", totals={"broadcasts": 2}, rss_bytes=6)]
    found = shown(WorkerMetrics(), both)
    assert found["holdfast_worker_broadcasts_total{script=chat}"] == 3
    assert found["holdfast_worker_memory_bytes{script=chat}"] == 11


def test_a_figure_that_is_not_known_here_is_not_shown() -> None:
    found = shown(WorkerMetrics(), [status(totals={"something_new": 1}, classes={"Room": {"else": 2}})])
    assert not [name for name in found if "something" in name or "else" in name]


def test_where_the_host_does_not_answer_that_is_all_that_is_said() -> None:
    assert shown(WorkerMetrics(), None) == {"holdfast_worker_host_up{}": 0}


def test_every_family_explains_itself() -> None:
    for family in WorkerMetrics().families([status()]):
        assert family.documentation.endswith(".")
