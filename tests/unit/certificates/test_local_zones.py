"""`holdfast.certificates.local_zones`: a certificate for each zone that brought none, a few at a time."""

import datetime as dt
from pathlib import Path

import pytest
from cryptography import x509

from holdfast.certificates.local_ca import LEAF_LIFE, ensure_local_certificate
from holdfast.certificates.local_zones import AT_ONCE, MAX_ZONES, LocalZoneCertificates

NOW = dt.datetime(2026, 11, 25, tzinfo=dt.UTC)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    ensure_local_certificate(tmp_path, frozenset({"localhost"}), now=NOW)
    return tmp_path


def names(made: LocalZoneCertificates, *zones: str) -> list[tuple[str, ...]]:
    return [pair.names for pair in made.pairs(zones)]


def test_a_zone_gets_a_certificate_for_itself_and_the_names_below_it(directory: Path) -> None:
    made = LocalZoneCertificates(directory)
    assert made.keep_up(["a.test", "b.test"], NOW)
    assert names(made, "a.test", "c.test") == [("*.a.test", "a.test")]
    authority = x509.load_pem_x509_certificate((directory / "ca.pem").read_bytes())
    leaf = x509.load_pem_x509_certificate(made.pairs(["b.test"])[0].chain_pem)
    leaf.verify_directly_issued_by(authority)


def test_nothing_is_made_twice_before_its_time(directory: Path) -> None:
    made = LocalZoneCertificates(directory)
    assert made.keep_up(["a.test"], NOW)
    before = made.pairs(["a.test"])
    assert not made.keep_up(["a.test"], NOW)
    assert made.keep_up(["a.test"], NOW + LEAF_LIFE)
    assert made.pairs(["a.test"]) != before


def test_many_are_made_a_few_at_a_time_and_not_without_end(directory: Path) -> None:
    made = LocalZoneCertificates(directory)
    zones = [f"z{number}.test" for number in range(MAX_ZONES + 5)]
    rounds = 0
    while made.keep_up(zones, NOW):
        rounds += 1
        assert len(made.pairs(zones)) <= rounds * AT_ONCE
    assert len(made.pairs(zones)) == MAX_ZONES


def test_a_zone_that_is_gone_is_forgotten(directory: Path) -> None:
    made = LocalZoneCertificates(directory)
    made.keep_up(["a.test"], NOW)
    assert not made.keep_up([], NOW)
    assert names(made, "a.test") == []


def test_without_an_authority_none_is_made(tmp_path: Path) -> None:
    assert not LocalZoneCertificates(tmp_path).keep_up(["a.test"], NOW)
