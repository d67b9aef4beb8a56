"""Rulesets of zones and of accounts: written and read whole, with their rules in one column, in their order.

Law 1: what a ruleset was before a change is kept as a version, the newest MAX_VERSIONS of them and MAX_VERSION_BYTES together.
Law 2: versions go with their ruleset, rulesets with their zone or account.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.model.ruleset import Rule, Ruleset
from holdfast.store.schema import ACCOUNTS, RULESET_VERSIONS, RULESETS, ZONES

# Old versions of one ruleset. A ruleset of a thousand rules has half a megabyte, most have some thousand bytes.
MAX_VERSIONS = 50
MAX_VERSION_BYTES = 4 * 1024 * 1024

_NAMES = Ruleset.__struct_fields__
_COLUMNS = tuple(RULESETS.c[name] for name in _NAMES)
_ENTRY_COLUMNS = tuple(column for column in _COLUMNS if column.name != "rules")
_ENTRYPOINTS = ("zone", "root")


class Owner(msgspec.Struct, frozen=True):
    """Whose rulesets: a zone's or an account's."""

    kind: Literal["zone", "account"]
    id: str

    def owns(self) -> sa.ColumnElement[bool]:
        """The condition on rows of rulesets."""
        return (RULESETS.c.zone_id if self.kind == "zone" else RULESETS.c.account_id) == self.id


class OldVersion(msgspec.Struct, frozen=True, kw_only=True):
    """What changes from version to version of a ruleset."""

    version: int
    description: str
    rules: tuple[Rule, ...]
    last_updated: int

    def of(self, ruleset: Ruleset) -> Ruleset:
        """`ruleset` as it was in this version."""
        return msgspec.structs.replace(ruleset, **msgspec.structs.asdict(self))


class Executor(msgspec.Struct, frozen=True, order=True):
    """A zone or an account that has a rule which executes a ruleset."""

    kind: Literal["zone", "account"]
    name: str
    id: str


_OLD_COLUMNS = tuple(RULESET_VERSIONS.c[name] for name in OldVersion.__struct_fields__)


async def of_owner(connection: AsyncConnection, owner: Owner) -> list[Ruleset]:
    """Whatever rulesets a zone or an account has, by phase."""
    statement = sa.select(*_COLUMNS).where(owner.owns()).order_by(RULESETS.c.phase, RULESETS.c.id)
    return [_value(row) for row in (await connection.execute(statement)).all()]


async def entries_of_owner(connection: AsyncConnection, owner: Owner) -> list[Ruleset]:
    """The same without rules, which may be megabytes: each has none."""
    statement = sa.select(*_ENTRY_COLUMNS).where(owner.owns()).order_by(RULESETS.c.phase, RULESETS.c.id)
    return [Ruleset(**row, rules=()) for row in (await connection.execute(statement)).mappings().all()]


async def of_zone(connection: AsyncConnection, zone_id: str) -> list[Ruleset]:
    """The zone's rulesets, by phase."""
    return await of_owner(connection, Owner("zone", zone_id))


async def find(connection: AsyncConnection, owner: Owner, ruleset_id: str) -> Ruleset | None:
    """The owner's ruleset with this id."""
    return await _one(connection, sa.and_(owner.owns(), RULESETS.c.id == ruleset_id))


async def find_entrypoint(connection: AsyncConnection, owner: Owner, phase: str) -> Ruleset | None:
    """The owner's ruleset that is run in this phase. There is one at most: it is made under the owner's lock."""
    is_entrypoint = sa.and_(RULESETS.c.phase == phase, RULESETS.c.kind.in_(_ENTRYPOINTS))
    return await _one(connection, sa.and_(owner.owns(), is_entrypoint))


async def insert(connection: AsyncConnection, owner: Owner, ruleset: Ruleset) -> None:
    """Add a ruleset to a zone or an account."""
    values = {**msgspec.to_builtins(ruleset), f"{owner.kind}_id": owner.id}
    await connection.execute(sa.insert(RULESETS).values(values))


async def update(connection: AsyncConnection, before: Ruleset, after: Ruleset) -> None:
    """Write a ruleset that is there, and keep what it was."""
    rules = msgspec.to_builtins(before.rules)
    old = {
        "ruleset_id": before.id,
        "version": before.version,
        "description": before.description,
        "rules": rules,
        "size": len(msgspec.json.encode(rules)),
        "last_updated": before.last_updated,
    }
    await connection.execute(sa.insert(RULESET_VERSIONS).values(old))
    await _forget_oldest(connection, before.id)
    statement = sa.update(RULESETS).where(RULESETS.c.id == after.id)
    await connection.execute(statement.values(**msgspec.to_builtins(after)))


async def delete(connection: AsyncConnection, ruleset_id: str) -> None:
    """Remove a ruleset, its rules and all its versions."""
    await connection.execute(sa.delete(RULESETS).where(RULESETS.c.id == ruleset_id))


async def executors(connection: AsyncConnection, ruleset_id: str) -> list[Executor]:
    """Who has a rule that is enabled and executes this ruleset, a managed one; accounts first, each by name."""
    return sorted({executor for executor, _ in await executing_rules(connection, ruleset_id)})


async def executing_rules(connection: AsyncConnection, ruleset_id: str) -> list[tuple[Executor, Rule]]:
    """The rules that are enabled and execute this ruleset, a managed one, with whose they are."""
    owner = sa.func.coalesce(ZONES.c.name, ACCOUNTS.c.name).label("name")
    joined = RULESETS.outerjoin(ZONES, ZONES.c.id == RULESETS.c.zone_id).outerjoin(
        ACCOUNTS, ACCOUNTS.c.id == RULESETS.c.account_id
    )
    # Rules that have the id in them somewhere, skipping its rules or in a text; which of them execute it is seen when they are read.
    mentions = sa.cast(RULESETS.c.rules, sa.Text).contains(ruleset_id, autoescape=True)
    statement = sa.select(RULESETS.c.zone_id, RULESETS.c.account_id, RULESETS.c.rules, owner)
    rows = (await connection.execute(statement.select_from(joined).where(mentions))).all()
    return [
        (
            Executor("zone", row.name, row.zone_id) if row.zone_id else Executor("account", row.name, row.account_id),
            rule,
        )
        for row in rows
        for rule in msgspec.convert(row.rules, tuple[Rule, ...])
        if _executes(rule, ruleset_id)
    ]


async def old_versions(connection: AsyncConnection, ruleset_id: str) -> list[tuple[int, str, int]]:
    """Version, description and time of each version before the last, the newest first."""
    table = RULESET_VERSIONS.c
    statement = sa.select(table.version, table.description, table.last_updated).where(table.ruleset_id == ruleset_id)
    rows = (await connection.execute(statement.order_by(table.version.desc()))).all()
    return [(row.version, row.description, row.last_updated) for row in rows]


async def find_old_version(connection: AsyncConnection, ruleset_id: str, version: int) -> OldVersion | None:
    """One version before the last."""
    statement = sa.select(*_OLD_COLUMNS).where(_is_version(ruleset_id, version))
    row = (await connection.execute(statement)).one_or_none()
    return (
        None if row is None else msgspec.convert(dict(zip(OldVersion.__struct_fields__, row, strict=True)), OldVersion)
    )


async def delete_old_version(connection: AsyncConnection, ruleset_id: str, version: int) -> bool:
    """Forget a version before the last; False where there is none."""
    statement = sa.delete(RULESET_VERSIONS).where(_is_version(ruleset_id, version))
    return (await connection.execute(statement)).rowcount == 1


def _executes(rule: Rule, ruleset_id: str) -> bool:
    return rule.enabled and rule.action == "execute" and rule.action_parameters.get("id") == ruleset_id


def _is_version(ruleset_id: str, version: int) -> sa.ColumnElement[bool]:
    return sa.and_(RULESET_VERSIONS.c.ruleset_id == ruleset_id, RULESET_VERSIONS.c.version == version)


async def _forget_oldest(connection: AsyncConnection, ruleset_id: str) -> None:
    table = RULESET_VERSIONS.c
    statement = sa.select(table.version, table.size).where(table.ruleset_id == ruleset_id)
    rows = (await connection.execute(statement.order_by(table.version.desc()))).all()
    beyond = _first_beyond([row.size for row in rows])
    if beyond < len(rows):
        oldest = sa.and_(table.ruleset_id == ruleset_id, table.version <= rows[beyond].version)
        await connection.execute(sa.delete(RULESET_VERSIONS).where(oldest))


def _first_beyond(sizes: Sequence[int]) -> int:
    """The place of the first of `sizes`, the newest first, that there is no room for; the newest always has room."""
    room = MAX_VERSION_BYTES
    for place, size in enumerate(sizes):
        room -= size
        if place >= MAX_VERSIONS or (room < 0 and place > 0):
            return place
    return len(sizes)


async def _one(connection: AsyncConnection, condition: sa.ColumnElement[bool]) -> Ruleset | None:
    row = (await connection.execute(sa.select(*_COLUMNS).where(condition))).one_or_none()
    return None if row is None else _value(row)


def _value(row: sa.Row[Any]) -> Ruleset:
    return msgspec.convert(dict(zip(_NAMES, row, strict=True)), Ruleset)
