"""DNS records over the API: written, read, refused, and never lost between two who write at once."""

import asyncio
import json
from typing import Any

import pytest
from cloudflare import BadRequestError

from tests.api.harness import ABSENT, Api, codes
from tests.api.serving import sdk

A_RECORD = {"name": "www", "type": "A", "content": "192.0.2.1"}


async def _add(api: Api, zone: str, **members: Any) -> Any:
    return await api.result("POST", f"/zones/{zone}/dns_records", json={**A_RECORD, **members})


async def _names(api: Api, zone: str, query: str = "") -> list[str]:
    found = await api.result("GET", f"/zones/{zone}/dns_records?{query}")
    return [record["name"].removesuffix(".example.com") for record in found]


def _documents(api: Api) -> list[Any]:
    (document,) = api.control.publisher.snapshot().zones
    return list(document.records)


async def test_a_record_is_shown_as_it_was_made_and_is_published(api: Api) -> None:
    zone = await api.zone()
    made = await _add(
        api, zone, proxied=True, ttl=300, comment="front", tags=["team:web"], settings={"ipv4_only": True}
    )
    assert made == {
        "id": made["id"],
        "name": "www.example.com",
        "type": "A",
        "content": "192.0.2.1",
        "proxiable": True,
        "proxied": True,
        "ttl": 1,
        "settings": {"ipv4_only": True},
        "meta": {},
        "comment": "front",
        "tags": ["team:web"],
        "created_on": made["created_on"],
        "modified_on": made["created_on"],
        "comment_modified_on": made["created_on"],
        "tags_modified_on": made["created_on"],
    }
    assert await api.result("GET", f"/zones/{zone}/dns_records/{made['id']}") == made
    assert [(one.name, one.content, one.proxied) for one in _documents(api)] == [("www.example.com", "192.0.2.1", True)]


ONE_FORM: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"name": "@"}, {"name": "example.com"}),
    ({"name": "example.com."}, {"name": "example.com"}),
    ({"name": "WWW.Example.COM"}, {"name": "www.example.com"}),
    ({"name": "*.x"}, {"name": "*.x.example.com"}),
    ({"name": "*"}, {"name": "*.example.com"}),
    ({"name": "bücher"}, {"name": "xn--bcher-kva.example.com"}),
    ({"name": "www.other.org"}, {"name": "www.other.org.example.com"}),
    ({"type": "AAAA", "content": "2001:DB8:0::1"}, {"content": "2001:db8::1"}),
    ({"type": "CNAME", "content": "Origin.Example.NET."}, {"content": "origin.example.net"}),
    ({"type": "CNAME", "content": "@"}, {"content": "example.com"}),
    ({"ttl": 60}, {"ttl": 60}),
    ({"ttl": None, "proxied": None, "tags": None}, {"ttl": 1, "proxied": False, "tags": []}),
    ({"comment": ""}, {"comment": None}),
    ({"content": "169.254.1.1"}, {"proxiable": False}),
]


async def test_what_is_written_is_brought_into_one_form(api: Api) -> None:
    zone = await api.zone()
    for members, shown in ONE_FORM:
        made = await _add(api, zone, **members)
        assert {name: made[name] for name in shown} == shown, members
        await api.result("DELETE", f"/zones/{zone}/dns_records/{made['id']}")


BAD_VALUES: list[tuple[dict[str, Any], int, str]] = [
    ({"type": "MX", "content": "mail.example.com"}, 1004, "/type"),
    ({"name": "a..b"}, 9000, "/name"),
    ({"name": "a b"}, 9000, "/name"),
    ({"name": "www.other.org."}, 9000, "/name"),
    ({"name": "x" * 64}, 9000, "/name"),
    ({"name": "'; DROP TABLE zones; --"}, 9000, "/name"),
    ({"name": "a\r\nSet-Cookie: x"}, 9000, "/name"),
    ({"content": "2001:db8::1"}, 9005, "/content"),
    ({"content": "1.2.3"}, 9005, "/content"),
    ({"content": "01.2.3.4"}, 9005, "/content"),
    ({"type": "AAAA"}, 9006, "/content"),
    ({"type": "AAAA", "content": "fe80::1%eth0"}, 9006, "/content"),
    ({"type": "CNAME"}, 9007, "/content"),
    ({"type": "CNAME", "content": "www.example.com"}, 9039, "/content"),
    ({"ttl": 59}, 9021, "/ttl"),
    ({"ttl": 86_401}, 9021, "/ttl"),
    ({"ttl": 10**15}, 9021, "/ttl"),
    ({"ttl": "soon"}, 1004, "/ttl"),
    ({"comment": "x" * 101}, 9313, "/comment"),
    ({"tags": ["a b"]}, 9300, "/tags"),
    ({"tags": [f"t{n}" for n in range(21)]}, 9300, "/tags"),
    ({"proxied": True, "content": "0.0.0.0"}, 9041, "/content"),
    ({"private_routing": True}, 1004, "/private_routing"),
    ({"content": None}, 1004, "/content"),
    ({"content": ["192.0.2.1"]}, 1004, "/content"),
    ({"settings": "none"}, 1004, "/settings"),
]


async def test_bad_values_are_refused_where_they_stand(api: Api) -> None:
    zone = await api.zone()
    for members, code, pointer in BAD_VALUES:
        answer = await api.ask("POST", f"/zones/{zone}/dns_records", json={**A_RECORD, **members})
        assert (answer.status_code, codes(answer)) == (400, [code]), members
        assert answer.json()["errors"][0]["source"] == {"pointer": pointer}, members
    assert await _names(api, zone) == []


@pytest.mark.parametrize("kind", ["SRV", "CAA", "HTTPS"])
async def test_a_record_with_data_for_its_content_is_refused_for_its_type(api: Api, kind: str) -> None:
    zone = await api.zone()
    given = {"type": kind, "name": "x", "data": {"port": 1}}
    for path, body, pointer in (
        ("dns_records", given, "/type"),
        ("dns_records/batch", {"posts": [given]}, "/posts/0/type"),
    ):
        answer = await api.ask("POST", f"/zones/{zone}/{path}", json=body)
        (error,) = answer.json()["errors"]
        assert (answer.status_code, error["code"], error["source"]["pointer"]) == (400, 1004, pointer)
        assert error["message"].startswith("This edge takes A, AAAA and CNAME records")
    answer = await api.ask("POST", f"/zones/{zone}/dns_records", json={"type": "A", "name": "x"})
    assert answer.json()["errors"][0]["message"] == "content: field required"


async def test_a_body_that_is_no_record_is_refused(api: Api) -> None:
    zone = await api.zone()
    surrogate, nul = (
        b'{"name":"\\ud800","type":"A","content":"1.1.1.1"}',
        b'{"name":"\\u0000","type":"A","content":"1.1.1.1"}',
    )
    for body in (b"", b"[]", b"null", b'{"name":"a', surrogate, nul):
        answer = await api.ask("POST", f"/zones/{zone}/dns_records", content=body)
        assert answer.status_code == 400, body


async def test_the_plan_decides_how_short_a_time_and_how_long_a_comment_may_be(api: Api) -> None:
    zone = await api.zone()
    await api.result("PUT", f"/zones/{zone}/subscription", json={"rate_plan": {"id": "enterprise"}})
    made = await _add(api, zone, ttl=30, comment="x" * 500)
    assert (made["ttl"], len(made["comment"])) == (30, 500)


CONFLICTS: list[tuple[dict[str, Any], dict[str, Any], int]] = [
    ({}, {}, 81058),
    ({}, {"ttl": 300, "proxied": True}, 81058),
    ({}, {"type": "CNAME", "content": "other.example.net"}, 81053),
    ({"type": "CNAME", "content": "a.example.net"}, {"type": "CNAME", "content": "b.example.net"}, 81053),
    ({"type": "CNAME", "content": "a.example.net"}, {}, 81054),
    (
        {"name": "b", "type": "CNAME", "content": "www.example.com"},
        {"type": "CNAME", "content": "b.example.com"},
        9039,
    ),
    ({"proxied": True}, {"content": "224.0.0.1"}, 9041),
]


async def test_what_cannot_stand_beside_what_is_there_is_refused(api: Api) -> None:
    zone = await api.zone()
    for first, second, code in CONFLICTS:
        made = await _add(api, zone, **first)
        answer = await api.ask("POST", f"/zones/{zone}/dns_records", json={**A_RECORD, **second})
        assert (answer.status_code, codes(answer)) == (400, [code]), second
        await api.result("DELETE", f"/zones/{zone}/dns_records/{made['id']}")
        assert await _names(api, zone) == []


async def test_several_addresses_of_one_name_stand_side_by_side(api: Api) -> None:
    zone = await api.zone()
    for content in ("192.0.2.1", "192.0.2.2"):
        await _add(api, zone, content=content)
    await _add(api, zone, type="AAAA", content="2001:db8::1")
    assert len(_documents(api)) == 3


async def test_an_edit_changes_what_it_names_and_a_replacement_everything(api: Api) -> None:
    zone = await api.zone()
    made = await _add(api, zone, comment="old", tags=["a"], proxied=True)
    path = f"/zones/{zone}/dns_records/{made['id']}"
    api.clock.advance(1)
    edited = await api.result("PATCH", path, json={"content": "192.0.2.9", "name": None})
    assert (edited["content"], edited["comment"], edited["tags"], edited["proxied"]) == (
        "192.0.2.9",
        "old",
        ["a"],
        True,
    )
    assert edited["modified_on"] > made["modified_on"]
    assert edited["comment_modified_on"] == made["comment_modified_on"]
    cleared = await api.result("PATCH", path, json={"comment": None, "tags": []})
    assert (cleared["comment"], cleared["tags"]) == (None, [])
    assert not {"comment_modified_on", "tags_modified_on"} & cleared.keys()
    replaced = await api.result("PUT", path, json={"name": "*.y", "type": "CNAME", "content": "o.example.net"})
    assert (replaced["id"], replaced["name"], replaced["type"], replaced["proxied"]) == (
        made["id"], "*.y.example.com", "CNAME", False,
    )  # fmt: skip
    assert replaced["created_on"] == made["created_on"]


async def test_a_change_that_changes_nothing_leaves_no_trace(api: Api) -> None:
    zone = await api.zone()
    made = await _add(api, zone)
    path = f"/zones/{zone}/dns_records/{made['id']}"
    api.clock.advance(1)
    assert await api.result("PUT", path, json=A_RECORD) == made
    assert await api.result("PATCH", path, json={}) == made
    entries = [one for one in await api.entries() if one["resource"]["id"] == made["id"]]
    assert [one["action"]["type"] for one in entries] == ["create"]


async def test_a_refused_edit_leaves_the_record_as_it_was(api: Api) -> None:
    zone = await api.zone()
    await _add(api, zone, name="a", content="192.0.2.7")
    made = await _add(api, zone)
    path = f"/zones/{zone}/dns_records/{made['id']}"
    for members in ({"name": "a", "content": "192.0.2.7"}, {"type": "AAAA"}, {"ttl": 5}):
        assert (await api.ask("PATCH", path, json=members)).status_code == 400
    assert await api.result("GET", path) == made


async def test_a_removed_record_is_gone(api: Api) -> None:
    zone = await api.zone()
    made = await _add(api, zone)
    path = f"/zones/{zone}/dns_records/{made['id']}"
    assert await api.result("DELETE", path) == {"id": made["id"]}
    for method in ("GET", "DELETE", "PATCH"):
        answer = await api.ask(method, path, json={} if method == "PATCH" else None)
        assert (answer.status_code, codes(answer)) == (404, [81044])
    assert _documents(api) == []


async def test_a_record_of_another_zone_is_not_found_here(api: Api) -> None:
    mine, other = await api.zone(), await api.zone("example.org")
    made = await _add(api, other)
    for method, body in (("GET", None), ("PATCH", {"ttl": 60}), ("PUT", A_RECORD), ("DELETE", None)):
        answer = await api.ask(method, f"/zones/{mine}/dns_records/{made['id']}", json=body)
        assert (answer.status_code, codes(answer)) == (404, [81044])
    assert await api.result("GET", f"/zones/{other}/dns_records/{made['id']}") == made


async def test_what_cannot_be_an_id_is_no_route(api: Api) -> None:
    zone = await api.zone()
    for bad in ("nope", "0" * 31, "G" * 32, "%00", "x" * 200):
        answer = await api.ask("GET", f"/zones/{zone}/dns_records/{bad}")
        assert (answer.status_code, codes(answer)) == (404, [7003, 7000]), bad


LISTS: list[tuple[str, list[str]]] = [
    ("", ["www", "api", "*.dev"]),
    ("name=www.example.com", ["www"]),
    ("name=WWW.example.com.", ["www"]),
    ("name.exact=nothing.example.com", []),
    ("name.contains=P", ["www", "api", "*.dev"]),
    ("name.startswith=a", ["api"]),
    ("name.endswith=dev.example.com", ["*.dev"]),
    ("type=CNAME", ["*.dev"]),
    ("content=192.0.2.1", ["www"]),
    ("content.contains=192", ["www", "api"]),
    ("content.startswith=192&proxied=true", ["www"]),
    ("type=CNAME&proxied=true&match=any", ["www", "*.dev"]),
    ("comment.present=", ["www"]),
    ("comment.absent=true", ["api", "*.dev"]),
    ("comment.contains=FRONT", ["www"]),
    ("search=front", ["www"]),
    ("search=origin.example.net", ["*.dev"]),
    ("tag=team:web", ["www"]),
    ("tag.present=team&tag.absent=team", []),
    ("tag.present=team&tag.absent=team&tag_match=any", ["www", "api", "*.dev"]),
    ("order=name", ["*.dev", "api", "www"]),
    ("order=content&direction=desc", ["*.dev", "api", "www"]),
    ("direction=desc", ["*.dev", "api", "www"]),
    ("per_page=2&page=2", ["*.dev"]),
    ("per_page=2&page=3", []),
    ("per_page=5000000", ["www", "api", "*.dev"]),
    ("name=%25", []),
]


async def test_lists_hold_what_is_asked_for(api: Api) -> None:
    zone = await api.zone()
    await _add(api, zone, proxied=True, comment="the front", tags=["team:web"])
    await _add(api, zone, name="api", content="192.0.2.2")
    await _add(api, zone, name="*.dev", type="CNAME", content="origin.example.net")
    for query, names in LISTS:
        assert await _names(api, zone, query) == names, query


async def test_bad_queries_are_refused(api: Api) -> None:
    zone = await api.zone()
    for query in (
        "per_page=0",
        "per_page=5000001",
        "page=0",
        "order=size",
        "match=some",
        "proxied=perhaps",
        "name=%00",
    ):
        answer = await api.ask("GET", f"/zones/{zone}/dns_records?{query}")
        assert (answer.status_code, codes(answer)) == (400, [1004]), query


async def test_every_write_is_written_down_with_both_values(api: Api) -> None:
    zone = await api.zone()
    made = await _add(api, zone)
    path = f"/zones/{zone}/dns_records/{made['id']}"
    await api.result("PATCH", path, json={"content": "192.0.2.2"})
    await api.result("DELETE", path)
    entries = [one for one in await api.entries() if one["resource"] == {"id": made["id"], "type": "dns_record"}]
    assert [one["action"]["type"] for one in reversed(entries)] == ["create", "update", "delete"]
    values = [[json.loads(one[side] or "{}").get("content") for side in ("oldValue", "newValue")] for one in entries]
    assert values[::-1] == [[None, "192.0.2.1"], ["192.0.2.1", "192.0.2.2"], ["192.0.2.2", None]]


async def test_of_many_who_add_one_record_at_once_one_does(api: Api) -> None:
    zone = await api.zone()
    answers = await asyncio.gather(*(api.ask("POST", f"/zones/{zone}/dns_records", json=A_RECORD) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200, *[400] * 7]
    assert len(_documents(api)) == 1


async def test_of_many_edits_at_once_none_is_lost(api: Api) -> None:
    zone = await api.zone()
    made = await _add(api, zone)
    path = f"/zones/{zone}/dns_records/{made['id']}"
    edits = ({"ttl": 120}, {"comment": "one"}, {"tags": ["two"]}, {"content": "192.0.2.3"})
    await asyncio.gather(*(api.result("PATCH", path, json=edit) for edit in edits))
    record = await api.result("GET", path)
    assert {name: record[name] for edit in edits for name in edit} == {k: v for edit in edits for k, v in edit.items()}
    assert [one.content for one in _documents(api)] == ["192.0.2.3"]


async def test_a_zone_that_is_removed_meanwhile_takes_no_record(api: Api) -> None:
    zone = await api.zone()
    answers = await asyncio.gather(
        api.ask("DELETE", f"/zones/{zone}"),
        *(api.ask("POST", f"/zones/{zone}/dns_records", json={**A_RECORD, "name": f"n{n}"}) for n in range(6)),
    )
    assert answers[0].status_code == 200
    assert {answer.status_code for answer in answers[1:]} <= {200, 404}
    assert api.control.publisher.snapshot().zones == ()


async def test_the_official_client_goes_through_the_life_of_a_record(api: Api) -> None:
    zone = await api.zone()
    async with sdk(api) as client:
        made = await client.dns.records.create(
            zone_id=zone, type="A", name="www.example.com", ttl=1, content="192.0.2.1", proxied=True
        )
        assert made is not None
        edited = await client.dns.records.edit(
            made.id, zone_id=zone, type="A", name="www.example.com", ttl=1, content="192.0.2.2"
        )
        assert edited is not None
        assert (type(edited).__name__, edited.content, edited.proxied) == ("ARecord", "192.0.2.2", True)
        updated = await client.dns.records.update(
            made.id, zone_id=zone, type="CNAME", name="www.example.com", ttl=60, content="o.example.net"
        )
        assert updated is not None
        assert (type(updated).__name__, updated.ttl) == ("CNAMERecord", 60)
        await client.dns.records.create(zone_id=zone, type="AAAA", name="six", ttl=1, content="2001:db8::1")
        listed = [one.name async for one in client.dns.records.list(zone_id=zone, per_page=1)]
        assert listed == ["www.example.com", "six.example.com"]
        found = [one.name async for one in client.dns.records.list(zone_id=zone, name={"startswith": "s"})]
        assert found == ["six.example.com"]
        with pytest.raises(BadRequestError) as refused:
            await client.dns.records.create(zone_id=zone, type="AAAA", name="six", ttl=1, content="2001:db8::1")
        assert refused.value.errors[0].code == 81058
        gone = await client.dns.records.delete(made.id, zone_id=zone)
        assert gone is not None
        assert gone.id == made.id


async def test_a_zone_that_was_never_there_is_told_apart_only_to_who_sees_all(api: Api) -> None:
    answer = await api.ask("GET", f"/zones/{ABSENT}/dns_records")
    assert (answer.status_code, codes(answer)) == (404, [1001])
