"""What `holdfast token create` asks for, as policies and conditions of the API. Pure.

Law 1: a token gets what was named and nothing wider: who means every zone says `--zone '*'`.
Law 2: a permission is granted on resources of its own scope, so one policy is made for each scope.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from holdfast.client.api.answer import JsonObject, id_of, text_of, texts_of
from holdfast.client.printable import printable
from holdfast.errors import UsageError

# Every zone, or every account, as a person writes it.
ALL = "*"

ZONE_SCOPE = "com.cloudflare.api.account.zone"
ACCOUNT_SCOPE = "com.cloudflare.api.account"
USER_SCOPE = "com.cloudflare.api.user"

_DURATION = re.compile(r"([0-9]{1,6})([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}

# The body's `resources`: a URN to "*", or the URN of an account to the URNs in it.
Resources = dict[str, object]


def groups_named(names: Iterable[str], groups: Sequence[JsonObject]) -> list[JsonObject]:
    """The permission groups with these names (or ids), in any case. Raises UsageError that shows what there is."""
    by_name = {key.lower(): group for group in groups for key in (text_of(group, "name"), text_of(group, "id")) if key}
    found = []
    for name in names:
        group = by_name.get(name.strip().lower())
        if group is None:
            raise UsageError("--permission", name, f"one of {_names(name, groups)}")
        if group not in found:
            found.append(group)
    return found


def _names(wanted: str, groups: Sequence[JsonObject]) -> str:
    """The names that share a word with what was wanted, else all."""
    words = set(wanted.lower().split()) - {"read", "write", "edit"}
    names = sorted({printable(text_of(group, "name"), limit=80) for group in groups})
    near = [name for name in names if words & set(name.lower().split())]
    return ", ".join((near or names)[:40]) or "none: the API has no permission groups"


def policies(
    groups: Sequence[JsonObject],
    *,
    zones: Sequence[str],
    accounts: Sequence[str],
    user_id: Callable[[], str],
) -> list[JsonObject]:
    """The policies that allow `groups` on zones and accounts (ids, or ALL). `user_id` is asked where a group needs it.

    Raises UsageError where a group has a scope for which no resource was named.
    """
    by_scope: dict[str, list[JsonObject]] = {}
    for group in groups:
        by_scope.setdefault(_scope_of(group), []).append(group)
    made: list[JsonObject] = []
    for scope, members in by_scope.items():
        name = text_of(members[0], "name")
        if scope == USER_SCOPE:
            resources: Resources = {f"{USER_SCOPE}.{user_id()}": "*"}
        elif scope == ACCOUNT_SCOPE:
            resources = _account_resources(name, accounts)
        else:
            resources = _zone_resources(name, zones, accounts)
        ids = [{"id": id_of(member, what="read the permission groups")} for member in members]
        made.append({"effect": "allow", "resources": resources, "permission_groups": ids})
    return made


def _scope_of(group: JsonObject) -> str:
    scopes = texts_of(group.get("scopes"))
    return next((scope for scope in (ZONE_SCOPE, ACCOUNT_SCOPE, USER_SCOPE) if scope in scopes), ZONE_SCOPE)


def _zone_resources(permission: str, zones: Sequence[str], accounts: Sequence[str]) -> Resources:
    if zones:
        return {f"{ZONE_SCOPE}.{zone}": "*" for zone in ([ALL] if ALL in zones else zones)}
    if accounts:
        return {f"{ACCOUNT_SCOPE}.{account}": {f"{ZONE_SCOPE}.*": "*"} for account in accounts}
    raise UsageError(
        "--zone", None, f"a zone for the permission {permission}, or --account, or --zone '*' for every zone"
    )


def _account_resources(permission: str, accounts: Sequence[str]) -> Resources:
    if not accounts:
        raise UsageError(
            "--account", None, f"an account for the permission {permission}, or --account '*' for every one"
        )
    return {f"{ACCOUNT_SCOPE}.{account}": "*" for account in ([ALL] if ALL in accounts else accounts)}


Expiry = dt.datetime | dt.timedelta


def expiry(text: str, field: str) -> Expiry:
    """When a token ends: a duration from now (`30d`, `12h`), or a moment (`2027-01-31`, `2027-01-31T12:00:00Z`; UTC)."""
    if duration := _DURATION.fullmatch(text.lower()):
        return dt.timedelta(seconds=int(duration[1]) * _SECONDS[duration[2]])
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            field, text, "a duration such as 30d or 12h, or a moment such as 2027-01-31T12:00:00Z"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def expires_on(when: Expiry, *, now: dt.datetime) -> str:
    """The moment as the API writes it. Raises UsageError for one that is past, or beyond the calendar."""
    try:
        moment = (now + when if isinstance(when, dt.timedelta) else when).astimezone(dt.UTC)
    except OverflowError:
        raise UsageError("--expires", str(when), "a moment within the calendar") from None
    if moment <= now:
        raise UsageError("--expires", moment.isoformat(), "a moment that is still to come")
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def network(text: str, field: str) -> str:
    """An address or a network as the API takes it: `192.0.2.0/24`. Raises UsageError."""
    try:
        found = ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise UsageError(field, text, "an IP address or a network such as 192.0.2.0/24") from None
    return str(found)


def replacement(token: JsonObject, *, status: str) -> dict[str, object]:
    """The body of PUT that changes a token's status and leaves everything else as it is."""
    kept = ("name", "policies", "condition", "expires_on", "not_before")
    return {**{key: _writable(token[key]) for key in kept if token.get(key) is not None}, "status": status}


def _writable(value: object) -> object:
    """A part of a token without what only the API may say: the names of permission groups, the ids of policies."""
    if not isinstance(value, list):
        return value
    return [_policy(one) if isinstance(one, Mapping) else one for one in value]


def _policy(policy: JsonObject) -> JsonObject:
    groups = policy.get("permission_groups")
    ids = (
        [{"id": text_of(group, "id")} for group in groups if isinstance(group, dict)]
        if isinstance(groups, list)
        else []
    )
    return {"effect": policy.get("effect"), "resources": policy.get("resources"), "permission_groups": ids}
