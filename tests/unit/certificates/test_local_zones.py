"""`holdfast.certificates.local_zones`: a certificate for each zone that brought none, a few at a time."""

import datetime as dt
from pathlib import Path

import pytest
from cryptography import x509

from holdfast.certificates.local_ca import LEAF_LIFE, ensure_local_certificate
from holdfast.certificates.local_zones import AT_ONCE, MAX_ZONES, LocalZoneCertificates
from holdfast.certificates.local_zones_file import FILE_NAME

NOW = dt.datetime(2026, 11, 25, tzinfo=dt.UTC)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    ensure_local_certificate(tmp_path, frozenset({"localhost"}), now=NOW)
    return tmp_path


def local_zones(directory: Path, said: list[str] | None = None) -> LocalZoneCertificates:
    """Those of `directory`; warnings go to `said`, and are not expected where there is none."""
    return LocalZoneCertificates(directory, warn=pytest.fail if said is None else said.append)


def names(made: LocalZoneCertificates, *zones: str) -> list[tuple[str, ...]]:
    return [pair.names for pair in made.pairs(zones)]


def test_a_zone_gets_a_certificate_for_itself_and_the_names_below_it(directory: Path) -> None:
    made = local_zones(directory)
    assert made.keep_up(["a.test", "b.test"], NOW)
    assert names(made, "a.test", "c.test") == [("*.a.test", "a.test")]
    authority = x509.load_pem_x509_certificate((directory / "ca.pem").read_bytes())
    leaf = x509.load_pem_x509_certificate(made.pairs(["b.test"])[0].chain_pem)
    leaf.verify_directly_issued_by(authority)


def test_nothing_is_made_twice_before_its_time(directory: Path) -> None:
    made = local_zones(directory)
    assert made.keep_up(["a.test"], NOW)
    before = made.pairs(["a.test"])
    assert not made.keep_up(["a.test"], NOW)
    assert made.keep_up(["a.test"], NOW + LEAF_LIFE)
    assert made.pairs(["a.test"]) != before


def test_many_are_made_a_few_at_a_time_and_not_without_end(directory: Path) -> None:
    made = local_zones(directory)
    zones = [f"z{number}.test" for number in range(MAX_ZONES + 5)]
    rounds = 0
    while made.keep_up(zones, NOW):
        rounds += 1
        assert len(made.pairs(zones)) <= rounds * AT_ONCE
    assert len(made.pairs(zones)) == MAX_ZONES


def test_a_zone_that_is_gone_is_forgotten(directory: Path) -> None:
    made = local_zones(directory)
    made.keep_up(["a.test"], NOW)
    assert not made.keep_up([], NOW)
    assert names(made, "a.test") == []


def test_without_an_authority_none_is_made(tmp_path: Path) -> None:
    assert not local_zones(tmp_path).keep_up(["a.test"], NOW)


def test_the_next_edge_shows_what_was_made_before_and_makes_what_is_missing_at_once(directory: Path) -> None:
    before = local_zones(directory)
    before.keep_up(["a.test"], NOW)
    many = [f"z{number}.test" for number in range(2 * AT_ONCE)]
    after = local_zones(directory)
    after.begin(["a.test", *many], NOW, goes_on=lambda: True)
    assert after.pairs(["a.test"]) == before.pairs(["a.test"])
    assert len(after.pairs(many)) == len(many)
    assert not after.keep_up(["a.test", *many], NOW)
    last = local_zones(directory)
    last.begin(["a.test", *many], NOW, goes_on=lambda: False)
    assert last.pairs(["a.test", *many]) == after.pairs(["a.test", *many])


def test_what_has_no_time_before_an_edge_serves_is_made_while_it_does(directory: Path) -> None:
    made, turns = local_zones(directory), iter([True, False])
    made.begin(["a.test", "b.test"], NOW, goes_on=lambda: next(turns))
    assert names(made, "a.test", "b.test") == [("*.a.test", "a.test")]
    assert made.keep_up(["a.test", "b.test"], NOW)
    assert names(made, "b.test") == [("*.b.test", "b.test")]


def test_what_was_kept_and_ends_soon_is_made_anew(directory: Path) -> None:
    before, after = local_zones(directory), local_zones(directory)
    before.keep_up(["a.test"], NOW)
    after.begin(["a.test"], NOW + LEAF_LIFE, goes_on=lambda: True)
    assert after.pairs(["a.test"])[0].not_after > before.pairs(["a.test"])[0].not_after


def test_no_more_than_so_many_are_made_before_an_edge_serves(directory: Path) -> None:
    zones = [f"z{number}.test" for number in range(MAX_ZONES + 1)]
    made = local_zones(directory)
    made.begin(zones, NOW, goes_on=lambda: True)
    assert len(made.pairs(zones)) == MAX_ZONES


def test_without_zones_or_an_authority_nothing_is_begun(directory: Path, tmp_path: Path) -> None:
    for one, zones in ((directory, []), (tmp_path / "none", ["a.test"])):
        made = local_zones(one)
        made.begin(zones, NOW, goes_on=lambda: True)
        assert names(made, "a.test") == []
        assert not (one / FILE_NAME).exists()


def test_a_directory_that_takes_no_file_is_told_and_the_certificates_are_served(directory: Path) -> None:
    (directory / FILE_NAME).mkdir()
    said: list[str] = []
    made = local_zones(directory, said)
    assert made.keep_up(["a.test"], NOW)
    assert names(made, "a.test") == [("*.a.test", "a.test")]
    assert said == [f"the certificates of zones cannot be kept in {directory}: is a directory"]
