"""`holdfast zone`: list, show, remove, pause, resume, disconnect."""

import json

import pytest

from holdfast.client.verbs.zone import VERBS
from holdfast.errors import UsageError
from tests.unit.client.verbs.fake_api import ACCOUNT_ID, IN_ZONE, ZONE, ZONE_ID, FakeApi, run

PAUSED = {**ZONE, "id": "f" * 32, "name": "example.org", "paused": True, "plan": None}


def test_zones_are_listed_with_their_state() -> None:
    out, _ = run(FakeApi({"GET /zones": [ZONE, PAUSED]}), VERBS["list"])
    assert [line.split() for line in out.splitlines()] == [
        ["NAME", "STATE", "PLAN", "ACCOUNT", "ID"],
        ["example.com", "active", "free", "Main", ZONE_ID],
        ["example.org", "paused", "-", "Main", "f" * 32],
    ]


def test_a_list_can_be_narrowed() -> None:
    fake = FakeApi({"GET /zones": []})
    out, notices = run(fake, VERBS["list"], name="exam", account=ACCOUNT_ID)
    assert fake.asked == [f"GET /zones?name=contains:exam&account.id={ACCOUNT_ID}"]
    assert (out, notices) == ("", "no zones\n")


def test_a_list_as_json_has_every_page() -> None:
    out, _ = run(FakeApi({"GET /zones": [ZONE, PAUSED]}), VERBS["list"], as_json=True)
    assert json.loads(out) == [ZONE, PAUSED]


def test_a_zone_is_shown_by_name() -> None:
    out, _ = run(FakeApi({"GET /zones": [ZONE]}), VERBS["show"], zone="example.com")
    shown = dict(line.split(":", 1) for line in out.splitlines())
    assert {name: value.strip() for name, value in shown.items()} == {
        "name": "example.com",
        "id": ZONE_ID,
        "status": "active",
        "paused": "no",
        "plan": "Free Website",
        "account": f"Main ({ACCOUNT_ID})",
        "created": "2026-04-23T10:11:12Z",
        "modified": "2026-04-23T10:11:12Z",
    }


@pytest.mark.parametrize(("verb", "is_paused"), [("pause", True), ("resume", False)])
def test_pause_and_resume_are_one_field(verb: str, is_paused: bool) -> None:
    fake = FakeApi({"GET /zones": [ZONE], f"PATCH {IN_ZONE}": {**ZONE, "paused": is_paused}})
    out, _ = run(fake, VERBS[verb], zone="example.com")
    assert fake.written() == [(f"PATCH {IN_ZONE}", {"paused": is_paused})]
    assert out.startswith(f"example.com: {verb}d: ")


def test_remove_deletes_the_zone_that_was_named() -> None:
    fake = FakeApi({"GET /zones": [ZONE], f"DELETE {IN_ZONE}": {"id": ZONE_ID}})
    out, _ = run(fake, VERBS["remove"], zone="example.com")
    assert fake.written() == [(f"DELETE {IN_ZONE}", None)]
    assert out.startswith("example.com: removed")
    out, _ = run(fake, VERBS["remove"], zone="example.com", as_json=True)
    assert json.loads(out) == {"id": ZONE_ID}


def test_remove_of_a_zone_that_is_not_there_deletes_nothing() -> None:
    fake = FakeApi({"GET /zones": []})
    with pytest.raises(UsageError, match="ZONE"):
        run(fake, VERBS["remove"], zone="example.com")
    assert fake.written() == []


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ({"closed": 0}, "example.com: 0 open WebSockets closed with 1001 (going away)\n"),
        ({"closed": 1}, "example.com: 1 open WebSocket closed with 1001 (going away)\n"),
        ({"closed": 1200}, "example.com: 1,200 open WebSockets closed with 1001 (going away)\n"),
        (None, "example.com: the open WebSockets closed with 1001 (going away)\n"),
    ],
)
def test_disconnect_says_how_many_were_closed(result: object, said: str) -> None:
    fake = FakeApi({"GET /zones": [ZONE], f"DELETE {IN_ZONE}/websocket_connections": result})
    out, _ = run(fake, VERBS["disconnect"], zone="example.com")
    assert out == said


def test_a_name_that_only_looks_harmless_is_escaped() -> None:
    out, _ = run(FakeApi({"GET /zones": [{**ZONE, "name": "a\x1b[31m\nb"}]}), VERBS["list"])
    assert out.splitlines()[1].startswith("a\\x1b[31m\\nb ")
