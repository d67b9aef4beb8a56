"""What changes while rules run: collections that rules write, what matched, where the client is."""

import pytest

from holdfast.rules.context import Facts, Place
from tests.unit.rules.seclang.running import transaction

HERE = Facts(place=Place(country="DE", continent="EU", city="Berlin", region_code="BE"))


def test_a_collection_is_there_when_it_is_first_written() -> None:
    state = transaction(a=b"1")
    state.writable("IP")[b"b"] = b"2"
    assert state.collections == {"TX": {b"a": b"1"}, "IP": {b"b": b"2"}}
    assert state.writable("TX") is state.tx


@pytest.mark.parametrize(
    ("name", "pairs"),
    [
        ("MATCHED_VAR", [(b"", b"v")]),
        ("MATCHED_VAR_NAME", [(b"", b"ARGS:a")]),
        ("MATCHED_VARS", [(b"ARGS:a", b"v")]),
        ("MATCHED_VARS_NAMES", [(b"ARGS:a", b"ARGS:a")]),
        ("HIGHEST_SEVERITY", [(b"", b"255")]),
        ("RULE", [(b"id", b"7")]),
        ("GEO", []),
    ],
)
def test_the_engine_has_variables_of_its_own(name: str, pairs: object) -> None:
    state = transaction()
    state.matched_name, state.matched_value, state.matched_vars = b"ARGS:a", b"v", [(b"ARGS:a", b"v")]
    state.rule = {b"id": b"7"}
    assert list(state.engine_pairs(name)) == pairs


def test_only_the_clients_own_place_is_known() -> None:
    state = transaction(facts=HERE)
    assert not state.look_up(b"198.51.100.1")
    assert state.look_up(b"203.0.113.7")
    assert state.geo == {
        b"country_code": b"DE",
        b"country_continent": b"EU",
        b"region": b"BE",
        b"city": b"Berlin",
    }
    assert not transaction().look_up(b"203.0.113.7")
