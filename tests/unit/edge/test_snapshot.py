"""Snapshots: which zone answers for a host, and that nothing in them moves."""

import sys
import types
from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from holdfast.edge.snapshot import CATCH_ALL, compile_snapshot
from holdfast.model.origin_url import OriginUrl
from tests.unit.edge.origins import ORIGIN, a_snapshot


def test_a_zone_of_its_own_goes_before_the_catch_all() -> None:
    snapshot = a_snapshot("a.example", CATCH_ALL)
    own, other = snapshot.zone_of("a.example"), snapshot.zone_of("b.example")
    assert own is not None
    assert other is not None
    assert (own.name, other.name) == ("a.example", CATCH_ALL)


@pytest.mark.parametrize("host", ["b.example", "", "[::1]", "sub.a.example"])
def test_without_a_catch_all_other_hosts_have_no_zone(host: str) -> None:
    assert a_snapshot("a.example").zone_of(host) is None


@pytest.mark.parametrize("host", ["a.example", "", "[::1]", "*", "10.0.0.1"])
def test_the_catch_all_answers_for_any_host(host: str) -> None:
    zone = a_snapshot().zone_of(host)
    assert zone is not None
    assert zone.origin is ORIGIN


def test_a_snapshot_cannot_be_changed() -> None:
    snapshot = a_snapshot()
    with pytest.raises(FrozenInstanceError):
        snapshot.loop_member = "x"  # type: ignore[misc]
    with pytest.raises(TypeError):
        snapshot.zones["b.example"] = snapshot.zones[CATCH_ALL]  # type: ignore[index]


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
