"""Snapshots: which zone answers for a host, and that nothing in them moves."""

import sys
import types
from dataclasses import FrozenInstanceError
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.edge.ports import Ports
from holdfast.edge.snapshot import Snapshot, compile_snapshot, empty_snapshot
from holdfast.model.origin_url import OriginUrl
from holdfast.model.zone_document import CATCH_ALL
from tests.unit.edge.origins import ORIGIN, a_record, a_snapshot, a_zone, snapshot_of, zone_id


def name_of_zone(snapshot: Snapshot, host: str) -> str | None:
    zone = snapshot.zone_of(host)
    return None if zone is None else zone.name


@pytest.mark.parametrize(
    ("host", "zone"),
    [
        ("example.com", "example.com"),
        ("chat.example.com", "example.com"),
        ("a.b.example.com", "example.com"),
        ("deep.example.com", "deep.example.com"),
        ("a.deep.example.com", "deep.example.com"),
        ("notexample.com", None),
        ("com", None),
        ("", None),
        ("[::1]", None),
        ("a." * 126 + "com", None),
        ("a." * 10_000 + "example.com", None),
    ],
)
def test_the_longest_name_that_ends_a_host_is_its_zone(host: str, zone: str | None) -> None:
    assert name_of_zone(a_snapshot("example.com", "deep.example.com"), host) == zone


@pytest.mark.parametrize("host", ["a.example", "", "[::1]", "*", "10.0.0.1", "a." * 10_000])
def test_the_catch_all_answers_for_any_host(host: str) -> None:
    zone = a_snapshot().zone_of(host)
    assert zone is not None
    target = zone.target_of(host)
    assert target is not None
    assert target.origin("plain", 80, 1.0) is ORIGIN


def test_a_zone_of_its_own_goes_before_the_catch_all() -> None:
    snapshot = a_snapshot().with_changes([a_zone("a.example")])
    assert name_of_zone(snapshot, "x.a.example") == "a.example"
    assert name_of_zone(snapshot, "b.example") == CATCH_ALL
    assert snapshot.own_zone_of("b.example") is None


def test_changes_are_in_the_new_snapshot_only() -> None:
    before = a_snapshot("a.example", "b.example")
    after = before.with_changes([a_zone("c.example")], [zone_id("a.example"), "no such id"])
    assert set(before.zones) == {"a.example", "b.example"}
    assert set(after.zones) == {"b.example", "c.example"}
    assert after.zone(zone_id("a.example")) is None
    assert after.zone(zone_id("c.example")) is after.zones["c.example"]
    assert after.loop_member == before.loop_member


def test_a_zone_that_is_renamed_leaves_its_old_name() -> None:
    after = a_snapshot("a.example").with_changes([a_zone("b.example", id=zone_id("a.example"))])
    assert set(after.zones) == {"b.example"}


def test_a_zone_that_was_made_anew_survives_the_removal_of_the_old_one() -> None:
    anew = a_zone("a.example", id="f" * 32)
    together = a_snapshot("a.example").with_changes([anew], [zone_id("a.example")])
    later = a_snapshot("a.example").with_changes([anew]).with_changes([], [zone_id("a.example")])
    assert together.zones["a.example"] is anew
    assert later.zones["a.example"] is anew


def test_a_snapshot_cannot_be_changed() -> None:
    snapshot = a_snapshot()
    with pytest.raises(FrozenInstanceError):
        snapshot.loop_member = "x"  # type: ignore[misc]
    with pytest.raises(TypeError):
        snapshot.zones["b.example"] = snapshot.zones[CATCH_ALL]  # type: ignore[index]


_LABEL = st.sampled_from(["a", "b", "c"])
_NAME = st.lists(_LABEL, min_size=1, max_size=4).map(".".join)


def naive_answer(records: dict[str, set[str]], host: str) -> str | None:
    """The record that answers for `host`, found by trying all of them."""
    zones = [zone for zone in records if host == zone or host.endswith(f".{zone}")]
    if not zones:
        return None
    names = records[max(zones, key=len)]
    if host in names:
        return host
    fitting = [name for name in names if name.startswith("*.") and host.endswith(name[1:])]
    return max(fitting, key=len, default=None)


@given(
    names=st.dictionaries(_NAME, st.sets(st.tuples(st.sampled_from(["", "*."]), _NAME), max_size=5), max_size=5),
    hosts=st.lists(_NAME, min_size=1, max_size=8),
)
def test_the_record_found_is_the_one_that_trying_all_finds(
    names: dict[str, set[tuple[str, str]]], hosts: list[str]
) -> None:
    records = {
        zone: {f"{star}{name}.{zone}" for star, name in inside} | {f"*.{zone}" for star, name in inside if name == "a"}
        for zone, inside in names.items()
    }
    zones = [a_zone(zone, a_record(f"only.{zone}"), *(a_record(n) for n in inside)) for zone, inside in records.items()]
    snapshot = snapshot_of(*zones)
    for host in hosts:
        zone = snapshot.zone_of(host)
        target = None if zone is None else zone.target_of(host)
        assert (None if target is None else target.name) == naive_answer(records, host)


class _Core(types.ModuleType):
    """The native module as far as compiling a snapshot needs it: it remembers what origins were asked for."""

    def __init__(self) -> None:
        super().__init__("holdfast._native")
        self.asked: list[dict[str, Any]] = []

    def Origin(self, **asked: Any) -> object:  # noqa: N802  the core's name
        self.asked.append(asked)
        return object()


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "wss://[::1]:9000/base/",
            {"label": "https://[::1]:9000/base", "scheme": "https", "host": "::1", "port": 9000, "unix_path": None, "base_path": "/base"},
        ),
        (
            "unix:/run/a.sock",
            {"label": "unix:/run/a.sock", "scheme": "http", "host": "", "port": 0, "unix_path": "/run/a.sock", "base_path": ""},
        ),
    ],
)  # fmt: skip
def test_compiling_hands_the_core_what_the_url_says(
    monkeypatch: pytest.MonkeyPatch, url: str, expected: dict[str, Any]
) -> None:
    core = _Core()
    monkeypatch.setitem(sys.modules, "holdfast._native", core)
    snapshot = compile_snapshot(OriginUrl.parse(url), instance="ab", verify_origin=False, origin_ca_pem=b"PEM")
    assert core.asked == [{**expected, "verify": False, "ca_pem": b"PEM"}]
    assert list(snapshot.zones) == [CATCH_ALL]
    assert snapshot.loop_member == "holdfast;instance=ab"


def test_an_empty_snapshot_has_no_zone() -> None:
    empty = empty_snapshot(instance="ab", ports=Ports(plain=(80,)))
    assert empty.zone_of("example.com") is None
    assert empty.ports.plain == (80,)
