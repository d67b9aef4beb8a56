"""Writing rulesets: who comes at the same time, what a dry run leaves, and what is published."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.api.harness import Api
from tests.api.test_rulesets_accounts import CUSTOM, base, block, execute, made


async def test_of_who_removes_a_ruleset_and_who_executes_it_one_is_refused(api: Api) -> None:
    custom = await made(api, block())
    entrypoint = f"{base(api)}/phases/{CUSTOM}/entrypoint"
    removed, put = await asyncio.gather(
        api.client().delete(f"{base(api)}/{custom['id']}"),
        api.client().put(entrypoint, json={"rules": [execute(custom["id"])]}),
    )
    assert sorted([removed.status_code == 204, put.status_code == 200]) == [False, True]
    there = {one["id"] for one in await api.result("GET", base(api))}
    assert (custom["id"] in there) is (put.status_code == 200)


async def test_rules_that_are_added_at_once_are_all_there(api: Api) -> None:
    custom = await made(api)
    path = f"{base(api)}/{custom['id']}/rules"
    answers = await asyncio.gather(*(api.client().post(path, json=block(str(number))) for number in range(5)))
    assert {answer.status_code for answer in answers} == {200}
    kept = await api.result("GET", f"{base(api)}/{custom['id']}")
    assert (len(kept["rules"]), kept["version"]) == (5, "6")
    versions = await api.result("GET", f"{base(api)}/{custom['id']}/versions")
    assert [one["version"] for one in versions] == ["6", "5", "4", "3", "2", "1"]


WRITES: list[tuple[str, str, dict[str, Any] | None]] = [
    ("POST", "", {"name": "n", "kind": "custom", "phase": CUSTOM, "rules": [block()]}),
    ("PUT", "/phases/http_ratelimit/entrypoint", {"rules": []}),
    ("PUT", "/{id}", {"rules": [block("/other")]}),
    ("DELETE", "/{id}", None),
    ("POST", "/{id}/rules", block("/more")),
    ("PATCH", "/{id}/rules/{rule}", block("/changed")),
    ("DELETE", "/{id}/rules/{rule}", None),
]


@pytest.mark.parametrize(("method", "path", "body"), WRITES, ids=lambda value: str(value)[:40])
async def test_a_dry_run_of_every_write_leaves_no_trace(
    api: Api, method: str, path: str, body: dict[str, Any] | None
) -> None:
    custom = await made(api, block())
    before = await api.result("GET", base(api)), await api.entries()
    target = base(api) + path.format(id=custom["id"], rule=custom["rules"][0]["id"])
    answer = await api.ask(method, f"{target}?dry_run=true", json=body)
    assert answer.status_code in {200, 204}, answer.text
    assert answer.status_code == 204 or answer.json()["result"] is None
    assert (await api.result("GET", base(api)), await api.entries()) == before
    assert (await api.ask(method, target, json=body)).status_code == answer.status_code
    assert (await api.result("GET", base(api)), await api.entries()) != before


async def test_a_ruleset_that_is_removed_meanwhile_is_not_found(api: Api) -> None:
    custom = await made(api, block())
    answers = await asyncio.gather(*(api.client().delete(f"{base(api)}/{custom['id']}") for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [204, 404, 404]


async def test_a_write_that_edges_need_long_for_waits_for_them(api: Api) -> None:
    asked: list[bool] = []

    async def on_change(_: Any, *, takes_long: bool = False) -> None:
        asked.append(takes_long)

    context = api.control.application.state.context
    for name in ("on_change", "on_account_change"):
        object.__setattr__(context, name, on_change)
    custom = await made(api, block())
    many = [block(f"/{number}") for number in range(51)]
    entrypoint = f"{base(api)}/phases/{CUSTOM}/entrypoint"
    await api.ask("PUT", f"{base(api)}/{custom['id']}", json={"rules": many})
    await api.ask("PUT", f"{base(api)}/{custom['id']}", json={"rules": many[:50]})
    await api.ask("PUT", entrypoint, json={"rules": [execute(custom["id"])]})
    await api.ask("PUT", entrypoint, json={"rules": []})
    assert asked == [False, True, False, True, False]
