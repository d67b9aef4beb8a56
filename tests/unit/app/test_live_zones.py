"""Zones of an edge that follows control, around a core that only remembers."""

import os
import sys
import types
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from holdfast.app.data_lock import DataLock, holder_of
from holdfast.app.live_zones import LiveZones
from holdfast.config.run import Config
from holdfast.errors import SetupError
from holdfast.event_log import EventLog
from holdfast.listeners import BoundAddress
from holdfast.model.listen_address import ListenAddress
from tests.unit.app.core_edge import FakeEdge
from tests.unit.certificates.making import a_key, cert_pem

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


@pytest.fixture
def lock(tmp_path: Path) -> Iterator[DataLock]:
    """The lock of the edge on the data directory, taken."""
    with closing(DataLock(tmp_path, "edge")) as taken:
        taken.take()
        yield taken


def test_a_live_edge_begins_without_zones_and_takes_its_own_certificates_anew(tmp_path: Path, lock: DataLock) -> None:
    zones = LiveZones(Config(data_dir=tmp_path), BOUND, None, LOG, lock)
    assert not zones.policy.snapshot.zones
    assert not zones.policy.snapshot.is_published
    edge: Any = FakeEdge()
    zones.start(edge)
    zones.started()
    zones.poll()
    zones.publish([])
    zones.stop()
    assert edge.did == ["tls [] []", "tls [] []"]
    assert not (tmp_path / "secret.key").exists(), "control makes the key"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, r"^origin_ca: cannot read .*ca\.pem: no such file or directory$"),
        (b"junk", r"^origin_ca: .*ca\.pem holds no PEM certificate"),
    ],
)
def test_authorities_that_cannot_be_read_are_one_sentence(
    content: bytes | None, said: str, tmp_path: Path, lock: DataLock
) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SetupError, match=said):
        LiveZones(Config(data_dir=tmp_path, origin_ca=file), BOUND, None, LOG, lock)


def test_the_core_finds_the_authorities_where_it_looks_for_the_systems(
    tmp_path: Path, lock: DataLock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/before")
    monkeypatch.setenv("SSL_CERT_DIR", "/before")
    file = tmp_path / "ca.pem"
    file.write_bytes(cert_pem(a_key()))
    LiveZones(Config(data_dir=tmp_path, origin_ca=file), BOUND, None, LOG, lock)
    assert os.environ["SSL_CERT_FILE"] == str(file)
    assert "SSL_CERT_DIR" not in os.environ


def test_a_database_of_countries_that_cannot_be_read_is_one_sentence(tmp_path: Path, lock: DataLock) -> None:
    with pytest.raises(SetupError, match=r"^the GeoIP database no\.mmdb cannot be used"):
        LiveZones(Config(data_dir=tmp_path, geoip_database=Path("no.mmdb")), BOUND, None, LOG, lock)


def test_a_successor_takes_the_data_directory_when_the_edge_before_it_retires(tmp_path: Path, lock: DataLock) -> None:
    with closing(DataLock(tmp_path, "edge")) as free:
        before = LiveZones(Config(data_dir=tmp_path), BOUND, None, LOG, lock)
        successor = LiveZones(Config(data_dir=tmp_path), BOUND, None, LOG, free)
        edge: Any = FakeEdge()
        for zones in (before, successor):
            zones.start(edge)
            zones.started()
        successor.poll()
        held = [(lock.is_held, free.is_held)]
        for zones in (before, before):
            zones.retire()
            held.append((lock.is_held, free.is_held))
        before.poll()
        successor.poll()
        held.append((lock.is_held, free.is_held))
        assert held == [(True, False), (False, False), (False, False), (False, True)]
        assert holder_of(tmp_path, "edge") == os.getpid()
        successor.retire()
        for zones in (before, successor):
            zones.stop()
