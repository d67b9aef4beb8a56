"""IP access rules of a zone, of an account, and of a user: what is let pass, refused or challenged by where it comes from.

Law 1: an owner has one rule for each address, network, autonomous system or country. What it is about never changes.
Law 2: a rule of an account holds in all of its zones, a rule of a user in all zones of their accounts: who writes one must be
let in by each of those accounts.
Law 3: a zone shows the rules that it inherits too, and changes none of them.

Source: Cloudflare API v4, "IP Access rules". A challenge is a block here that says so: a WebSocket cannot solve one.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.api.access import Access, Dependency, account_access, require_account, user_access, zone_access
from holdfast.api.envelope import Envelope, Identifier, PageEnvelope, View, page_of, success
from holdfast.api.faults import fault, invalid, not_found
from holdfast.api.identifiers import path_id
from holdfast.api.paging import Page, paged
from holdfast.api.text import Text
from holdfast.api.undoing import Undone, writing
from holdfast.model.access_rule import (
    MAX_NOTES_CHARS,
    MAX_RULES,
    MAX_VALUE_CHARS,
    MODES,
    TARGETS,
    Mode,
    Target,
    parse_value,
)
from holdfast.model.moment import written
from holdfast.store import access_rules, identities, zones
from holdfast.store.access_rules import AccessRule, AccessRuleQuery, Owner

router = APIRouter(tags=["IP access rules"])

RuleId = path_id("rule_id")
RulePage = paged(largest=1000, default=20)
RESOURCE = "access_rule"
OF_ACCOUNT = "Account Firewall Access Rules"
# Cloudflare's code and words for a second rule of one value.
DUPLICATE = 10009
DUPLICATE_TEXT = "firewallaccessrules.api.duplicate_of_existing"
TOO_MANY = 10010


@dataclass(frozen=True, slots=True)
class Scope:
    """Rules of zones, accounts or users: where they are, and who is let in."""

    path: str
    read: Dependency
    write: Dependency


_BELOW = "firewall/access_rules/rules"
SCOPES = (
    Scope(
        f"/zones/{{zone_id}}/{_BELOW}", zone_access("Firewall Services Read"), zone_access("Firewall Services Write")
    ),
    Scope(
        f"/accounts/{{account_id}}/{_BELOW}",
        account_access(f"{OF_ACCOUNT} Read"),
        account_access(f"{OF_ACCOUNT} Write"),
    ),
    # The original has no permission of its own for these.
    Scope(f"/user/{_BELOW}", user_access("User Details Read"), user_access("User Details Write")),
)


class Configuration(BaseModel):
    """What a rule is about."""

    model_config = ConfigDict(extra="ignore")
    target: Target
    value: Text = Field(max_length=MAX_VALUE_CHARS)


class AccessRuleEdit(BaseModel):
    """What to change of a rule. `configuration` can be given as it is."""

    model_config = ConfigDict(extra="ignore")
    mode: Mode | None = None
    notes: Text | None = Field(default=None, max_length=MAX_NOTES_CHARS)
    configuration: Configuration | None = None


class AccessRuleCreate(BaseModel):
    """A new rule."""

    model_config = ConfigDict(extra="ignore")
    mode: Mode
    configuration: Configuration
    notes: Text | None = Field(default=None, max_length=MAX_NOTES_CHARS)


class RuleQuery(BaseModel):
    """Which rules, in which order."""

    model_config = ConfigDict(extra="ignore")
    mode: Mode | None = None
    target: Target | None = Field(default=None, alias="configuration.target")
    value: Text | None = Field(default=None, alias="configuration.value", max_length=MAX_VALUE_CHARS)
    # As older clients write them.
    old_target: Target | None = Field(default=None, alias="configuration_target")
    old_value: Text | None = Field(default=None, alias="configuration_value", max_length=MAX_VALUE_CHARS)
    notes: Text | None = Field(default=None, max_length=MAX_NOTES_CHARS)
    match: Literal["any", "all"] = "all"
    order: Literal["configuration.target", "configuration.value", "mode"] | None = None
    direction: Literal["asc", "desc"] = "asc"


class ConfigurationView(View):
    """What a rule is about."""

    target: Target
    value: str


class ScopeView(View):
    """Whose rule it is. There is no `type` for a zone: the original's clients know these two."""

    id: str
    name: str | None = None
    email: str | None = None
    type: Literal["user", "organization"] | None = None


class AccessRuleView(View):
    """One rule."""

    id: str
    mode: Mode
    allowed_modes: list[Mode]
    configuration: ConfigurationView
    notes: str
    scope: ScopeView
    created_on: str
    modified_on: str


def _add_reading(scope: Scope) -> None:
    reader = Depends(scope.read)

    @router.get(scope.path, response_model=PageEnvelope[list[AccessRuleView]], response_model_exclude_unset=True)
    async def list_access_rules(
        *,
        access: Access = reader,
        page: RulePage,  # type: ignore[valid-type]  # made by a function
        query: Annotated[RuleQuery, Query()],
    ) -> Response:
        """The rules that fit; of a zone those that it inherits too."""
        async with access.context.database.read() as connection:
            found, total = await access_rules.select(connection, _asked(access, query, page))
        return page_of([_view(access, one) for one in found], page, total)

    @router.get(f"{scope.path}/{{rule_id}}", response_model=Envelope[AccessRuleView], response_model_exclude_unset=True)
    async def show_access_rule(
        *,
        access: Access = reader,
        rule_id: RuleId,  # type: ignore[valid-type]  # made by a function
    ) -> Response:
        """One rule."""
        async with access.context.database.read() as connection:
            found = await access_rules.find(connection, _owner(access), rule_id, inherited_of=_inherited_of(access))
        return success(_view(access, _known(found)))


def _add_writing(scope: Scope) -> None:
    writer = Depends(scope.write)

    @router.post(scope.path, response_model=Envelope[AccessRuleView], response_model_exclude_unset=True)
    async def create_access_rule(body: AccessRuleCreate, *, access: Access = writer) -> Response:
        """Add a rule."""
        value, owner, now = _value(body.configuration), _owner(access), access.context.clock()
        made = AccessRule(
            id=secrets.token_hex(16),
            owner_kind=owner.kind,
            owner_id=owner.id,
            mode=body.mode,
            target=body.configuration.target,
            value=value,
            notes=body.notes or "",
            created_on=now,
            modified_on=now,
        )
        async with _changing(access) as connection:
            if await access_rules.find_like(connection, owner, made.target, value) is not None:
                message = f"{DUPLICATE_TEXT}: there is a rule for {made.target} {value}"
                raise fault(400, DUPLICATE, message, pointer="/configuration/value")
            if await access_rules.count(connection, owner) >= MAX_RULES:
                raise fault(400, TOO_MANY, f"There are at most {MAX_RULES} access rules of one {owner.kind}")
            await access_rules.insert(connection, made)
            view = _view(access, made)
            await access.record(connection, "create", RESOURCE, made.id, new=view)
        return success(view)

    @router.patch(
        f"{scope.path}/{{rule_id}}", response_model=Envelope[AccessRuleView], response_model_exclude_unset=True
    )
    async def edit_access_rule(
        *,
        access: Access = writer,
        rule_id: RuleId,  # type: ignore[valid-type]  # made by a function
        body: AccessRuleEdit,
    ) -> Response:
        """Give a rule another mode, other notes, or both."""
        async with _changing(access) as connection:
            before = _known(await access_rules.find(connection, _owner(access), rule_id))
            _check_same(body.configuration, before)
            given = {"mode": body.mode, "notes": body.notes}
            changes = {name: value for name, value in given.items() if value not in (None, getattr(before, name))}
            view = _view(access, before)
            if not changes:
                raise Undone
            after = msgspec.structs.replace(before, **changes, modified_on=access.context.clock())
            await access_rules.change(connection, rule_id, changes, now=after.modified_on)
            view = _view(access, after)
            await access.record(connection, "update", RESOURCE, rule_id, old=_view(access, before), new=view)
        return success(view)

    @router.delete(f"{scope.path}/{{rule_id}}", response_model=Envelope[Identifier])
    async def delete_access_rule(
        *,
        access: Access = writer,
        rule_id: RuleId,  # type: ignore[valid-type]  # made by a function
    ) -> Response:
        """Remove a rule."""
        async with _changing(access) as connection:
            before = _known(await access_rules.find(connection, _owner(access), rule_id))
            await access_rules.delete(connection, rule_id)
            await access.record(connection, "delete", RESOURCE, rule_id, old=_view(access, before))
        return success({"id": rule_id})


for _scope in SCOPES:
    _add_reading(_scope)
    _add_writing(_scope)


def _owner(access: Access) -> Owner:
    if access.zone is not None:
        return Owner("zone", access.zone.id)
    if access.account_id:
        return Owner("account", access.account_id)
    return Owner("user", access.principal.owner.id)


def _asked(access: Access, query: RuleQuery, page: Page) -> AccessRuleQuery:
    target = query.target or query.old_target
    return AccessRuleQuery(
        owner=_owner(access),
        inherited_of=_inherited_of(access),
        mode=query.mode,
        target=target,
        value=_sought(target, query.value or query.old_value),
        notes=query.notes,
        is_all=query.match == "all",
        order=query.order,
        descending=query.direction == "desc",
        offset=page.offset,
        limit=page.size,
    )


def _sought(target: Target | None, value: str | None) -> str | None:
    """`value` as it is kept, for a target or for the first that takes it; what none takes is looked for as it stands."""
    for one in TARGETS if target is None else (target,):
        if value is not None:
            with suppress(ValueError):
                return parse_value(one, value)
    return value


def _inherited_of(access: Access) -> str | None:
    return access.zone.account_id if access.zone else None


@asynccontextmanager
async def _changing(access: Access) -> AsyncIterator[AsyncConnection]:
    """A transaction over the owner's rules, which nobody else changes meanwhile; then they are published. Raises ApiFault.

    Its block may end with `Undone`.
    """
    owner, accounts = _owner(access), sorted(access.principal.accounts)
    if owner.kind == "user":
        for account_id in accounts:
            require_account(access.principal, f"{OF_ACCOUNT} Write", account_id)
    is_news = False
    async with writing(access.context.database) as connection:
        if not await _lock(connection, owner, accounts):
            raise not_found(owner.kind)
        yield connection
        is_news = True
    if is_news and owner.kind == "zone":
        await access.context.on_change([owner.id])
    elif is_news:
        await access.context.on_account_change(accounts if owner.kind == "user" else [owner.id])


async def _lock(connection: AsyncConnection, owner: Owner, accounts: Sequence[str]) -> bool:
    """Lock the owner, and raise the versions of what publishes its rules; False where it is gone. `accounts` are a user's."""
    if owner.kind == "zone":
        return await zones.touch(connection, owner.id)
    if owner.kind == "account":
        return await identities.touch_account(connection, owner.id)
    for account_id in accounts:
        await identities.touch_account(connection, account_id)
    return await identities.find_user(connection, owner.id, lock=True) is not None


def _known(found: AccessRule | None) -> AccessRule:
    if found is None:
        raise not_found("access rule")
    return found


def _value(configuration: Configuration) -> str:
    try:
        return parse_value(configuration.target, configuration.value)
    except ValueError as error:
        raise invalid("/configuration/value", f"configuration.value: {error}") from None


def _check_same(given: Configuration | None, before: AccessRule) -> None:
    if given is not None and (given.target, _value(given)) != (before.target, before.value):
        reason = f"the rule is about {before.target} {before.value}, which never changes: make another"
        raise invalid("/configuration", f"configuration: {reason}")


def _view(access: Access, rule: AccessRule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "mode": rule.mode,
        "allowed_modes": list(MODES),
        "configuration": {"target": rule.target, "value": rule.value},
        "notes": rule.notes,
        "scope": _scope_view(access, rule),
        "created_on": written(rule.created_on),
        "modified_on": written(rule.modified_on),
    }


def _scope_view(access: Access, rule: AccessRule) -> dict[str, str]:
    if rule.owner_kind == "zone":
        return {"id": rule.owner_id, "name": access.known_zone.name}
    if rule.owner_kind == "account":
        return {"id": rule.owner_id, "type": "organization"}
    # Who reads a zone need not know whose address it is.
    is_own = access.zone is None
    return {"id": rule.owner_id, "type": "user", **({"email": access.principal.email} if is_own else {})}
