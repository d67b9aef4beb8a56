"""`holdfast.control.service`: what it starts, what it says of its health, and how it ends."""

import asyncio
import dataclasses
import gc
import weakref
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from holdfast.api.context import Limits
from holdfast.control import service
from holdfast.control.link_server import LinkServer
from holdfast.control.pacing import Pacing
from holdfast.control.publisher import APPLY_LIMIT_S, BEHIND_LIMIT_S
from holdfast.control.service import Control, ControlFacts
from holdfast.control.shelves import Refused
from holdfast.errors import SetupError
from holdfast.model.control_link import VERSION, Applied, Hello, frame
from holdfast.model.rule_documents import RuleDocument, RulesetDocument
from holdfast.model.zone_document import SnapshotDocument, ZoneDocument
from holdfast.sealing import SealingKey
from holdfast.store.database import StorageFault
from tests.unit.control.edge_peer import LIMIT_S, connected

LOG: list[tuple[str, Mapping[str, str | int]]] = []


def facts(directory: Path, *, living_edge: Callable[[], int | None] = lambda: None, **changes: str) -> ControlFacts:
    return ControlFacts(
        living_edge=living_edge,
        database_url=changes.get("database_url", f"sqlite+aiosqlite:///{directory}/db"),
        link_path=directory / "control.sock",
        key=SealingKey(bytes(32)),
        check=lambda _: None,
        limits=Limits(),
        log=lambda *entry: LOG.append(entry),
    )


@pytest.fixture
async def control(tmp_path: Path) -> AsyncIterator[Control]:
    running = Control(facts(tmp_path))
    await running.start()
    yield running
    await running.stop()


async def asked(control: Control, path: str) -> tuple[int, str]:
    transport = httpx.ASGITransport(control.application, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://holdfast.test") as client:
        answer = await client.get(path)
    return answer.status_code, answer.text


async def test_the_first_start_makes_a_token_and_the_next_one_none(tmp_path: Path) -> None:
    made = []
    for _ in range(2):
        running = Control(facts(tmp_path))
        made.append(await running.start())
        await running.stop()
    assert made[0] is not None
    assert made[1] is None


async def test_nothing_of_it_is_left_when_it_has_ended(tmp_path: Path) -> None:
    running = Control(facts(tmp_path))
    await running.start()
    for path in ("/healthz", "/readyz", "/metrics", "/client/v4/user"):
        await asked(running, path)
    await running.stop()
    left = weakref.ref(running)
    del running
    gc.collect()
    assert left() is None


async def test_it_has_started_when_the_edge_that_lives_serves_what_is_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "EDGE_LIMIT_S", 60.0)
    running = Control(facts(tmp_path, living_edge=lambda: 9))
    starting = asyncio.create_task(running.start())
    async with asyncio.timeout(LIMIT_S):
        while not (tmp_path / "control.sock").exists():
            await asyncio.wait({starting}, timeout=0.01)
        hello = frame(Hello(version=VERSION, edge="e", pid=9))
        async with connected(tmp_path / "control.sock", hello + frame(Applied(revision=1))):
            await starting
            assert {session.revision for session in running.links.sessions} == {running.publisher.revision}
    await running.stop()


async def test_an_edge_that_lives_and_does_not_come_back_keeps_nobody_from_the_api(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "EDGE_LIMIT_S", 0.01)
    running = Control(facts(tmp_path, living_edge=lambda: 9))
    async with asyncio.timeout(LIMIT_S):
        await running.start()
        assert running.links.missing_edge() == 9
    await running.stop()


async def test_an_edge_that_lives_and_is_not_connected_is_waited_for_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    living: list[int] = []
    limits: list[float] = []

    async def until_all_serve(_: object, limit_s: float) -> None:
        limits.append(limit_s)

    monkeypatch.setattr(LinkServer, "until_all_serve", until_all_serve)
    running = Control(facts(tmp_path, living_edge=lambda: living[-1] if living else None))
    await running.start()
    change = running.application.state.context.on_change
    for pid in (None, 9, 9, 10, 10):
        living += [pid] if pid else []
        await change(["1" * 32])
    assert limits == [service.EDGE_LIMIT_S, APPLY_LIMIT_S, BEHIND_LIMIT_S, APPLY_LIMIT_S, BEHIND_LIMIT_S]
    await running.stop()


async def test_it_is_healthy_without_an_edge_and_ready_with_one(control: Control, tmp_path: Path) -> None:
    assert await asked(control, "/healthz") == (200, "ok\n")
    assert await asked(control, "/readyz") == (503, "no edge is connected\n")
    async with connected(tmp_path / "control.sock", frame(Hello(version=VERSION, edge="e", pid=1))):
        assert await asked(control, "/readyz") == (200, "ok\n")
        control.is_draining = True
        assert await asked(control, "/readyz") == (503, "draining: no new clients are taken\n")
        assert await asked(control, "/healthz") == (200, "ok\n")


async def test_what_does_not_compile_is_named_where_readiness_is_asked(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = {
        "1" * 32: Refused("zone", "a.com", "records: expected something else"),
        "7" * 32: Refused("list", "office", "items[3]: expected an address"),
    }
    monkeypatch.setattr(type(control.publisher), "refused", refused)
    assert (await asked(control, "/readyz"))[1].splitlines()[-2:] == [
        "zone a.com: records: expected something else",
        "list office: items[3]: expected an address",
    ]


async def test_managed_rulesets_are_those_always_there_and_those_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    always = {"3" * 32: "ours"}
    running = Control(dataclasses.replace(facts(tmp_path), managed=lambda: always))
    monkeypatch.setattr(type(running.publisher), "managed", {"4" * 32: "loaded"})
    found: Mapping[str, object] = running.application.state.context.managed()
    assert dict(found) == {"3" * 32: "ours", "4" * 32: "loaded"}
    await running.stop()


async def test_rules_that_do_nothing_are_named_where_readiness_is_asked_and_counted(
    control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = RuleDocument(id="8" * 32, version=1, action="execute", expression="true", action_parameters={"id": "9" * 32})
    ruleset = RulesetDocument(id="7" * 32, kind="zone", phase="http_request_firewall_managed", version=1, rules=(rule,))
    zone = ZoneDocument(id="1" * 32, name="a.com", version=1, account_id="2" * 32, rulesets=(ruleset,))
    snapshot = SnapshotDocument(source="s", revision=99, zones=(zone,))
    monkeypatch.setattr(control.publisher, "snapshot", lambda: snapshot)
    monkeypatch.setattr(control.publisher, "revision", 99)
    said = f"zone a.com: the rule {rule.id} does nothing: the managed ruleset {'9' * 32} is not loaded"
    assert (await asked(control, "/readyz"))[1].splitlines()[-1] == said
    assert "\nholdfast_rules_inert 1.0\n" in (await asked(control, "/metrics"))[1]
    # What is published next is looked at anew.
    monkeypatch.setattr(control.publisher, "snapshot", lambda: SnapshotDocument(source="s", revision=100))
    monkeypatch.setattr(control.publisher, "revision", 100)
    assert "\nholdfast_rules_inert 0.0\n" in (await asked(control, "/metrics"))[1]


async def test_certificates_that_an_edge_leaves_out_are_said_where_readiness_is_asked(
    control: Control, tmp_path: Path
) -> None:
    hello = frame(Hello(version=VERSION, edge="e", pid=1))
    async with connected(tmp_path / "control.sock", hello):
        (session,) = control.links.sessions
        session.certificates_left_out = 2
        assert await asked(control, "/readyz") == (
            200,
            "ok\nedge e: 2 certificates are left out, and its log says why\n",
        )


async def test_a_start_with_another_key_is_refused(tmp_path: Path) -> None:
    first = Control(facts(tmp_path))
    await first.start()
    await first.stop()
    second = Control(dataclasses.replace(facts(tmp_path), key=SealingKey(b"o" * 32)))
    with pytest.raises(SetupError, match=r"another key than the one given here"):
        await second.start()
    await second.stop()


async def test_metrics_are_there_without_an_edge_and_without_a_token(control: Control) -> None:
    status, text = await asked(control, "/metrics")
    assert status == 200
    assert "holdfast_edges 0.0" in text


async def test_a_database_that_cannot_be_used_is_one_sentence(tmp_path: Path) -> None:
    running = Control(facts(tmp_path, database_url=f"sqlite+aiosqlite:///{tmp_path}/none/db"))
    with pytest.raises(SetupError, match=r"^database_url: the database cannot be used"):
        await running.start()
    await running.stop()


async def test_while_the_disk_is_full_writes_are_refused_and_readiness_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_write = True

    def begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql(f"PRAGMA query_only={int(not may_write)}")

    running = Control(facts(tmp_path))
    # Before its first transaction: SQLAlchemy takes no listener while another one waits.
    sa.event.listen(running.database.engine.sync_engine, "begin", begin)
    await running.start()
    LOG.clear()
    reason = "the database cannot be written: attempt to write a readonly database"
    async with connected(tmp_path / "control.sock", frame(Hello(version=VERSION, edge="e", pid=1))):
        may_write = False
        for _ in range(2):
            with pytest.raises(StorageFault):
                await running.database.try_to_write()
        assert await asked(running, "/readyz") == (503, f"{reason}\n")
        assert [entry for entry in LOG if entry[0] == "store_unavailable"] == [
            ("store_unavailable", {"reason": reason})
        ]
        may_write = True
        pacing = Pacing()
        with monkeypatch.context() as patch:
            patch.setattr(service, "TOKEN_USE_INTERVAL_S", 0.01)
            patch.setattr(running, "_pacing", pacing)
            healing = asyncio.create_task(running._keep_noting_uses())
            async with asyncio.timeout(LIMIT_S):
                while running.database.storage_fault:
                    await asyncio.wait({healing}, timeout=0.01)
            pacing.stop()
            await healing
        assert await asked(running, "/readyz") == (200, "ok\n")
    await running.stop()


@pytest.mark.parametrize("name", ["on_change", "on_account_change"])
@pytest.mark.parametrize("takes_long", [False, True])
async def test_edges_are_waited_for_as_long_as_what_changed_may_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, takes_long: bool
) -> None:
    limits: list[float] = []

    async def on_change(_: object, *__: object, limit_s: float, **___: object) -> None:
        limits.append(limit_s)

    running = Control(facts(tmp_path))
    monkeypatch.setattr(type(running.publisher), "on_change", on_change)
    change = getattr(running.application.state.context, name)
    await change(["1" * 32], takes_long=takes_long)
    assert limits == [service.LONG_LIMIT_S if takes_long else APPLY_LIMIT_S]
    await running.stop()
