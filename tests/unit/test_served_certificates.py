"""The certificates of an edge: whose they are, what is said of them, and renewal while it runs."""

import json
import os
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from holdfast import served_certificates
from holdfast.config.up import UpOptions
from holdfast.errors import CertificateError
from holdfast.event_log import EventLog, utc_now
from holdfast.served_certificates import ServedCertificates
from tests.unit.certificates.making import DAY, a_key, cert_pem, key_pem

if TYPE_CHECKING:
    from holdfast._native import Certificate


@dataclass
class NativeCertificate:
    """The core's certificate, as far as it is made here."""

    names: tuple[str, ...]
    chain_pem: bytes
    key_pem: bytes


class FakeEdge:
    """An edge that remembers what it was given."""

    def __init__(self) -> None:
        self.given: list[list[NativeCertificate]] = []

    def set_certificates(self, certificates: list[NativeCertificate]) -> None:
        self.given.append(certificates)

    def poll(self, certificates: ServedCertificates, times: int = 2) -> None:
        for _ in range(times):
            certificates.poll(cast("Callable[[Sequence[Certificate]], None]", self.set_certificates))


@pytest.fixture(autouse=True)
def core(monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = types.ModuleType("holdfast._native")
    module.Certificate = NativeCertificate
    monkeypatch.setitem(sys.modules, "holdfast._native", module)


@pytest.fixture
def log_file(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def log(log_file: Path) -> Iterator[EventLog]:
    descriptor = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    yield EventLog(descriptor)
    os.close(descriptor)


def _options(tmp_path: Path, **more: Any) -> UpOptions:
    given = {"origin": "http://127.0.0.1:9", "tls_listen": ["127.0.0.1:0"], "data_dir": str(tmp_path / "data")}
    return UpOptions.parse({**given, **more})


def _operators(tmp_path: Path, number: int = 0) -> dict[str, list[str]]:
    cert, key = tmp_path / "site.pem", tmp_path / "site.key"
    cert.write_bytes(cert_pem(a_key(number=number), not_after=utc_now() + 90 * DAY))
    key.write_bytes(key_pem(a_key(number=number)))
    return {"cert": [str(cert)], "key": [str(key)]}


def _events(log_file: Path) -> list[str]:
    return [json.loads(line)["event"] for line in log_file.read_text().splitlines()]


def _served(options: UpOptions, log: EventLog) -> ServedCertificates:
    """What an edge with these options serves."""
    if options.certificate_files:
        return ServedCertificates.of_files(options.certificate_files, log)
    ips = [address.ip for address in options.tls_listen]
    return ServedCertificates.local(options.data_dir, ips, log, command="holdfast up")


def test_the_operators_pair_is_served_and_no_authority_made(
    tmp_path: Path, log: EventLog, capsys: pytest.CaptureFixture[str]
) -> None:
    certificates = _served(_options(tmp_path, **_operators(tmp_path)), log)
    (native,) = cast("list[NativeCertificate]", certificates.native())
    assert native.names == ("example.com",)
    assert native.key_pem == key_pem(a_key())
    assert not (tmp_path / "data").exists()
    assert capsys.readouterr() == ("", "")


def test_an_expired_pair_is_served_with_a_warning(tmp_path: Path, log: EventLog, log_file: Path) -> None:
    certificates = _served(_options(tmp_path, **_expired(tmp_path)), log)
    assert len(certificates.native()) == 1
    assert _events(log_file) == ["certificate_warning"]


def _expired(tmp_path: Path) -> dict[str, list[str]]:
    given = _operators(tmp_path)
    pem = cert_pem(a_key(), not_before=utc_now() - 9 * DAY, not_after=utc_now() - DAY)
    (tmp_path / "site.pem").write_bytes(pem)
    return given


def test_a_pair_that_cannot_be_used_stops_the_start(tmp_path: Path, log: EventLog) -> None:
    given = _operators(tmp_path)
    (tmp_path / "site.key").write_bytes(key_pem(a_key(number=1)))
    with pytest.raises(CertificateError, match="does not match"):
        _served(_options(tmp_path, **given), log)


def test_a_new_local_authority_is_announced_once(
    tmp_path: Path, log: EventLog, capsys: pytest.CaptureFixture[str]
) -> None:
    certificates = _served(_options(tmp_path), log)
    (native,) = cast("list[NativeCertificate]", certificates.native())
    assert {"localhost", "*.localhost"} <= set(native.names)
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    assert str(tmp_path / "data" / "tls" / "ca.pem") in said
    _served(_options(tmp_path), log)
    assert capsys.readouterr().err == ""


def test_replaced_files_are_given_to_the_edge(tmp_path: Path, log: EventLog, log_file: Path) -> None:
    certificates = _served(_options(tmp_path, **_operators(tmp_path)), log)
    edge = FakeEdge()
    edge.poll(certificates)
    assert edge.given == []
    _operators(tmp_path, number=1)
    edge.poll(certificates)
    assert [[one.key_pem for one in given] for given in edge.given] == [[key_pem(a_key(number=1))]]
    assert _events(log_file) == ["certificate_loaded"]


def test_a_local_certificate_is_renewed_before_it_ends(
    tmp_path: Path, log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificates = _served(_options(tmp_path), log)
    edge = FakeEdge()
    edge.poll(certificates)
    assert edge.given == []
    monkeypatch.setattr(served_certificates, "utc_now", lambda: utc_now() + 370 * DAY)
    edge.poll(certificates, 4)
    assert len(edge.given) == 1


def test_a_renewal_that_fails_is_logged_and_tried_again_an_hour_later(
    tmp_path: Path, log: EventLog, log_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificates = _served(_options(tmp_path), log)
    (tmp_path / "data" / "tls" / "ca-key.pem").unlink()
    edge = FakeEdge()
    late = utc_now() + 370 * DAY
    for moment, warnings in ((late, 1), (late + DAY / 48, 1), (late + DAY / 20, 2)):
        monkeypatch.setattr(served_certificates, "utc_now", lambda moment=moment: moment)
        edge.poll(certificates)
        assert _events(log_file) == ["certificate_warning"] * warnings
    assert edge.given == []
