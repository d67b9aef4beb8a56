"""`holdfast.api.token_shapes`: what a request may say of a token."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from holdfast.api.faults import ApiFault
from holdfast.api.token_shapes import Condition, PolicyChoice, TokenCreate, condition_of, policies_of, times_of
from holdfast.model.granting import Owner
from holdfast.model.permission import BY_NAME

OWNER = Owner(kind="user", id="c" * 32, accounts=frozenset({"a" * 32}))
POLICY = {
    "effect": "allow",
    "permission_groups": [{"id": BY_NAME["Zone Read"].id}, {"id": BY_NAME["Zone Read"].id}],
    "resources": {"com.cloudflare.api.account.zone.*": "*"},
}


def token(**members: object) -> TokenCreate:
    return TokenCreate.model_validate({"name": "x", "policies": [POLICY], **members})


def test_a_policy_names_each_group_once_and_gets_an_id() -> None:
    (policy,) = policies_of(token().policies, OWNER, {})
    assert policy.permission_groups == (BY_NAME["Zone Read"].id,)
    assert len(policy.id) == 32


def test_zones_of_one_policy_have_a_bound_however_they_are_nested() -> None:
    zones = {f"com.cloudflare.api.account.zone.{number:032x}": "*" for number in range(1001)}
    choice = PolicyChoice.model_validate({**POLICY, "resources": {f"com.cloudflare.api.account.{'a' * 32}": zones}})
    with pytest.raises(ApiFault, match="at most 1000"):
        policies_of([choice], OWNER, {})


@pytest.mark.parametrize("name", ["request_ip", "request.ip"])
def test_a_condition_is_kept_as_it_was_given_under_either_name(name: str) -> None:
    given = {"in": ["192.0.2.5/24", "2001:db8::1"], "not_in": []}
    assert condition_of(Condition.model_validate({name: given})) == {"request_ip": {"in": given["in"]}}
    assert condition_of(None) == condition_of(Condition()) == {}


def test_times_are_moments_in_order() -> None:
    assert times_of(token(), now=5) == (None, None)
    given = token(not_before="1970-01-01T00:00:01Z", expires_on="1970-01-01T01:00:02+01:00")
    assert times_of(given, now=5) == (1_000_000, 2_000_000)
    for wrong in ({"expires_on": "1970-01-01T00:00:00Z"}, {"not_before": "x"}):
        with pytest.raises(ApiFault, match="expected"):
            times_of(token(**wrong), now=5)


@pytest.mark.parametrize(
    "condition", [{"requestIp": {"in": ["192.0.2.0/24"]}}, {"request_ip": {"ni": ["192.0.2.0/24"]}}, {"other": {}}]
)
def test_a_condition_that_could_not_be_kept_to_is_refused(condition: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        token(condition=condition)
