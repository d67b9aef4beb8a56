"""`holdfast.model.granting`: no token leads to more than itself."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.granting import Owner, ResourceError, check_resources, overreach, zones_named
from holdfast.model.permission import BY_NAME, GROUPS, Policy, Resource, Scope, may

A, B, U = "a" * 32, "b" * 32, "c" * 32
ZONES = {"1" * 32: A, "2" * 32: A, "3" * 32: B}
FOREIGN = {"4" * 32: "d" * 32}
Z1, Z2, Z3 = ZONES
ACCOUNT, ZONE, USER = (scope.value for scope in (Scope.ACCOUNT, Scope.ZONE, Scope.USER))
USER_OWNER = Owner(kind="user", id=U, accounts=frozenset({A, B}))
ACCOUNT_OWNER = Owner(kind="account", id=A, accounts=frozenset({A}))
On = dict[str, str | dict[str, str]]

NAMES = ("Zone Read", "Zone Write", "DNS Read", "DNS Write", "Account Settings Write", "API Tokens Write")
RESOURCES: tuple[On, ...] = (
    {f"{ZONE}.{Z1}": "*"},
    {f"{ZONE}.{Z3}": "*"},
    {f"{ZONE}.*": "*"},
    {f"{ACCOUNT}.{A}": "*"},
    {f"{ACCOUNT}.*": "*"},
    {f"{ACCOUNT}.{A}": {f"{ZONE}.*": "*"}},
    {f"{ACCOUNT}.{A}": {f"{ZONE}.{Z2}": "*"}},
    {f"{ACCOUNT}.*": {f"{ZONE}.{Z1}": "*"}},
    {f"{USER}.{U}": "*"},
    {f"{ZONE}.{Z1}": "*", f"{ACCOUNT}.{B}": "*"},
)
# Every thing there is, and one of each kind that is yet to come.
NEW_ZONE_OF_A, NEW_ZONE_OF_B = Resource(Scope.ZONE, "8" * 32, A), Resource(Scope.ZONE, "9" * 32, B)
THINGS = (
    *(Resource(Scope.ZONE, zone, account) for zone, account in ZONES.items()),
    NEW_ZONE_OF_A,
    NEW_ZONE_OF_B,
    Resource(Scope.ACCOUNT, A, A),
    Resource(Scope.ACCOUNT, B, B),
    Resource(Scope.USER, U),
)


def policy(*names: str, on: On, effect: str = "allow") -> Policy:
    return Policy(id="", effect=effect, permission_groups=tuple(BY_NAME[name].id for name in names), resources=on)


POLICIES = st.lists(
    st.builds(
        policy,
        st.sampled_from(NAMES),
        on=st.sampled_from(RESOURCES),
        effect=st.sampled_from(("allow", "allow", "deny")),
    ),
    max_size=4,
)


def rights(policies: list[Policy], owner: Owner) -> set[tuple[str, str]]:
    """(permission, thing) for all that `policies` allow a token of `owner`."""
    return {
        (group.name, thing.id)
        for group, thing in itertools.product(GROUPS, THINGS)
        if group.scope is thing.scope
        and (thing.scope is Scope.USER or thing.account_id in owner.accounts)
        and may(policies, group.name, thing)
    }


@given(POLICIES, POLICIES, st.sampled_from((USER_OWNER, ACCOUNT_OWNER)))
def test_what_is_passed_on_is_never_more_than_ones_own(granted: list[Policy], own: list[Policy], owner: Owner) -> None:
    if overreach(granted, own, owner, ZONES) is None:
        assert rights(granted, owner) <= rights(own, USER_OWNER)


@given(POLICIES)
def test_what_one_has_can_be_passed_on_as_it_is(own: list[Policy]) -> None:
    assert overreach(own, own, USER_OWNER, ZONES) is None


@given(POLICIES, POLICIES, POLICIES)
def test_no_number_of_steps_leads_to_more(first: list[Policy], second: list[Policy], third: list[Policy]) -> None:
    if overreach(second, first, USER_OWNER, ZONES) is None and overreach(third, second, USER_OWNER, ZONES) is None:
        assert rights(third, USER_OWNER) <= rights(first, USER_OWNER)


ALL_OF_A: On = {f"{ACCOUNT}.{A}": "*"}


@pytest.mark.parametrize(
    ("granted", "own", "is_fine"),
    [
        (policy("Zone Read", on={f"{ZONE}.{Z1}": "*"}), policy("Zone Write", on=ALL_OF_A), True),
        (policy("Zone Write", on={f"{ZONE}.{Z1}": "*"}), policy("Zone Read", on=ALL_OF_A), False),
        (policy("Zone Read", on={f"{ZONE}.{Z3}": "*"}), policy("Zone Read", on=ALL_OF_A), False),
        (policy("Zone Read", on=ALL_OF_A), policy("Zone Read", on={f"{ZONE}.{Z1}": "*", f"{ZONE}.{Z2}": "*"}), False),
        (policy("Zone Read", on={f"{ZONE}.*": "*"}), policy("Zone Read", on=ALL_OF_A), False),
        (policy("Zone Read", on={f"{ACCOUNT}.*": "*"}), policy("Zone Read", on={f"{ZONE}.*": "*"}), True),
        (policy("Zone Read", "DNS Read", on=ALL_OF_A), policy("Zone Read", on=ALL_OF_A), False),
        # A zone that is gone grants nothing, so nothing is overreached.
        (policy("Zone Read", on={f"{ZONE}.{'7' * 32}": "*"}), policy("DNS Read", on=ALL_OF_A), True),
        # A denial grants nothing either.
        (policy("Zone Write", on={f"{ZONE}.*": "*"}, effect="deny"), policy("DNS Read", on=ALL_OF_A), True),
    ],
)
def test_each_permission_needs_its_own_on_each_resource(granted: Policy, own: Policy, is_fine: bool) -> None:
    assert (overreach([granted], [own], USER_OWNER, ZONES) is None) is is_fine


def test_for_an_account_all_accounts_are_itself() -> None:
    everything = policy("Zone Read", on={f"{ZONE}.*": "*"})
    assert overreach([everything], [policy("Zone Read", on=ALL_OF_A)], ACCOUNT_OWNER, ZONES) is None


def test_what_one_is_denied_must_be_denied_on() -> None:
    own = [policy("DNS Write", on=ALL_OF_A), policy("DNS Read", on={f"{ZONE}.{Z1}": "*"}, effect="deny")]
    wide = policy("DNS Write", on=ALL_OF_A)
    assert overreach([wide], own, USER_OWNER, ZONES) is not None
    assert overreach([wide, policy("DNS Write", on={f"{ZONE}.{Z1}": "*"}, effect="deny")], own, USER_OWNER, ZONES)
    assert overreach([wide, own[1]], own, USER_OWNER, ZONES) is None
    assert overreach([policy("DNS Write", on={f"{ZONE}.{Z2}": "*"})], own, USER_OWNER, ZONES) is None


def test_the_first_overreach_is_named_by_its_place() -> None:
    own = [policy("Zone Read", on=ALL_OF_A)]
    granted = [policy("Zone Read", on=ALL_OF_A), policy("Zone Read", "DNS Write", on=ALL_OF_A)]
    found = overreach(granted, own, USER_OWNER, ZONES)
    assert found is not None
    assert (found.policy, found.group, found.permission) == (1, 1, "DNS Write")


def test_a_group_that_is_no_more_grants_nothing() -> None:
    gone = Policy(id="", effect="allow", permission_groups=("f" * 32,), resources=ALL_OF_A)
    assert overreach([gone], [], USER_OWNER, ZONES) is None


@pytest.mark.parametrize(
    ("on", "owner"),
    [
        ({f"{ZONE}.{'4' * 32}": "*"}, USER_OWNER),
        ({f"{ZONE}.{'7' * 32}": "*"}, USER_OWNER),
        ({f"{ACCOUNT}.{'d' * 32}": "*"}, USER_OWNER),
        ({f"{ACCOUNT}.{B}": "*"}, ACCOUNT_OWNER),
        ({f"{ZONE}.{Z3}": "*"}, ACCOUNT_OWNER),
        ({f"{ACCOUNT}.{A}": {f"{ZONE}.{Z3}": "*"}}, USER_OWNER),
        ({f"{ACCOUNT}.{'d' * 32}": {f"{ZONE}.*": "*"}}, USER_OWNER),
        ({f"{USER}.{'d' * 32}": "*"}, USER_OWNER),
        ({f"{USER}.*": "*"}, ACCOUNT_OWNER),
        ({"com.cloudflare.edge.r2.bucket.x": "*"}, USER_OWNER),
        ({f"{ZONE}.{Z1}": "read"}, USER_OWNER),
        ({f"{ZONE}.{Z1}": {f"{ZONE}.{Z1}": "*"}}, USER_OWNER),
        ({f"{ACCOUNT}.{A}": {}}, USER_OWNER),
        ({f"{ACCOUNT}.{A}": {f"{ACCOUNT}.{A}": "*"}}, USER_OWNER),
        ({f"{ACCOUNT}.{A}": {f"{ZONE}.{Z1}": "x"}}, USER_OWNER),
        ({f"{ZONE}.{Z1} ": "*"}, USER_OWNER),
        ({"": "*"}, USER_OWNER),
    ],
)
def test_resources_that_mean_nothing_or_are_others_are_refused(on: On, owner: Owner) -> None:
    with pytest.raises(ResourceError, match="expected"):
        check_resources(on, owner, ZONES | FOREIGN)


@pytest.mark.parametrize("on", RESOURCES)
def test_resources_of_ones_own_are_fine(on: On) -> None:
    check_resources(on, USER_OWNER, ZONES)


def test_zones_are_found_wherever_they_are_named() -> None:
    assert zones_named(RESOURCES) == set(ZONES)
    assert zones_named([{"nonsense": "*", f"{ZONE}.*": "*"}]) == set()


@given(st.dictionaries(st.text(), st.one_of(st.text(), st.dictionaries(st.text(), st.text())), max_size=4))
def test_texts_that_name_nothing_raise_one_error_and_grant_nothing(on: On) -> None:
    if on:
        with pytest.raises(ResourceError):
            check_resources(on, USER_OWNER, ZONES)
    assert zones_named([on]) == set()
    assert rights([policy(*NAMES, on=on)], USER_OWNER) == set()
