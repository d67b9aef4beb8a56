"""What a token may pass on: no token ever allows more than the one it was made with. Pure.

Law 1: a policy is passed on only if each of its permissions is allowed, by the policies one has, on each of its resources.
Law 2: what one's own policies deny is denied to the new token too, or it is not passed on.
Law 3: a resource that is not understood, or that a permission is not about, is an error and grants nothing.

A resource here is a `Resource` whose id and account may be "*": all there are, those that are yet to come included.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from holdfast.model.permission import (
    BY_ID,
    BY_NAME,
    PermissionGroup,
    Policy,
    Resource,
    Scope,
    covers,
    decides,
    grants,
)

_ID = r"\*|[0-9a-f]{32}"
_URN = re.compile(
    rf"(?:(?P<zone>{re.escape(Scope.ZONE)})|(?P<account>{re.escape(Scope.ACCOUNT)})|(?P<user>{re.escape(Scope.USER)}))"
    rf"\.(?P<id>{_ID})"
)
Resources = Mapping[str, str | dict[str, str]]


class ResourceError(ValueError):
    """A resource of a policy that means nothing. `str` is a sentence that names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Whom a token belongs to: a user ("user", an id), or an account. `accounts` are those it can reach at all."""

    kind: str
    id: str
    accounts: frozenset[str]


@dataclass(frozen=True, slots=True)
class Overreach:
    """The first permission that is not one's own to give: where in the policies, and its name."""

    policy: int
    group: int
    permission: str


def zones_named(policies: Iterable[Resources]) -> set[str]:
    """Ids of the zones that resources name."""
    urns = (
        one
        for resources in policies
        for urn, inner in resources.items()
        for one in (inner if isinstance(inner, dict) else (urn,))
    )
    return {found["id"] for urn in urns if (found := _URN.fullmatch(urn)) and found["zone"]} - {"*"}


def check_resources(resources: Resources, owner: Owner, zones: Mapping[str, str]) -> None:
    """Raise ResourceError unless every resource is one that `owner` can have. `zones` are accounts by id of zone."""
    for urn, inner in resources.items():
        for scope, id_, account in _atoms(urn, inner):
            if scope is Scope.USER:
                is_known = owner.kind == "user" and id_ in ("*", owner.id)
            elif scope is Scope.ACCOUNT:
                is_known = id_ == "*" or id_ in owner.accounts
            else:
                is_known = _is_known_zone(id_, account, owner, zones)
            if not is_known:
                raise ResourceError(f"expected resources of this {owner.kind}, got {urn!r}")


def _is_known_zone(id_: str, account: str, owner: Owner, zones: Mapping[str, str]) -> bool:
    if account != "*" and account not in owner.accounts:
        return False
    return id_ == "*" or (zones.get(id_) in owner.accounts and account in ("*", zones.get(id_)))


def overreach(
    granted: Sequence[Policy], own: Sequence[Policy], owner: Owner, zones: Mapping[str, str]
) -> Overreach | None:
    """The first permission in `granted` that `own` does not allow to pass on; None if all is one's own.

    `owner` is the new token's, `zones` the accounts of all zones that `granted` and `own` name, by id. A zone that is not
    there any more grants nothing.
    """
    giver = _Giver(granted, own, owner, zones)
    for place, policy in enumerate(granted):
        groups = enumerate(policy.permission_groups) if policy.effect == "allow" else ()
        for index, group_id in groups:
            group = BY_ID.get(group_id)
            if group is not None and not giver.has(group, policy.resources):
                return Overreach(place, index, group.name)
    return None


def reach(group: PermissionGroup, resources: Resources, owner: Owner, zones: Mapping[str, str]) -> Iterator[Resource]:
    """What `group` is granted on by `resources`, for a token of `owner`."""
    everywhere = owner.id if owner.kind == "account" else "*"
    for urn, inner in resources.items():
        for scope, id_, account in _atoms(urn, inner):
            if scope is Scope.ACCOUNT and group.scope is Scope.ZONE:
                yield Resource(Scope.ZONE, "*", everywhere if id_ == "*" else id_)
            elif scope is not group.scope:
                continue
            elif scope is Scope.USER:
                yield Resource(scope, owner.id if id_ == "*" else id_)
            elif scope is Scope.ACCOUNT:
                one = everywhere if id_ == "*" else id_
                yield Resource(scope, one, one)
            elif id_ == "*":
                yield Resource(scope, "*", everywhere if account == "*" else account)
            elif id_ in zones:
                yield Resource(scope, id_, zones[id_])


def _atoms(urn: str, inner: str | dict[str, str]) -> Iterator[tuple[Scope, str, str]]:
    """(scope, id, account) of what `urn` names: itself, or what is named within it. Raises ResourceError."""
    found = _URN.fullmatch(urn)
    if found is None:
        raise ResourceError(
            f"expected a name such as {Scope.ACCOUNT}.<account id> or {Scope.ZONE}.*, got {urn[:120]!r}"
        )
    if not isinstance(inner, dict):
        if inner != "*":
            raise ResourceError(f"{urn}: expected '*', got {inner[:40]!r}")
        scope = Scope.ZONE if found["zone"] else Scope.ACCOUNT if found["account"] else Scope.USER
        yield scope, found["id"], "*"
        return
    if not found["account"] or not inner:
        raise ResourceError(f"{urn}: expected '*', or an account's zones as {{'{Scope.ZONE}.<zone id>': '*'}}")
    for name, all_ in inner.items():
        zone = _URN.fullmatch(name)
        if zone is None or not zone["zone"] or all_ != "*":
            raise ResourceError(f"{urn}: expected {Scope.ZONE}.<zone id>: '*', got {name[:120]!r}")
        yield Scope.ZONE, zone["id"], found["id"]


def _implied(group: PermissionGroup) -> list[str]:
    read = f"{group.name.removesuffix(' Write')} Read"
    return [group.name, read] if group.name.endswith(" Write") and read in BY_NAME else [group.name]


@dataclass(frozen=True, slots=True)
class _Giver:
    """Who makes a token: what it is granted, what one has oneself, and what the names in both mean."""

    granted: Sequence[Policy]
    own: Sequence[Policy]
    owner: Owner
    zones: Mapping[str, str]

    def has(self, group: PermissionGroup, resources: Resources) -> bool:
        """Whether all that `group` means on `resources` is one's own."""
        found = list(reach(group, resources, self.owner, self.zones))
        return all(self._has(permission, resource) for permission in _implied(group) for resource in found)

    def _has(self, permission: str, resource: Resource) -> bool:
        if not any(one.effect == "allow" and grants(one, permission) and covers(one, resource) for one in self.own):
            return False
        denied = [
            one
            for policy in self._denying(self.own, permission)
            for one in reach(BY_NAME[permission], policy.resources, self.owner, self.zones)
            if _overlap(one, resource)
        ]
        kept = self._denying(self.granted, permission)
        return all(any(covers(policy, one) for policy in kept) for one in denied)

    @staticmethod
    def _denying(policies: Sequence[Policy], permission: str) -> list[Policy]:
        return [one for one in policies if one.effect != "allow" and decides(one, permission)]


def _overlap(one: Resource, other: Resource) -> bool:
    return _meet(one.id, other.id) and _meet(one.account_id, other.account_id)


def _meet(one: str, other: str) -> bool:
    return "*" in (one, other) or one == other
