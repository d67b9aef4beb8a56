"""Clients who take their time to ask: the head has 10 s, and a slow one costs nobody else anything (slowloris)."""

import time
from contextlib import ExitStack

import pytest

from tests.integration import wire
from tests.integration.edge import Edge
from tests.integration.origin import Origin
from tests.integration.waiting import LIMIT_S

HEAD_LIMIT_S = 10.0


@pytest.mark.slow
@pytest.mark.parametrize(
    "start", [b"GET /dump HTTP/1.1\r\nHost: example.test\r\nX-A: %s", b"GET /dump?%s", b"POST /dump?%s HTTP/1.1\r\n"]
)
def test_a_head_that_is_not_complete_in_ten_seconds_is_408(
    edge: Edge, origin: Origin, token: str, start: bytes
) -> None:
    """A byte now and then must not prolong it."""
    with wire.connect(edge.plain) as client:
        began = time.monotonic()
        client.send(start % token.encode())
        client.sock.settimeout(2.5)
        while not client.held:
            assert time.monotonic() - began < 4 * HEAD_LIMIT_S, "no answer"
            try:
                client.read_some()
            except TimeoutError:
                client.send(b"a")
        client.sock.settimeout(LIMIT_S)
        answer = client.read_answer()
        assert answer.status == 408
        assert "close" in answer.value("Connection").lower()
        client.read_body(answer)
        assert client.read_to_end() == b""
        assert time.monotonic() - began > HEAD_LIMIT_S - 1
    assert not origin.received_anywhere(token.encode())


@pytest.mark.slow
def test_two_hundred_slow_heads_hold_up_nobody(edge: Edge) -> None:
    before = edge.anonymous_bytes()
    with ExitStack() as stack:
        slow = [stack.enter_context(wire.connect(edge.plain)) for _ in range(200)]
        for client in slow:
            client.send(b"GET /dump HTTP/1.1\r\nHost: example.test\r\nX-Big: " + b"a" * 8000)
        with wire.websocket(edge.plain, "/echo"):
            pass
        assert edge.anonymous_bytes() - before < 200 * 64 * 1024
        for client in slow:
            client.sock.settimeout(4 * HEAD_LIMIT_S)
            assert client.read_answer().status == 408


def test_a_connection_that_never_speaks_is_closed_without_a_word_or_kept(edge: Edge) -> None:
    """An idle keep-alive connection may stay (400 s); ending our side first must end it at once."""
    with wire.connect(edge.plain) as client:
        client.end()
        assert client.read_to_end() == b""
