"""The way out, over a real Unix socket: what the edge is told, which connections are used again, and what their ends mean."""

import asyncio
import gc
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from holdfast.model.worker_egress import BoundCall, RequestContext
from holdfast.workers.durable import current
from holdfast.workers.runtime import egress as module
from holdfast.workers.runtime.egress import Egress, NoPlace
from holdfast.workers.runtime.egress_answer import AnswerBody, Parked
from holdfast.workers.runtime.egress_request import Outgoing
from holdfast.workers.sdk import context
from holdfast.workers.sdk.errors import NetworkError, TimedOut
from holdfast.workers.sdk.web.url_parsing import parse
from tests.unit.workers.sdk.fake_edge import TOKEN, FakeEdge, fake_edge
from tests.unit.workers.sdk.hearing import some_turns

SCRIPT = "abcdef012345"


@pytest.fixture
async def edge(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeEdge]:
    # Nothing idles for that long by itself, and everything is connected in time.
    monkeypatch.setattr(module, "MAX_IDLE_S", 60.0)
    monkeypatch.setattr(module, "CONNECT_TIMEOUT_S", 60.0)
    async with fake_edge() as running:
        yield running


@pytest.fixture
async def way(edge: FakeEdge) -> AsyncIterator[Egress]:
    made = Egress(edge.path, SCRIPT)
    yield made
    made.close()
    assert made.statistics() == {"open": 0, "idle": 0, "waiting": 0}


def get(path: str, **changes: Any) -> Outgoing:
    return replace(Outgoing("GET", parse(f"https://user:pw@a.test:8443{path}#here"), []), **changes)


async def read(body: AnswerBody | None) -> bytes:
    assert body is not None
    return b"".join([chunk async for chunk in body])


async def chunks_of(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def test_the_edge_is_told_where_and_for_whom(edge: FakeEdge, way: Egress) -> None:
    told = RequestContext(ray="r", script=SCRIPT, zone="z", host="h", client_ip="192.0.2.1", depth=2)
    answer = await way.send(get("/echo?q", headers=[(b"X-A", b"1")]), told)
    assert (answer.status, answer.reason, await read(answer.body), answer.parked) == (200, "", b"", None)
    assert (edge.last.target, edge.last.headers["host"], edge.last.headers["x-a"]) == (
        "http://a.test:8443/echo?q",
        "a.test:8443",
        "1",
    )
    assert (edge.last.egress.scheme, edge.last.egress.script, edge.last.egress.park) == ("https", SCRIPT, False)
    assert (edge.last.egress.ray, edge.last.egress.zone, edge.last.egress.depth) == ("r", "z", 2)


@pytest.mark.parametrize(
    ("outgoing", "framing", "body"),
    [
        ({"method": "POST", "body": b"abc"}, {"content-length": "3"}, b"abc"),
        ({"method": "POST", "body": b""}, {"content-length": "0"}, b""),
        ({"method": "POST"}, {"content-length": "0"}, b""),
        ({"method": "DELETE"}, {}, b""),
        ({"method": "PUT", "body": "stream"}, {"transfer-encoding": "chunked"}, b"abcd"),
        ({"method": "PUT", "body": "stream", "length": 4}, {"content-length": "4"}, b"abcd"),
    ],
)
async def test_a_body_is_framed_by_what_is_known_of_it(
    edge: FakeEdge, way: Egress, outgoing: dict[str, Any], framing: dict[str, str], body: bytes
) -> None:
    if outgoing.get("body") == "stream":
        outgoing = {**outgoing, "body": chunks_of(b"ab", b"", b"cd")}
    answer = await way.send(get("/echo", **outgoing))
    assert await read(answer.body) == edge.last.body == body
    named = {"content-length", "transfer-encoding"}
    assert {name: value for name, value in edge.last.headers.items() if name in named} == framing


@pytest.mark.parametrize(("method", "path"), [("HEAD", "/echo"), ("GET", "/status/204"), ("GET", "/status/304")])
async def test_some_answers_have_no_body(way: Egress, method: str, path: str) -> None:
    answer = await way.send(get(path, method=method))
    assert answer.body is None
    assert way.statistics() == {"open": 1, "idle": 1, "waiting": 0}


async def test_a_connection_is_used_again_for_what_may_be_asked_twice(edge: FakeEdge, way: Egress) -> None:
    for _ in range(3):
        await read((await way.send(get("/echo"))).body)
    await read((await way.send(get("/echo", method="PUT", body=b"x"))).body)
    assert edge.connections == 1
    await read((await way.send(get("/echo", method="POST", body=b"x"))).body)
    await read((await way.send(get("/echo", method="PUT", body=chunks_of(b"x")))).body)
    assert edge.connections == 3
    await read((await way.send(get("/close"))).body)
    assert way.statistics() == {"open": 2, "idle": 2, "waiting": 0}


async def test_an_idle_connection_that_the_edge_closes_is_not_used(edge: FakeEdge, way: Egress) -> None:
    await read((await way.send(get("/echo"))).body)
    # Asked of the idle connection, answered by nothing: asked again on a fresh one, and there it is the answer.
    with pytest.raises(NetworkError, match="Network connection lost"):
        await way.send(get("/reset"))
    assert [asked.path for asked in edge.asked] == ["/echo", "/reset", "/reset"]
    assert edge.connections == 2


async def test_an_idle_connection_is_not_kept_for_ever(
    edge: FakeEdge, way: Egress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_IDLE_S", 0)
    await read((await way.send(get("/echo"))).body)
    await read((await way.send(get("/echo"))).body)
    assert edge.connections == 2


@pytest.mark.parametrize("path", ["/reset", "/garbage"])
async def test_no_answer_is_a_network_error(way: Egress, path: str) -> None:
    with pytest.raises(OSError, match="Network connection lost"):
        await way.send(get(path, method="POST"))


async def test_an_answer_cut_short_fails_where_it_is_read(way: Egress) -> None:
    answer = await way.send(get("/half"))
    assert answer.body is not None
    assert await anext(answer.body) == b"abc"
    with pytest.raises(NetworkError, match="Network connection lost"):
        await anext(answer.body)
    assert way.statistics()["open"] == 0


async def test_an_answer_may_come_before_the_body_was_sent(way: Egress) -> None:
    never = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield b"x" * 1000
        await never.wait()

    answer = await way.send(get("/early", method="POST", body=endless()))
    assert (answer.status, await read(answer.body)) == (413, b"too much")


async def test_what_the_bodys_sender_raises_is_the_callers(way: Egress) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x"
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        await way.send(get("/echo", method="POST", body=broken()))


async def test_a_body_that_is_not_as_long_as_it_was_said_to_be_is_refused(way: Egress) -> None:
    with pytest.raises(NetworkError, match="cannot be sent"):
        await way.send(get("/echo", method="POST", body=chunks_of(b"abc"), length=2))


async def test_a_body_streams_as_it_comes_and_is_let_go_when_it_is_forgotten(edge: FakeEdge, way: Egress) -> None:
    answer = await way.send(get("/stream"))
    assert answer.body is not None
    assert await anext(answer.body) == b"first"
    edge.release.set()
    assert await read(answer.body) == b"second"
    edge.release.clear()
    forgotten = await way.send(get("/stream"))
    assert way.statistics()["open"] - way.statistics()["idle"] == 1
    del forgotten
    gc.collect()
    assert way.statistics()["open"] - way.statistics()["idle"] == 0
    held = [await way.send(get("/stream"))]
    await asyncio.to_thread(held.clear)
    await asyncio.to_thread(gc.collect)
    assert way.statistics()["open"] - way.statistics()["idle"] == 0


async def test_there_are_so_many_connections_and_who_comes_later_waits(
    edge: FakeEdge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_CONNECTIONS", 1)
    way = Egress(edge.path, SCRIPT)
    first = asyncio.ensure_future(way.send(get("/silent")))
    await edge.was_asked("/silent")
    second = asyncio.ensure_future(way.send(get("/echo", method="POST")))
    await some_turns()
    assert (edge.connections, way.statistics()["waiting"]) == (1, 1)
    edge.release.set()
    assert await read((await first).body) == b"at last"
    assert await read((await second).body) == b""
    assert edge.connections == 2
    # An idle connection gives its place up for one that is needed.
    await read((await way.send(get("/echo"))).body)
    assert way.statistics()["idle"] == 1
    await read((await way.send(get("/echo", method="POST"))).body)
    way.close()


async def test_a_call_by_a_binding_says_so_and_waits_for_no_fetch(
    edge: FakeEdge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_CONNECTIONS", 1)
    monkeypatch.setattr(module, "MAX_CALLS", 1)
    monkeypatch.setattr(module, "CALL_PLACE_S", 0.01)
    way = module.configure(edge.path, SCRIPT)
    fetching = asyncio.ensure_future(way.send(get("/silent")))
    await edge.was_asked("/silent")
    bound = BoundCall(binding="OTHER", proof="p", object_id="ab" * 32)
    answer = await module.call(get("/echo", method="POST"), bound, RequestContext(ray="r", script="k", depth=3))
    assert (edge.last.egress.call, edge.last.egress.depth, edge.last.egress.ray) == (bound, 3, "r")
    with pytest.raises(NoPlace, match="No connection to the edge was free"):
        await module.call(get("/echo", method="POST"), bound, None)
    await read(answer.body)
    await read((await module.call(get("/echo", method="POST"), bound, None)).body)
    edge.release.set()
    await read((await fetching).body)
    for one in (way, module._Way.calls):
        assert one is not None
        one.close()


async def test_a_process_without_a_way_out_calls_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module._Way, "calls", None)
    with pytest.raises(NetworkError, match="no way out"):
        await module.call(get("/"), BoundCall(binding="OTHER", proof="p"), None)


async def test_an_answer_that_is_kept_and_not_read_gives_way_to_a_request_that_waits(
    edge: FakeEdge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "UNREAD_S", 0.01)
    way = Egress(edge.path, SCRIPT, connections=2)
    kept, read_on = await way.send(get("/stream")), await way.send(get("/stream"))
    assert read_on.body is not None
    assert await anext(read_on.body) == b"first"
    reading = asyncio.ensure_future(read(read_on.body))
    await some_turns()
    assert await read((await way.send(get("/echo", method="POST"))).body) == b""
    with pytest.raises(NetworkError, match="Response closed due to connection limit"):
        await read(kept.body)
    # Whoever is being read goes on.
    edge.release.set()
    assert await reading == b"second"
    way.close()
    assert way.statistics() == {"open": 0, "idle": 0, "waiting": 0}


async def test_a_caller_that_gives_up_leaves_nothing_behind(edge: FakeEdge, way: Egress) -> None:
    asking = asyncio.ensure_future(way.send(get("/silent")))
    await edge.was_asked("/silent")
    asking.cancel()
    await asyncio.wait([asking], timeout=30)
    assert way.statistics() == {"open": 0, "idle": 0, "waiting": 0}


async def test_an_edge_that_is_not_there_is_a_network_error() -> None:
    way = Egress("/nowhere/at/all.sock", SCRIPT)
    with pytest.raises(NetworkError, match="The edge cannot be reached: No such file"):
        await way.send(get("/echo"))
    assert way.statistics() == {"open": 0, "idle": 0, "waiting": 0}


async def test_an_upstream_is_parked_until_it_is_taken_or_time_is_up(
    edge: FakeEdge, way: Egress, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = await way.send(
        get("/upgrade", is_upgrade=True, headers=[(b"Upgrade", b"websocket"), (b"Connection", b"Upgrade")])
    )
    assert (answer.status, edge.last.egress.park) == (101, True)
    assert answer.parked is not None
    assert (answer.parked.token, answer.parked.protocol, answer.parked.extensions) == (TOKEN, "chat", "")
    assert not [name for name, _ in answer.headers if name.lower().startswith(b"holdfast")]
    assert way.statistics()["open"] == 0
    answer.parked.close()
    assert await edge.ended.get() == "/upgrade"
    monkeypatch.setattr("holdfast.workers.runtime.egress_answer.PARKED_S", 0.01)
    again = await way.send(
        get("/upgrade", is_upgrade=True, headers=[(b"Upgrade", b"websocket"), (b"Connection", b"Upgrade")])
    )
    assert isinstance(again.parked, Parked)
    assert await edge.ended.get() == "/upgrade"


async def test_a_101_that_does_not_say_where_the_upstream_is_fails(way: Egress) -> None:
    with pytest.raises(NetworkError, match="did not say where"):
        await way.send(
            get("/upgrade-untold", is_upgrade=True, headers=[(b"Upgrade", b"websocket"), (b"Connection", b"Upgrade")])
        )


async def test_the_edges_silence_has_a_limit(way: Egress, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdfast.workers.runtime.egress_wire.ANSWER_TIMEOUT_S", 0.01)
    with pytest.raises(TimedOut, match="Nothing was received in time"):
        await way.send(get("/silent"))


async def test_what_runs_now_asks_behind_its_objects_writes_and_within_its_places(edge: FakeEdge) -> None:
    way = module.configure(edge.path, SCRIPT)
    order: list[str] = []

    class Gate:
        async def confirmed(self) -> None:
            order.append(f"confirmed before {len(edge.asked)}")

    invocation = context.Invocation(
        None, lambda _: None, RequestContext(ray="ray-1", script=SCRIPT), asyncio.Semaphore(1)
    )
    tokens = context.running.set(invocation), current.CURRENT.set(Gate())  # type: ignore[arg-type]  # what is asked of it
    try:
        await read((await module.send(get("/echo"))).body)
        waiting = [asyncio.ensure_future(module.send(get("/silent"))) for _ in range(2)]
        await edge.was_asked("/silent")
        await some_turns()
        assert len([asked for asked in edge.asked if asked.path == "/silent"]) == 1
        edge.release.set()
        for answer in await asyncio.gather(*waiting):
            await read(answer.body)
    finally:
        context.running.reset(tokens[0])
        current.CURRENT.reset(tokens[1])
    assert (order[0], edge.last.egress.ray) == ("confirmed before 0", "ray-1")
    await read((await module.send(get("/echo"))).body)
    assert edge.last.egress.ray == ""
    way.close()


async def test_a_process_without_a_way_out_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module._Way, "egress", None)
    with pytest.raises(NetworkError, match="no way out"):
        await module.send(get("/echo"))
