"""What goes to the process of a script, after everything that may refuse it."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from holdfast.edge.decide import decide
from holdfast.edge.decision import Forward, Respond
from holdfast.edge.phases.worker_route import worker_route
from holdfast.edge.snapshot import Snapshot, empty_snapshot
from holdfast.edge.trace import trace_request
from holdfast.edge.view import view_of
from holdfast.edge.worker_processes import Processes
from holdfast.model.worker_egress import MAX_DEPTH, RequestContext, read_context
from holdfast.model.zone_document import UrlNormalization, WorkerRouteDocument
from holdfast.rules.context import Place
from tests.unit.edge.origins import PORTS, a_zone, zone_id
from tests.unit.requests import BROWSER_UPGRADE, a_request

KEY = "0123456789ab"
ROUTES = (
    WorkerRouteDocument(pattern="example.com/*", key=KEY, name="chat"),
    WorkerRouteDocument(pattern="example.com/static/*"),
    WorkerRouteDocument(pattern="https://example.com/only", key=KEY, name="chat"),
)


@pytest.fixture
def processes(tmp_path: Path) -> Processes:
    return Processes(tmp_path)


def with_routes(processes: Processes | None, **fields: Any) -> Snapshot:
    zone = a_zone("example.com", worker_routes=ROUTES, **fields)
    return empty_snapshot(instance="00ff", ports=PORTS, processes=processes).with_changes([zone])


def to_worker(snapshot: Snapshot, **request: Any) -> Forward:
    decision = decide(a_request(**request), snapshot, now=1.0)
    assert isinstance(decision, Forward)
    return decision


def test_a_request_that_a_route_matches_goes_to_its_scripts_process(processes: Processes) -> None:
    decision = to_worker(with_routes(processes))
    assert decision.worker is processes.target(KEY)
    assert decision.origin.label == "worker:chat"
    assert (decision.zone, decision.server_name, decision.explain_statuses) == (zone_id("example.com"), "", ())
    assert decision.tunnel is not None


@pytest.mark.parametrize("path", ["/static/a", "/static/"])
def test_a_route_without_a_script_leads_to_the_origin(processes: Processes, path: str) -> None:
    decision = to_worker(with_routes(processes), path=path)
    assert decision.worker is None
    assert decision.origin.label == "http://192.0.2.1:8443"


@pytest.mark.parametrize(
    ("form", "path", "script", "told"),
    [
        ({}, "/x/../only", KEY, "/only"),
        ({}, "/%6Fnly", KEY, "/only"),
        ({}, "//only", KEY, "/only"),
        ({}, "/.\\only", KEY, "/only"),
        ({}, "/only", KEY, None),
        ({}, "/%C3%BCx", KEY, None),
        ({}, "/%c3%bcx", KEY, "/%C3%BCx"),
        ({}, "/.git", KEY, None),
        ({}, "/only/../public", "", None),
        ({}, "*", "", None),
        ({"type": "rfc3986"}, "/x/../only", KEY, "/only"),
        ({"type": "rfc3986"}, "//only", "", None),
        ({"scope": "none"}, "/x/../only", "", None),
        ({"scope": "none"}, "/only", KEY, None),
    ],
)
def test_a_route_and_its_worker_see_the_path_as_rules_do(
    processes: Processes, form: dict[str, Any], path: str, script: str, told: str | None
) -> None:
    patterns = ("example.com/%6fnly", "example.com/a/../ü*", "example.com/.*")
    zone = a_zone(
        "example.com",
        worker_routes=tuple(WorkerRouteDocument(pattern=one, key=KEY, name="chat") for one in patterns),
        url_normalization=UrlNormalization(**form),
    )
    snapshot = empty_snapshot(instance="00ff", ports=PORTS, processes=processes).with_changes([zone])
    if form.get("scope") == "none" and script:
        # Then a pattern means what it says, too.
        zone = a_zone("example.com", worker_routes=ROUTES[2:], url_normalization=UrlNormalization(**form))
        snapshot = snapshot.with_changes([zone])
    decision = to_worker(snapshot, path=path)
    assert decision.worker is (processes.target(KEY) if script else None)
    assert dict(decision.set_headers).get("Holdfast-Path") == told


def test_a_route_for_everything_has_what_is_asked_of_the_server_as_a_whole(processes: Processes) -> None:
    assert to_worker(with_routes(processes), path="*").worker is processes.target(KEY)


def test_a_host_without_a_route_goes_to_its_origin(processes: Processes) -> None:
    assert to_worker(with_routes(processes), host="www.example.com").worker is None


def test_the_process_is_told_what_is_known_of_the_client(processes: Processes) -> None:
    fields = dict(to_worker(with_routes(processes)).set_headers)
    assert read_context(fields["Holdfast-Context"]) == RequestContext(
        ray="230b030023ae2822-LOC",
        script=KEY,
        zone=zone_id("example.com"),
        scheme="https",
        host="example.com",
        port=443,
        client_ip="203.0.113.7",
        tls_version="TLSv1.3",
        cf={
            "httpProtocol": "HTTP/1.1",
            "colo": "LOC",
            "tlsVersion": "TLSv1.3",
            "tlsCipher": "TLS13_AES_256_GCM_SHA384",
        },
    )
    assert (fields["CF-Connecting-IP"], fields["X-Forwarded-Proto"]) == ("203.0.113.7", "https")


def test_the_process_is_told_where_the_client_is(processes: Processes) -> None:
    place = Place(country="PT", continent="EU", city="Porto", asn=64500)
    decision = decide(a_request(), with_routes(processes), now=1.0, place_of=lambda _: place)
    assert isinstance(decision, Forward)
    fields = dict(decision.set_headers)
    assert fields["CF-IPCountry"] == "PT"
    cf = read_context(fields["Holdfast-Context"]).cf
    assert (cf["country"], cf["continent"], cf["city"], cf["asn"]) == ("PT", "EU", "Porto", 64500)


def test_a_request_has_not_left_the_machine_so_no_loop_is_marked(processes: Processes) -> None:
    fields = [name for name, _ in to_worker(with_routes(processes)).set_headers]
    assert "CDN-Loop" not in fields
    before = (*BROWSER_UPGRADE, ("CDN-Loop", "other"))
    assert dict(to_worker(with_routes(processes), headers=before).set_headers)["CDN-Loop"] == "other"


@pytest.mark.parametrize(
    ("fields", "request_", "status"),
    [
        ({"websockets": "off"}, {}, 403),
        ({"websocket_allowed_origins": ("https://other.test",)}, {}, 403),
        ({"always_use_https": "on"}, {"scheme": "http", "is_upgrade": False}, 301),
    ],
)
def test_what_the_zone_refuses_never_reaches_the_process(
    processes: Processes, fields: dict[str, Any], request_: dict[str, Any], status: int
) -> None:
    decision = decide(a_request(**request_), with_routes(processes, **fields), now=1.0)
    assert isinstance(decision, Respond)
    assert decision.status == status


def test_an_upgrade_that_is_taken_off_reaches_the_process_as_a_request(processes: Processes) -> None:
    decision = to_worker(with_routes(processes, websockets="off", websocket_off_response="strip"))
    assert (decision.strip_upgrade, decision.tunnel) == (True, None)


def test_workers_that_lead_to_workers_come_to_an_end(processes: Processes) -> None:
    request, snapshot = a_request(), with_routes(processes)
    near = worker_route(request, view_of(request, snapshot, now=1.0, depth=MAX_DEPTH - 1))
    assert isinstance(near, Forward)
    assert read_context(dict(near.set_headers)["Holdfast-Context"]).depth == MAX_DEPTH - 1
    there = worker_route(request, view_of(request, snapshot, now=1.0, depth=MAX_DEPTH))
    assert isinstance(there, Respond)
    assert there.status == 508
    assert msgspec.json.decode(there.body)["error_code"] == 1019


def test_an_edge_without_processes_refuses_and_does_not_pass_the_worker_by() -> None:
    decision = decide(a_request(), with_routes(None), now=1.0)
    assert isinstance(decision, Respond)
    assert (decision.status, msgspec.json.decode(decision.body)["error_code"]) == (500, 1101)


def test_a_trace_names_the_worker_and_asks_nobody() -> None:
    trace = trace_request(a_request(), with_routes(None), now=1.0)
    assert (trace.decision, trace.decided_by, trace.origin) == ("forward", "worker_route", "worker:chat")
    assert [one.outcome for one in trace.phases][-2:] == ["decided", "not_reached"]
