"""`holdfast.api.frame`: what no handler sees, because it ends before."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from holdfast.api import request_body
from holdfast.api.context import Limits
from holdfast.api.faults import ApiFault, fault
from holdfast.api.frame import REFUSED, Admit, Frame
from holdfast.api.rate_limit import RateLimit
from holdfast.api.request_body import UNCOUNTED_BYTES, BodyBudget


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that answers with what it got."""
    body = (await receive())["body"]
    scope["holdfast.headers"] = [(b"x-left", b"1")]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-type", _type(scope))]})
    await send({"type": "http.response.body", "body": body})


def _type(scope: Scope) -> bytes:
    found: list[bytes] = [value for name, value in scope["headers"] if name == b"content-type"]
    return b", ".join(found)


async def let_in(_: Scope) -> None:
    """Whoever asks."""


async def asked(
    messages: list[Message],
    app: Any = echo,
    *,
    admit: Admit = let_in,
    bodies: BodyBudget | None = None,
    **members: Any,
) -> tuple[list[Message], list[str]]:
    """What is sent back for a request that comes as `messages`, and what is logged."""
    sent: list[Message] = []
    log: list[str] = []

    async def receive() -> Message:
        if not messages:
            await asyncio.Event().wait()
        return messages.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    def note(event: str, _: Mapping[str, str | int]) -> None:
        log.append(event)

    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": [], "client": ("::1", 1)}
    framed = Frame(app, rate_limit=RateLimit(Limits(), lambda: 0), admit=admit, bodies=bodies or BodyBudget(), log=note)
    await framed({**scope, **members}, receive, send)
    return sent, log


def part(body: bytes, *, more: bool = False) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


async def test_a_body_in_parts_is_one_to_the_application_and_is_json() -> None:
    sent, _ = await asked([part(b'{"a"', more=True), part(b":1}")], headers=[(b"content-type", b"text/plain")])
    headers = dict(sent[0]["headers"])
    assert (sent[1]["body"], headers[b"x-type"], headers[b"x-left"]) == (b'{"a":1}', b"application/json", b"1")
    assert len(headers[b"cf-ray"]) == 16


async def test_a_form_passes_as_it_is() -> None:
    sent, _ = await asked([part(b"\xff")], headers=[(b"content-type", b"Multipart/form-data; boundary=x")])
    assert sent[1]["body"] == b"\xff"
    assert dict(sent[0]["headers"])[b"x-type"].startswith(b"Multipart/")


async def test_a_body_that_never_comes_is_a_408(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_body, "BODY_LIMIT_S", 0.01)
    sent, _ = await asked([part(b"{", more=True)])
    assert sent[0]["status"] == 408
    assert json.loads(sent[1]["body"])["errors"][0]["code"] == 10408


async def test_whoever_goes_away_gets_no_answer() -> None:
    assert await asked([part(b"{", more=True), {"type": "http.disconnect"}]) == ([], [])


async def test_a_failure_after_the_answer_began_is_logged_and_not_answered_twice() -> None:
    async def fail(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError

    sent, log = await asked([part(b"")], fail)
    assert [message["type"] for message in sent] == ["http.response.start"]
    assert log == ["api_failed"]


async def test_what_is_no_request_passes() -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    await asked([], app, type="lifespan")
    assert seen == ["lifespan"]


async def test_whoever_is_not_let_in_is_not_read_and_their_route_answers() -> None:
    refusal, seen = fault(401, 10000, "Authentication error"), []

    async def refuse(_: Scope) -> None:
        raise refusal

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append((scope[REFUSED], await receive()))

    messages = [part(b"{", more=True), part(b"no JSON")]
    await asked(messages, app, admit=refuse)
    assert seen == [(refusal, {"type": "http.request", "body": b"", "more_body": False})]
    assert len(messages) == 2


async def test_bodies_have_a_bound_together_and_a_small_one_passes_all_the_same() -> None:
    bodies = BodyBudget(limit_bytes=1000)
    body = b'"' + b"x" * (UNCOUNTED_BYTES + 898) + b'"'
    inner: list[list[Message]] = []

    async def ask_again(scope: Scope, receive: Receive, send: Send) -> None:
        assert bodies.statistics() == {"held_bytes": 900}
        for other in (body, b"{}"):
            sent, _ = await asked([part(other)], bodies=bodies)
            inner.append(sent)

    await asked([part(body[:70_000], more=True), part(body[70_000:])], ask_again, bodies=bodies)
    (refused, _), (small, _) = inner
    assert (refused["status"], dict(refused["headers"])[b"retry-after"], small["status"]) == (503, b"1", 200)
    assert bodies.statistics() == {"held_bytes": 0}
    sent, _ = await asked([part(body)], bodies=bodies)
    assert sent[0]["status"] == 200


async def test_what_a_client_held_that_went_away_or_failed_is_given_back() -> None:
    bodies = BodyBudget()
    await asked([part(b" " * 100_000, more=True), {"type": "http.disconnect"}], bodies=bodies)
    await asked([part(b" " * 100_000)], bodies=bodies)
    assert bodies.statistics() == {"held_bytes": 0}


async def test_head_is_get_without_its_content() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/fault":
            raise ApiFault(404, fault(404, 1001, "no").complaints)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-method", scope["method"].encode())]})
        await send({"type": "http.response.body", "body": b"content"})

    for path, status in (("/", 200), ("/fault", 404)):
        sent, _ = await asked([], app, method="HEAD", path=path)
        assert (sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])) == (status, b"")
        assert path != "/" or dict(sent[0]["headers"])[b"x-method"] == b"GET"


async def accept(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that takes any handshake."""
    await receive()
    await send({"type": "websocket.accept", "headers": [(b"x-id", scope["holdfast.request_id"].encode())]})


async def test_a_handshake_is_counted_and_looked_at_and_given_an_id() -> None:
    messages: list[Message] = [{"type": "websocket.connect"}]
    [accepted], _ = await asked(messages, accept, type="websocket", method="GET")
    assert accepted["type"] == "websocket.accept"
    assert len(accepted["headers"][0][1]) == 16


@pytest.mark.parametrize("members", [{"path": "/a\0b"}, {"query_string": b"a=%00"}])
async def test_a_handshake_that_no_database_could_look_up_is_answered_in_the_place_of_the_101(
    members: dict[str, Any],
) -> None:
    sent, _ = await asked([{"type": "websocket.connect"}], accept, type="websocket", method="GET", **members)
    assert [one["type"] for one in sent] == ["websocket.http.response.start", "websocket.http.response.body"]
    assert sent[0]["status"] in {400, 404}
    assert json.loads(sent[1]["body"])["success"] is False
