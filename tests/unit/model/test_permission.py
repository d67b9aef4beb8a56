"""`holdfast.model.permission`: what policies allow, and that nothing else is allowed."""

from __future__ import annotations

import pytest

from holdfast.model.permission import (
    BY_ID,
    BY_NAME,
    GROUPS,
    Policy,
    Resource,
    Scope,
    covers,
    decides,
    grants,
    may,
    may_somewhere,
)

A, B, Z, Y, U = ("a" * 32, "b" * 32, "1" * 32, "2" * 32, "c" * 32)
ACCOUNT, ZONE, USER = (scope.value for scope in (Scope.ACCOUNT, Scope.ZONE, Scope.USER))
ZONE_OF_A = Resource(Scope.ZONE, Z, A)


def policy(*names: str, on: dict[str, str | dict[str, str]], effect: str = "allow") -> Policy:
    return Policy(id="", effect=effect, permission_groups=tuple(BY_NAME[name].id for name in names), resources=on)


def test_ids_and_names_of_groups_are_unique() -> None:
    assert len(BY_ID) == len(BY_NAME) == len(GROUPS)


@pytest.mark.parametrize(
    ("on", "resource", "expected"),
    [
        ({f"{ZONE}.{Z}": "*"}, ZONE_OF_A, True),
        ({f"{ZONE}.{Y}": "*"}, ZONE_OF_A, False),
        ({f"{ZONE}.*": "*"}, ZONE_OF_A, True),
        ({f"{ACCOUNT}.{A}": "*"}, ZONE_OF_A, True),
        ({f"{ACCOUNT}.{B}": "*"}, ZONE_OF_A, False),
        ({f"{ACCOUNT}.*": "*"}, ZONE_OF_A, True),
        ({f"{ACCOUNT}.{A}": {f"{ZONE}.{Z}": "*"}}, ZONE_OF_A, True),
        ({f"{ACCOUNT}.{A}": {f"{ZONE}.*": "*"}}, ZONE_OF_A, True),
        ({f"{ACCOUNT}.{A}": {f"{ZONE}.{Y}": "*"}}, ZONE_OF_A, False),
        ({f"{ACCOUNT}.{B}": {f"{ZONE}.{Z}": "*"}}, ZONE_OF_A, False),
        ({f"{ACCOUNT}.{A}": {f"{ZONE}.{Z}": "*"}}, Resource(Scope.ACCOUNT, A, A), False),
        ({f"{ACCOUNT}.{A}": "*"}, Resource(Scope.ACCOUNT, A, A), True),
        ({f"{ACCOUNT}.{A}": "*"}, Resource(Scope.ACCOUNT, B, B), False),
        ({f"{USER}.{U}": "*"}, Resource(Scope.USER, U), True),
        ({f"{USER}.*": "*"}, Resource(Scope.USER, U), True),
        ({f"{ACCOUNT}.*": "*"}, Resource(Scope.USER, U), False),
        # What is not understood matches nothing.
        ({f"{ZONE}.{Z}": "read"}, ZONE_OF_A, False),
        ({"*": "*"}, ZONE_OF_A, False),
        ({ZONE: "*"}, ZONE_OF_A, False),
        # All zones, as one question: a part of them is not enough.
        ({f"{ZONE}.{Z}": "*"}, Resource(Scope.ZONE, "*", A), False),
        ({f"{ACCOUNT}.{A}": "*"}, Resource(Scope.ZONE, "*", A), True),
        ({f"{ACCOUNT}.{A}": "*"}, Resource(Scope.ZONE, "*", "*"), False),
        ({f"{ZONE}.*": "*"}, Resource(Scope.ZONE, "*", "*"), True),
    ],
)
def test_a_policy_is_about_what_it_names(
    on: dict[str, str | dict[str, str]], resource: Resource, expected: bool
) -> None:
    assert covers(policy("Zone Read", on=on), resource) is expected
    assert may([policy("Zone Read", on=on)], "Zone Read", resource) is expected


def test_nothing_is_allowed_without_a_policy() -> None:
    assert not any(may([], group.name, ZONE_OF_A) for group in GROUPS)


def test_a_write_includes_its_read_and_nothing_else_includes_anything() -> None:
    on: dict[str, str | dict[str, str]] = {f"{ZONE}.{Z}": "*"}
    for group in GROUPS:
        allowed = {other.name for other in GROUPS if grants(policy(group.name, on=on), other.name)}
        read = f"{group.name.removesuffix(' Write')} Read"
        assert allowed == ({group.name, read} & BY_NAME.keys() if group.name.endswith("Write") else {group.name})


def test_who_is_denied_the_read_is_denied_the_write_but_not_the_other_way_round() -> None:
    on: dict[str, str | dict[str, str]] = {f"{ZONE}.{Z}": "*"}
    write, no_read = policy("DNS Write", on=on), policy("DNS Read", on=on, effect="deny")
    no_write = policy("DNS Write", on=on, effect="deny")
    assert decides(no_read, "DNS Write")
    assert not may([write, no_read], "DNS Write", ZONE_OF_A)
    assert not may([write, no_read], "DNS Read", ZONE_OF_A)
    assert may([write, no_write], "DNS Read", ZONE_OF_A)
    assert not may([write, no_write], "DNS Write", ZONE_OF_A)


def test_a_denial_wins_wherever_it_stands() -> None:
    yes = policy("Zone Read", on={f"{ACCOUNT}.{A}": "*"})
    no = policy("Zone Read", on={f"{ZONE}.{Z}": "*"}, effect="deny")
    for policies in ([yes, no], [no, yes]):
        assert not may(policies, "Zone Read", ZONE_OF_A)
        assert may(policies, "Zone Read", Resource(Scope.ZONE, Y, A))


def test_anywhere_is_enough_for_what_is_asked_of_nothing_in_particular() -> None:
    assert may_somewhere([policy("Zone Write", on={f"{ZONE}.{Z}": "*"})], "Zone Read")
    assert not may_somewhere([policy("Zone Write", on={f"{ZONE}.{Z}": "*"}, effect="deny")], "Zone Read")


def test_a_name_that_is_no_groups_is_an_error() -> None:
    with pytest.raises(KeyError):
        may([policy("Zone Read", on={f"{ZONE}.*": "*"})], "Zone Rede", ZONE_OF_A)
