"""A compiled zone: which record answers, and that origins are made once each, and not without bound."""

import sys
from typing import Any

import pytest

from holdfast.edge.zone import MAX_ORIGINS_EACH, Target
from tests.unit.edge.origins import ORIGIN, a_record, a_zone


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("example.com", None),
        ("www.example.com", "www.example.com"),
        ("a.example.com", "*.example.com"),
        ("a.b.example.com", "*.example.com"),
        ("x.deep.example.com", "*.deep.example.com"),
        ("x.y.deep.example.com", "*.deep.example.com"),
        ("deep.example.com", "*.example.com"),
        ("a.www.example.com", "*.example.com"),
        ("*.example.com", "*.example.com"),
        (".example.com", None),
        ("a..example.com", None),
        ("a." * 10_000 + "example.com", None),
    ],
)
def test_the_exact_name_answers_and_else_the_longest_wildcard(host: str, name: str | None) -> None:
    zone = a_zone("example.com", *map(a_record, ("www.example.com", "*.example.com", "*.deep.example.com")))
    target = zone.target_of(host)
    assert (None if target is None else target.name) == name


class FakeCore:
    """Makes a note of the origins that are asked for."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def Origin(self, **asked: Any) -> object:  # noqa: N802  the core's name
        self.asked.append(asked)
        return object()


@pytest.fixture
def core(monkeypatch: pytest.MonkeyPatch) -> FakeCore:
    fake = FakeCore()
    monkeypatch.setitem(sys.modules, "holdfast._native", fake)
    return fake


def test_an_origin_is_made_by_the_first_who_needs_it_and_shared(core: FakeCore) -> None:
    target = Target(name="a.test", addresses=("192.0.2.1",))
    assert target.origins is None
    first = target.origin("plain", 80, 125.0)
    assert target.origin("plain", 80, 125.0) is first
    assert target.origin("plain", 81, 125.0) is not first
    assert target.origin("verified", 80, 125.0) is not first
    assert target.origin("plain", 80, 5.0) is not first
    assert len(core.asked) == 4


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (Target(name="n", addresses=("192.0.2.1",)), {"label": "https://192.0.2.1:9", "host": "192.0.2.1", "addresses": ()}),
        (Target(name="n", addresses=("2001:db8::1",)), {"label": "https://[2001:db8::1]:9", "host": "2001:db8::1", "addresses": ()}),
        (Target(name="n.test", addresses=("192.0.2.1", "::1")), {"label": "https://n.test:9", "host": "", "addresses": ("192.0.2.1", "::1")}),
        (Target(name="n.test", alias="o.test"), {"label": "https://o.test:9", "host": "o.test", "addresses": ()}),
    ],
)  # fmt: skip
def test_the_core_is_told_addresses_or_a_name(core: FakeCore, target: Target, expected: dict[str, Any]) -> None:
    target.origin("unverified", 9, 7.0)
    assert core.asked == [{**expected, "scheme": "https", "port": 9, "verify": False, "answer_timeout_s": 7.0}]


def test_what_a_target_remembers_is_bounded(core: FakeCore) -> None:
    target = Target(name="a.test", addresses=("192.0.2.1",))
    for port in range(1, 10 * MAX_ORIGINS_EACH):
        target.origin("plain", port, 1.0)
        assert target.origins is not None
        assert len(target.origins) <= MAX_ORIGINS_EACH


def test_a_ready_origin_is_the_origin_whatever_is_asked_for() -> None:
    assert Target(name="*", ready=ORIGIN).origin("verified", 1, 1.0) is ORIGIN


def test_targets_are_the_same_where_they_lead_to_the_same_place() -> None:
    target = Target(name="a", addresses=("192.0.2.1",))
    assert target.is_same_as(Target(name="a", addresses=("192.0.2.1",)))
    assert not target.is_same_as(Target(name="a", addresses=("192.0.2.2",)))
    assert not target.is_same_as(Target(name="a", addresses=("192.0.2.1",), is_proxied=False))
    assert not target.is_same_as(Target(name="a", alias="b.test"))
