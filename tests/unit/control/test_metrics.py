"""`holdfast.control.metrics`: the figures of edges, as Prometheus's own parser reads them."""

from prometheus_client.parser import text_string_to_metric_families

from holdfast.control.metrics import OwnFigures, exposition
from holdfast.model.control_link import Report
from holdfast.model.zone_document import Kind
from holdfast.model.zone_statistics import ZoneStatistics

ZONE = ZoneStatistics(
    zone="z1",
    connections_open=2,
    connections_opened=5,
    messages_to_origin=10,
    messages_to_client=20,
    bytes_to_origin=100,
    bytes_to_client=200,
    upgrades={101: 5, 403: 1},
    requests={200: 7},
    closes={"client/close_frame": 2, "edge/idle_timeout": 1, "edge/x": 3, "?": 1},
    messages_found={"drop": 4},
)
REPORT = Report(
    request_id=1,
    revision=1,
    statistics={"tunnels_open": 2, "requests": 13, "policy_failed": 1},
    zones=(ZONE,),
    decide_buckets=((0.00001, 5), (0.001, 13)),
    decide_sum_s=0.5,
    decide_count=13,
)


def samples(*reports: Report) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    published: dict[Kind, tuple[int, int]] = {"zone": (3, 0), "account": (2, 1), "list": (9, 0), "managed": (1, 0)}
    text = exposition(reports, OwnFigures(edges=1), zone_name={"z1": "a.com"}.__getitem__, published=published).decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_figures_of_a_zone_bear_its_name() -> None:
    found = samples(REPORT)
    assert found["holdfast_zone_websocket_connections", (("zone", "a.com"),)] == 2
    assert found["holdfast_zone_websocket_upgrades_total", (("status", "403"), ("zone", "a.com"))] == 1
    assert found["holdfast_zone_http_requests_total", (("status", "200"), ("zone", "a.com"))] == 7
    assert found["holdfast_zone_websocket_messages_total", (("direction", "to_client"), ("zone", "a.com"))] == 20
    assert found["holdfast_zone_websocket_bytes_total", (("direction", "to_origin"), ("zone", "a.com"))] == 100
    assert found["holdfast_zone_websocket_messages_found_total", (("action", "drop"), ("zone", "a.com"))] == 4


def test_ends_are_counted_by_the_words_of_the_vocabulary_and_others_as_others() -> None:
    name = "holdfast_zone_websocket_closes_total"
    closes = {(labels[0][1], labels[1][1]): value for (one, labels), value in samples(REPORT).items() if one == name}
    assert closes == {
        ("client", "close_frame"): 2, ("edge", "idle_timeout"): 1, ("edge", "other"): 3, ("other", "other"): 1,
    }  # fmt: skip


def test_edges_that_retire_and_those_who_watch_are_counted() -> None:
    published: dict[Kind, tuple[int, int]] = {"zone": (0, 0)}
    text = exposition([], OwnFigures(edges=2, retired=1, streams=3), zone_name=str, published=published).decode()
    assert "\nholdfast_edges 2.0\n" in text
    assert "\nholdfast_edges_retired 1.0\n" in text
    assert "\nholdfast_connection_streams 3.0\n" in text


def test_what_is_published_is_counted_kind_by_kind() -> None:
    found = samples()
    assert (found["holdfast_zones", ()], found["holdfast_zones_refused", ()]) == (3, 0)
    assert found["holdfast_rule_documents", (("kind", "list"),)] == 9
    assert found["holdfast_rule_documents_refused", (("kind", "account"),)] == 1
    assert ("holdfast_rule_documents", (("kind", "zone"),)) not in found


def test_rules_that_do_nothing_are_counted() -> None:
    published: dict[Kind, tuple[int, int]] = {"zone": (0, 0)}
    text = exposition([], OwnFigures(edges=0, inert_rules=3), zone_name=str, published=published).decode()
    assert "\nholdfast_rules_inert 3.0\n" in text


def test_the_figures_of_several_edges_are_added_up() -> None:
    found = samples(REPORT, REPORT)
    assert found["holdfast_zone_websocket_connections", (("zone", "a.com"),)] == 4
    assert found["holdfast_edge_requests_total", ()] == 26
    assert found["holdfast_edge_decide_seconds_bucket", (("le", "0.001"),)] == 26
    assert found["holdfast_edge_decide_seconds_count", ()] == 26
    assert found["holdfast_edge_decide_seconds_sum", ()] == 1.0


def test_without_an_edge_there_are_still_figures() -> None:
    found = samples()
    assert found["holdfast_edges", ()] == 1
    assert found["holdfast_zones", ()] == 3
    assert found["holdfast_edge_websocket_connections", ()] == 0


def test_events_are_counted_by_zone_source_and_action_over_all_edges() -> None:
    events = (("z1", "rateLimit", "block", 7), ("z1", "ip", "log", 1))
    figures = {"security_events_left_out": 3, "security_events_waiting": 2}
    report = Report(request_id=1, revision=1, statistics=figures, security_events=events)
    found = samples(report, report)
    labels = (("action", "block"), ("source", "rateLimit"), ("zone", "a.com"))
    assert found["holdfast_security_events_total", labels] == 14
    assert found["holdfast_edge_security_events_left_out_total", ()] == 6
    assert found["holdfast_edge_security_events_queue", ()] == 4
    assert found["holdfast_security_events_stored", ()] == 0
