"""While edges and processes of scripts are replaced, who opens a WebSocket by way of a Worker gets it."""

import threading
from collections import Counter

import pytest

from tests.integration import wire
from tests.integration.frames import TEXT, Frame
from tests.integration.origin import Origin
from tests.integration.releasing import released
from tests.integration.waiting import LIMIT_S, Changes
from tests.integration.wire import Address
from tests.integration.worker_up import ServedWorker, worker_up

# What is opened by each client before a release, and behind it.
ROUNDS = 20
RELEASES = 3

CODE = """
from js import WebSocketPair
from workers import DurableObject, Response, WorkerEntrypoint, fetch

class Room(DurableObject):
    async def fetch(self, request):
        client, server = WebSocketPair.new().object_values()
        self.ctx.acceptWebSocket(server)
        return Response(None, status=101, web_socket=client)

    async def webSocketMessage(self, ws, message):
        ws.send(message)

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        port = request.url.rpartition("/")[2]
        if port == "room":
            return await self.env.ROOM.getByName("lobby").fetch(request)
        return await fetch(f"http://127.0.0.1:{port}/echo", headers=request.headers)
"""


class Opener:
    """A client that opens one WebSocket after the other, and says one thing on each. `seen` counts what came of them."""

    def __init__(self, address: Address, path: str, changes: Changes) -> None:
        self.seen: Counter[str] = Counter()
        self._address, self._path, self._changes = address, path, changes
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._ends.is_set():
            try:
                what = self._open()
            except (OSError, wire.EndedError) as error:
                what = repr(error)
            self.seen[what] += 1
            self._changes.announce()

    def _open(self) -> str:
        with wire.connect(self._address) as client:
            client.send(wire.upgrade(self._path))
            answer = client.read_answer()
            if answer.status != 101:
                return f"{answer.status}: {client.read_body(answer)!r}"
            client.send_frame(Frame(TEXT, b"hello"))
            return client.read_message().decode()

    def end(self) -> None:
        self._ends.set()
        self._thread.join(LIMIT_S)


@pytest.mark.timeout(300)
def test_releases_refuse_nobody_who_comes_by_way_of_a_worker(origin: Origin) -> None:
    changes = Changes()
    with worker_up(code=CODE) as served:
        address = of(served)
        paths = (f"/{origin.address[1]}", f"/{origin.address[1]}", "/room")
        openers = [Opener(address, path, changes) for path in paths]
        try:
            for _ in range(RELEASES):
                opened_more(openers, changes)
                released(served.data)
            opened_more(openers, changes)
        finally:
            for opener in openers:
                opener.end()
    assert [set(opener.seen) for opener in openers] == [{"hello"}] * len(paths)


def of(served: ServedWorker) -> Address:
    host, _, port = served.address.rpartition(":")
    return host, int(port)


def opened_more(openers: list[Opener], changes: Changes) -> None:
    """Wait until each has opened some more."""
    before = [opener.seen.total() for opener in openers]

    def look() -> bool:
        return all(opener.seen.total() >= was + ROUNDS for opener, was in zip(openers, before, strict=True))

    changes.until(look, what="more WebSockets to open", limit_s=6 * LIMIT_S)
