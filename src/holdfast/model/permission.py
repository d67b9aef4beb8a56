"""What a token may do: permission groups, policies, and the one question asked of them. Pure.

Law 1: nothing is allowed that no policy allows, and a policy that denies wins over any that allows.
Law 2: a write permission includes its read permission, and nothing else includes anything.
Law 3: a resource is named by Cloudflare's URNs, and a name that is not understood matches nothing.

Names and ids of the groups are Cloudflare's, so that policies written for it mean the same here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

import msgspec

_ACCOUNT = "com.cloudflare.api.account"
_ZONE = "com.cloudflare.api.account.zone"
_USER = "com.cloudflare.api.user"


class Scope(StrEnum):
    """What a permission is about, as the API names it."""

    USER = _USER
    ACCOUNT = _ACCOUNT
    ZONE = _ZONE


@dataclass(frozen=True, slots=True)
class PermissionGroup:
    """One permission that a policy can grant."""

    id: str
    name: str
    scope: Scope


def _groups(scope: Scope, names: Mapping[str, str]) -> list[PermissionGroup]:
    return [PermissionGroup(group_id, name, scope) for name, group_id in names.items()]


GROUPS: tuple[PermissionGroup, ...] = (
    *_groups(
        Scope.ZONE,
        {
            "Zone Read": "c8fed203ed3043cba015a93ad1616f1f",
            "Zone Write": "e6d2666161e84845a636613608cee8d5",
            "Zone Settings Read": "517b21aee92c4d89936c976ba6e4be55",
            "Zone Settings Write": "3030687196b94b638145a3953da2b699",
            "DNS Read": "82e64a83756745bbbb1c9c2701bf816b",
            "DNS Write": "4755a26eedb94da69e1066d98aa820be",
            "SSL and Certificates Read": "7b7216b327b04b8fbc8f524e1f9b7531",
            "SSL and Certificates Write": "c03055bc037c4ea9afb9a9f104b7b721",
            "Origin Read": "7b32a91ece3140d4b3c2c56f23fc8e35",
            "Origin Write": "a4308c6855c84eb2873e01b6cc85cbb3",
            "Zone WAF Read": "dbc512b354774852af2b5a5f4ba3d470",
            "Zone WAF Write": "fb6778dc191143babbfaa57993f1d275",
            "Firewall Services Read": "4ec32dfcb35641c5bb32d5ef1ab963b4",
            "Firewall Services Write": "43137f8d07884d3198dc0ee77ca6e79b",
            "Analytics Read": "9c88f9c5bce24ce7af9a958ba9c504db",
            "Workers Routes Read": "2072033d694d415a936eaeb94e6405b8",
            "Workers Routes Write": "28f4b596e7d643029c524985477ae49a",
        },
    ),
    *_groups(
        Scope.ACCOUNT,
        {
            "Account Settings Read": "c1fde68c7bcc44588cbb6ddbc16d6480",
            "Account Settings Write": "1af1fa2adc104452b74a9a3364202f20",
            "Account API Tokens Read": "eb56a6953c034b9d97dd838155666f06",
            "Account API Tokens Write": "5bc3f8b21c554832afc660159ab75fa4",
            "Access: Audit Logs Read": "b05b28e839c54467a7d6cba5d3abb5a3",
            "Billing Read": "7cf72faf220841aabcfdfab81c43c4f6",
            "Billing Write": "6c80e02421494afc9ae14414ed442632",
            "Account WAF Read": "56b2af4817c84ad99187911dc3986c23",
            "Account WAF Write": "cde8c82463b6414ca06e46b9633f52a6",
            "Account Rulesets Read": "fb39996ee9044d2a8725921e02744b39",
            "Account Rulesets Write": "56907406c3d548ed902070ec4df0e328",
            "Account Rule Lists Read": "4f1071168de8466e9808de86febfc516",
            "Account Rule Lists Write": "2edbf20661fd4661b0fe10e9e12f485c",
            "Account Firewall Access Rules Read": "de7a688cc47d43bd9ea700b467a09c96",
            "Account Firewall Access Rules Write": "a416acf9ef5a4af19fb11ed3b96b1fe6",
            "Allow Request Tracer Read": "f3604047d46144d2a3e9cf4ac99d7f16",
            "Workers Scripts Read": "1a71c399035b4950a1bd1466bbe4f420",
            "Workers Scripts Write": "e086da7e2179491d91ee5f35b3ca210a",
            "Workers Tail Read": "05880cd1bdc24d8bae0be2136972816b",
        },
    ),
    *_groups(
        Scope.USER,
        {
            "User Details Read": "8acbe5bb0d54464ab867149d7f7cf8ac",
            "User Details Write": "55a5e17cc99e4a3fa1f3432d262f2e55",
            "API Tokens Read": "0cc3a61731504c89b99ec1be78b77aa0",
            "API Tokens Write": "686d18d5ac6c441c867cbf6771e58a0a",
        },
    ),
)
BY_ID: Mapping[str, PermissionGroup] = {group.id: group for group in GROUPS}
BY_NAME: Mapping[str, PermissionGroup] = {group.name: group for group in GROUPS}


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """One policy of a token. `resources` maps URNs to "*", or an account's to a map of its zones' URNs."""

    id: str
    effect: str
    permission_groups: tuple[str, ...]
    resources: dict[str, str | dict[str, str]]


@dataclass(frozen=True, slots=True)
class Resource:
    """What is asked for: a zone (of an account), an account, or a user."""

    scope: Scope
    id: str
    account_id: str = ""


def may(policies: Iterable[Policy], permission: str, resource: Resource) -> bool:
    """Whether `policies` allow `permission` (a group's name) on `resource`."""
    is_allowed = False
    for policy in policies:
        if policy.effect == "allow":
            is_allowed = is_allowed or (grants(policy, permission) and covers(policy, resource))
        elif decides(policy, permission) and covers(policy, resource):
            return False
    return is_allowed


def grants(policy: Policy, permission: str) -> bool:
    """Whether a policy that allows includes `permission`. Raises KeyError for a name that is no group's."""
    return not _granting(permission).isdisjoint(policy.permission_groups)


def decides(policy: Policy, permission: str) -> bool:
    """Whether a policy that denies takes `permission` away: it does if it denies anything that is included in it."""
    return not _needed_for(permission).isdisjoint(policy.permission_groups)


def may_somewhere(policies: Iterable[Policy], permission: str) -> bool:
    """Whether some policy allows `permission` on anything at all."""
    return any(policy.effect == "allow" and grants(policy, permission) for policy in policies)


@cache
def _granting(permission: str) -> frozenset[str]:
    """Ids of the groups that include `permission`. Raises KeyError for a name that is no group's."""
    group = BY_NAME[permission]
    write = BY_NAME.get(f"{permission.removesuffix(' Read')} Write", group)
    return frozenset({group.id, write.id} if permission.endswith(" Read") else {group.id})


@cache
def _needed_for(permission: str) -> frozenset[str]:
    """Ids of the groups that `permission` includes: who is denied one of them is denied it."""
    group = BY_NAME[permission]
    read = BY_NAME.get(f"{permission.removesuffix(' Write')} Read", group)
    return frozenset({group.id, read.id} if permission.endswith(" Write") else {group.id})


def covers(policy: Policy, resource: Resource) -> bool:
    """Whether a policy is about all of `resource`. An id "*" is all there are, and so is an account "*"."""
    return any(_matches(urn, inner, resource) for urn, inner in policy.resources.items())


def _matches(urn: str, inner: str | dict[str, str], resource: Resource) -> bool:
    if isinstance(inner, dict):
        is_account = urn in (f"{_ACCOUNT}.{resource.account_id}", f"{_ACCOUNT}.*")
        return resource.scope is Scope.ZONE and is_account and any(_matches(one, "*", resource) for one in inner)
    if inner != "*":
        return False
    if resource.scope is Scope.ZONE:
        # All of an account includes its zones.
        names = (f"{_ZONE}.{resource.id}", f"{_ZONE}.*", f"{_ACCOUNT}.{resource.account_id}", f"{_ACCOUNT}.*")
        return urn in names
    return urn in (f"{resource.scope.value}.{resource.id}", f"{resource.scope.value}.*")
