"""The local authority: made once, used again, trusted by a real TLS client, never readable by others."""

import datetime as dt
import ipaddress
import ssl
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from holdfast.certificates.local_ca import (
    AUTHORITY_LIFE,
    LEAF_LIFE,
    RENEW_BEFORE,
    LocalCertificate,
    ensure_local_certificate,
    local_names,
)
from holdfast.certificates.pair import load_pair
from holdfast.errors import CertificateError
from tests.unit.certificates.making import cert_pem, key_pem

NAMES = local_names("box", ["127.0.0.1"])
NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "data" / "tls"


def _ensure(directory: Path, *, names: frozenset[str] = NAMES, now: dt.datetime = NOW) -> LocalCertificate:
    return ensure_local_certificate(directory, names, now=now)


def _contents(directory: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in directory.glob("*.pem")}


def _changed(before: dict[str, bytes], directory: Path) -> set[str]:
    return {name for name, content in _contents(directory).items() if before.get(name) != content}


def _handshake(local: LocalCertificate, server_name: str) -> None:
    """A TLS handshake in memory: a client that trusts the authority, and a server with the certificate."""
    client_context = ssl.create_default_context(cafile=str(local.ca_file))
    # What Python 3.13 asks of every chain; the authority has to stand it.
    client_context.verify_flags |= ssl.VERIFY_X509_STRICT
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(local.cert_file, local.key_file)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server, server_hostname=server_name)
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    waiting = [client, server]
    for _ in range(10):
        for side in list(waiting):
            try:
                side.do_handshake()
                waiting.remove(side)
            except ssl.SSLWantReadError:
                continue
        if not waiting:
            return
    raise AssertionError("the handshake did not end")


# Not "chat.localhost": browsers accept "*.localhost" for it, OpenSSL wants two labels after the star.
@pytest.mark.parametrize("server_name", ["localhost", "127.0.0.1", "::1", "box"])
def test_a_client_that_trusts_the_authority_accepts_the_certificate(directory: Path, server_name: str) -> None:
    _handshake(_ensure(directory), server_name)


def test_another_name_is_not_accepted(directory: Path) -> None:
    local = _ensure(directory)
    with pytest.raises(ssl.SSLCertVerificationError, match=r"[Hh]ostname mismatch"):
        _handshake(local, "example.com")


def test_keys_are_the_owners_alone(directory: Path) -> None:
    local = _ensure(directory)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in directory.glob("*.pem")}
    assert modes == {"ca.pem": 0o644, "ca-key.pem": 0o600, "cert.pem": 0o644, "key.pem": 0o600}
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert local.is_new_authority
    assert not [file for file in directory.iterdir() if file.name.startswith(".") and file.name != ".lock"]


def test_the_pair_is_one_the_edge_can_load(directory: Path) -> None:
    local = _ensure(directory)
    pair = load_pair(local.cert_file, local.key_file, now=NOW)
    assert set(pair.names) == {"localhost", "*.localhost", "box"}
    assert pair.warnings == ()


def test_lives_are_bounded(directory: Path) -> None:
    local = _ensure(directory)
    leaf = x509.load_pem_x509_certificate(local.cert_file.read_bytes())
    authority = x509.load_pem_x509_certificate(local.ca_file.read_bytes())
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc <= LEAF_LIFE
    assert authority.not_valid_after_utc - NOW == AUTHORITY_LIFE
    assert local.renew_at == leaf.not_valid_after_utc - RENEW_BEFORE


def test_a_second_start_uses_what_is_there(directory: Path) -> None:
    _ensure(directory)
    before = _contents(directory)
    again = _ensure(directory, now=NOW + dt.timedelta(days=300))
    assert not again.is_new_authority
    assert _changed(before, directory) == set()


def test_fewer_names_need_no_new_certificate(directory: Path) -> None:
    _ensure(directory, names=local_names("box", ["127.0.0.1", "192.0.2.7"]))
    before = _contents(directory)
    _ensure(directory)
    assert _changed(before, directory) == set()


@pytest.mark.parametrize(
    ("names", "now"),
    [
        (local_names("renamed", []), NOW),
        (local_names("box", ["192.0.2.7"]), NOW),
        (NAMES, NOW + LEAF_LIFE - RENEW_BEFORE),
        (NAMES, NOW + LEAF_LIFE * 2),
    ],
    ids=["the machine's name changed", "another address", "it ends soon", "it has ended"],
)
def test_the_certificate_is_renewed_under_the_same_authority(
    directory: Path, names: frozenset[str], now: dt.datetime
) -> None:
    _ensure(directory)
    before = _contents(directory)
    again = _ensure(directory, names=names, now=now)
    assert not again.is_new_authority
    assert _changed(before, directory) == {"cert.pem", "key.pem"}


@pytest.mark.parametrize("file", ["cert.pem", "key.pem"])
@pytest.mark.parametrize("content", [None, b"", b"nonsense"])
def test_a_certificate_that_cannot_be_used_is_remade(directory: Path, file: str, content: bytes | None) -> None:
    local = _ensure(directory)
    (directory / file).unlink() if content is None else (directory / file).write_bytes(content)
    assert not _ensure(directory).is_new_authority
    _handshake(local, "localhost")


def test_an_authority_near_its_end_is_replaced_with_what_it_signed(directory: Path) -> None:
    _ensure(directory)
    before = _contents(directory)
    again = _ensure(directory, now=NOW + AUTHORITY_LIFE - RENEW_BEFORE)
    assert again.is_new_authority
    assert _changed(before, directory) == set(before)


def test_a_certificate_never_outlives_its_authority(directory: Path) -> None:
    _ensure(directory)
    late = NOW + AUTHORITY_LIFE - RENEW_BEFORE - dt.timedelta(days=1)
    local = _ensure(directory, now=late)
    leaf = x509.load_pem_x509_certificate(local.cert_file.read_bytes())
    assert leaf.not_valid_after_utc <= NOW + AUTHORITY_LIFE


def test_a_certificate_of_another_authority_is_replaced(directory: Path, tmp_path: Path) -> None:
    _ensure(directory)
    other = _ensure(tmp_path / "other")
    (directory / "cert.pem").write_bytes(other.cert_file.read_bytes())
    (directory / "key.pem").write_bytes(other.key_file.read_bytes())
    _handshake(_ensure(directory), "localhost")


@pytest.mark.parametrize("missing", ["ca.pem", "ca-key.pem"])
def test_half_an_authority_is_left_for_its_owner_to_sort_out(directory: Path, missing: str) -> None:
    _ensure(directory)
    (directory / missing).unlink()
    with pytest.raises(CertificateError, match=rf"{missing} is missing; remove .*ca\.pem and .*ca-key\.pem"):
        _ensure(directory)


@pytest.mark.parametrize("broken", ["ca.pem", "ca-key.pem"])
def test_a_broken_authority_is_left_for_its_owner_to_sort_out(directory: Path, broken: str) -> None:
    _ensure(directory)
    (directory / broken).write_bytes(b"nonsense")
    with pytest.raises(CertificateError, match="are not a certificate and its key; remove"):
        _ensure(directory)


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(CertificateError, match=r"cannot keep a local certificate in .*file.*: not a directory"):
        _ensure(tmp_path / "file" / "tls")


def test_two_machines_have_authorities_of_different_names(tmp_path: Path) -> None:
    subjects = {
        x509.load_pem_x509_certificate(_ensure(tmp_path / name).ca_file.read_bytes()).subject for name in ("a", "b")
    }
    assert len(subjects) == 2


@pytest.mark.parametrize(
    ("host_name", "listen_ips", "more"),
    [
        ("Box", [], {"box"}),
        ("box.example.com", ["192.0.2.7"], {"box.example.com", "192.0.2.7"}),
        ("not_a_dns_name", ["0.0.0.0", "::"], set()),
        ("", ["::1"], set()),
        ("x" * 64, [], set()),
        ("box", ["fe80::1%eth0"], {"box", "fe80::1"}),
    ],
)
def test_names_are_this_machines(host_name: str, listen_ips: list[str], more: set[str]) -> None:
    assert local_names(host_name, listen_ips) == {"localhost", "*.localhost", "127.0.0.1", "::1"} | more


def test_every_address_among_the_names_is_one_in_the_certificate(directory: Path) -> None:
    local = _ensure(directory, names=local_names("box", ["192.0.2.7", "fe80::1%eth0"]))
    leaf = x509.load_pem_x509_certificate(local.cert_file.read_bytes())
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    expected = {ipaddress.ip_address(ip) for ip in ("127.0.0.1", "::1", "192.0.2.7", "fe80::1")}
    assert set(names.get_values_for_type(x509.IPAddress)) == expected


def test_a_certificate_without_names_is_replaced(directory: Path) -> None:
    local = _ensure(directory)
    key = ec.generate_private_key(ec.SECP256R1())
    local.cert_file.write_bytes(cert_pem(key, names=[], not_after=NOW + dt.timedelta(days=300)))
    local.key_file.write_bytes(key_pem(key))
    _handshake(_ensure(directory), "localhost")


def test_a_disk_that_is_full_leaves_nothing_half_written(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", refuse)
    with pytest.raises(CertificateError, match="no space left on device"):
        _ensure(directory)
    assert [file.name for file in directory.iterdir()] == [".lock"]
