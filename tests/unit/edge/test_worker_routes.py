"""Routes of Workers compiled: whole, or refused with zone, pattern and what was expected."""

from pathlib import Path
from typing import Any

import pytest

from holdfast.edge.compile_error import CompileError
from holdfast.edge.snapshot import empty_snapshot
from holdfast.edge.worker_processes import Processes
from holdfast.edge.worker_routes import snapshot_of_worker
from holdfast.edge.worker_scripts import Script
from holdfast.model.zone_document import CATCH_ALL, WorkerDomainDocument, WorkerRouteDocument
from tests.unit.edge.origins import a_snapshot, a_zone

KEY = "0123456789ab"
CHAT = Script(KEY, "chat")


def a_route(pattern: str, key: str = KEY) -> WorkerRouteDocument:
    return WorkerRouteDocument(pattern=pattern, key=key, name="chat")


def a_domain(host: str, key: str = KEY) -> WorkerDomainDocument:
    return WorkerDomainDocument(host=host, key=key, name="chat")


def test_a_zone_without_routes_has_nothing_to_look_through() -> None:
    assert a_zone().workers is None


def test_routes_and_domains_compile_and_a_domain_needs_no_record() -> None:
    zone = a_zone(worker_routes=(a_route("*example.com/*"),), worker_domains=(a_domain("new.sub.example.com"),))
    assert zone.workers is not None
    assert zone.workers.script_of("https", "example.com", "/") == CHAT
    target = zone.target_of("new.sub.example.com")
    assert target is not None
    assert (target.is_proxied, target.is_prohibited) == (True, True)


def test_a_paused_zone_has_no_workers() -> None:
    zone = a_zone(paused=True, worker_routes=(a_route("example.com/*"),), worker_domains=(a_domain("a.b.example.com"),))
    assert zone.workers is None
    assert zone.targets.get("a.b.example.com") is None


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"worker_routes": (a_route("example.com/*/x"),)}, "worker_routes: expected a pattern such as"),
        ({"worker_routes": (a_route("example.org/*"),)}, "worker_routes: expected a pattern of a host of example.com"),
        ({"worker_routes": (a_route("example.com/*", "../x"),)}, "worker_routes.key: expected 12 hexadecimal digits"),
        ({"worker_domains": (a_domain("example.org"),)}, "worker_domains: expected a host name of example.com"),
        ({"worker_domains": (a_domain("A.example.com"),)}, "worker_domains: expected a host name of example.com"),
        ({"worker_domains": (a_domain("a.example.com", ""),)}, "worker_routes.key: expected 12 hexadecimal digits"),
        # A paused zone must not turn out to be wrong when it is let go.
        ({"paused": True, "worker_routes": (a_route("x y"),)}, "worker_routes: expected a pattern such as"),
    ],
)
def test_what_does_not_compile_is_refused(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(CompileError) as caught:
        a_zone(**fields)
    assert sentence in str(caught.value)


@pytest.mark.parametrize("with_origin", [True, False])
def test_one_worker_may_stand_in_front_of_every_host_name(tmp_path: Path, *, with_origin: bool) -> None:
    processes = Processes(tmp_path)
    before = a_snapshot() if with_origin else empty_snapshot(instance="00ff", is_published=False)
    snapshot = snapshot_of_worker(CHAT, before, processes)
    assert (snapshot.is_published, snapshot.processes) == (True, processes)
    zone = snapshot.zones[CATCH_ALL]
    assert zone.workers is not None
    assert zone.workers.script_of("http", "any.host", "/a?b") == CHAT
    target = zone.target_of("any.host")
    assert target is not None
    assert target.is_prohibited is not with_origin
