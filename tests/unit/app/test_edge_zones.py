"""Where an edge of `holdfast up` has its zone from, around a core that only remembers."""

import sys
import types
from pathlib import Path
from typing import Any

import pytest

from holdfast.app.edge_zones import StaticZones, ports_of
from holdfast.config.up import UpOptions
from holdfast.errors import SetupError
from holdfast.event_log import EventLog
from holdfast.listeners import BoundAddress
from holdfast.model.listen_address import ListenAddress
from tests.unit.app.core_edge import FakeEdge

LOG = EventLog(2)
BOUND = [
    BoundAddress(ListenAddress("127.0.0.1", 80), is_tls=False, descriptors=()),
    BoundAddress(ListenAddress("127.0.0.1", 443), is_tls=True, descriptors=()),
]


@pytest.fixture(autouse=True)
def core(monkeypatch: pytest.MonkeyPatch) -> Any:
    module: Any = types.ModuleType("holdfast._native")
    module.Origin = module.TlsRule = lambda **asked: asked
    monkeypatch.setitem(sys.modules, "holdfast._native", module)
    return module


def test_ports_are_told_apart() -> None:
    assert (ports_of(BOUND).plain, ports_of(BOUND).tls) == ((80,), (443,))


def test_a_static_edge_has_one_zone_for_every_name(tmp_path: Path) -> None:
    zones = StaticZones(UpOptions.parse({"origin": "http://127.0.0.1:9", "ssl": "full"}), BOUND)
    zone = zones.policy.snapshot.zone_of("any.example")
    assert zone is not None
    edge: Any = FakeEdge()
    zones.publish([])
    zones.start(edge)
    zones.started()
    zones.poll()
    zones.publish([])
    zones.retire()
    zones.stop()
    assert edge.did == ["certificates []"]


def test_an_origin_the_core_refuses_is_named(core: Any) -> None:
    def refuse(**_asked: Any) -> None:
        message = "ca_pem: no certificate in it"
        raise ValueError(message)

    core.Origin = refuse
    with pytest.raises(SetupError, match=r"^the origin http://127\.0\.0\.1:9 cannot be used: ca_pem: no certificate"):
        StaticZones(UpOptions.parse({"origin": "http://127.0.0.1:9"}), BOUND)
