"""Zones as they are published: everything of a zone that an edge needs, put together.

Law 1: a certificate is published while it is valid, for the zone's own hosts, in the order to choose in.
Law 2: reading all zones is one statement a table, and the work of each row is small: there may be tens of thousands.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.model.certificate_hosts import hosts_within
from holdfast.model.moment import Moment
from holdfast.model.setting import zone_settings
from holdfast.model.zone_document import CertificateDocument, OriginRuleDocument, RecordDocument, ZoneDocument
from holdfast.store.certificates import BEST_FIRST
from holdfast.store.schema import CERTIFICATES, DNS_RECORDS, RULESETS, ZONE_SETTINGS, ZONES

# Most ids put into one statement: SQLite takes 32,766 values, PostgreSQL's driver 32,767.
_MAX_IDS = 10_000

ORIGIN_PHASE = "http_request_origin"


async def all_documents(connection: AsyncConnection, *, now: Moment) -> list[ZoneDocument]:
    """Every zone, as it is to be served from `now` on."""
    return await _documents(connection, None, now)


async def documents_of(connection: AsyncConnection, zone_ids: Collection[str], *, now: Moment) -> list[ZoneDocument]:
    """The zones of `zone_ids` that there are."""
    ids = sorted(zone_ids)
    parts = [ids[start : start + _MAX_IDS] for start in range(0, len(ids), _MAX_IDS)]
    return [document for part in parts for document in await _documents(connection, part, now)]


async def _documents(connection: AsyncConnection, ids: list[str] | None, now: Moment) -> list[ZoneDocument]:
    settings: dict[str, dict[str, Any]] = defaultdict(dict)
    for row in await _rows(connection, ZONE_SETTINGS, ids):
        settings[row.zone_id][row.id] = row.value
    records: dict[str, list[RecordDocument]] = defaultdict(list)
    for row in await _rows(connection, DNS_RECORDS, ids):
        record = RecordDocument(name=row.name, type=row.type, content=row.content, proxied=row.proxied, ttl=row.ttl)
        records[row.zone_id].append(record)
    certificates: dict[str, list[CertificateDocument]] = defaultdict(list)
    for row in await _rows(connection, CERTIFICATES, ids, *BEST_FIRST):
        if row.starts_on <= now < row.expires_on:
            certificates[row.zone_id].append(_certificate(row))
    rules: dict[str, list[OriginRuleDocument]] = defaultdict(list)
    for row in await _rows(connection, RULESETS, ids):
        if row.phase == ORIGIN_PHASE and row.kind == "zone":
            rules[row.zone_id] += [_origin_rule(rule) for rule in row.rules]
    return [
        ZoneDocument(
            id=row.id,
            name=row.name,
            version=row.version,
            account_id=row.account_id,
            plan=row.plan,
            paused=row.paused,
            settings=zone_settings(settings.get(row.id, {})),
            records=tuple(records.get(row.id, ())),
            origin_rules=tuple(rules.get(row.id, ())),
            certificates=_of_hosts(certificates.get(row.id, ()), row.name),
        )
        for row in await _rows(connection, ZONES, ids)
    ]


async def _rows(
    connection: AsyncConnection, table: sa.Table, ids: list[str] | None, *order: sa.ColumnElement[Any]
) -> list[Any]:
    zone_id = table.c.id if table is ZONES else table.c.zone_id
    statement = sa.select(table).order_by(*order, table.c.id)
    if ids is not None:
        statement = statement.where(zone_id.in_(ids))
    return list((await connection.execute(statement)).all())


def _certificate(row: Any) -> CertificateDocument:  # noqa: ANN401  rows have no type
    return CertificateDocument(
        id=row.id,
        hosts=tuple(row.hosts),
        chain_pem=row.chain_pem,
        sealed_key=row.sealed_key,
        priority=row.priority,
    )


def _of_hosts(certificates: Iterable[CertificateDocument], zone: str) -> tuple[CertificateDocument, ...]:
    """`certificates` for hosts of `zone` alone."""
    pairs = [(one, hosts_within(one.hosts, zone)) for one in certificates]
    return tuple(msgspec.structs.replace(one, hosts=hosts) for one, hosts in pairs if hosts)


def _origin_rule(rule: dict[str, Any]) -> OriginRuleDocument:
    """A rule as it is stored: the API's shape (Cloudflare, "route" action parameters)."""
    parameters = rule.get("action_parameters", {})
    origin, sni = parameters.get("origin", {}), parameters.get("sni", {})
    return OriginRuleDocument(
        id=rule["id"],
        expression=rule["expression"],
        enabled=rule["enabled"],
        host_header=parameters.get("host_header"),
        origin_host=origin.get("host"),
        origin_port=origin.get("port"),
        sni=sni.get("value"),
    )
