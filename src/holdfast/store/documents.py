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
from holdfast.model.rule_documents import AccessRuleDocument, RulesetDocument
from holdfast.model.rule_phase import ORIGIN
from holdfast.model.setting import zone_settings
from holdfast.model.zone_document import (
    CertificateDocument,
    OriginRuleDocument,
    RecordDocument,
    WorkerDomainDocument,
    WorkerRouteDocument,
    ZoneDocument,
    ZoneSettings,
)
from holdfast.store.certificates import BEST_FIRST
from holdfast.store.rule_documents import access_rule_of, batches, ruleset_of
from holdfast.store.schema import (
    ACCESS_RULES,
    CERTIFICATES,
    DNS_RECORDS,
    RULESETS,
    WORKER_DOMAINS,
    WORKER_ROUTES,
    WORKER_SCRIPTS,
    ZONE_SETTINGS,
    ZONES,
)

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
_RULESETS = (
    _columns(RULESETS, "zone_id", "id", "kind", "phase", "version", "name", "rules")
    .where(RULESETS.c.zone_id.is_not(None))
    .order_by(RULESETS.c.phase, RULESETS.c.id)
)
_ACCESS_RULES = (
    _columns(ACCESS_RULES, "zone_id", "id", "mode", "target", "value", "notes")
    .where(ACCESS_RULES.c.zone_id.is_not(None))
    .order_by(ACCESS_RULES.c.created_on, ACCESS_RULES.c.id)
)
_WORKER_ROUTES = (
    sa.select(WORKER_ROUTES.c.zone_id, WORKER_ROUTES.c.pattern, WORKER_SCRIPTS.c.key, WORKER_SCRIPTS.c.name)
    .select_from(WORKER_ROUTES.outerjoin(WORKER_SCRIPTS, WORKER_SCRIPTS.c.id == WORKER_ROUTES.c.script_id))
    .order_by(WORKER_ROUTES.c.pattern)
)
_WORKER_DOMAINS = (
    sa.select(WORKER_DOMAINS.c.zone_id, WORKER_DOMAINS.c.host, WORKER_SCRIPTS.c.key, WORKER_SCRIPTS.c.name)
    .select_from(WORKER_DOMAINS.join(WORKER_SCRIPTS, WORKER_SCRIPTS.c.id == WORKER_DOMAINS.c.script_id))
    .order_by(WORKER_DOMAINS.c.host)
)
# The same, of some zones: made once, since one zone is read for each write.
_OF_SOME = {
    statement: statement.where(statement.selected_columns[0].in_(sa.bindparam("zone_ids", expanding=True)))
    for statement in (
        _ZONES,
        _SETTINGS,
        _RECORDS,
        _CERTIFICATES,
        _RULESETS,
        _ACCESS_RULES,
        _WORKER_ROUTES,
        _WORKER_DOMAINS,
    )
}


async def all_documents(connection: AsyncConnection, *, now: Moment) -> list[ZoneDocument]:
    """Every zone, as it is to be served from `now` on."""
    return await _documents(connection, None, now)


async def documents_of(connection: AsyncConnection, zone_ids: Collection[str], *, now: Moment) -> list[ZoneDocument]:
    """The zones of `zone_ids` that there are."""
    return [document for part in batches(zone_ids) for document in await _documents(connection, part, now)]


async def _documents(connection: AsyncConnection, ids: list[str] | None, now: Moment) -> list[ZoneDocument]:
    # First: where each statement sees what is written by then, a version stands for no more than is read after it.
    found = await _rows(connection, _ZONES, ids)
    settings = await _settings(connection, ids)
    records = await _records(connection, ids)
    certificates = await _certificates(connection, ids, now)
    rules, rulesets = await _rules(connection, ids)
    access_rules = await _access_rules(connection, ids)
    routes, domains = await _workers(connection, ids)
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
            rulesets=tuple(rulesets.get(zone_id, ())),
            access_rules=tuple(access_rules.get(zone_id, ())),
            certificates=_of_hosts(certificates.get(zone_id, ()), name),
            worker_routes=tuple(routes.get(zone_id, ())),
            worker_domains=tuple(domains.get(zone_id, ())),
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


async def _rules(
    connection: AsyncConnection, ids: list[str] | None
) -> tuple[dict[str, list[OriginRuleDocument]], dict[str, list[RulesetDocument]]]:
    """The origin rules of each zone, and its rulesets of all other phases."""
    of_origin: dict[str, list[OriginRuleDocument]] = defaultdict(list)
    others: dict[str, list[RulesetDocument]] = defaultdict(list)
    for row in await _rows(connection, _RULESETS, ids):
        if row.phase == ORIGIN:
            of_origin[row.zone_id] += [_origin_rule(rule) for rule in row.rules]
        else:
            others[row.zone_id].append(ruleset_of(row))
    return of_origin, others


async def _access_rules(connection: AsyncConnection, ids: list[str] | None) -> dict[str, list[AccessRuleDocument]]:
    found: dict[str, list[AccessRuleDocument]] = defaultdict(list)
    for row in await _rows(connection, _ACCESS_RULES, ids):
        found[row.zone_id].append(access_rule_of(row))
    return found


async def _workers(
    connection: AsyncConnection, ids: list[str] | None
) -> tuple[dict[str, list[WorkerRouteDocument]], dict[str, list[WorkerDomainDocument]]]:
    """The routes of each zone, and its host names whose origin is a script."""
    routes: dict[str, list[WorkerRouteDocument]] = defaultdict(list)
    for zone_id, pattern, key, name in await _rows(connection, _WORKER_ROUTES, ids):
        routes[zone_id].append(WorkerRouteDocument(pattern=pattern, key=key or "", name=name or ""))
    domains: dict[str, list[WorkerDomainDocument]] = defaultdict(list)
    for zone_id, host, key, name in await _rows(connection, _WORKER_DOMAINS, ids):
        domains[zone_id].append(WorkerDomainDocument(host=host, key=key, name=name))
    return routes, domains


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
