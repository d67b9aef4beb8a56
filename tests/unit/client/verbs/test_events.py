"""`holdfast events`: what is asked, page after page, and what is followed is shown once."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from holdfast.client.api.answer import ApiRefused
from holdfast.client.verbs import events
from holdfast.client.verbs.events import VERBS
from holdfast.client.verbs.output import Output
from holdfast.errors import UsageError
from holdfast.model.option import Given
from tests.unit.client.verbs.fake_api import IN_ZONE, ZONE, Failure, FakeApi, run

EVENTS = f"GET {IN_ZONE}/security/events"


def an_event(number: int, **facts: object) -> dict[str, object]:
    return {
        "id": f"{number:032x}", "zone_id": ZONE["id"], "occurred_at": f"2026-11-25T08:00:{number:02}.000000Z",
        "ray": f"{number:016x}", "action": "block", "source": "firewallCustom", "rule_id": "a" * 32,
        "description": "No robots", "ref": None, "client_ip": "192.0.2.1", "method": "GET", "host": "example.com",
        "path": "/x", "edge_response_status": 403, "sample_interval": 1, **facts,
    }  # fmt: skip


def page(found: list[dict[str, object]], after: str | None = None) -> httpx.Response:
    info = {"count": len(found), "cursors": {"after": after}}
    return httpx.Response(
        200, json={"success": True, "errors": [], "messages": [], "result": found, "result_info": info}
    )


def one_after_another(*answers: Any) -> Callable[[object], Any]:
    """An answer a question; the last stays."""
    waiting = list(answers)
    return lambda _: waiting.pop(0) if len(waiting) > 1 else waiting[0]


def fake(answer: Any) -> FakeApi:
    return FakeApi({"GET /zones": [ZONE], EVENTS: answer})


def test_events_are_listed_a_line_each() -> None:
    out, _ = run(
        fake(page([an_event(2, description=None, path="/\x1b[2J"), an_event(1)])), VERBS["list"], zone="example.com"
    )
    assert [" ".join(line.split()) for line in out.splitlines()] == [
        "TIME ACTION SOURCE CLIENT METHOD HOST PATH STATUS RULE EVENTS RAY",
        f"2026-11-25T08:00:02Z block firewallCustom 192.0.2.1 GET example.com /\\x1b[2J 403 {'a' * 32} 1 {2:016x}",
        f"2026-11-25T08:00:01Z block firewallCustom 192.0.2.1 GET example.com /x 403 No robots 1 {1:016x}",
    ]


def test_a_path_that_a_client_made_long_makes_no_row_long() -> None:
    path = f"/{'a' * 1_000}"
    out, _ = run(fake(page([an_event(1, path=path), an_event(2)])), VERBS["list"], zone="example.com")
    assert f"/{'a' * 99}… " in out
    assert max(map(len, out.splitlines())) < 300
    as_json, _ = run(fake(page([an_event(1, path=path)])), VERBS["list"], zone="example.com", as_json=True)
    assert json.loads(as_json)[0]["path"] == path
    summary = {"events": 1, "paths": [{"value": path, "count": 1}]}
    counted, _ = run(FakeApi({"GET /zones": [ZONE], f"{EVENTS}/summary": summary}), VERBS["top"], zone="example.com")
    assert max(map(len, counted.splitlines())) < 150


def test_where_there_are_none_it_is_said() -> None:
    out, notices = run(fake(page([])), VERBS["list"], zone="example.com")
    assert (out, notices) == ("", "example.com has no such events\n")


def test_pages_are_asked_for_until_there_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "PAGE", 2)
    pages = [page([an_event(5), an_event(4)], "c1"), page([an_event(3), an_event(2)], "c2"), page([an_event(1)])]
    asked = fake(one_after_another(*pages))
    out, _ = run(asked, VERBS["list"], zone="example.com", limit="3", as_json=True)
    assert [int(one["ray"], 16) for one in json.loads(out)] == [5, 4, 3]
    assert asked.asked[1:] == [f"{EVENTS}?limit=2", f"{EVENTS}?limit=2&cursor=c1"]


@pytest.mark.parametrize("after", [None, "same"])
def test_a_cursor_that_leads_nowhere_ends_the_list(after: str | None) -> None:
    out, _ = run(fake(lambda _: page([an_event(1)], after)), VERBS["list"], zone="example.com", as_json=True)
    assert len(json.loads(out)) <= 2


def test_filters_are_passed_on() -> None:
    asked = fake(page([]))
    given: dict[str, Given] = {
        "since": "2026-11-25T09:00:00+01:00", "until": "2026-11-26", "action": "BLOCK", "source": "ratelimit",
        "rule": "r", "client_ip": "192.0.2.0/24", "host": "h", "path": "/p",
    }  # fmt: skip
    run(asked, VERBS["list"], zone="example.com", **given)
    assert asked.asked[1] == (
        f"{EVENTS}?since=2026-11-25T08:00:00.000000Z&until=2026-11-26T00:00:00.000000Z&action=block&source=rateLimit"
        "&rule_id=r&client_ip=192.0.2.0/24&host=h&path=/p&limit=100"
    )


@pytest.mark.parametrize(
    ("given", "flag"),
    [
        ({"since": "yesterday"}, "--since"),
        ({"since": "999999d"}, "--since"),
        ({"action": "explode"}, "--action"),
        ({"source": "x"}, "--source"),
        ({"limit": "0"}, "--limit"),
        ({"limit": "100001"}, "--limit"),
        ({"follow": True, "as_json": True}, "--follow"),
        ({"follow": True, "until": "1h"}, "--follow"),
    ],
)
def test_what_cannot_be_asked_names_its_flag(given: dict[str, Given], flag: str) -> None:
    with pytest.raises(UsageError) as caught:
        run(fake(page([])), VERBS["list"], zone="example.com", **given)
    assert caught.value.field == flag


def test_what_is_followed_is_shown_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("holdfast.client.verbs.events.time.sleep", pause)
    monkeypatch.setattr(events, "REMEMBERED", 2)
    shown: list[object] = []
    monkeypatch.setattr(Output, "rows", lambda _, rows: shown.extend(row[-1] for row in rows))
    answers = one_after_another(page([an_event(1), an_event(2)]), page([an_event(2), an_event(3)]), page([an_event(3)]))
    asked = fake(answers)
    with pytest.raises(KeyboardInterrupt):
        run(asked, VERBS["list"], zone="example.com", follow=True, since="1h")
    assert shown == [f"{number:016x}" for number in (1, 2, 3)]
    assert all("direction=asc" in one for one in asked.asked[1:])


def test_the_events_of_a_request_are_shown_with_all_that_is_known() -> None:
    api = FakeApi({"GET /zones": [ZONE], f"{EVENTS}/00ff-LOC": [an_event(1)]})
    out, _ = run(api, VERBS["show"], zone="example.com", event="00ff-LOC")
    assert "sample interval:" in out
    assert "No robots" in out
    with pytest.raises(UsageError):
        run(api, VERBS["show"], zone="example.com", event="../../zones")


def test_an_event_that_is_not_there_is_the_api_s_to_say() -> None:
    with pytest.raises(ApiRefused):
        run(
            FakeApi({"GET /zones": [ZONE], f"{EVENTS}/00": Failure(404, 1001, "no")}),
            VERBS["show"],
            zone="example.com",
            event="00",
        )


def test_what_has_the_most_events_is_counted() -> None:
    summary = {
        "since": "x", "until": "y", "events": 5, "rows": 2, "actions": [{"value": "block", "count": 5}],
        "rules": [{"rule_id": "r", "description": None, "count": 4}], "hosts": [],
    }  # fmt: skip
    api = FakeApi({"GET /zones": [ZONE], f"{EVENTS}/summary": summary})
    out, _ = run(api, VERBS["top"], zone="example.com", action="block")
    assert [" ".join(line.split()) for line in out.splitlines()] == [
        "WHAT VALUE EVENTS", "actions block 5", "rules r 4",
    ]  # fmt: skip
    assert api.asked[-1] == f"{EVENTS}/summary?action=block"
