"""Zones as they are published: everything of a zone that an edge needs, put together.

Law 1: a certificate is published while it is valid, for the zone's own hosts, in the order to choose in.
Law 2: a document is no older than its version: what is written while it is read makes a later version, read again.
Law 3: reading all zones is one statement a table, and the work of each row is small: there may be tens of thousands.
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
from holdfast.model.rule_phase import ORIGIN
from holdfast.model.setting import zone_settings
from holdfast.model.zone_document import (
    CertificateDocument,
    OriginRuleDocument,
    RecordDocument,
    ZoneDocument,
    ZoneSettings,
)
from holdfast.store.certificates import BEST_FIRST
from holdfast.store.schema import CERTIFICATES, DNS_RECORDS, RULESETS, ZONE_SETTINGS, ZONES

# Most ids put into one statement: SQLite takes 32,766 values, PostgreSQL's driver 32,767.
_MAX_IDS = 10_000

_DEFAULTS = ZoneSettings()


def _columns(table: sa.Table, *names: str) -> sa.Select[Any]:
    return sa.select(*(table.c[name] for name in names))


# No more columns than are needed: decoding the JSON of a record's tags took as long as all the rest.
_ZONES = _columns(ZONES, "id", "name", "version", "account_id", "plan", "paused")
_SETTINGS = _columns(ZONE_SETTINGS, "zone_id", "id", "value")
_RECORDS = _columns(DNS_RECORDS, "zone_id", "name", "type", "content", "proxied", "ttl").order_by(DNS_RECORDS.c.id)
_CERTIFICATES = _columns(
    CERTIFICATES, "zone_id", "id", "hosts", "chain_pem", "sealed_key", "priority", "starts_on", "expires_on"
).order_by(*BEST_FIRST)
_RULES = _columns(RULESETS, "zone_id", "rules").where(RULESETS.c.phase == ORIGIN)
# The same, of some zones: made once, since one zone is read for each write.
_OF_SOME = {
    statement: statement.where(statement.selected_columns[0].in_(sa.bindparam("zone_ids", expanding=True)))
    for statement in (_ZONES, _SETTINGS, _RECORDS, _CERTIFICATES, _RULES)
}


async def all_documents(connection: AsyncConnection, *, now: Moment) -> list[ZoneDocument]:
    """Every zone, as it is to be served from `now` on."""
    return await _documents(connection, None, now)


async def documents_of(connection: AsyncConnection, zone_ids: Collection[str], *, now: Moment) -> list[ZoneDocument]:
    """The zones of `zone_ids` that there are."""
    ids = sorted(zone_ids)
    parts = [ids[start : start + _MAX_IDS] for start in range(0, len(ids), _MAX_IDS)]
    return [document for part in parts for document in await _documents(connection, part, now)]


async def _documents(connection: AsyncConnection, ids: list[str] | None, now: Moment) -> list[ZoneDocument]:
    # First: where each statement sees what is written by then, a version stands for no more than is read after it.
    found = await _rows(connection, _ZONES, ids)
    settings = await _settings(connection, ids)
    records = await _records(connection, ids)
    certificates = await _certificates(connection, ids, now)
    rules = await _origin_rules(connection, ids)
    return [
        ZoneDocument(
            id=zone_id,
            name=name,
            version=version,
            account_id=account_id,
            plan=plan,
            paused=paused,
            settings=zone_settings(settings[zone_id]) if zone_id in settings else _DEFAULTS,
            records=tuple(records.get(zone_id, ())),
            origin_rules=tuple(rules.get(zone_id, ())),
            certificates=_of_hosts(certificates.get(zone_id, ()), name),
        )
        for zone_id, name, version, account_id, plan, paused in found
    ]


async def _settings(connection: AsyncConnection, ids: list[str] | None) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = defaultdict(dict)
    for zone_id, name, value in await _rows(connection, _SETTINGS, ids):
        found[zone_id][name] = value
    return found


async def _records(connection: AsyncConnection, ids: list[str] | None) -> dict[str, list[RecordDocument]]:
    found: dict[str, list[RecordDocument]] = defaultdict(list)
    for zone_id, name, kind, content, proxied, ttl in await _rows(connection, _RECORDS, ids):
        found[zone_id].append(RecordDocument(name=name, type=kind, content=content, proxied=proxied, ttl=ttl))
    return found


async def _certificates(
    connection: AsyncConnection, ids: list[str] | None, now: Moment
) -> dict[str, list[CertificateDocument]]:
    found: dict[str, list[CertificateDocument]] = defaultdict(list)
    for row in await _rows(connection, _CERTIFICATES, ids):
        if row.starts_on <= now < row.expires_on:
            found[row.zone_id].append(_certificate(row))
    return found


async def _origin_rules(connection: AsyncConnection, ids: list[str] | None) -> dict[str, list[OriginRuleDocument]]:
    found: dict[str, list[OriginRuleDocument]] = defaultdict(list)
    for zone_id, rules in await _rows(connection, _RULES, ids):
        found[zone_id] += [_origin_rule(rule) for rule in rules]
    return found


async def _rows(connection: AsyncConnection, statement: sa.Select[Any], ids: list[str] | None) -> list[Any]:
    if ids is None:
        return list((await connection.execute(statement)).all())
    some = _OF_SOME[statement]
    return list((await connection.execute(some, {"zone_ids": ids})).all())


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
