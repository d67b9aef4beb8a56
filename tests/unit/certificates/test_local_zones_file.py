"""`holdfast.certificates.local_zones_file`: what the local authority signed for zones, kept, and looked at before it is believed."""

import datetime as dt
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from holdfast.certificates.local_ca import Authority, ensure_local_certificate, make_leaf, read_authority
from holdfast.certificates.local_zones_file import (
    FILE_NAME,
    MAX_FILE_BYTES,
    key_pem_of,
    local_pair,
    read_local_zones,
    write_local_zones,
)
from holdfast.certificates.pair import CertificatePair
from tests.unit.certificates.making import a_key, cert_pem, key_pem

NOW = dt.datetime(2026, 11, 25, tzinfo=dt.UTC)
KEY = ec.generate_private_key(ec.SECP256R1())
ZONES = ("a.test", "b.test")


def authority_in(directory: Path) -> Authority:
    """A new authority."""
    ensure_local_certificate(directory, frozenset({"localhost"}), now=NOW)
    authority = read_authority(directory)
    assert authority is not None
    return authority


def signed(authority: Authority, *names: str, key: ec.EllipticCurvePrivateKey = KEY) -> CertificatePair:
    """A certificate for `names`."""
    leaf = make_leaf(authority, key, frozenset(names), now=NOW, life=dt.timedelta(days=9))
    return local_pair(leaf, key_pem_of(key))


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return authority_in(tmp_path)


@pytest.fixture
def pairs(tmp_path: Path, authority: Authority) -> dict[str, CertificatePair]:
    """Certificates of zones, which are written."""
    made = {zone: signed(authority, zone, f"*.{zone}") for zone in ZONES}
    write_local_zones(tmp_path, made.values(), key_pem_of(KEY))
    return made


def test_what_is_written_is_read_and_nobody_else_may(
    tmp_path: Path, authority: Authority, pairs: dict[str, CertificatePair]
) -> None:
    read = read_local_zones(tmp_path, authority)
    assert read is not None
    assert (key_pem_of(read[0]), read[1]) == (key_pem_of(KEY), pairs)
    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600


def test_a_certificate_of_another_authority_another_key_or_another_form_is_left_out(
    tmp_path: Path, authority: Authority
) -> None:
    other_key = ec.generate_private_key(ec.SECP256R1())
    made = {
        "a.test": signed(authority, "a.test", "*.a.test"),
        "other-authority.test": signed(
            authority_in(tmp_path / "other"), "other-authority.test", "*.other-authority.test"
        ),
        "other-key.test": signed(authority, "other-key.test", "*.other-key.test", key=other_key),
        "no-zone.test": signed(authority, "no-zone.test"),
    }
    chains = b"".join(pair.chain_pem for pair in made.values())
    (tmp_path / FILE_NAME).write_bytes(key_pem_of(KEY) + chains)
    read = read_local_zones(tmp_path, authority)
    assert read is not None
    assert list(read[1]) == ["a.test"]


def test_of_several_keys_only_those_of_the_key_are_written(tmp_path: Path, authority: Authority) -> None:
    other_key = ec.generate_private_key(ec.SECP256R1())
    made = [signed(authority, "a.test", "*.a.test"), signed(authority, "b.test", "*.b.test", key=other_key)]
    write_local_zones(tmp_path, made, key_pem_of(KEY))
    assert (tmp_path / FILE_NAME).read_bytes() == key_pem_of(KEY) + made[0].chain_pem


@pytest.mark.parametrize(
    "changed",
    [
        lambda _whole: b"",
        lambda _whole: b"junk",
        lambda whole: whole[: len(whole) // 2],
        lambda whole: whole[whole.index(b"-----BEGIN CERT") :],
        lambda whole: whole[: whole.index(b"-----BEGIN CERT")],
        lambda whole: whole + b" " * MAX_FILE_BYTES,
        lambda _whole: key_pem(a_key("rsa")) + cert_pem(a_key("rsa")),
        lambda _whole: key_pem(a_key("ec"), password=b"secret") + cert_pem(a_key("ec")),
    ],
    ids=["empty", "junk", "cut off", "no key", "no certificate", "too large", "another kind of key", "encrypted"],
)
def test_a_file_that_is_not_as_expected_is_as_none(
    changed: Callable[[bytes], bytes], tmp_path: Path, authority: Authority, pairs: dict[str, CertificatePair]
) -> None:
    file = tmp_path / FILE_NAME
    whole = file.read_bytes()
    file.write_bytes(changed(whole))
    assert read_local_zones(tmp_path, authority) is None
    file.write_bytes(whole)
    assert read_local_zones(tmp_path, authority) is not None


def test_without_a_file_there_are_none(tmp_path: Path, authority: Authority) -> None:
    assert read_local_zones(tmp_path, authority) is None
