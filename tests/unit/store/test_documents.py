"""`holdfast.store.documents`: a zone as it is published, with all that belongs to it and nothing else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.model.rule_documents import AccessRuleDocument, RuleDocument, RulesetDocument
from holdfast.model.zone_document import (
    CertificateDocument,
    OriginRuleDocument,
    RecordDocument,
    ZoneDocument,
    ZoneSettings,
)
from holdfast.store import certificates, records, rulesets, settings, zones
from holdfast.store.database import Database
from holdfast.store.documents import all_documents, documents_of
from holdfast.store.schema import ACCESS_RULES
from tests.unit.store.conftest import ACCOUNT_ID
from tests.unit.store.test_certificates import certificate
from tests.unit.store.test_records import record
from tests.unit.store.test_rule_documents import an_access_rule
from tests.unit.store.test_rulesets import ruleset
from tests.unit.store.test_zones import zone


async def test_a_zone_is_put_together_from_all_tables(database: Database) -> None:
    one, bare = zone(1, "one.example"), zone(2, "two.example")
    async with database.write() as connection:
        for each in (one, bare):
            await zones.insert(connection, each)
        await settings.put(connection, one.id, {"ssl": "strict", "unknown": 1}, now=1)
        await records.insert(connection, one.id, [msgspec.structs.replace(record(1, "a.one.example"), proxied=True)])
        await rulesets.insert(connection, rulesets.Owner("zone", one.id), ruleset(1))
        await rulesets.insert(connection, rulesets.Owner("zone", one.id), ruleset(2, "http_ratelimit"))
        await connection.execute(sa.insert(ACCESS_RULES), [an_access_rule(4, "zone", one.id, zone_id=one.id)])
        await connection.execute(sa.insert(ACCESS_RULES), [an_access_rule(5, "account", ACCOUNT_ID)])
        await certificates.insert(connection, one.id, certificate(1, hosts=("one.example", "elsewhere.example")))
        await certificates.insert(connection, one.id, certificate(2, hosts=("elsewhere.example",)))
    async with database.read() as connection:
        found = await all_documents(connection, now=15)
        assert await documents_of(connection, [one.id, "f" * 32], now=15) == [d for d in found if d.id == one.id]
        assert await documents_of(connection, [], now=15) == []
    rules = tuple(
        OriginRuleDocument(
            id=f"1-{place}",
            expression='http.host eq "a"',
            enabled=place == 0,
            host_header="a.example",
            origin_port=8443,
        )
        for place in range(2)
    )
    limits = tuple(
        RuleDocument(
            id=f"2-{place}",
            version=place,
            ref=f"ref{place}",
            action="route",
            action_parameters={"origin": {"port": 8443}, "host_header": "a.example"},
            expression='http.host eq "a"',
            description="d",
            enabled=place == 0,
        )
        for place in range(2)
    )
    full = ZoneDocument(
        id=one.id,
        name="one.example",
        version=1,
        account_id=ACCOUNT_ID,
        settings=ZoneSettings(ssl="strict"),
        records=(RecordDocument(name="a.one.example", type="A", content="192.0.2.1", proxied=True),),
        origin_rules=rules,
        rulesets=(
            RulesetDocument(
                id=f"{2:032x}", kind="zone", phase="http_ratelimit", version=3, name="default", rules=limits
            ),
        ),
        access_rules=(AccessRuleDocument(id=f"{4:032x}", mode="block", target="ip", value="192.0.2.4", notes="why"),),
        certificates=(
            CertificateDocument(
                id=certificate(1).id, hosts=("one.example",), chain_pem="chain", sealed_key=b"\0\xff sealed"
            ),
        ),
    )
    assert sorted(found, key=lambda document: document.name) == [
        full,
        ZoneDocument(id=bare.id, name="two.example", version=1, account_id=ACCOUNT_ID),
    ]


async def test_a_certificate_is_there_while_it_is_valid(database: Database) -> None:
    one = zone(1, "one.example")
    async with database.write() as connection:
        await zones.insert(connection, one)
        await certificates.insert(connection, one.id, certificate(1))
        for now, count in ((9, 0), (10, 1), (19, 1), (20, 0)):
            (document,) = await documents_of(connection, [one.id], now=now)
            assert len(document.certificates) == count


class _Interrupted:
    """A connection on which something happens after the first statement."""

    def __init__(self, connection: AsyncConnection, meanwhile: Callable[[], Awaitable[None]]) -> None:
        self._connection = connection
        self._meanwhile: Callable[[], Awaitable[None]] | None = meanwhile

    async def execute(self, *arguments: Any) -> Any:
        result = await self._connection.execute(*arguments)
        if self._meanwhile is not None:
            meanwhile, self._meanwhile = self._meanwhile, None
            await meanwhile()
        return result


async def test_a_document_that_is_written_while_it_is_read_is_no_older_than_its_version(database: Database) -> None:
    one = zone(1, "one.example")
    async with database.write() as connection:
        await zones.insert(connection, one)

    async def write() -> None:
        async with database.write() as connection:
            await zones.touch(connection, one.id)
            await settings.put(connection, one.id, {"ssl": "strict"}, now=1)

    async with database.read() as connection:
        interrupted = cast("AsyncConnection", _Interrupted(connection, write))
        (document,) = await documents_of(interrupted, [one.id], now=15)
    assert document.version == 1 or document.settings.ssl == "strict"
    async with database.read() as connection:
        (document,) = await documents_of(connection, [one.id], now=15)
    assert (document.version, document.settings.ssl) == (2, "strict")
