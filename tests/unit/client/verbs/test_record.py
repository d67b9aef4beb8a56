"""`holdfast record`: names in short, types from contents, one record at a time."""

import json

import pytest

from holdfast.client.verbs.record import VERBS, RecordAddOptions, full_name, type_of
from holdfast.errors import UsageError
from holdfast.model.option import Given
from tests.unit.client.verbs.fake_api import IN_ZONE, RECORD_ID, ZONE, FakeApi, run

RECORDS = f"{IN_ZONE}/dns_records"
ONE = f"{RECORDS}/{RECORD_ID}"
RECORD: dict[str, object] = {
    "id": RECORD_ID,
    "name": "ws.example.com",
    "type": "A",
    "content": "10.0.0.5",
    "proxied": True,
    "ttl": 1,
    "comment": None,
}
OTHER = {**RECORD, "id": "f" * 32, "content": "10.0.0.6", "proxied": False, "ttl": 300}


def _fake(*records: dict[str, object]) -> FakeApi:
    return FakeApi(
        {
            "GET /zones": [ZONE],
            f"GET {RECORDS}": list(records),
            f"GET {ONE}": RECORD,
            f"POST {RECORDS}": lambda body: {"id": RECORD_ID, **body},
            f"PATCH {ONE}": lambda body: {**RECORD, **body},
            f"DELETE {ONE}": {"id": RECORD_ID},
        }
    )


def test_records_are_listed() -> None:
    out, _ = run(_fake(RECORD, OTHER), VERBS["list"], zone="example.com")
    assert [" ".join(line.split()) for line in out.splitlines()] == [
        "NAME TYPE CONTENT PROXIED TTL COMMENT ID",
        f"ws.example.com A 10.0.0.5 proxied auto - {RECORD_ID}",
        f"ws.example.com A 10.0.0.6 dns only 300 - {'f' * 32}",
    ]


def test_a_list_can_be_of_one_type() -> None:
    fake = _fake()
    _, notices = run(fake, VERBS["list"], zone="example.com", type="cname")
    assert fake.asked[-1] == f"GET {RECORDS}?type=CNAME"
    assert notices == "example.com has no such records\n"


@pytest.mark.parametrize(
    ("given", "body"),
    [
        ({"name": "@", "content": "10.0.0.5"}, {"type": "A", "name": "example.com", "content": "10.0.0.5"}),
        ({"name": "*", "content": "2001:DB8::1"}, {"type": "AAAA", "name": "*.example.com", "content": "2001:db8::1"}),
        (
            {"name": "ws.example.com", "content": "App.Example.NET.", "dns_only": True, "ttl": "300", "comment": "a"},
            {
                "type": "CNAME",
                "name": "ws.example.com",
                "content": "app.example.net",
                "proxied": False,
                "ttl": 300,
                "comment": "a",
            },
        ),
        (
            {"name": "a.b", "content": "10.0.0.5", "type": "a", "proxied": True, "ttl": "auto"},
            {"type": "A", "name": "a.b.example.com", "content": "10.0.0.5"},
        ),
    ],
)
def test_add_sends_a_whole_record(given: dict[str, Given], body: dict[str, object]) -> None:
    fake = _fake()
    out, _ = run(fake, VERBS["add"], zone="example.com", **given)
    assert fake.written() == [(f"POST {RECORDS}", {"proxied": True, "ttl": 1, **body})]
    assert out.startswith(f"added: {body['name']} {body['type']} {body['content']}, ")


@pytest.mark.parametrize(
    ("given", "body"),
    [
        ({"dns_only": True}, {"proxied": False}),
        ({"ttl": "60", "comment": ""}, {"ttl": 60, "comment": ""}),
        ({"content": "2001:db8::1"}, {"content": "2001:db8::1", "type": "AAAA"}),
        ({"name": "@"}, {"name": "example.com"}),
    ],
)
def test_edit_sends_what_was_given_and_nothing_else(given: dict[str, Given], body: dict[str, object]) -> None:
    fake = _fake(RECORD)
    out, _ = run(fake, VERBS["edit"], zone="example.com", record="ws", **given)
    assert fake.written() == [(f"PATCH {ONE}", body)]
    assert out.splitlines()[0] == "was: ws.example.com A 10.0.0.5, proxied, ttl auto"
    assert out.splitlines()[1].startswith("now: ")


@pytest.mark.parametrize(
    "given",
    [{"content": "10.0.0.6"}, {"content": "10.0.0.6", "type": "A"}, {"ttl": "60", "type": "A"}],
)
def test_edit_finds_of_several_records_the_one_of_the_type_that_is_meant(given: dict[str, Given]) -> None:
    fake = _fake(RECORD, OTHER | {"type": "AAAA", "content": "2001:db8::1"})
    run(fake, VERBS["edit"], zone="example.com", record="ws", **given)
    assert [asked for asked, _ in fake.written()] == [f"PATCH {ONE}"]


def test_edit_without_a_change_asks_nothing() -> None:
    fake = _fake(RECORD)
    with pytest.raises(UsageError, match="something to change"):
        run(fake, VERBS["edit"], zone="example.com", record="ws", type="A")
    assert fake.asked == []


def test_remove_by_name_or_id_removes_one() -> None:
    for record in ("ws", "ws.example.com", RECORD_ID):
        fake = _fake(RECORD)
        out, _ = run(fake, VERBS["remove"], zone="example.com", record=record)
        assert fake.written() == [(f"DELETE {ONE}", None)]
        assert out == "removed: ws.example.com A 10.0.0.5, proxied, ttl auto\n"


def test_a_name_with_several_records_removes_none_and_names_them() -> None:
    fake = _fake(RECORD, OTHER)
    with pytest.raises(UsageError, match=rf"one of 2: {RECORD_ID} \(ws\.example\.com A 10\.0\.0\.5.*f{{32}}"):
        run(fake, VERBS["remove"], zone="example.com", record="ws")
    assert fake.written() == []


def test_a_name_without_records_is_a_mistake() -> None:
    with pytest.raises(UsageError, match=r"RECORD: expected the name or id of a record of example\.com"):
        run(_fake(), VERBS["remove"], zone="example.com", record="nope")


def test_json_is_the_apis_result() -> None:
    out, _ = run(_fake(RECORD), VERBS["edit"], zone="example.com", record="ws", ttl="60", as_json=True)
    assert json.loads(out) == {**RECORD, "ttl": 60}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"proxied": True, "dns_only": True}, "--dns-only: expected it without --proxied"),
        ({"ttl": "29"}, "--ttl: expected auto, or seconds from 30 to 86,400"),
        ({"ttl": "-1"}, "--ttl: expected"),
        ({"type": "MX"}, "--type: expected A, AAAA or CNAME"),
        ({"comment": "x" * 501}, "--comment: expected at most 500 characters"),
        ({"content": "10.0.0.256"}, "CONTENT: expected a host name"),
        ({"content": "http://h"}, "CONTENT: expected a host name"),
        ({"name": "a b"}, "NAME: expected a host name"),
    ],
)
def test_what_no_record_can_be_is_refused(given: dict[str, Given], expected: str) -> None:
    with pytest.raises(UsageError, match=expected):
        RecordAddOptions.parse({"zone": "example.com", "name": "ws", "content": "10.0.0.5", **given})


@pytest.mark.parametrize(
    ("name", "whole"),
    [
        ("@", "example.com"),
        ("*", "*.example.com"),
        ("ws", "ws.example.com"),
        ("example.com", "example.com"),
        ("a.example.com", "a.example.com"),
        ("notexample.com", "notexample.com.example.com"),
    ],
)
def test_a_short_name_is_within_the_zone(name: str, whole: str) -> None:
    assert full_name(name, "example.com") == whole


@pytest.mark.parametrize(("content", "kind"), [("10.0.0.5", "A"), ("::1", "AAAA"), ("a.example", "CNAME")])
def test_the_type_follows_from_the_content(content: str, kind: str) -> None:
    assert type_of(content) == kind
