"""`holdfast.control.not_through_edges`: who comes through an edge is refused, however the field is spelled."""

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import Message, Receive, Scope, Send

from holdfast.control.not_through_edges import NotThroughEdges

APPLICATION = FastAPI()
APPLICATION.add_middleware(NotThroughEdges)


@APPLICATION.get("/metrics")
async def metrics() -> str:
    return "figures"


@pytest.mark.parametrize(
    ("members", "status"),
    [
        ([], 200),
        (["cloudflare"], 200),
        (["cloudflare; a=b, nginx"], 200),
        (["holdfast;instance=1234"], 403),
        (["HoldFast"], 403),
        (["cloudflare, holdfast;instance=12"], 403),
        (["cloudflare", ' holdfast ; instance="x"'], 403),
        (['"open, holdfast;instance=1'], 403),
    ],
)
async def test_a_request_that_an_edge_forwarded_is_refused(members: list[str], status: int) -> None:
    transport = httpx.ASGITransport(APPLICATION)
    async with httpx.AsyncClient(transport=transport, base_url="http://control") as client:
        answer = await client.get("/metrics", headers=[("CDN-Loop", member) for member in members])
    assert answer.status_code == status


@pytest.mark.parametrize(("member", "status"), [("cloudflare", 101), ("holdfast;instance=1", 403)])
async def test_a_handshake_that_an_edge_forwarded_is_refused_too(member: str, status: int) -> None:
    sent: list[Message] = []

    async def application(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "websocket", "path": "/", "headers": [(b"cdn-loop", member.encode())]}
    await NotThroughEdges(application)(scope, receive, send)
    assert sent[0].get("status", 101) == status
    assert sent[0]["type"] == ("websocket.accept" if status == 101 else "websocket.http.response.start")
