"""A rate limiter in front of an origin: a Durable Object for each client says whether it may open one more WebSocket.

    GET /limiter/       the page
    GET /limiter/left   what the client that asks may still open: {"left": N, "wait_ms": M}
    anything else       is the origin's; an upgrade only if something is left, else 429 with Retry-After

A WebSocket that may be opened is passed on: `return await fetch(request)` has the edge join both sides, and this code is out of the way.
"""

import math
import time
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, TypedDict
from urllib.parse import urlsplit

from workers import DurableObject, Request, Response, WorkerEntrypoint, fetch
from workers.entrypoints import DurableObjectContext, Env

PAGE = Path(__file__).with_name("index.html").read_text(encoding="utf-8")
HTML = {"Content-Type": "text/html; charset=utf-8"}

# A bucket of so many, of which one comes back each second. A client that was silent for 10 s has all of them: an object sleeps after 10 s, so
# what it forgets is worth nothing, and nothing has to be stored.
CAPACITY = 10
BACK_PER_S = 1.0


class Verdict(TypedDict):
    """What is left, and how long until there is one more than nothing."""

    may: bool
    left: int
    wait_ms: int


class Client(DurableObject):
    """The bucket of one client. Its methods are called by stubs; each runs alone, so nothing is counted twice."""

    def __init__(self, ctx: DurableObjectContext, env: Env) -> None:
        super().__init__(ctx, env)
        self.level, self.at = float(CAPACITY), time.monotonic()

    def take(self) -> Verdict:
        """Take one, if there is one."""
        return self.verdict(wanted=1)

    def look(self) -> Verdict:
        """Take none."""
        return self.verdict(wanted=0)

    def verdict(self, *, wanted: int) -> Verdict:
        """Refill for the time that has gone by, and take."""
        now = time.monotonic()
        self.level, self.at = min(self.level + (now - self.at) * BACK_PER_S, CAPACITY), now
        may = self.level >= wanted
        self.level -= wanted if may else 0
        wait_s = max(1 - self.level, 0) / BACK_PER_S
        return Verdict(may=may, left=int(self.level), wait_ms=math.ceil(wait_s * 1000))


class Default(WorkerEntrypoint):
    """In front of the origin."""

    async def fetch(self, request: Request) -> Response:
        path = urlsplit(request.url).path
        if path == "/limiter/":
            return Response(PAGE, headers=HTML)
        client = self.env.CLIENTS.getByName(client_of(request.headers["CF-Connecting-IP"]))
        if path == "/limiter/left":
            return Response.from_json(await client.look(), headers={"Cache-Control": "no-store"})
        if (request.headers.get("Upgrade") or "").lower() == "websocket":
            verdict = await taken(client)
            if not verdict["may"]:
                wait_s = str(math.ceil(verdict["wait_ms"] / 1000))
                return Response("Too many WebSockets. Try again later.\n", status=429, headers={"Retry-After": wait_s})
        return await fetch(request)


async def taken(client: Any) -> Verdict:
    """One of the client's, or none. Its object refuses more calls than it can answer: that is one more way of having too many."""
    try:
        verdict: Verdict = await client.take()
    except Exception as error:
        if not getattr(error, "overloaded", False):
            raise
        return Verdict(may=False, left=0, wait_ms=1000)
    return verdict


def client_of(address: str) -> str:
    """Who is counted as one: an IPv4 address, or the 64 bits of an IPv6 one that a single customer is given."""
    parsed = ip_address(address)
    return str(parsed if parsed.version == 4 else ip_network((parsed, 64), strict=False))
