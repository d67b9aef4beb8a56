"""Probes of bindings of another script: SERVICE_PROBES of twin_services.js."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from twin_words import Lines, shown
from workers import Request

KINDS = ("Error", "TypeError", "RangeError", "SyntaxError", "Mine")


async def seen(answer: Any) -> list[Any]:
    """What there is to an answer."""
    return [answer.status, await answer.text(), answer.headers.get("X-Answer")]


async def caught(call: Callable[[], Any]) -> list[Any] | None:
    """What there is to an error: its class has the name that it had there, as it does in JavaScript."""
    try:
        await call()
    except Exception as error:  # noqa: BLE001 (any error is what is compared)
        name = getattr(error, "name", type(error).__name__)
        return [
            *("Error" if name == "Exception" else name, getattr(error, "message", str(error))),
            *(getattr(error, "remote", False), getattr(error, "custom", None)),
            *(isinstance(error, TypeError), isinstance(error, ValueError) and name == "RangeError"),
        ]
    return None


def url(what: str) -> str:
    """Of the service."""
    return f"http://store.example/by/{what}"


async def services(env: Any, name: str, lines: Lines, base: str) -> None:
    """Requests and methods of a service."""
    store = env.STORE

    async def asked(*given: Any, **more: Any) -> list[Any]:
        return await seen(await store.fetch(*given, **more))

    async def moved() -> str | None:
        answer = await store.fetch(url("moved"), redirect="manual")
        location: str | None = answer.headers.get("Location")
        return location

    async def set_of() -> list[Any]:
        return [*await store.give({1})]

    async def of_admin() -> str:
        text: str = await (await env.ADMIN.fetch(url("x"))).text()
        return text

    headers = {"X-Word": "word"}
    await lines.tries("get", lambda: asked(url("got?x=1")))
    await lines.tries("post", lambda: asked(url("posted"), method="POST", body="größer", headers=headers))
    await lines.tries("a Request", lambda: asked(Request(url("made"), method="PUT", body="b")))
    await lines.tries("throws", lambda: asked(url("throws")))
    await lines.tries("refused", lambda: asked(url("refused")))
    await lines.tries("moved", moved)
    await lines.tries("add", lambda: store.add(1, 2))
    await lines.tries("a getter", lambda: store.limit)
    await lines.tries("unknown method", lambda: store.nope())
    await lines.tries("nothing", lambda: store.giveNothing())
    date = datetime.fromtimestamp(1, UTC)
    for value in (None, True, 1.5, "größer", [1, [2]], {"a": {"b": None}}, b"\x01\x02", date):
        await lines.tries(f"give {shown(value)}", lambda value=value: store.give(value))
    await lines.tries("a set", set_of)
    await lines.tries("Admin", lambda: env.ADMIN.who())
    await lines.tries("fetch of Admin", of_admin)
    await lines.tries("what Admin has not", lambda: env.ADMIN.add(1, 2))


async def functions(env: Any, name: str, lines: Lines, base: str) -> None:
    """Functions that go to another script and come from it."""
    store = env.STORE
    told: list[int] = []

    def tenfold(number: int) -> int:
        told.append(number)
        return number * 10

    async def given() -> Any:
        return await (await store.adder(5))(2)

    def throws() -> None:
        raise TypeError("of a callback")

    async def waits(number: int) -> int:
        await asyncio.sleep(0.002)
        return number + 1

    await lines.tries("called back", lambda: store.each(3, {"to": [tenfold]}))
    await lines.tries("what it was told", lambda: told)
    await lines.tries("a function given", given)
    await lines.tries("one that throws", lambda: store.failing(throws))
    await lines.tries("one that waits", lambda: store.each(2, {"to": [waits]}))


async def errors(env: Any, name: str, lines: Lines, base: str) -> None:
    """Errors of each kind, of a service and of an object."""
    shelf = env.SHELF.getByName(name)
    for kind in KINDS:
        await lines.tries(f"service {kind}", lambda kind=kind: caught(lambda: env.STORE.fail(kind)))
        await lines.tries(f"object {kind}", lambda kind=kind: caught(lambda: shelf.fail(kind)))


async def shelves(env: Any, name: str, lines: Lines, base: str) -> None:
    """Objects of another script."""
    shelf = env.SHELF.getByName(name)

    async def identity() -> list[bool]:
        digits, called = await shelf.identity()
        return [digits == str(env.SHELF.idFromName(name)), called == name]

    async def unique() -> list[Any]:
        one = env.SHELF.newUniqueId()
        return [(await env.SHELF.get(one).identity())[0] == str(one), await env.SHELF.get(one).increment()]

    async def asked(what: str, **more: Any) -> list[Any]:
        return await seen(await shelf.fetch(f"http://shelf.example/shelf/{name}/{what}", **more))

    await lines.tries("increment", lambda: shelf.increment())
    await lines.tries("again", lambda: env.SHELF.getByName(name).increment())
    await lines.tries("identity", identity)
    await lines.tries("id of a", lambda: str(env.SHELF.idFromName("a")))
    await lines.tries("its id for another class", lambda: env.ROOM.idFromString(str(env.SHELF.idFromName("a"))))
    await lines.tries("a unique id", unique)
    await lines.tries("unknown method", lambda: shelf.nope())
    await lines.tries("webSocketMessage", lambda: shelf.webSocketMessage())
    await lines.tries("get", lambda: asked("got"))
    await lines.tries("post", lambda: asked("got", method="POST", body="body"))
    await lines.tries("throws", lambda: asked("throws"))
    await lines.tries("abort", lambda: shelf.abandon())
    await lines.tries("a new stub", lambda: env.SHELF.getByName(name).increment())


async def circles(env: Any, name: str, lines: Lines, base: str) -> None:
    """Objects that call each other, and themselves, before they have answered."""

    async def four() -> list[int]:
        return list(await asyncio.gather(*(env.ROOM.getByName("circle").circle(n) for n in (1, 2, 3, 4))))

    await lines.tries("of one script", lambda: env.ROOM.getByName(f"{name} 1").ring(f"{name} 2", 8))
    await lines.tries("of itself", lambda: env.ROOM.getByName(name).ring(name, 4))
    await lines.tries("of two scripts", lambda: env.ROOM.getByName("circle").circle(8))
    await lines.tries("four at once", four)
    await lines.tries("while it blocks", lambda: env.ROOM.getByName(name).ringBlocked(f"{name} 2"))


async def inside(env: Any, name: str, lines: Lines, base: str) -> None:
    """Sockets whose other end is in the other script, and no client's."""
    for label, fetcher in (("service", env.STORE), ("object", env.SHELF.getByName(name))):
        where, headers = f"http://inside.example/shelf/{name}", {"Upgrade": "websocket"}
        answer = await fetcher.fetch(f"{where}/inside", headers=headers)
        socket = answer.web_socket
        closed: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        socket.accept()
        socket.binaryType = "arraybuffer"
        socket.addEventListener(
            "message", lambda event, label=label: lines.append(f"{label}: message {shown(event.data)}")
        )
        socket.addEventListener("close", closed.set_result)
        socket.send("through")
        socket.send(b"\x01\x02")
        await asyncio.sleep(0.1)
        socket.send("!close")
        event = await closed
        seen = f"{event.code} {event.reason} {shown(event.wasClean)}"
        lines.append(f"{label}: close {seen} state {socket.readyState}")
        refused = await fetcher.fetch(f"{where}/refused", headers=headers)
        lines.append(f"{label}: {refused.status} {shown(refused.web_socket is None)} {await refused.text()}")


SERVICE_PROBES = {
    "services": services,
    "functions": functions,
    "errors": errors,
    "shelves": shelves,
    "circles": circles,
    "a socket of a neighbour": inside,
}
