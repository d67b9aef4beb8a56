"""Tokens as the API reads and shows them.

Law: a token's secret is in no view; `created_view` alone adds it.

Source: Cloudflare API v4, "User API Tokens" and "Account Owned API Tokens".
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from holdfast.api.access import state_of
from holdfast.api.envelope import View
from holdfast.api.faults import invalid
from holdfast.model.granting import Owner, ResourceError, check_resources
from holdfast.model.moment import Moment, parsed, written_or_none
from holdfast.model.permission import BY_ID, Policy
from holdfast.model.token_terms import network_of
from holdfast.store.tokens import Token

MAX_NAME_CHARS = 120
MAX_POLICIES = 50
MAX_RESOURCES = 1000
MAX_NETWORKS = 100

GroupScope = Literal["com.cloudflare.api.account", "com.cloudflare.api.account.zone", "com.cloudflare.api.user"]


class GroupMeta(View):
    """About a permission group."""

    scopes: str


class GroupReference(View):
    """A permission group of a policy."""

    id: str
    name: str
    meta: GroupMeta


class PolicyView(View):
    """One policy."""

    id: str
    effect: Literal["allow", "deny"]
    permission_groups: list[GroupReference]
    resources: dict[str, str | dict[str, str]]


class RequestIpView(View):
    """Where a token may be used from."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    in_: list[str] | None = Field(default=None, alias="in")
    not_in: list[str] | None = None


class ConditionView(View):
    """What must hold for a token to be used."""

    request_ip: RequestIpView | None = None


class TokenView(View):
    """One token, without its secret."""

    id: str
    name: str
    status: Literal["active", "disabled", "expired"]
    issued_on: str
    modified_on: str
    last_used_on: str | None
    not_before: str | None
    expires_on: str | None
    condition: ConditionView
    policies: list[PolicyView]


class CreatedTokenView(TokenView):
    """A new token; `value` is its secret, shown this once."""

    value: str


class VerifiedView(View):
    """A token that is valid."""

    id: str
    status: Literal["active"]
    not_before: str | None = None
    expires_on: str | None = None


class GroupView(View):
    """A permission group that policies can name."""

    id: str
    name: str
    scopes: list[GroupScope]
    is_selectable: bool


class GroupChoice(BaseModel):
    """A permission group, by id."""

    model_config = ConfigDict(extra="ignore")
    id: str


class PolicyChoice(BaseModel):
    """A policy of a token."""

    model_config = ConfigDict(extra="ignore")
    effect: Literal["allow", "deny"]
    permission_groups: list[GroupChoice] = Field(min_length=1, max_length=100)
    resources: dict[str, str | dict[str, str]] = Field(
        min_length=1,
        max_length=MAX_RESOURCES,
        description='Names to "*", or an account\'s name to its zones: `{"com.cloudflare.api.account.<id>": '
        '{"com.cloudflare.api.account.zone.*": "*"}}`.',
    )


class RequestIp(BaseModel):
    """Addresses and networks (CIDR). A member that is not known is refused: whoever wrote it means it to shut somebody out."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    in_: list[str] | None = Field(default=None, alias="in", max_length=MAX_NETWORKS)
    not_in: list[str] | None = Field(default=None, max_length=MAX_NETWORKS)


class Condition(BaseModel):
    """What must hold for a token to be used. A condition that is not known is refused: it could not be kept to."""

    model_config = ConfigDict(extra="forbid")
    # "request.ip" is how older clients spell it.
    request_ip: RequestIp | None = Field(default=None, validation_alias=AliasChoices("request_ip", "request.ip"))


class TokenCreate(BaseModel):
    """A new token."""

    model_config = ConfigDict(extra="ignore")
    name: str = Field(min_length=1, max_length=MAX_NAME_CHARS)
    policies: list[PolicyChoice] = Field(min_length=1, max_length=MAX_POLICIES)
    not_before: str | None = Field(default=None, description="RFC 3339.")
    expires_on: str | None = Field(default=None, description="RFC 3339.")
    condition: Condition | None = None


class TokenUpdate(TokenCreate):
    """All of a token but its secret. `expired` is no status to be set: it follows from `expires_on`."""

    status: Literal["active", "disabled", "expired"] | None = None


def policies_of(choices: Sequence[PolicyChoice], owner: Owner, zones: Mapping[str, str]) -> tuple[Policy, ...]:
    """The policies in a request. `zones` are the accounts of the zones they name. Raises ApiFault."""
    return tuple(_policy(place, choice, owner, zones) for place, choice in enumerate(choices))


def _policy(place: int, choice: PolicyChoice, owner: Owner, zones: Mapping[str, str]) -> Policy:
    where = f"/policies/{place}"
    for index, group in enumerate(choice.permission_groups):
        if group.id not in BY_ID:
            pointer = f"{where}/permission_groups/{index}/id"
            raise invalid(
                pointer, f"permission group: expected an id of the list of permission groups, got {group.id[:60]!r}"
            )
    if sum(len(inner) if isinstance(inner, dict) else 1 for inner in choice.resources.values()) > MAX_RESOURCES:
        raise invalid(f"{where}/resources", f"resources: expected at most {MAX_RESOURCES}")
    try:
        check_resources(choice.resources, owner, zones)
    except ResourceError as error:
        raise invalid(f"{where}/resources", f"resources: {error}") from None
    groups = tuple(dict.fromkeys(group.id for group in choice.permission_groups))
    return Policy(
        id=secrets.token_hex(16), effect=choice.effect, permission_groups=groups, resources=dict(choice.resources)
    )


def condition_of(condition: Condition | None) -> dict[str, Any]:
    """The condition in a request, as it is kept. Raises ApiFault."""
    request_ip = condition.request_ip if condition else None
    if request_ip is None:
        return {}
    given = {"in": request_ip.in_, "not_in": request_ip.not_in}
    for name, networks in given.items():
        for place, network in enumerate(networks or ()):
            _check_network(f"/condition/request_ip/{name}/{place}", network)
    return {"request_ip": {name: networks for name, networks in given.items() if networks}}


def _check_network(pointer: str, text: str) -> None:
    try:
        network_of(text)
    except ValueError:
        raise invalid(
            pointer, f"request_ip: expected an address or network such as 192.0.2.0/24, got {text[:60]!r}"
        ) from None


def times_of(body: TokenCreate, *, now: Moment) -> tuple[Moment | None, Moment | None]:
    """`not_before` and `expires_on` of a request. Raises ApiFault."""
    not_before, expires_on = _moment("not_before", body.not_before), _moment("expires_on", body.expires_on)
    if expires_on is not None and expires_on <= now:
        raise invalid("/expires_on", f"expires_on: expected a moment to come, got {body.expires_on}")
    if not_before is not None and expires_on is not None and not_before >= expires_on:
        raise invalid("/not_before", f"not_before: expected a moment before expires_on, got {body.not_before}")
    return not_before, expires_on


def _moment(name: str, text: str | None) -> Moment | None:
    if text is None:
        return None
    try:
        return parsed(text)
    except ValueError as error:
        raise invalid(f"/{name}", f"{name}: {error}") from None


def token_view(token: Token, *, now: Moment) -> dict[str, Any]:
    """A token as the API shows it."""
    return {
        "id": token.id,
        "name": token.name,
        "status": state_of(token, now),
        "issued_on": written_or_none(token.issued_on),
        "modified_on": written_or_none(token.modified_on),
        "last_used_on": written_or_none(token.last_used_on),
        "not_before": written_or_none(token.not_before),
        "expires_on": written_or_none(token.expires_on),
        "condition": token.condition,
        "policies": [_policy_view(policy) for policy in token.policies],
    }


def _policy_view(policy: Policy) -> dict[str, Any]:
    groups = [BY_ID[one] for one in policy.permission_groups if one in BY_ID]
    return {
        "id": policy.id,
        "effect": policy.effect,
        "permission_groups": [
            {"id": group.id, "name": group.name, "meta": {"scopes": group.scope.value}} for group in groups
        ],
        "resources": policy.resources,
    }
