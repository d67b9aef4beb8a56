"""A script's process ends in the midst of what it writes: what is written together is there together, or not at all.

An object has ACCOUNTS amounts and moves some between all of them, in each of the ways in which an object can write more than one thing. It keeps
how often each move was made beside the amounts.
"""

import asyncio
import json

import pytest
from websockets.asyncio.client import connect

from tests.integration.waiting import PATIENT
from tests.integration.worker_up import ServedWorker, worker_up

LIMIT_S = 60.0
ACCOUNTS, EACH = 24, 1_000
WAYS = ("transaction", "transactionSync", "rows", "turn")

CODE = """
import asyncio, json, os
from js import WebSocketPair
from workers import DurableObject, Response, WorkerEntrypoint

ACCOUNTS, EACH = @ACCOUNTS@, @EACH@

class Room(DurableObject):
    def __init__(self, ctx, env):
        super().__init__(ctx, env)
        self.storage, self.kv, self.sql = ctx.storage, ctx.storage.kv, ctx.storage.sql
        self.sql.exec("CREATE TABLE IF NOT EXISTS account (number INTEGER PRIMARY KEY, amount INTEGER)")
        self.sql.exec("CREATE TABLE IF NOT EXISTS made (name TEXT PRIMARY KEY, times INTEGER)")
        if self.kv.get("is there") is None:
            for number in range(ACCOUNTS):
                self.kv.put(f"account {number}", EACH)
                self.sql.exec("INSERT INTO account VALUES (?, ?)", number, EACH)
            self.kv.put("is there", True)

    async def fetch(self, request):
        way = request.url.rpartition("/")[2]
        if request.headers.get("Upgrade") is None:
            return Response.json(self.books(way))
        client, server = WebSocketPair.new()
        self.ctx.acceptWebSocket(server, [way])
        return Response(None, status=101, web_socket=client)

    def books(self, way):
        if way == "rows":
            amounts = [row["amount"] for row in self.sql.exec("SELECT amount FROM account")]
            made = {row["name"]: row["times"] for row in self.sql.exec("SELECT * FROM made")}
        else:
            amounts = [self.kv.get(f"account {number}") for number in range(ACCOUNTS)]
            made = {key.removeprefix("made "): times for key, times in self.kv.list(prefix="made ")}
        return {"amounts": amounts, "made": made}

    async def webSocketMessage(self, ws, message):
        name, amount, dies_at = json.loads(message)
        await getattr(self, self.ctx.getTags(ws)[0])(name, amount, dies_at)
        ws.send(name)

    async def transaction(self, name, amount, dies_at):
        async def move(txn):
            for number in range(ACCOUNTS):
                had = await txn.get(f"account {number}")
                await asyncio.sleep(0)
                await txn.put(f"account {number}", had + signed(number, amount))
                die(number, dies_at)
            await txn.put(f"made {name}", (await txn.get(f"made {name}") or 0) + 1)
        await self.storage.transaction(move)

    async def transactionSync(self, name, amount, dies_at):
        self.storage.transactionSync(lambda: self.put(name, amount, dies_at))

    async def turn(self, name, amount, dies_at):
        self.put(name, amount, dies_at)

    def put(self, name, amount, dies_at):
        for number in range(ACCOUNTS):
            self.kv.put(f"account {number}", self.kv.get(f"account {number}") + signed(number, amount))
            die(number, dies_at)
        self.kv.put(f"made {name}", (self.kv.get(f"made {name}") or 0) + 1)

    async def rows(self, name, amount, dies_at):
        for number in range(ACCOUNTS):
            change = signed(number, amount)
            self.sql.exec("UPDATE account SET amount = amount + ? WHERE number = ?", change, number)
            die(number, dies_at)
        self.sql.exec("INSERT INTO made VALUES (?, 1) ON CONFLICT DO UPDATE SET times = times + 1", name)

def signed(number, amount):
    return amount if number % 2 else -amount

def die(number, dies_at):
    if number == dies_at:
        os._exit(1)

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return await self.env.ROOM.getByName(request.url.rpartition("/")[2]).fetch(request)
""".replace("@ACCOUNTS@", str(ACCOUNTS)).replace("@EACH@", str(EACH))


def check_books(served: ServedWorker, way: str) -> list[str]:
    """Which moves were made. Each of them whole, and once."""
    books = served.get(f"/{way}").json()
    amounts, made = books["amounts"], books["made"]
    assert len(amounts) == ACCOUNTS
    assert sum(amounts) == ACCOUNTS * EACH, f"{way}: {amounts}"
    # Each move takes the same from one half as it gives to the other.
    assert len(set(amounts[::2])) == len(set(amounts[1::2])) == 1, f"{way}: {amounts}"
    assert set(made.values()) <= {1}, f"{way}: made more than once: {made}"
    return list(made)


async def die_halfway(served: ServedWorker, way: str) -> None:
    """Move, by a handler that ends its process; then by one that does not."""
    async with connect(f"ws://{served.address}/{way}", ping_interval=None, **PATIENT) as socket:
        await socket.send(json.dumps([f"{way} dies", 5, ACCOUNTS // 2]))
        await socket.send(json.dumps([f"{way} lives", 5, None]))
        async with asyncio.timeout(LIMIT_S):
            assert await socket.recv() == f"{way} lives"
    assert check_books(served, way) == [f"{way} lives"]


@pytest.mark.parametrize("way", WAYS)
def test_a_handler_that_ends_its_process_between_two_writes_has_written_neither(way: str) -> None:
    # One of its own: who crashes often is started again later and later.
    with worker_up(code=CODE) as served:
        asyncio.run(die_halfway(served, way))
