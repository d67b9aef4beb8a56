"""Host names whose origin is a Worker, over the API."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.harness import ABSENT, Api, codes
from tests.api.worker_uploads import upload


async def prepared(api: Api) -> tuple[str, str]:
    for name in ("chat", "other"):
        await api.result("PUT", f"/accounts/{api.account_id}/workers/scripts/{name}", **upload())
    return f"/accounts/{api.account_id}/workers/domains", await api.zone()


def published(api: Api) -> list[tuple[str, str]]:
    (zone,) = api.control.publisher.snapshot().zones
    return [(one.host, one.name) for one in zone.worker_domains]


async def test_a_domain_is_made_shown_listed_changed_and_removed(worker_api: Api) -> None:
    api = worker_api
    base, zone_id = await prepared(api)
    made = await api.result("PUT", base, json={"hostname": "Chat.Example.com", "service": "chat", "zone_id": zone_id})
    assert (made["hostname"], made["service"], made["zone_name"]) == ("chat.example.com", "chat", "example.com")
    assert published(api) == [("chat.example.com", "chat")]
    assert await api.result("GET", f"{base}/{made['id']}") == made
    assert await api.result("GET", f"{base}?service=chat") == [made]
    assert await api.result("GET", f"{base}?hostname=no.example.com") == []
    entries = len(await api.entries())
    assert await api.result("PUT", base, json={"hostname": "chat.example.com", "service": "chat"}) == made
    assert len(await api.entries()) == entries
    changed = await api.result("PUT", base, json={"hostname": "chat.example.com", "service": "other"})
    assert changed == {**made, "service": "other"}
    assert published(api) == [("chat.example.com", "other")]
    assert await api.result("DELETE", f"{base}/{made['id']}") is None
    assert published(api) == []
    for method in ("GET", "DELETE"):
        answer = await api.ask(method, f"{base}/{made['id']}")
        assert (answer.status_code, codes(answer)) == (404, [100114])


@pytest.mark.parametrize(
    ("body", "code", "pointer"),
    [
        ({"hostname": "a b", "service": "chat"}, 1004, "/hostname"),
        ({"hostname": "example.org", "service": "chat"}, 10471, "/hostname"),
        ({"hostname": "a.example.com", "service": "chat", "zone_id": ABSENT}, 10471, "/hostname"),
        ({"hostname": "a.example.com", "service": "gone"}, 10007, "/service"),
        ({"hostname": "a.example.com"}, 1004, "/service"),
    ],
)
async def test_a_bad_domain_is_refused(worker_api: Api, body: dict[str, Any], code: int, pointer: str) -> None:
    base, _ = await prepared(worker_api)
    answer = await worker_api.ask("PUT", base, json=body)
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["code"], error["source"]["pointer"]) == (400, code, pointer)
    assert published(worker_api) == []


async def test_a_script_that_is_removed_takes_its_domains_along(worker_api: Api) -> None:
    base, _ = await prepared(worker_api)
    await worker_api.result("PUT", base, json={"hostname": "chat.example.com", "service": "chat"})
    await worker_api.result("DELETE", f"/accounts/{worker_api.account_id}/workers/scripts/chat")
    assert published(worker_api) == []
