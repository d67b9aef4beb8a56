"""Scripts of Workers, their versions and deployments.

Law 1: a version never changes. A script's row says which one is deployed, and is locked by whoever deploys (`hold`).
Law 2: of a script the newest MAX_VERSIONS versions are kept, the deployed one whichever it is, and the newest MAX_DEPLOYMENTS.
Law 3: files are read only where they are asked for: a list of scripts reads none.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.model.moment import Moment
from holdfast.model.worker_messages import DurableObjectBinding, ServiceBinding, WorkerLimits
from holdfast.model.worker_migrations import DurableClass, MovedClass
from holdfast.store.schema import WORKER_DEPLOYMENTS, WORKER_DOMAINS, WORKER_ROUTES, WORKER_SCRIPTS, WORKER_VERSIONS

# Precedent: the original lists 100 versions and 10 deployments; each of ours has its code beside it.
MAX_VERSIONS = 20
MAX_DEPLOYMENTS = 20


class VersionSettings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All of a version but its code and its secrets. `main` is the entry module's path."""

    main: str
    compatibility_date: str = ""
    compatibility_flags: tuple[str, ...] = ()
    vars: dict[str, Any] = {}
    durable_objects: tuple[DurableObjectBinding, ...] = ()
    services: tuple[ServiceBinding, ...] = ()
    version_metadata: str = ""
    limits: WorkerLimits = WorkerLimits()


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One version, without its code. `secrets` are sealed, by name. `source` is by what means it came ("api", "secret" …), `client`
    by what program ("wrangler", "api" for all others)."""

    id: str
    script_id: str
    number: int
    settings: VersionSettings
    secrets: dict[str, bytes]
    etag: str
    author_email: str
    source: str
    message: str
    tag: str
    created_on: Moment
    client: str = "api"


class Script(msgspec.Struct, frozen=True, kw_only=True):
    """One script. `version_id` is the version that is deployed. `moved` are classes that were renamed, or went to another script."""

    id: str
    account_id: str
    name: str
    key: str
    version_id: str
    next_number: int
    tags: tuple[str, ...]
    classes: dict[str, DurableClass]
    migration_tag: str
    created_on: Moment
    modified_on: Moment
    moved: dict[str, MovedClass] = {}


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """That a version was deployed."""

    id: str
    script_id: str
    version_id: str
    author_email: str
    source: str
    message: str
    created_on: Moment
    client: str = "api"


_VERSION_COLUMNS = tuple(WORKER_VERSIONS.c[name] for name in Version.__struct_fields__)
_FILES = msgspec.msgpack.Decoder(dict[str, bytes])


async def of_account(connection: AsyncConnection, account_id: str) -> list[tuple[Script, Version]]:
    """The account's scripts by name, each with the version that is deployed."""
    return await _with_versions(connection, WORKER_SCRIPTS.c.account_id == account_id)


async def everywhere(connection: AsyncConnection) -> list[tuple[Script, Version]]:
    """The same, of all accounts."""
    return await _with_versions(connection, sa.true())


async def heirs(connection: AsyncConnection, account_id: str, key: str) -> list[Script]:
    """The account's scripts with a class that came from the one with this key, by name."""
    there = WORKER_SCRIPTS.c
    # Few, found without reading the classes of all; a key may occur otherwise, too.
    statement = sa.select(WORKER_SCRIPTS).where(
        there.account_id == account_id, sa.cast(there.classes, sa.Text).contains(key, autoescape=True)
    )
    rows = (await connection.execute(statement.order_by(there.name))).mappings().all()
    found = [_script(row) for row in rows]
    return [one for one in found if any(kind.came_from == key for kind in one.classes.values())]


async def find(connection: AsyncConnection, account_id: str, name: str) -> Script | None:
    """The account's script of this name."""
    return await _one(connection, sa.select(WORKER_SCRIPTS).where(_is(account_id, name)))


async def hold(connection: AsyncConnection, account_id: str, name: str) -> Script | None:
    """The same, which nobody else deploys, removes or names in a route until the transaction ends."""
    return await _one(connection, sa.select(WORKER_SCRIPTS).where(_is(account_id, name)).with_for_update())


async def count(connection: AsyncConnection, account_id: str) -> int:
    """How many scripts an account has."""
    statement = sa.select(sa.func.count()).select_from(WORKER_SCRIPTS).where(WORKER_SCRIPTS.c.account_id == account_id)
    return await connection.scalar(statement) or 0


async def insert(connection: AsyncConnection, script: Script) -> None:
    """Add a script. Raises sqlalchemy.exc.IntegrityError where the account has one of this name."""
    await connection.execute(sa.insert(WORKER_SCRIPTS).values(**_script_values(script)))


async def update(connection: AsyncConnection, script: Script) -> None:
    """Write a script that is there."""
    statement = sa.update(WORKER_SCRIPTS).where(WORKER_SCRIPTS.c.id == script.id)
    await connection.execute(statement.values(**_script_values(script)))


async def delete(connection: AsyncConnection, script_id: str) -> None:
    """Remove a script, its versions, and what leads to it."""
    await connection.execute(sa.delete(WORKER_SCRIPTS).where(WORKER_SCRIPTS.c.id == script_id))


async def zones_of(connection: AsyncConnection, script_id: str) -> set[str]:
    """Ids of the zones that have routes or domains of a script."""
    found: set[str] = set()
    for table in (WORKER_ROUTES, WORKER_DOMAINS):
        found |= set(
            await connection.scalars(sa.select(table.c.zone_id).distinct().where(table.c.script_id == script_id))
        )
    return found


async def insert_version(connection: AsyncConnection, version: Version, files: bytes) -> None:
    """Add a version with its `files` (`packed`), and forget the oldest."""
    values = {
        **msgspec.structs.asdict(version),
        "settings": msgspec.to_builtins(version.settings),
        "secrets": {name: base64.b64encode(sealed).decode() for name, sealed in version.secrets.items()},
    }
    await connection.execute(sa.insert(WORKER_VERSIONS).values(**values, files=files))
    deployed = sa.select(WORKER_SCRIPTS.c.version_id).where(WORKER_SCRIPTS.c.id == version.script_id).scalar_subquery()
    table = WORKER_VERSIONS.c
    is_old = sa.and_(
        table.script_id == version.script_id, table.number <= version.number - MAX_VERSIONS, table.id != deployed
    )
    await connection.execute(sa.delete(WORKER_VERSIONS).where(is_old))


async def versions(connection: AsyncConnection, script_id: str) -> list[Version]:
    """The versions of a script that are kept, the newest first."""
    statement = sa.select(*_VERSION_COLUMNS).where(WORKER_VERSIONS.c.script_id == script_id)
    rows = (await connection.execute(statement.order_by(WORKER_VERSIONS.c.number.desc()))).mappings().all()
    return [_version(row) for row in rows]


async def find_version(connection: AsyncConnection, script_id: str, version_id: str) -> Version | None:
    """One version of a script."""
    statement = sa.select(*_VERSION_COLUMNS).where(_is_version(script_id, version_id))
    row = (await connection.execute(statement)).mappings().one_or_none()
    return None if row is None else _version(row)


async def files_of(connection: AsyncConnection, script_id: str, version_id: str) -> bytes | None:
    """The files of a version, as they are kept (`unpacked`)."""
    statement = sa.select(WORKER_VERSIONS.c.files).where(_is_version(script_id, version_id))
    found: bytes | None = await connection.scalar(statement)
    return found


async def insert_deployment(connection: AsyncConnection, deployment: Deployment) -> None:
    """Add a deployment, and forget the script's oldest."""
    await connection.execute(sa.insert(WORKER_DEPLOYMENTS).values(**msgspec.structs.asdict(deployment)))
    table = WORKER_DEPLOYMENTS.c
    of_script = sa.select(table.created_on).where(table.script_id == deployment.script_id)
    oldest = of_script.order_by(table.created_on.desc()).offset(MAX_DEPLOYMENTS - 1).limit(1).scalar_subquery()
    is_older = sa.and_(table.script_id == deployment.script_id, table.created_on < oldest)
    await connection.execute(sa.delete(WORKER_DEPLOYMENTS).where(is_older))


async def deployments(connection: AsyncConnection, script_id: str) -> list[Deployment]:
    """The deployments of a script that are remembered, the newest first."""
    table = WORKER_DEPLOYMENTS.c
    statement = sa.select(WORKER_DEPLOYMENTS).where(table.script_id == script_id)
    rows = (await connection.execute(statement.order_by(table.created_on.desc(), table.id))).mappings().all()
    return [Deployment(**row) for row in rows]


async def delete_deployment(connection: AsyncConnection, deployment_id: str) -> None:
    """Forget a deployment."""
    await connection.execute(sa.delete(WORKER_DEPLOYMENTS).where(WORKER_DEPLOYMENTS.c.id == deployment_id))


def packed(files: Mapping[str, bytes]) -> bytes:
    """Files as they are kept: up to a second for the largest, so in a thread."""
    return zlib.compress(msgspec.msgpack.encode(dict(sorted(files.items()))), 6)


def unpacked(kept: bytes) -> dict[str, bytes]:
    """Files by path. Raises ValueError for what `packed` did not make."""
    try:
        return _FILES.decode(zlib.decompress(kept))
    except (zlib.error, msgspec.DecodeError) as error:
        raise ValueError(f"the files of a version cannot be read: {error}") from error


async def _with_versions(
    connection: AsyncConnection, condition: sa.ColumnElement[bool]
) -> list[tuple[Script, Version]]:
    of_version = tuple(column.label(f"deployed_{column.name}") for column in _VERSION_COLUMNS)
    joined = WORKER_SCRIPTS.join(WORKER_VERSIONS, WORKER_VERSIONS.c.id == WORKER_SCRIPTS.c.version_id)
    statement = sa.select(*WORKER_SCRIPTS.c, *of_version).select_from(joined).where(condition)
    rows = (await connection.execute(statement.order_by(WORKER_SCRIPTS.c.name))).mappings().all()
    return [
        (
            _script({name: row[name] for name in Script.__struct_fields__}),
            _version({name: row[f"deployed_{name}"] for name in Version.__struct_fields__}),
        )
        for row in rows
    ]


async def _one(connection: AsyncConnection, statement: sa.Select[Any]) -> Script | None:
    row = (await connection.execute(statement)).mappings().one_or_none()
    return None if row is None else _script(row)


def _is(account_id: str, name: str) -> sa.ColumnElement[bool]:
    return sa.and_(WORKER_SCRIPTS.c.account_id == account_id, WORKER_SCRIPTS.c.name == name)


def _is_version(script_id: str, version_id: str) -> sa.ColumnElement[bool]:
    return sa.and_(WORKER_VERSIONS.c.script_id == script_id, WORKER_VERSIONS.c.id == version_id)


def _script_values(script: Script) -> dict[str, Any]:
    return {
        **msgspec.structs.asdict(script),
        "tags": list(script.tags),
        "classes": msgspec.to_builtins(script.classes),
        "moved": msgspec.to_builtins(script.moved),
    }


def _script(row: Mapping[Any, Any]) -> Script:
    classes = msgspec.convert(row["classes"], dict[str, DurableClass])
    moved = msgspec.convert(row["moved"], dict[str, MovedClass])
    return Script(**{**row, "tags": tuple(row["tags"]), "classes": classes, "moved": moved})


def _version(row: Mapping[Any, Any]) -> Version:
    secrets = {name: base64.b64decode(sealed) for name, sealed in row["secrets"].items()}
    return Version(**{**row, "settings": msgspec.convert(row["settings"], VersionSettings), "secrets": secrets})
