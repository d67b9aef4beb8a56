"""Places by a real database, whatever the address, and whatever becomes of the file."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.edge import geoip
from holdfast.edge.geoip import GeoIp
from holdfast.errors import SetupError
from holdfast.rules.context import NOWHERE, Place
from tests.unit.edge.mmdb import database

CITY: dict[str, Any] = {
    "city": {"names": {"en": "Zürich"}},
    "continent": {"code": "EU"},
    "country": {"iso_code": "CH"},
    "location": {"latitude": 47.5, "longitude": -8.25, "time_zone": "Europe/Zurich", "metro_code": 501},
    "postal": {"code": "8000"},
    "subdivisions": [{"iso_code": "ZH", "names": {"en": "Zurich"}}, {"iso_code": "X", "names": {"en": "Inner"}}],
    "autonomous_system_number": 64496,
}
NETWORKS: dict[str, Any] = {
    "192.0.2.0/24": {"country": {"iso_code": "NL", "is_in_european_union": True}},
    "198.51.100.0/24": {"registered_country": {"iso_code": "DE"}},
    "203.0.113.0/25": {"country": {"iso_code": "T1"}},
    "203.0.113.128/25": {"country": {"iso_code": "not a code\r\n"}},
    "2001:db8::/32": CITY,
    "2001:db9::/32": {"country": "of another type", "subdivisions": "too", "location": {"latitude": True}},
    "2001:dba::/32": "no map",
}


class Log(list[tuple[str, dict[str, Any]]]):
    def __call__(self, event: str, fields: Any) -> None:
        self.append((event, dict(fields)))


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "country.mmdb"
    path.write_bytes(database(NETWORKS))
    return path


@pytest.mark.parametrize(
    ("address", "country"),
    [
        ("192.0.2.1", "NL"),
        ("198.51.100.7", "DE"),
        ("203.0.113.1", "T1"),
        ("203.0.113.200", None),
        ("2001:db8::1", "CH"),
        ("2001:db9::1", None),
        ("2001:dba::1", None),
        ("10.0.0.1", None),
        ("", None),
        ("no address", None),
        ("fe80::1%eth0", None),
    ],
)
def test_the_country_is_the_database_s_or_unknown(file: Path, log: Log, address: str, country: str | None) -> None:
    places = GeoIp.open(file, log=log)
    assert places.place_of(address).country == country
    assert places.place_of(address) is places.place_of(address)


def test_a_database_of_cities_tells_all_that_rules_may_ask(file: Path, log: Log) -> None:
    assert GeoIp.open(file, log=log).place_of("2001:db8::1") == Place(
        asn=64496,
        # Rules have text of one character a byte.
        city="Zürich".encode().decode("latin-1"),
        continent="EU",
        country="CH",
        in_european_union=False,
        latitude="47.5",
        longitude="-8.25",
        metro_code="501",
        postal_code="8000",
        region="Zurich",
        region_code="ZH",
        subdivision_1="CH-ZH",
        subdivision_2="CH-X",
        timezone="Europe/Zurich",
    )
    assert GeoIp.open(file, log=log).place_of("192.0.2.1").in_european_union is True


def test_a_new_file_is_taken_up_and_old_answers_are_forgotten(file: Path, log: Log) -> None:
    places = GeoIp.open(file, log=log)
    assert places.place_of("192.0.2.1").country == "NL"
    fresh = file.with_suffix(".new")
    fresh.write_bytes(database({"192.0.2.0/24": {"country": {"iso_code": "BE"}}}))
    fresh.replace(file)
    assert places.place_of("192.0.2.1").country == "NL"
    places.poll()
    assert places.place_of("192.0.2.1").country == "BE"
    assert log == []


@pytest.mark.parametrize("damage", [b"", b"no database", database(NETWORKS)[:40]])
def test_a_file_that_is_damaged_in_place_changes_nothing_and_is_complained_of_once(
    file: Path, log: Log, damage: bytes
) -> None:
    places = GeoIp.open(file, log=log)
    file.write_bytes(damage)
    for _ in range(3):
        places.poll()
    assert places.place_of("192.0.2.1").country == "NL"
    assert places.place_of("198.51.100.1").country == "DE"
    assert [event for event, _ in log] == ["geoip_warning"]


def test_a_file_that_is_gone_changes_nothing(file: Path, log: Log) -> None:
    places = GeoIp.open(file, log=log)
    file.unlink()
    places.poll()
    assert places.place_of("192.0.2.1").country == "NL"
    file.write_bytes(database({"192.0.2.0/24": {"country": {"iso_code": "BE"}}}))
    places.poll()
    assert places.place_of("192.0.2.1").country == "BE"


@pytest.mark.parametrize("content", [None, b"", b"no database"])
def test_what_cannot_be_used_at_the_start_is_one_sentence(tmp_path: Path, log: Log, content: bytes | None) -> None:
    path = tmp_path / "x.mmdb"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SetupError, match=r"^the GeoIP database .*x\.mmdb cannot be used: ."):
        GeoIp.open(path, log=log)


def test_what_is_remembered_is_bounded(file: Path, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(geoip, "MAX_KNOWN", 10)
    places = GeoIp.open(file, log=log)
    for number in range(100):
        places.place_of(f"192.0.2.{number}")
        assert len(places._held[1]) <= 10


@given(st.text(max_size=50))
def test_no_address_raises(tmp_path_factory: pytest.TempPathFactory, address: str) -> None:
    path = tmp_path_factory.getbasetemp() / "any.mmdb"
    if not path.exists():
        path.write_bytes(database(NETWORKS))
    place = GeoIp.open(path, log=Log()).place_of(address)
    assert place == NOWHERE or place.country is not None


@given(data=st.binary(max_size=200), at=st.integers(0, 400))
def test_no_damage_raises(tmp_path_factory: pytest.TempPathFactory, data: bytes, at: int) -> None:
    good = database(NETWORKS)
    path = tmp_path_factory.getbasetemp() / "damaged.mmdb"
    path.write_bytes(good[:at] + data + good[at + len(data) :])
    try:
        places = GeoIp.open(path, log=Log())
    except SetupError:
        return
    for address in ("192.0.2.1", "2001:db8::1", "255.255.255.255"):
        assert isinstance(places.place_of(address), Place)
