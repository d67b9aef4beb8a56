"""Items of lists over the API: added, replaced and removed many at once, and shown page by page."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest

from holdfast.api import list_items as subject
from holdfast.api.lists import TOO_MANY
from tests.api.harness import ABSENT, Api, allow, codes, on_account


async def a_list(api: Api, kind: str = "ip", name: str = "bad") -> str:
    """The path of the items of a new list."""
    base = f"/accounts/{api.account_id}/rules/lists"
    made = await api.result("POST", base, json={"name": name, "kind": kind})
    return f"{base}/{made['id']}/items"


async def write(api: Api, method: str, path: str, body: Any) -> None:
    """Change items, and see the operation completed."""
    done = await api.result(method, path, json=body)
    operations = f"/accounts/{api.account_id}/rules/lists/bulk_operations"
    operation = await api.result("GET", f"{operations}/{done['operation_id']}")
    assert operation == {"id": done["operation_id"], "status": "completed", "completed": operation["completed"]}


async def shown(api: Api, path: str, query: str = "") -> list[Any]:
    """The items by value."""
    items = await api.result("GET", f"{path}{query}")
    return [item.get("ip") or item.get("asn") or item["hostname"]["url_hostname"] for item in items]


def published(api: Api) -> tuple[str, ...]:
    (document,) = api.control.publisher.snapshot().lists
    return document.items


def refusal(answer: httpx.Response) -> tuple[int, int, str]:
    (error,) = answer.json()["errors"]
    return answer.status_code, error["code"], error["source"]["pointer"]


async def test_items_are_added_shown_replaced_and_removed(api: Api) -> None:
    path = await a_list(api)
    await write(api, "POST", path, [{"ip": "192.0.2.7", "comment": "one"}, {"ip": "2001:DB8::/48"}])
    first, second = await api.result("GET", path)
    assert (first["ip"], first["comment"], second["ip"]) == ("192.0.2.7", "one", "2001:db8::/48")
    assert "comment" not in second
    assert await api.result("GET", f"{path}/{first['id']}") == first
    assert published(api) == ("192.0.2.7", "2001:db8::/48")
    await write(api, "POST", path, [{"ip": "192.0.2.7/32", "comment": "two"}, {"ip": "198.51.100.9/24"}])
    one, *_ = await api.result("GET", path)
    assert (one["id"], one["created_on"], one["comment"]) == (first["id"], first["created_on"], "two")
    assert one["modified_on"] > first["modified_on"]
    assert published(api) == ("192.0.2.7", "198.51.100.0/24", "2001:db8::/48")
    await write(api, "PUT", path, [{"ip": "192.0.2.7", "comment": "two"}, {"ip": "203.0.113.0/24"}])
    assert [item["id"] == first["id"] for item in await api.result("GET", path)] == [True, False]
    assert published(api) == ("192.0.2.7", "203.0.113.0/24")
    await write(api, "DELETE", path, {"items": [{"id": first["id"]}]})
    assert published(api) == ("203.0.113.0/24",)
    assert (await api.ask("GET", f"{path}/{first['id']}")).status_code == 404
    await write(api, "PUT", path, [])
    assert published(api) == ()
    assert (await api.result("GET", path.removesuffix("/items")))["num_items"] == 0


async def test_each_kind_has_its_items(api: Api) -> None:
    hosts = await a_list(api, "hostname", "hosts")
    await write(
        api, "POST", hosts, [{"hostname": {"url_hostname": "*.Example.com"}}, {"hostname": {"url_hostname": "a.test"}}]
    )
    assert await shown(api, hosts) == ["*.example.com", "a.test"]
    numbers = await a_list(api, "asn", "numbers")
    await write(api, "POST", numbers, [{"asn": 64512}, {"asn": 13335, "comment": "c"}])
    assert await shown(api, numbers) == [13335, 64512]
    by_name = {one.name: one.items for one in api.control.publisher.snapshot().lists}
    assert by_name == {"hosts": ("*.example.com", "a.test"), "numbers": ("13335", "64512")}


async def test_pages_follow_their_cursor_and_searches_narrow_them(api: Api) -> None:
    path = await a_list(api)
    await write(api, "PUT", path, [{"ip": f"192.0.2.{number}"} for number in range(1, 8)] + [{"ip": "10.0.0.1"}])
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        body = (await api.ask("GET", f"{path}?per_page=3" + (f"&cursor={cursor}" if cursor else ""))).json()
        assert body["result_info"]["count"] == len(body["result"])
        seen += [item["ip"] for item in body["result"]]
        cursor = body["result_info"]["cursors"]["after"]
    assert seen == ["10.0.0.1", *(f"192.0.2.{number}" for number in range(1, 8))]
    assert await shown(api, path, "?search=192.0.2.7") == ["192.0.2.7"]
    assert await shown(api, path, "?search=0.2") == []
    for query in ("cursor=x", "cursor=%ff", "cursor=YQ", "per_page=0", "per_page=501", "cursor=w6Q="):
        assert (await api.ask("GET", f"{path}?{query}")).status_code == 400, query
    hosts = await a_list(api, "hostname", "hosts")
    await write(api, "PUT", hosts, [{"hostname": {"url_hostname": name}} for name in ("a_b.test", "axb.test")])
    assert await shown(api, hosts, "?search=A_b") == ["a_b.test"]
    numbers = await a_list(api, "asn", "numbers")
    await write(api, "PUT", numbers, [{"asn": 1}, {"asn": 12}])
    assert await shown(api, numbers, "?search=1") == [1]


BAD_ITEMS: list[tuple[str, Any, str, str]] = [
    ("ip", {}, "", "an array"),
    ("ip", [1], "/0", "an object"),
    ("ip", [{"ip": "192.0.2.1"}, {}], "/1/ip", "a member ip"),
    ("ip", [{"asn": 1}], "/0/ip", "the member asn"),
    ("asn", [{"redirect": {}}], "/0/asn", "the member redirect"),
    ("ip", [{"ip": "192.0.2.1-192.0.2.9"}], "/0/ip", "'192.0.2.1-192.0.2.9'"),
    ("ip", [{"ip": "192.0.2.1..192.0.2.9"}], "/0/ip", "no range"),
    ("ip", [{"ip": "0.0.0.0/0"}], "/0/ip", "/8 to /32"),
    ("ip", [{"ip": "2001:db8::/65"}], "/0/ip", "/4 to /64"),
    ("ip", [{"ip": "192.0.2.1", "comment": 1}], "/0/comment", "a text"),
    ("ip", [{"ip": "192.0.2.1", "comment": "c" * 501}], "/0/comment", "500 characters"),
    ("hostname", [{"hostname": "a.test"}], "/0/hostname", "url_hostname"),
    ("hostname", [{"hostname": {"url_hostname": "https://a.test/"}}], "/0/hostname/url_hostname", "a host name"),
    ("asn", [{"asn": -1}], "/0/asn", "from 0 to 4294967295"),
]


@pytest.mark.parametrize(("kind", "body", "pointer", "word"), BAD_ITEMS)
async def test_a_bad_item_is_refused_and_nothing_is_written(
    api: Api, kind: str, body: Any, pointer: str, word: str
) -> None:
    path = await a_list(api, kind)
    for method in ("POST", "PUT"):
        answer = await api.ask(method, path, json=body)
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["source"]["pointer"] == pointer
        assert word in answer.json()["errors"][0]["message"]
    assert published(api) == ()


async def test_a_value_that_cannot_be_has_the_original_s_code(api: Api) -> None:
    path = await a_list(api)
    answer = await api.ask("POST", path, json=[{"ip": "192.0.2.1"}, {"ip": "nonsense"}])
    assert refusal(answer) == (400, 10035, "/1/ip")
    assert answer.json()["errors"][0]["message"].startswith("invalid value for ip at position 1: expected an address")
    assert refusal(await api.ask("POST", path, content=b"")) == (400, 1004, "")


async def test_what_is_not_there_is_neither_removed_nor_changed(api: Api) -> None:
    path = await a_list(api)
    await write(api, "PUT", path, [{"ip": "192.0.2.1"}])
    (item,) = await api.result("GET", path)
    ids = [{"id": item["id"]}, {"id": ABSENT}]
    assert refusal(await api.ask("DELETE", path, json={"items": ids})) == (400, 1004, "/items/1/id")
    assert published(api) == ("192.0.2.1",)
    for body, pointer in (
        ({}, "/items"),
        ([], "/items"),
        ({"items": [{}]}, "/items/0/id"),
        ({"items": [1]}, "/items/0/id"),
    ):
        assert refusal(await api.ask("DELETE", path, json=body)) == (400, 1004, pointer)
    other = await a_list(api, name="other")
    assert (await api.ask("GET", f"{other}/{item['id']}")).status_code == 404
    gone = path.replace(path.split("/")[-2], ABSENT)
    for method in ("GET", "POST", "PUT", "DELETE"):
        answer = await api.ask(method, gone, json={"items": []} if method == "DELETE" else [])
        assert (answer.status_code, codes(answer)) == (404, [1001]), method


async def test_there_is_room_for_so_many_items(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    path = await a_list(api)
    await write(api, "PUT", path, [{"ip": f"192.0.2.{number}"} for number in range(3)])
    for name in ("MAX_ITEMS", "MAX_ACCOUNT_ITEMS", "MAX_INSTALLATION_ITEMS"):
        with monkeypatch.context() as patched:
            patched.setattr(subject, name, 3)
            answer = await api.ask("POST", path, json=[{"ip": "192.0.2.9"}])
            assert (answer.status_code, codes(answer)) == (400, [TOO_MANY])
            assert "at most 3 items, and would have 4" in answer.json()["errors"][0]["message"]
            await write(api, "PUT", path, [{"ip": f"192.0.2.{number}"} for number in range(1, 4)])
    assert published(api) == ("192.0.2.1", "192.0.2.2", "192.0.2.3")


async def test_changes_at_once_are_all_kept(api: Api) -> None:
    path = await a_list(api)
    bodies = [[{"ip": f"10.{one}.0.{number}"} for number in range(1, 4)] for one in range(8)]
    answers = await asyncio.gather(*(api.ask("POST", path, json=body) for body in bodies))
    assert [answer.status_code for answer in answers] == [200] * 8
    assert len(published(api)) == 24
    assert (await api.result("GET", path.removesuffix("/items")))["num_items"] == 24


async def test_who_waits_too_long_for_their_turn_is_told_so(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    path = await a_list(api)
    monkeypatch.setattr(subject, "TURN_LIMIT_S", 0.0)
    turn = api.control.application.state.context.list_turn
    async with turn:
        answer = await api.ask("POST", path, json=[{"ip": "192.0.2.1"}])
    assert (answer.status_code, codes(answer), answer.headers["retry-after"]) == (503, [10503], "5")
    monkeypatch.undo()
    await write(api, "POST", path, [{"ip": "192.0.2.1"}])


async def test_an_audit_entry_says_how_much_and_shows_the_first(api: Api) -> None:
    path = await a_list(api)
    await write(api, "PUT", path, [{"ip": f"10.0.{number}.1"} for number in range(50)])
    entry = (await api.entries())[0]
    assert (entry["action"]["type"], entry["resource"]["type"]) == ("update", "list_items")
    assert json.loads(entry["oldValue"]) == {"num_items": 0}
    new = json.loads(entry["newValue"])
    assert (new["num_items"], new["written"], new["removed"], len(new["first"])) == (50, 50, 0, 20)


async def test_a_change_that_changes_nothing_leaves_no_trace_but_its_operation(api: Api) -> None:
    path = await a_list(api)
    body = [{"ip": "192.0.2.1", "comment": "c"}, {"ip": "10.0.0.1"}]
    await write(api, "PUT", path, body)
    before, entries = await api.result("GET", path.removesuffix("/items")), len(await api.entries())
    version = api.control.publisher.snapshot().lists[0].version
    for method, given in (("PUT", body), ("POST", body[:1]), ("POST", []), ("DELETE", {"items": []})):
        await write(api, method, path, given)
    assert await api.result("GET", path.removesuffix("/items")) == before
    assert len(await api.entries()) == entries
    assert api.control.publisher.snapshot().lists[0].version == version


async def test_a_reader_changes_no_items(api: Api) -> None:
    path = await a_list(api)
    reader = await api.token(allow("Account Rule Lists Read", on=on_account(api.account_id)))
    assert (await api.ask("GET", path, secret=reader)).status_code == 200
    for method in ("POST", "PUT", "DELETE"):
        answer = await api.ask(method, path, json=[], secret=reader)
        assert (answer.status_code, codes(answer)) == (403, [10000])
