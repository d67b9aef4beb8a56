"""Many DNS records at once: batches that are done whole or not at all, and zone files."""

import asyncio
import json
from typing import Any

from tests.api.harness import ABSENT, Api, codes
from tests.api.serving import sdk


def _a(name: str, content: str = "192.0.2.1", **members: Any) -> dict[str, Any]:
    return {"name": name, "type": "A", "content": content, **members}


async def _batch(api: Api, zone: str, **parts: Any) -> Any:
    return await api.ask("POST", f"/zones/{zone}/dns_records/batch", json=parts)


async def _contents(api: Api, zone: str) -> dict[str, str]:
    found = await api.result("GET", f"/zones/{zone}/dns_records")
    return {record["name"].removesuffix(".example.com"): record["content"] for record in found}


async def test_a_batch_is_done_in_its_own_order_and_published_once(api: Api) -> None:
    zone = await api.zone()
    answer = await _batch(api, zone, posts=[_a("gone"), _a("patched"), _a("put")])
    gone, patched, put = (one["id"] for one in answer.json()["result"]["posts"])
    revision = api.control.publisher.revision
    answer = await _batch(
        api,
        zone,
        # The alias takes the place of what is deleted first; the last post that of what is patched away.
        posts=[{"name": "gone", "type": "CNAME", "content": "o.example.net"}, _a("patched")],
        puts=[{"id": put, **_a("put", "192.0.2.3", proxied=True)}],
        patches=[{"id": patched, "name": "elsewhere", "ttl": 60}],
        deletes=[{"id": gone}],
    )
    assert answer.status_code == 200, answer.text
    result = answer.json()["result"]
    assert [(part, [one["name"].split(".")[0] for one in made]) for part, made in result.items()] == [
        ("deletes", ["gone"]),
        ("patches", ["elsewhere"]),
        ("puts", ["put"]),
        ("posts", ["gone", "patched"]),
    ]
    assert await _contents(api, zone) == {
        "elsewhere": "192.0.2.1",
        "put": "192.0.2.3",
        "gone": "o.example.net",
        "patched": "192.0.2.1",
    }
    assert api.control.publisher.revision == revision + 1
    actions = [one["action"]["type"] for one in await api.entries() if one["resource"]["type"] == "dns_record"]
    assert sorted(actions[:5]) == ["create", "create", "delete", "update", "update"]


async def test_a_batch_of_many_is_one_entry_that_counts_them_and_lists_the_first(api: Api) -> None:
    zone = await api.zone()
    before = len(await api.entries())
    answer = await _batch(api, zone, posts=[_a(f"n{number}") for number in range(300)])
    made = answer.json()["result"]["posts"]
    answer = await _batch(
        api,
        zone,
        deletes=[{"id": one["id"]} for one in made[:40]],
        patches=[{"id": one["id"], "ttl": 60} for one in made[40:80]],
    )
    assert answer.status_code == 200, answer.text
    changed, created, *others = await api.entries()
    assert len(others) == before
    for entry in (changed, created):
        assert (entry["action"]["type"], entry["resource"]) == ("update", {"id": zone, "type": "dns_records"})
    old, new = (json.loads(changed[side]) for side in ("oldValue", "newValue"))
    assert (old["counts"], new["counts"]) == ({"deleted": 40, "updated": 40}, {"updated": 40, "created": 0})
    assert [one["id"] for one in old["deleted"][:3]] == [one["id"] for one in made[:3]]
    assert (new["updated"][0]["id"], new["updated"][0]["ttl"]) == (made[40]["id"], 60)
    assert json.loads(created["newValue"])["counts"] == {"updated": 0, "created": 300}
    assert max(len(one[side] or "") for one in (changed, created) for side in ("oldValue", "newValue")) <= 8192


async def test_a_record_may_be_changed_twice_in_one_batch(api: Api) -> None:
    zone = await api.zone()
    made = (await _batch(api, zone, posts=[_a("a", "192.0.2.1"), _a("a", "192.0.2.2")])).json()["result"]["posts"]
    first, second = (one["id"] for one in made)
    answer = await _batch(
        api,
        zone,
        patches=[{"id": first, "content": "192.0.2.9"}, {"id": second, "content": "192.0.2.1"}],
        puts=[{"id": first, **_a("a", "192.0.2.2")}],
    )
    assert answer.status_code == 200, answer.text
    records = await api.result("GET", f"/zones/{zone}/dns_records")
    assert {one["id"]: one["content"] for one in records} == {first: "192.0.2.2", second: "192.0.2.1"}


async def test_a_batch_with_one_bad_change_changes_nothing(api: Api) -> None:
    zone = await api.zone()
    made = (await _batch(api, zone, posts=[_a("a")])).json()["result"]["posts"][0]["id"]
    bad: list[tuple[dict[str, Any], int, int, str]] = [
        ({"posts": [_a("b"), _a("c", "nonsense")]}, 400, 9005, "/posts/1/content"),
        ({"posts": [_a("b"), _a("b")]}, 400, 81058, "/posts/1"),
        ({"posts": [_a("b")], "deletes": [{"id": ABSENT}]}, 404, 81044, "/deletes/0/id"),
        ({"posts": [_a("b")], "deletes": [{"id": made}, {"id": made}]}, 404, 81044, "/deletes/1/id"),
        ({"deletes": [{"id": made}], "patches": [{"id": made, "ttl": 60}]}, 404, 81044, "/patches/0/id"),
        ({"posts": [_a("b")], "puts": [{"id": made, **_a("a", "x")}]}, 400, 9005, "/puts/0/content"),
        ({"posts": [_a("b"), {"name": "c"}]}, 400, 1004, "/posts/1/type"),
        ({"posts": [_a("b")], "patches": [{"ttl": 60}]}, 400, 1004, "/patches/0/id"),
    ]
    for parts, status, code, pointer in bad:
        answer = await _batch(api, zone, **parts)
        assert (answer.status_code, codes(answer)[0]) == (status, code), parts
        assert answer.json()["errors"][0]["source"]["pointer"] == pointer, parts
        assert await _contents(api, zone) == {"a": "192.0.2.1"}


async def test_a_batch_has_something_to_do_and_not_too_much(api: Api) -> None:
    zone = await api.zone()
    too_many = [_a(f"n{number}") for number in range(3_501)]
    bad: list[dict[str, Any]] = [{}, {"posts": []}, {"posts": None}, {"posts": too_many}, {"posts": {}}]
    for parts in bad:
        assert (await _batch(api, zone, **parts)).status_code == 400
    answer = await _batch(api, zone, posts=too_many[:2_000], deletes=[{"id": ABSENT}] * 2_000)
    assert (answer.status_code, codes(answer)) == (400, [9200])


async def test_a_zone_and_a_name_have_room_for_so_many_records(api: Api) -> None:
    zone = await api.zone()
    addresses = [_a("many", f"10.0.0.{number}") for number in range(65)]
    answer = await _batch(api, zone, posts=addresses)
    assert (answer.status_code, codes(answer)) == (400, [81045])
    assert (await _batch(api, zone, posts=[_a(f"n{number}") for number in range(3_500)])).status_code == 200
    answer = await api.ask("POST", f"/zones/{zone}/dns_records", json=_a("one-more"))
    assert (answer.status_code, codes(answer)) == (400, [81045])


async def test_batches_at_once_do_not_mix(api: Api) -> None:
    zone = await api.zone()
    names = [f"n{number}" for number in range(20)]

    async def write(content: str) -> int:
        answer = await _batch(api, zone, posts=[{"name": n, "type": "CNAME", "content": content} for n in names])
        return int(answer.status_code)

    statuses = await asyncio.gather(write("one.example.net"), write("two.example.net"), write("three.example.net"))
    assert sorted(statuses) == [200, 400, 400]
    contents = await _contents(api, zone)
    assert (sorted(contents), len(set(contents.values()))) == (sorted(names), 1)


ZONE_FILE = b"""$TTL 1h
$ORIGIN example.com.
@       IN SOA ns hostmaster (
            1 ; serial
            2 3 4 5 )
        IN MX 10 mail
www     IN A 192.0.2.1
        300 IN A 192.0.2.2 ; cf_tags=cf-proxied:false
alias   CNAME www
"""


async def test_a_zone_file_is_imported_once(api: Api) -> None:
    zone = await api.zone()
    path = f"/zones/{zone}/dns_records/import"
    form: dict[str, Any] = {"files": {"file": ("zone.txt", ZONE_FILE)}, "data": {"proxied": "true"}}
    assert await api.result("POST", path, **form) == {"recs_added": 3, "total_records_parsed": 5}
    records = await api.result("GET", f"/zones/{zone}/dns_records?order=content")
    assert [(one["name"], one["content"], one["ttl"], one["proxied"]) for one in records] == [
        ("www.example.com", "192.0.2.1", 1, True),
        ("www.example.com", "192.0.2.2", 300, False),
        ("alias.example.com", "www.example.com", 1, True),
    ]
    assert await api.result("POST", path, **form) == {"recs_added": 0, "total_records_parsed": 5}


async def test_what_is_exported_can_be_imported(api: Api) -> None:
    first, second = await api.zone(), await api.zone("example.org")
    await _batch(api, first, posts=[_a("@", proxied=True), _a("*.x", "10.0.0.1", ttl=60, comment="a; comment")])
    async with api.client() as client:
        text = (await client.get(f"/zones/{first}/dns_records/export")).text
    moved = text.replace("example.com", "example.org").encode()
    counts = await api.result("POST", f"/zones/{second}/dns_records/import", files={"file": ("zone.txt", moved)})
    assert counts == {"recs_added": 2, "total_records_parsed": 2}
    async with api.client() as client:
        again = (await client.get(f"/zones/{second}/dns_records/export")).text
    assert again.replace("a; comment ", "") == text.replace("example.com", "example.org").replace("a; comment ", "")


async def test_what_is_no_zone_file_is_refused_with_its_line(api: Api) -> None:
    zone = await api.zone()
    path = f"/zones/{zone}/dns_records/import"
    for text, code, words in (
        (b"$INCLUDE /etc/passwd", 9201, "line 1"),
        (b"www A 192.0.2.1\nwww A 1.2.3", 9005, "line 2"),
        (b"www (", 9201, "line 1"),
        (b"www.other.org. A 192.0.2.1", 9000, "line 1"),
        (b"www IN", 9201, "line 1"),
        (b"\xff\xfe", 1004, "UTF-8"),
        (b"\0 A 192.0.2.1", 9000, "line 1"),
    ):
        answer = await api.ask("POST", path, files={"file": ("zone.txt", text)})
        assert (answer.status_code, codes(answer)) == (400, [code]), text
        assert words in answer.json()["errors"][0]["message"], text
    no_forms: list[dict[str, Any]] = [
        {"json": {}},
        {"data": {"proxied": "true"}},
        {"content": b"", "headers": {"content-type": "multipart/form-data"}},
        {"content": b"x", "headers": {"content-type": "multipart/form-data; boundary=\xe9".encode("latin-1")}},
    ]
    for options in no_forms:
        assert (await api.ask("POST", path, **options)).status_code == 400
    answer = await api.ask("POST", path, files={"file": ("z", b"a A 192.0.2.1")}, data={"proxied": "perhaps"})
    assert answer.json()["errors"][0]["source"] == {"pointer": "/proxied"}
    assert await _contents(api, zone) == {}


async def test_the_official_client_does_batches_and_files(api: Api) -> None:
    zone = await api.zone()
    async with sdk(api) as client:
        done = await client.dns.records.batch(
            zone_id=zone,
            posts=[{"name": "www.example.com", "type": "A", "content": "192.0.2.1", "ttl": 1, "proxied": True}],
        )
        assert done is not None
        assert done.posts is not None
        (made,) = done.posts
        done = await client.dns.records.batch(zone_id=zone, deletes=[{"id": made.id}])
        assert done is not None
        assert done.deletes is not None
        assert [one.id for one in done.deletes] == [made.id]
        counts = await client.dns.records.import_(zone_id=zone, file="api A 192.0.2.5", proxied="true")
        assert counts is not None
        assert (counts.recs_added, counts.total_records_parsed) == (1, 1)
        assert "api.example.com.\t1\tIN\tA\t192.0.2.5" in await client.dns.records.export(zone_id=zone)
