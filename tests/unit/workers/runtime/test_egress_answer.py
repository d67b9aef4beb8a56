"""Answers and parked upstreams, over a connection that is played. Over a real one: `test_egress.py`."""

import gc
from typing import Any, cast

import pytest

from holdfast.workers.runtime.egress_answer import AnswerBody, Parked, Unread
from holdfast.workers.runtime.egress_wire import Connection
from holdfast.workers.sdk.errors import NetworkError


class Played:
    """A connection that has these chunks to read; an error among them is raised, and behind them is the end."""

    def __init__(self, *chunks: bytes | Exception) -> None:
        self.chunks = list(chunks)
        self.is_aborted = False

    async def more(self) -> bytes | None:
        found = self.chunks.pop(0) if self.chunks else None
        if isinstance(found, Exception):
            raise found
        return found

    def abort(self) -> None:
        self.is_aborted = True


class Lending:
    """Who has the connections; what is done with them is written down."""

    def __init__(self) -> None:
        self.unread = Unread()
        self.told: list[str] = []

    def give_back(self, _: Connection) -> None:
        self.told.append("back")

    def drop(self, _: Connection) -> None:
        self.told.append("dropped")

    def forget(self, _: Connection) -> None:
        self.told.append("forgotten")

    def answer(self, *chunks: bytes | Exception) -> AnswerBody:
        return AnswerBody(cast("Connection", Played(*chunks)), self)


async def test_a_body_that_was_read_gives_its_connection_back_once() -> None:
    lending = Lending()
    body = lending.answer(b"a", b"b")
    assert [chunk async for chunk in body] == [b"a", b"b"]
    assert [chunk async for chunk in body] == []
    body.close()
    del body
    assert (lending.told, lending.unread.oldest()) == (["back"], None)


async def test_a_body_that_breaks_off_drops_its_connection() -> None:
    lending = Lending()
    body = lending.answer(b"a", NetworkError("gone"))
    assert await anext(body) == b"a"
    with pytest.raises(NetworkError, match="gone"):
        await anext(body)
    assert (lending.told, lending.unread.oldest()) == (["dropped"], None)


def test_a_body_that_nobody_has_any_more_is_forgotten() -> None:
    lending = Lending()
    body = lending.answer(b"a")
    assert lending.unread.oldest() is body
    del body
    gc.collect()
    assert (lending.told, lending.unread.oldest()) == (["forgotten"], None)


async def test_the_one_that_was_left_alone_longest_is_given_up_and_whoever_reads_on_is_told() -> None:
    lending = Lending()
    first, second = lending.answer(b"a", b"b"), lending.answer(b"c")
    assert await anext(first) == b"a"
    assert lending.unread.oldest() is second
    second.give_up()
    assert (lending.told, lending.unread.oldest()) == (["dropped"], first)
    with pytest.raises(NetworkError, match="Response closed due to connection limit"):
        await anext(second)


async def test_a_parked_upstream_keeps_what_is_the_clients_and_goes_with_its_connection() -> None:
    connection = Played()
    given = [(b"Holdfast-Parked", b"token"), (b"Sec-WebSocket-Protocol", b"chat"), (b"holdfast-other", b"x")]
    parked = Parked.of(given, cast("Connection", connection))
    assert (parked.token, parked.headers) == ("token", [(b"Sec-WebSocket-Protocol", b"chat")])
    assert (parked.protocol, parked.extensions, connection.is_aborted) == ("chat", "", False)
    parked.close()
    assert connection.is_aborted


def test_a_101_that_does_not_say_where_the_upstream_is_fails() -> None:
    connection: Any = Played()
    with pytest.raises(NetworkError, match="did not say where"):
        Parked.of([(b"Upgrade", b"websocket")], connection)
    assert connection.is_aborted
