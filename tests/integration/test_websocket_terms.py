"""How long WebSockets of a zone live and how much passes, as its settings say, at a real edge: what the client sees of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast.model.websocket_documents import DirectionRates, MessageRuleDocument, RateLimits
from holdfast.model.zone_document import ZoneDocument
from tests.integration import wire
from tests.integration.certificates import Authority, Pair
from tests.integration.frames import CLOSE, PING, TEXT, Frame, close
from tests.integration.zone_parts import ORIGIN_IP, Bench, ZoneEdge, bench
from tests.unit.edge.origins import a_document, a_record

HOST = "chat.example.com"


@pytest.fixture
def own(authority: Authority) -> Pair:
    return authority.issue("own.test", common_name="own")


@pytest.fixture
def parts(tmp_path: Path, own: Pair) -> Iterator[Bench]:
    with bench(tmp_path, own) as everything:
        yield everything


@pytest.fixture
def edge(parts: Bench) -> ZoneEdge:
    running = parts.start_edge()
    parts.control.welcome()
    return running


def zone(**settings: Any) -> ZoneDocument:
    return a_document("example.com", a_record("*.example.com", ORIGIN_IP), **settings)


def test_a_message_that_is_too_long_ends_those_that_open_after_it(parts: Bench, edge: ZoneEdge) -> None:
    parts.control.full(zone())
    with wire.websocket(parts.plain, "/echo", name=HOST) as (client, _):
        parts.control.delta(zone(websocket_max_message_bytes=10))
        client.send_frame(Frame(TEXT, b"x" * 100))
        assert client.read_message() == b"x" * 100
    with wire.websocket(parts.plain, "/echo", name=HOST) as (client, _):
        client.send_frame(Frame(TEXT, b"x" * 100))
        ended = client.read_close()
    assert (ended.close_code, ended.close_reason.partition(":")[0]) == (1009, "message_too_big")


def test_a_silent_client_is_asked_and_one_that_does_not_answer_is_gone(parts: Bench, edge: ZoneEdge) -> None:
    parts.control.full(zone(websocket_keepalive_interval=1, websocket_keepalive_misses=1))
    with wire.websocket(parts.plain, "/echo", name=HOST) as (client, _):
        assert client.read_frame().opcode == PING
        ended = client.read_to_end()
    # It may be told, as it may be there after all.
    assert ended == b"" or b"client_unresponsive" in ended


def test_nothing_that_passes_and_too_long_a_life_end_with_a_reason(parts: Bench, edge: ZoneEdge) -> None:
    for setting in ("idle_timeout", "max_age"):
        parts.control.full(zone(**{f"websocket_{setting}": 1}))
        with wire.websocket(parts.plain, "/echo", name=HOST) as (client, _):
            ended = client.read_close()
        assert (ended.close_code, ended.close_reason.partition(":")[0]) == (1001, setting)


@pytest.mark.parametrize("action", ["throttle", "close"])
def test_what_is_sent_too_fast_waits_or_ends_it(parts: Bench, edge: ZoneEdge, action: Any) -> None:
    rates = RateLimits(to_origin=DirectionRates(messages_per_second=5), action=action)
    parts.control.full(zone(websocket_rate_limits=rates))
    with wire.websocket(parts.plain, "/echo", name=HOST) as (client, _):
        client.send(b"".join(Frame(TEXT, b"%d" % number).from_client().encode() for number in range(8)))
        frames: list[Frame] = []
        while len(frames) < 8 and (not frames or frames[-1].opcode != CLOSE):
            frames.append(client.read_frame())
    if action == "throttle":
        assert [frame.payload for frame in frames] == [b"%d" % number for number in range(8)]
    else:
        assert (frames[-1].close_code, frames[-1].close_reason.partition(":")[0]) == (1008, "rate_exceeded")


@pytest.mark.parametrize(("action", "echoed"), [("close", []), ("drop", ["too"]), ("log", ["a badword", "too"])])
def test_a_message_that_breaks_a_rule_is_closed_on_dropped_or_logged(
    parts: Bench, edge: ZoneEdge, action: Any, echoed: list[str]
) -> None:
    parts.control.full(
        zone(websocket_message_rules=(MessageRuleDocument(id="a" * 32, pattern="bad.*d", action=action),))
    )
    with wire.websocket(parts.plain, "/echo", name=HOST) as (client, _):
        client.send_frame(Frame(TEXT, b"fine"))
        # Nothing that is under way passes once the edge closes.
        assert client.read_message() == b"fine"
        for text in (b"a badword", b"too"):
            client.send_frame(Frame(TEXT, text))
        client.send_frame(close(1000))
        frames = [client.read_frame()]
        while frames[-1].opcode != CLOSE:
            frames.append(client.read_frame())
    assert [frame.payload.decode() for frame in frames[:-1]] == echoed
    ended = frames[-1]
    if action == "close":
        assert (ended.close_code, ended.close_reason) == (1008, f"message_rule: a message breaks the rule {'a' * 32}")
    else:
        assert ended.close_code == 1000
