"""What rules draw on, from the database of a whole installation to its edge: announced by the API or by nobody, past the end of
every process, and to the edge of another control.

Law: what is written behind everybody's back is written as another control, or a command on the machine, writes it.
"""

import asyncio
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from holdfast.model.rule_documents import ManagedDocument
from holdfast.rules.seclang import OWASP_RULESET_ID
from holdfast.store import managed
from holdfast.store.database import Database
from holdfast.store.schema import ACCOUNTS, LIST_ITEMS, LISTS
from tests.integration import wire
from tests.integration.origin import Origin
from tests.integration.run import CONTROL, EDGE, Run
from tests.integration.test_control_returns import restart_control
from tests.integration.test_crash_serving import HOST, add_record
from tests.integration.test_crash_writes import add_zone
from tests.integration.test_rule_link import MANAGED, managed_rules
from tests.integration.waiting import poll

API = "/client/v4"
CUSTOM = "http_request_firewall_custom"
LIST_ID = "7" * 32
# What another control wrote is found within a second; the machine may be busy.
FOUND_LIMIT_S = 60.0


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite+aiosqlite:///{tmp_path}/holdfast.db"


def upgraded(run: Run, target: str = "/echo") -> int:
    with wire.connect(run.plain) as client:
        client.send(wire.upgrade(target, host=HOST))
        return client.read_answer().status


def put_rules(run: Run, token: str, owner: str, phase: str, *rules: dict[str, Any]) -> None:
    """Write an entrypoint over the API."""
    path = f"{API}/{owner}/rulesets/phases/{phase}/entrypoint"
    status, answer = run.ask("PUT", path, token=token, body={"rules": list(rules)})
    assert status == 200, answer


def block(expression: str) -> dict[str, Any]:
    return {"action": "block", "expression": expression}


def custom_ruleset(run: Run, token: str, account: str, expression: str) -> dict[str, Any]:
    """A rule that executes a new custom ruleset, which blocks what `expression` says."""
    body = {"name": "mine", "kind": "custom", "phase": CUSTOM, "rules": [block(expression)]}
    status, answer = run.ask("POST", f"{API}/{account}/rulesets", token=token, body=body)
    assert status == 200, answer
    return {"action": "execute", "expression": "true", "action_parameters": {"id": answer["result"]["id"]}}


def account_of(run: Run, token: str) -> str:
    """The path of the account."""
    _, answer = run.ask("GET", f"{API}/accounts", token=token)
    return f"accounts/{answer['result'][0]['id']}"


def write_list(url: str, items: Sequence[str], *, version: int) -> None:
    """Have a list `$bad` with these items, and tell nobody."""

    async def write() -> None:
        database = Database(url)
        async with database.write() as connection:
            account_id = await connection.scalar(sa.select(ACCOUNTS.c.id))
            counts = {"num_items": len(items), "version": version, "created_on": 1, "modified_on": 1}
            row = {"id": LIST_ID, "account_id": account_id, "name": "bad", "kind": "ip", "description": "", **counts}
            await connection.execute(sa.delete(LISTS))
            await connection.execute(sa.insert(LISTS), [row])
            values = [
                {"id": f"{number:032x}", "list_id": LIST_ID, "value": item, "created_on": 1, "modified_on": 1}
                for number, item in enumerate(items)
            ]
            await connection.execute(sa.insert(LIST_ITEMS), values)
        await database.close()

    asyncio.run(write())


def write_managed(url: str, document: ManagedDocument | None) -> None:
    """Load managed rules, or remove them, as a command on the machine does."""

    async def write() -> None:
        database = Database(url)
        async with database.write() as connection:
            if document is None:
                assert await managed.remove(connection, OWASP_RULESET_ID)
            else:
                await managed.put(connection, document)
        await database.close()

    asyncio.run(write())


def found(run: Run, status: int, target: str = "/echo") -> None:
    """Wait until it is answered so."""
    answers: list[int] = []

    def look() -> bool:
        answers.append(upgraded(run, target))
        return answers[-1] == status

    try:
        poll(look, what=f"the edge to answer {target} with {status}", limit_s=FOUND_LIMIT_S)
    except AssertionError as error:
        raise AssertionError(f"{error}; it answers {answers[-1]}, and said {run.log_lines[-5:]}") from None


def test_rules_of_an_account_are_in_force_when_they_are_answered(origin: Origin, tmp_path: Path) -> None:
    with Run(tmp_path) as run:
        token = run.token
        add_record(run, token, add_zone(run, token, origin), HOST)
        account = account_of(run, token)
        execute = custom_ruleset(run, token, account, "true")
        for _ in range(5):
            put_rules(run, token, account, CUSTOM, execute)
            assert upgraded(run) == 403
            put_rules(run, token, account, CUSTOM)
            assert upgraded(run) == 101


def test_what_nobody_announced_is_found_and_outlives_every_process(origin: Origin, tmp_path: Path, url: str) -> None:
    overrides = {"rules": [{"id": "6179ae15870a4bb7b2d480d4843b323c", "score_threshold": 5}]}
    execute = {"id": OWASP_RULESET_ID, "overrides": overrides}
    with Run(tmp_path) as run:
        token = run.token
        zone_id = add_zone(run, token, origin)
        add_record(run, token, zone_id, HOST)
        write_list(url, ["127.0.0.0/8"], version=1)
        write_managed(url, managed_rules())
        poll(lambda: 'holdfast_rule_documents{kind="managed"} 1.0' in metrics(run), what="managed rules to be found")
        put_rules(run, token, f"zones/{zone_id}", CUSTOM, block('ip.src in $bad and http.request.uri.path eq "/list"'))
        rule = {"action": "execute", "expression": "true", "action_parameters": execute}
        put_rules(run, token, f"zones/{zone_id}", MANAGED, rule)
        before = [upgraded(run, target) for target in ("/list", "/echo?x=attack", "/echo")]
        assert before == [403, 403, 101]
        restart_control(run, restarts=1)
        assert [upgraded(run, target) for target in ("/list", "/echo?x=attack", "/echo")] == before
        # A new edge has it all from the disk, before control says more.
        os.kill(run.child(CONTROL, restarts=1), signal.SIGSTOP)
        os.kill(run.child(EDGE), signal.SIGKILL)
        run.child(EDGE, restarts=1)
        assert [upgraded(run, target) for target in ("/list", "/echo?x=attack", "/echo")] == before
        os.kill(run.child(CONTROL, restarts=1), signal.SIGCONT)
        write_list(url, ["192.0.2.0/24"], version=2)
        write_managed(url, None)
        found(run, 200, "/list")
        found(run, 101, "/echo?x=attack")


def test_another_control_finds_what_is_written_at_the_first(origin: Origin, tmp_path: Path, url: str) -> None:
    with Run(tmp_path / "one") as one:
        token = one.token
        database = f"sqlite+aiosqlite:///{tmp_path}/one/holdfast.db"
        add_record(one, token, add_zone(one, token, origin), HOST)
        account = account_of(one, token)
        key = (tmp_path / "one" / "secret.key").read_text().strip()
        shared = {"HOLDFAST_DATABASE_URL": database, "HOLDFAST_SECRET_KEY": key}
        with Run(tmp_path / "other", environment=shared) as other:
            found(other, 101)
            put_rules(one, token, account, CUSTOM, custom_ruleset(one, token, account, "true"))
            found(other, 403)
            put_rules(other, token, account, CUSTOM)
            found(one, 101)


def metrics(run: Run) -> str:
    status, text = run.ask("GET", "/metrics")
    assert status == 200
    return str(text)
