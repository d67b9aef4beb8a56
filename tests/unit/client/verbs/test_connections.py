"""`holdfast connections`: what is asked, what is shown, and what is closed only when it was meant."""

import io
import json
from typing import Any

import httpx
import pytest
import typer

from holdfast.cli import run as run_command
from holdfast.client import connection_stream
from holdfast.client.verbs import connections
from holdfast.client.verbs.connections import VERBS, event_line
from holdfast.client.verbs.output import Output
from holdfast.errors import UsageError
from holdfast.model.option import Given
from tests.unit.client.verbs.fake_api import IN_ZONE, ZONE, Failure, FakeApi, opened, run

LIST = f"GET {IN_ZONE}/websocket_connections"
CLOSE = f"POST {IN_ZONE}/websocket_connections/close"
ONE = "230b030023ae2822-LOC"
WAY = {"bytes": 10, "text_messages": 1, "binary_messages": 2, "pings": 0, "pongs": 0}


def a_connection(number: int = 1, **facts: Any) -> dict[str, object]:
    return {
        "id": f"{number:016x}-LOC", "zone_id": ZONE["id"], "state": "open", "client_ip": "192.0.2.1",
        "client_port": 40000, "host": "chat.example.com", "path": "/echo", "origin": "http://127.0.0.1:9000",
        "protocol": "http/1.1", "tls_version": None, "subprotocol": None, "opened_at": "2026-11-25T08:00:00.123456Z",
        "age_ms": 65_000, "idle_ms": 1_000, "rtt_client_ms": 1.5, "rtt_origin_ms": None, "to_origin": WAY,
        "to_client": WAY, **facts,
    }  # fmt: skip


def page(*found: object, total: int | None = None, messages: tuple[object, ...] = ()) -> httpx.Response:
    info = {"page": 1, "per_page": 100, "count": len(found), "total_count": len(found) if total is None else total}
    envelope = {"success": True, "errors": [], "messages": messages, "result": found, "result_info": info}
    return httpx.Response(200, json=envelope)


def fake(answer: object = None, **more: object) -> FakeApi:
    return FakeApi({"GET /zones": [ZONE], LIST: page() if answer is None else answer, **more})


def test_a_pipe_gets_every_value_a_line_a_connection() -> None:
    out, notices = run(fake(page(a_connection(1), a_connection(2), total=7)), VERBS["list"], zone="example.com")
    titles, first, _ = (line.split() for line in out.splitlines())
    assert dict(zip(titles, first, strict=True)) == {
        "ID": f"{1:016x}-LOC", "CLIENT": "192.0.2.1:40000", "HOST": "chat.example.com", "PATH": "/echo",
        "STATE": "open", "AGE_MS": "65000", "IDLE_MS": "1000", "MESSAGES_TO_ORIGIN": "3", "MESSAGES_TO_CLIENT": "3",
        "BYTES_TO_ORIGIN": "10", "BYTES_TO_CLIENT": "10", "RTT_CLIENT_MS": "1.5", "RTT_ORIGIN_MS": "-",
        "PROTOCOL": "http/1.1", "SUBPROTOCOL": "-",
    }  # fmt: skip
    assert notices == "5 more are open (--limit)\n"


def test_a_terminal_gets_a_table_of_its_width() -> None:
    out = io.StringIO()
    output = Output(out, io.StringIO(), as_json=False, is_terminal=True, columns=70)
    with opened(fake(page(a_connection()))) as api:
        VERBS["list"].run(VERBS["list"].options.parse({"zone": "example.com"}), api, output)
    assert "1m05" in out.getvalue()
    assert "PROTO" not in out.getvalue()


def test_filters_order_and_direction_are_asked_as_they_are_given() -> None:
    api = fake()
    given: dict[str, Given] = {
        "host": "a", "path": "/x", "client_ip": "192.0.2.0/24", "min_age": "1.5", "min_idle": "60",
        "subprotocol": "mqtt", "sort": "bytes", "reverse": True,
    }  # fmt: skip
    _, notices = run(api, VERBS["list"], zone="example.com", **given)
    query = "host=a&path=/x&client_ip=192.0.2.0/24&min_age=1.5&min_idle=60&subprotocol=mqtt&order=bytes&direction=asc"
    assert api.asked[-1] == f"{LIST}?{query}"
    assert notices == "example.com has no such WebSocket open\n"


def test_more_than_a_page_are_asked_for_page_by_page_and_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MAX_PAGE", 2)
    pages = [page(a_connection(1), a_connection(2), total=4), page(a_connection(2), a_connection(3)), page()]
    out, _ = run(fake(lambda _: pages.pop(0)), VERBS["list"], zone="example.com", limit="5", as_json=True)
    assert [one["id"][:16] for one in json.loads(out)] == [f"{number:016x}" for number in (1, 2, 3)]


def test_what_the_api_says_beside_a_list_is_said() -> None:
    message = {"code": 10504, "message": "1 edge did not answer", "type": None}
    _, notices = run(fake(page(a_connection(), messages=(message,))), VERBS["list"], zone="example.com")
    assert notices == "1 edge did not answer\n"


def test_without_a_zone_it_is_the_only_one_and_of_several_one_must_be_named() -> None:
    run(fake(), VERBS["list"])
    other = {**ZONE, "id": "0" * 32, "name": "other.example"}
    for zones, said in [([ZONE, other], "example.com, other.example"), ([], "zones that this token sees, got nothing")]:
        with pytest.raises(UsageError, match=said):
            run(FakeApi({"GET /zones": zones}), VERBS["list"])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"sort": "size"}, "--sort: expected one of opened_at, idle"),
        ({"limit": "0"}, "--limit: expected a number from 1"),
        ({"min_age": "-1"}, "--min-age: expected a number of seconds"),
        ({"min_idle": "nan"}, "--min-idle: expected a number of seconds"),
        ({"min_age": "1_0"}, "--min-age: expected a number of seconds"),
        ({"min_age": " 5"}, "--min-age: expected a number of seconds"),
        ({"min_age": "0x5"}, "--min-age: expected a number of seconds"),
        ({"min_age": ""}, "--min-age: expected a number of seconds"),
        ({"min_age": "315360001"}, "--min-age: expected a number of seconds"),
        ({"interval_s": "3"}, "--interval: expected it beside --watch"),
        ({"code": "1001"}, "--code: expected it beside --close"),
        ({"reason": ""}, "--reason: expected it beside --close"),
        ({"yes": True}, "--yes: expected it beside --close"),
        ({"all": True}, "--all: expected it beside --close"),
        ({"close": True, "host": "a", "reason": "\udcff"}, "--reason: expected a text in UTF-8"),
        ({"path": "/\udcff"}, "--path: expected a text in UTF-8"),
        ({"interval_s": "0.1"}, "--interval: expected a number of seconds from 0.5"),
        ({"code": "1006"}, "--code: expected a close code that a server may send"),
        ({"reason": "x" * 124}, "--reason: expected at most 123 bytes"),
        ({"watch": True, "as_json": True}, "--json: expected it without --watch"),
        ({"watch": True, "events": True}, "--events: expected it without --watch"),
        ({"events": True, "min_age": "1"}, "--events: expected it without --min-age"),
        ({"close": True}, "--close: expected a filter beside it, or --all"),
        ({"close": True, "all": True, "host": "a"}, "--all: expected it without a filter"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_asked(given: dict[str, Given], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        VERBS["list"].options.parse(given)


def test_what_is_closed_without_a_question_is_closed_at_once() -> None:
    api = fake(**{CLOSE: {"closed": 3, "edges": 1, "silent": 0}})
    given: dict[str, Given] = {"host": "a", "min_idle": "60", "code": "4000", "reason": "go"}
    out, _ = run(api, VERBS["list"], zone="example.com", close=True, yes=True, **given)
    assert out == "example.com: 3 WebSockets closed with 4000\n"
    assert api.written() == [(CLOSE, {"filter": {"host": "a", "min_idle": 60.0}, "code": 4000, "reason": "go"})]


@pytest.mark.parametrize(("answer", "writes"), [("y\n", 2), ("n\n", 1), ("\n", 1)])
def test_a_person_is_asked_how_many_are_meant(answer: str, writes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    api = fake(**{CLOSE: {"closed": 1, "edges": 1, "silent": 0}})
    asked: list[str] = []

    def confirm(question: str, *, err: bool) -> bool:
        assert err
        asked.append(question)
        return answer == "y\n"

    monkeypatch.setattr("sys.stdin", _Terminal())
    monkeypatch.setattr("typer.confirm", confirm)
    if writes == 2:
        run(api, VERBS["list"], zone="example.com", close=True, all=True)
    else:
        with pytest.raises(typer.Abort):
            run(api, VERBS["list"], zone="example.com", close=True, all=True)
    assert asked == ["Close 1 WebSocket of example.com with 1001?"]
    bodies = [{"all": True, "code": 1001, "dry_run": True}, {"all": True, "code": 1001}]
    assert api.written() == [(CLOSE, body) for body in bodies[:writes]]


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_where_nobody_can_be_asked_nothing_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    api = fake(**{CLOSE: {"closed": 1, "edges": 1, "silent": 0}})
    with pytest.raises(UsageError, match="--yes"):
        run(api, VERBS["list"], zone="example.com", close=True, host="a")
    assert [body for _, body in api.written()] == [{"filter": {"host": "a"}, "code": 1001, "dry_run": True}]


def test_where_none_is_meant_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    api = fake(**{CLOSE: {"closed": 0, "edges": 1, "silent": 0}})
    out, _ = run(api, VERBS["list"], zone="example.com", close=True, host="a")
    assert out == "example.com: no such WebSocket is open\n"


def test_one_is_shown_with_all_that_is_known() -> None:
    api = FakeApi({"GET /zones": [ZONE], f"{LIST}/{ONE}": a_connection(why="max_age", edge_close_code=1001)})
    out, _ = run(api, VERBS["show"], connection=ONE)
    facts = [line.split(":  ", 1) for line in out.splitlines()]
    assert {name: value.strip() for name, value in facts} | {"id": ONE} == {
        **{name: value.strip() for name, value in facts}, "id": ONE, "why": "max_age", "to origin: text messages": "1",
    }  # fmt: skip
    with pytest.raises(Exception, match="no such"):
        run(FakeApi({"GET /zones": [ZONE], f"{LIST}/x": Failure(404, 1001, "no such")}), VERBS["show"], connection="x")


def test_an_event_is_a_line() -> None:
    opened_one, closed_one = a_connection(), a_connection(
        state="closed", closed_at="2026-11-25T08:00:05.5Z", duration_ms=5377, closed_by="edge", why="release",
        client_close_code=None, origin_close_code=1000, edge_close_code=1012, path="/\x1b[2J",
    )  # fmt: skip
    name = f"{1:016x}-LOC"
    assert event_line({"type": "opened", "connection": opened_one}) == (
        f"2026-11-25T08:00:00.123Z opened {name} 192.0.2.1:40000 chat.example.com/echo"
    )
    assert event_line({"type": "closed", "connection": closed_one}) == (
        f"2026-11-25T08:00:05.5Z closed {name} 192.0.2.1:40000 chat.example.com/\\x1b[2J after 5s: edge release,"
        " codes -/1000/1012, messages 3/3"
    )
    assert "opened" in event_line({"type": "opened"})


@pytest.mark.parametrize("as_json", [False, True])
def test_what_happens_is_followed_a_line_each(as_json: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    said = [{"type": "opened", "connection": a_connection()}, {"type": "lost", "count": 5}]

    def follow(_: object, path: str, query: dict[str, str], **__: object) -> Any:
        assert (path, query) == (f"{IN_ZONE}/websocket_connections/stream", {"host": "a"})
        yield from said
        raise KeyboardInterrupt

    monkeypatch.setattr(connection_stream, "follow", follow)
    out, notices = run(fake(), VERBS["list"], zone="example.com", events=True, host="a", as_json=as_json)
    if as_json:
        assert [json.loads(line) for line in out.splitlines()] == said
    else:
        assert " opened " in out
        assert notices == "not all is known: 5 events or more were missed\n"


def test_a_pipe_that_watches_gets_the_list_again_and_again_until_it_is_interrupted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers: list[Any] = [page(a_connection()), Failure(503, 10503, "away"), page(a_connection())]

    def answer(_: object) -> Any:
        if not answers:
            raise KeyboardInterrupt
        return answers.pop(0)

    monkeypatch.setattr("sys.stdin", io.StringIO())
    monkeypatch.setattr("time.sleep", lambda _: None)
    out, notices = run(fake(answer), VERBS["list"], zone="example.com", watch=True)
    assert out.count("chat.example.com") == 2
    assert "away" in notices


@pytest.mark.parametrize("term", ["dumb", "", "unknown"])
def test_a_terminal_that_cannot_be_drawn_on_gets_the_list_again_and_again(
    term: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [page(a_connection()), page(), page(a_connection())]

    def answer(_: object) -> Any:
        if not answers:
            raise KeyboardInterrupt
        return answers.pop(0)

    monkeypatch.setenv("TERM", term)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    monkeypatch.setattr("time.sleep", lambda _: None)
    out, notices = io.StringIO(), io.StringIO()
    output = Output(out, notices, as_json=False, is_terminal=True, columns=100)
    with opened(fake(answer)) as api:
        VERBS["list"].run(VERBS["list"].options.parse({"zone": "example.com", "watch": True}), api, output)
    assert out.getvalue().count("1m05") == 2
    assert "\x1b[?" not in out.getvalue()
    assert notices.getvalue() == "no such WebSocket is open\n"


def test_without_a_verb_it_lists_and_options_stand_after_a_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["connections", "--sort", "x"]) == 2
    assert capsys.readouterr().err.startswith("holdfast connections: --sort: expected one of")
    assert run_command(["connections", "list", "--sort", "x"]) == 2
    assert capsys.readouterr().err.startswith("holdfast connections list: --sort: expected one of")
    assert run_command(["connections", "--host", "a", "show", ONE]) == 2
    assert "--host: expected it after the verb 'show'" in capsys.readouterr().err
