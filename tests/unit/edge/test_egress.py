"""What becomes of a request that a Worker makes."""

import dataclasses
from pathlib import Path
from typing import Any

import msgspec
import pytest

from holdfast.edge.decide import decide
from holdfast.edge.decision import Decision, Forward, Respond
from holdfast.edge.ports import Ports
from holdfast.edge.snapshot import Snapshot, empty_snapshot
from holdfast.edge.worker_processes import Processes
from holdfast.edge.worker_routes import snapshot_of_worker
from holdfast.edge.worker_scripts import Script
from holdfast.model.request import Request
from holdfast.model.worker_egress import MAX_DEPTH, Egress, field_of, read_context
from holdfast.model.zone_document import WorkerDomainDocument, WorkerRouteDocument
from holdfast.rules.context import Place
from tests.unit.edge.origins import PORTS, a_record, a_snapshot, a_zone, zone_id

KEY, OTHER = "0123456789ab", "ba9876543210"
CLIENT = "203.0.113.7"
MINE = zone_id("example.com")


@pytest.fixture
def snapshot(tmp_path: Path) -> Snapshot:
    routes = (WorkerRouteDocument(pattern="*example.com/*", key=KEY, name="chat"),)
    mine = a_zone(
        "example.com",
        a_record("example.com"),
        a_record("grey.example.com", "192.0.2.9", proxied=False),
        worker_routes=routes,
        worker_domains=(WorkerDomainDocument(host="domain.example.com", key=OTHER, name="domain"),),
        ssl="strict",
        websockets="off",
    )
    other = a_zone(
        "example.org", worker_routes=(WorkerRouteDocument(pattern="example.org/w*", key=OTHER, name="other"),)
    )
    plain = empty_snapshot(instance="00ff", ports=PORTS, processes=Processes(tmp_path))
    return plain.with_changes([mine, other])


def an_egress(
    url: str, *, headers: tuple[tuple[str, str], ...] = (), is_upgrade: bool = False, **fields: Any
) -> Request:
    """What the core makes of a process's request for `url`."""
    scheme, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    context = {"zone": MINE, "host": "example.com", "client_ip": CLIENT, **fields}
    said = field_of(Egress(scheme="https" if scheme == "https" else "http", script=KEY, **context))
    return Request(
        "230b030023ae2822-LOC",
        "GET",
        "http",
        authority.rpartition(":")[0] if ":" in authority.rpartition("]")[2] else authority,
        slash + path or "/",
        "",
        "HTTP/1.1",
        (("Host", authority), ("Holdfast-Egress", said), *headers),
        "0.0.0.0",
        0,
        0,
        None,
        is_upgrade,
        True,  # noqa: FBT003
    )


def forwarded(request: Request, snapshot: Snapshot, **more: Any) -> Forward:
    decision = decide(request, snapshot, now=1.0, **more)
    assert isinstance(decision, Forward)
    return decision


def refused(decision: Decision) -> tuple[int, int]:
    assert isinstance(decision, Respond)
    return decision.status, int(dict(decision.headers)["cf-error-type"])


def test_a_request_for_the_own_zone_goes_to_its_origin_and_to_no_rule_and_no_worker(snapshot: Snapshot) -> None:
    decision = forwarded(an_egress("https://example.com/a", is_upgrade=True), snapshot)
    assert (decision.worker, decision.origin.label, decision.server_name) == (
        None,
        "https://192.0.2.1:443",
        "example.com",
    )
    fields = dict(decision.set_headers)
    assert (fields["CF-Connecting-IP"], fields["X-Forwarded-For"]) == (CLIENT, CLIENT)
    assert (fields["CF-Worker"], fields["CDN-Loop"]) == ("example.com", "holdfast;instance=00ff")


def test_a_clients_request_that_is_passed_on_names_the_client_once(snapshot: Snapshot) -> None:
    passed = (("X-Forwarded-For", f"198.51.100.1, {CLIENT}"), ("CF-Connecting-IP", CLIENT), ("CF-IPCountry", "PT"))
    decision = forwarded(
        an_egress("https://example.com/", headers=passed), snapshot, place_of=lambda _: Place(country="PT")
    )
    fields = dict(decision.set_headers)
    assert "X-Forwarded-For" not in fields
    assert (fields["CF-IPCountry"], fields["CF-Connecting-IP"]) == ("PT", CLIENT)
    assert decision.remove_headers == ("CF-IPCountry",)


@pytest.mark.parametrize("url", ["http://grey.example.com/", "http://unknown.example.com/"])
def test_a_name_of_the_own_zone_that_is_not_proxied_is_dialled_as_anywhere_else(snapshot: Snapshot, url: str) -> None:
    decision = forwarded(an_egress(url), snapshot)
    assert decision.origin.label == f"{url.removesuffix('/')}:80"


def test_the_origin_of_a_custom_domain_is_its_worker(snapshot: Snapshot) -> None:
    decision = forwarded(an_egress("https://domain.example.com/", depth=3), snapshot)
    assert decision.worker is not None
    assert decision.worker.script == OTHER
    assert read_context(dict(decision.set_headers)["Holdfast-Context"]).depth == 4


def test_another_zone_is_asked_as_by_any_client_and_its_worker_answers(snapshot: Snapshot) -> None:
    decision = forwarded(an_egress("https://example.org/w", depth=1), snapshot)
    assert decision.worker is not None
    assert decision.worker.script == OTHER
    context = read_context(dict(decision.set_headers)["Holdfast-Context"])
    assert (context.depth, context.client_ip, context.zone) == (2, "127.0.0.1", zone_id("example.org"))
    assert forwarded(an_egress("https://example.org/"), snapshot).worker is None


def test_another_zone_may_refuse(tmp_path: Path) -> None:
    plain = empty_snapshot(instance="00ff", ports=PORTS, processes=Processes(tmp_path))
    snapshot = plain.with_changes([a_zone("example.com"), a_zone("example.org", websockets="off")])
    assert refused(decide(an_egress("https://example.org/", is_upgrade=True), snapshot, now=1.0)) == (403, 403)


def test_workers_that_ask_workers_come_to_an_end(snapshot: Snapshot) -> None:
    request = an_egress("https://example.org/w", depth=MAX_DEPTH - 1)
    assert refused(decide(request, snapshot, now=1.0)) == (508, 1019)


@pytest.mark.parametrize(
    ("url", "label"),
    [
        ("https://api.test/v1", "https://api.test:443"),
        ("http://api.test/v1", "http://api.test:80"),
        ("https://api.test:8443/", "https://api.test:8443"),
        ("http://[2001:db8::1]:81/", "http://[2001:db8::1]:81"),
        ("http://[2001:db8::1]/", "http://[2001:db8::1]:80"),
    ],
)
def test_any_other_host_is_dialled_as_it_is_named(snapshot: Snapshot, url: str, label: str) -> None:
    decision = forwarded(an_egress(url), snapshot)
    assert (decision.origin.label, decision.worker, decision.zone) == (label, None, "")


def test_anybody_else_hears_nothing_of_the_client(snapshot: Snapshot) -> None:
    passed = (
        ("CF-Connecting-IP", CLIENT),
        ("CF-IPCountry", "PT"),
        ("True-Client-IP", CLIENT),
        ("X-Forwarded-For", f"10.0.0.1, {CLIENT}"),
        ("CF-Visitor", "{}"),
        ("Authorization", "Bearer x"),
    )
    decision = forwarded(an_egress("https://api.test/", headers=passed), snapshot)
    assert set(decision.remove_headers) == {name for name, _ in passed[:-1]}
    assert dict(decision.set_headers) == {
        "CF-Ray": "230b030023ae2822-LOC",
        "CDN-Loop": "holdfast;instance=00ff",
        "CF-Worker": "example.com",
    }


def test_a_list_of_forwarders_that_the_worker_made_itself_is_its_own_to_send(snapshot: Snapshot) -> None:
    decision = forwarded(an_egress("https://api.test/", headers=(("X-Forwarded-For", "10.0.0.1"),)), snapshot)
    assert decision.remove_headers == ()


@pytest.mark.parametrize("url", ["https://example.com/", "https://example.org/", "https://api.test/"])
@pytest.mark.parametrize(
    ("park", "is_upgrade", "is_parked"), [(True, True, True), (True, False, False), (False, True, False)]
)
def test_a_websocket_is_kept_for_the_script_that_asks_for_one(
    snapshot: Snapshot, url: str, *, park: bool, is_upgrade: bool, is_parked: bool
) -> None:
    decision = forwarded(an_egress(url, park=park, is_upgrade=is_upgrade), snapshot)
    assert (decision.park is not None and decision.park.script == KEY) is is_parked


def test_a_worker_that_answers_nobody_has_no_zone_of_its_own(snapshot: Snapshot) -> None:
    decision = forwarded(an_egress("https://example.org/w", zone="", host="", client_ip=""), snapshot)
    assert decision.worker is not None
    own = decide(an_egress("https://example.com/", zone="", host="", client_ip=""), snapshot, now=1.0)
    assert isinstance(own, Forward)
    assert own.worker is not None


@pytest.mark.parametrize(
    ("with_origin", "url", "label"),
    [
        (True, "http://localhost:8080/", "http://origin.test"),
        # Where this edge listens, though a proxy before it has told the client another port.
        (True, "http://localhost:8888/", "http://origin.test"),
        # Another service of the same machine.
        (True, "http://localhost:9000/", "http://localhost:9000"),
        (True, "http://localhost/", "http://localhost:80"),
        (True, "https://api.test/", "https://api.test:443"),
        (False, "https://api.test/", "https://api.test:443"),
    ],
)
def test_one_worker_for_every_host_name_has_its_own_host_alone_for_its_zone(
    tmp_path: Path, url: str, label: str, *, with_origin: bool
) -> None:
    before = a_snapshot() if with_origin else empty_snapshot(instance="00ff")
    before = dataclasses.replace(before, ports=Ports(plain=(8888,)))
    snapshot = snapshot_of_worker(Script(KEY, "chat"), before, Processes(tmp_path))
    assert forwarded(an_egress(url, zone="", host="localhost", port=8080), snapshot).origin.label == label


def test_a_worker_with_nothing_behind_it_answers_what_it_asks_of_its_own_address(tmp_path: Path) -> None:
    before = empty_snapshot(instance="00ff", ports=Ports(plain=(8080,), tls=(8443,)))
    snapshot = snapshot_of_worker(Script(KEY, "chat"), before, Processes(tmp_path))

    def asked(url: str, **more: Any) -> Decision:
        return decide(an_egress(url, zone="", host="localhost", **more), snapshot, now=1.0)

    for url, is_own in (
        ("http://localhost:8080/a", True),
        ("https://localhost:8443/a", True),
        ("http://localhost:8443/a", False),
        ("http://localhost:9000/a", False),
        ("http://localhost/a", False),
        ("http://other:8080/a", False),
    ):
        decision = asked(url, depth=3)
        assert isinstance(decision, Forward)
        assert (decision.worker is not None) == is_own, url
        if is_own:
            assert read_context(dict(decision.set_headers)["Holdfast-Context"]).depth == 4
    assert refused(asked("http://localhost:8080/a", depth=MAX_DEPTH - 1)) == (508, 1019)
    # The host of the request that it answers is what its client wrote, who may not have it dialled.
    named = asked("http://localhost:9000/a", port=9000, depth=3)
    assert isinstance(named, Forward)
    assert named.worker is not None


@pytest.mark.parametrize(
    "headers",
    [
        (("Host", "example.com"),),
        (("Host", "example.com"), ("Holdfast-Egress", "?")),
        (("Host", "example.com"), ("Holdfast-Egress", "a"), ("Holdfast-Egress", "b")),
        (("Host", "example.com:99999"), ("Holdfast-Egress", field_of(Egress(scheme="http", script=KEY)))),
        (("Host", "example.com:x"), ("Holdfast-Egress", field_of(Egress(scheme="http", script=KEY)))),
    ],
)
def test_a_process_that_does_not_say_what_it_asks_for_is_refused(
    snapshot: Snapshot, headers: tuple[tuple[str, str], ...]
) -> None:
    request = msgspec.structs.replace(an_egress("http://example.com/"), headers=headers)
    assert refused(decide(request, snapshot, now=1.0)) == (400, 400)


def test_a_host_that_cannot_be_dialled_is_refused(snapshot: Snapshot) -> None:
    request = msgspec.structs.replace(an_egress("https://x.test/"), host="a" * 400)
    assert refused(decide(request, snapshot, now=1.0)) == (530, 1016)


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "[fe80::1]", "[fd00:ec2::254]", "[::ffff:a9fe:a9fe]", "[64:ff9b::a9fe:a9fe]", "0.0.0.0"]
)
def test_an_address_where_no_origin_can_be_is_dialled_for_no_worker(snapshot: Snapshot, host: str) -> None:
    assert refused(decide(an_egress(f"http://{host}/"), snapshot, now=1.0)) == (530, 1016)
    assert refused(decide(an_egress(f"https://{host}:8443/"), snapshot, now=1.0)) == (530, 1016)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "10.0.0.1", "[fd00::1]"])
def test_an_address_of_a_network_of_ours_is_dialled(snapshot: Snapshot, host: str) -> None:
    forwarded(an_egress(f"http://{host}:8443/"), snapshot)


def test_an_edge_without_processes_refuses() -> None:
    snapshot = empty_snapshot(instance="00ff", ports=PORTS)
    assert refused(decide(an_egress("http://x.test/"), snapshot, now=1.0)) == (500, 1101)


def test_what_a_process_says_to_an_edge_is_shown_to_no_phase(
    snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Request] = []

    def look(request: Request, view: object, record: object) -> Decision:
        seen.append(request)
        return Respond(200)

    monkeypatch.setattr("holdfast.edge.decide.decide_in", look)
    decide(an_egress("https://example.org/w", headers=(("X-Mine", "1"),)), snapshot, now=1.0)
    assert [name for name, _ in seen[0].headers] == ["Host", "X-Mine"]
