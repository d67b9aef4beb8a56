"""Rules on messages, held over real sockets: `websockets` and npm `ws` on both ends, and bytes that neither would send."""

import json
import os
import random
import subprocess
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from holdfast._native import MessageRule, Origin, TunnelOptions
from holdfast.edge.decision import Forward, Respond
from tests.integration import wire
from tests.integration.frames import BINARY, CLOSE, CONTINUATION, PING, TEXT, Frame, close
from tests.integration.in_process import Running, of, running
from tests.integration.origin import Origin as FakeOrigin
from tests.integration.test_clients import ORIGINS
from tests.integration.waiting import PATIENT, poll
from tests.integration.wire import Wire

HERE = Path(__file__).parent
RULES = (
    MessageRule(id="noted", direction="both", action="log", pattern="noted"),
    MessageRule(id="dropped", direction="both", action="drop", pattern="secret"),
    MessageRule(id="closed", direction="to_origin", action="close", pattern="(?i)attack"),
)
SCHEMA = {
    "type": "object",
    "required": ["id"],
    "properties": {"id": {"type": "integer"}},
    "additionalProperties": False,
}
# Enough of one kind that a shared window would show: each is nearly the one before it.
SAID = [f"a message of many, and nearly the same as the others: {number}" for number in range(50)]


def guarded(origin: Origin, *rules: MessageRule, **terms: Any) -> Forward:
    return Forward(origin=origin, zone="one", tunnel=TunnelOptions(message_rules=rules, **terms))


@contextmanager
def guarding(fake: FakeOrigin, *rules: MessageRule, **terms: Any) -> Iterator[Running]:
    decision = guarded(of(fake), *rules, **terms)
    with running(lambda _: decision, lambda fault: Respond(status=fault.status, body=fault.reason.encode())) as edge:
        yield edge


@pytest.fixture(scope="module", params=ORIGINS)
def edge(request: pytest.FixtureRequest) -> Iterator[Running]:
    """An edge in front of an echo server of each kind, both of which compress where they may."""
    with ORIGINS[request.param](None) as url:
        port = int(url.rpartition(":")[2])
        decision = guarded(Origin(label="echo", scheme="http", host="127.0.0.1", port=port), *RULES)
        with running(lambda _: decision) as edge:
            yield edge


def conversation(edge: Running, compression: str | None) -> ClientConnection:
    url = f"ws://127.0.0.1:{edge.address[1]}/"
    return connect(url, compression=compression, max_size=None, subprotocols=["second"], **PATIENT)  # type: ignore[list-item]


def refusal(client: ClientConnection) -> tuple[int, str]:
    """The Close that comes instead of a message."""
    with pytest.raises(ConnectionClosed) as told:
        client.recv(timeout=30)
    assert told.value.rcvd is not None
    return told.value.rcvd.code, told.value.rcvd.reason


# --- Other people's libraries ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("compression", ["deflate", None])
def test_what_is_dropped_is_missed_by_nothing_after_it(edge: Running, compression: str | None) -> None:
    with conversation(edge, compression) as client:
        assert [one.name for one in client.protocol.extensions] == (["permessage-deflate"] if compression else [])
        for said in SAID:
            client.send(said + " secret")
            client.send(said)
            client.send(said.encode() + b" secret")
            assert client.recv(timeout=30) == said
            assert client.recv(timeout=30) == said.encode() + b" secret"


@pytest.mark.parametrize("compression", ["deflate", None])
def test_a_fragmented_message_is_looked_at_whole(edge: Running, compression: str | None) -> None:
    with conversation(edge, compression) as client:
        client.send(["a se", "cr", "et"])
        client.send(["gr\u00fc", "\u00dfe ", "\U0001f30a"])
        assert client.recv(timeout=30) == "gr\u00fc\u00dfe \U0001f30a"
        assert client.ping("between").wait(30)
        client.send(["at", "ta", "CK"])
        assert refusal(client) == (1008, "message_rule: a message breaks the rule closed")


def test_large_messages_pass_and_larger_ones_are_too_big(edge: Running) -> None:
    with conversation(edge, "deflate") as client:
        for message in ("x" * 1_000_000, "\u00fc" * 500_000, os.urandom(300_000).hex(), os.urandom(2_000_000)):
            client.send(message)
            assert client.recv(timeout=30) == message
        client.send("x" * (1024 * 1024 + 1))
        assert refusal(client)[0] == 1009


def test_npm_ws_converses_under_rules(edge: Running) -> None:
    def say(last: str, *messages: str) -> dict[str, Any]:
        url = f"ws://127.0.0.1:{edge.address[1]}/"
        command = ["node", str(HERE / "ws_messages.mjs"), url, last, *messages]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=40, check=True)
        said: dict[str, Any] = json.loads(ended.stdout)
        return said

    mixed = [one for said in SAID for one in (said + " secret", said)]
    said = say(SAID[-1], *mixed)
    assert said["received"] == SAID
    assert said["extensions"] == "permessage-deflate"
    assert (said["code"], said["reason"]) == (1000, "")
    said = say("never", "one", "an Attack", "two")
    # What came before may be on its way back still when the edge closes.
    assert said["received"] in ([], ["one"])
    assert (said["code"], said["reason"]) == (1008, "message_rule: a message breaks the rule closed")


# --- What goes over the wire ----------------------------------------------------------------------------------------


def compressed(text: bytes, *, level: int = 6) -> bytes:
    deflater = zlib.compressobj(level, wbits=-15)
    return (deflater.compress(text) + deflater.flush(zlib.Z_SYNC_FLUSH)).removesuffix(b"\x00\x00\xff\xff")


def answered(client: Wire) -> tuple[int, str]:
    """The Close that comes, answered."""
    said = client.read_close()
    client.send_frame(close(1000))
    return said.close_code, said.close_reason


DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, x-other, permessage-deflate; x"
AGREED = "permessage-deflate; server_no_context_takeover"


def asked_for(extensions: str) -> str:
    return f"extensions={extensions.replace(' ', '%20').replace(';', '%3B')}"


def test_extensions_are_offered_as_far_as_messages_can_be_looked_at(origin: FakeOrigin, token: str) -> None:
    with (
        guarding(origin, *RULES) as edge,
        wire.websocket(edge.address, f"/echo/{token}?{asked_for(AGREED)}", DEFLATE) as (_, answer),
    ):
        both = "server_no_context_takeover; client_no_context_takeover"
        offered = origin.head(token).values("Sec-WebSocket-Extensions")
        assert offered == [f"permessage-deflate; {both}; client_max_window_bits"]
        assert answer.values("Sec-WebSocket-Extensions") == [f"permessage-deflate; {both}"]


def test_an_origin_that_would_keep_its_window_opens_nothing(origin: FakeOrigin) -> None:
    with guarding(origin, *RULES) as edge, wire.connect(edge.address) as client:
        client.send(wire.upgrade(f"/echo?{asked_for('permessage-deflate')}", DEFLATE))
        answer = client.read_answer()
        assert answer.status == 502
        assert b"server_no_context_takeover" in client.read_body(answer)


def test_without_rules_the_offer_goes_on_as_it_came(origin: FakeOrigin, token: str) -> None:
    with (
        guarding(origin) as edge,
        wire.websocket(edge.address, f"/echo/{token}?{asked_for('permessage-deflate')}", DEFLATE) as (_, answer),
    ):
        assert origin.head(token).values("Sec-WebSocket-Extensions") == [DEFLATE.partition(": ")[2]]
        assert answer.values("Sec-WebSocket-Extensions") == ["permessage-deflate"]


def test_the_frames_that_pass_are_those_that_came(origin: FakeOrigin, token: str) -> None:
    frames = [
        Frame(TEXT, b"hello"),
        Frame(TEXT, b"gr\xc3", fin=False),
        Frame(PING, b"between"),
        Frame(CONTINUATION, b"\xbc\xc3\x9fe"),
        Frame(BINARY, b"secret"),
        Frame(TEXT, compressed(b"compressed " * 100), rsv=4),
        Frame(BINARY, b"\xff not deflated at all", rsv=4),
    ]
    sent = [frame.from_client().encode() for frame in frames]
    with (
        guarding(origin, *RULES) as edge,
        wire.websocket(edge.address, f"/echo/{token}?{asked_for(AGREED)}", DEFLATE) as (client, _),
    ):
        for byte in b"".join(sent):
            client.send(bytes([byte]))
        seen = origin.find(token)
        # The ping overtakes the text that is held.
        expected = b"".join([sent[0], sent[2], sent[1], *sent[3:]])
        seen.until(lambda seen: len(seen.after(token)) >= len(expected), what="all frames")
        assert seen.after(token) == expected


BROKEN = (
    ([Frame(TEXT, b"\xff")], 1007, "protocol_error"),
    ([Frame(TEXT, b"gr\xc3", fin=False), Frame(CONTINUATION, b"")], 1007, "protocol_error"),
    ([Frame(TEXT, compressed(b"\xed\xa0\x80"), rsv=4)], 1007, "protocol_error"),
    ([Frame(TEXT, b"\xff\xff\xff", rsv=4)], 1002, "protocol_error"),
    ([Frame(TEXT, b"", rsv=2)], 1002, "protocol_error"),
    ([Frame(0x3, b"")], 1002, "protocol_error"),
    ([Frame(CONTINUATION, b"")], 1002, "protocol_error"),
    ([Frame(TEXT, b"a", fin=False), Frame(TEXT, b"b")], 1002, "protocol_error"),
    ([Frame(TEXT, compressed(b"x" * (64 << 20)), rsv=4)], 1009, "message_too_big"),
    ([Frame(TEXT, b"", fin=False), *[Frame(CONTINUATION, b"", fin=False)] * 180_000], 1009, "message_too_big"),
    (
        [Frame(TEXT, b"x" * 300_000, fin=False)] + [Frame(CONTINUATION, b"x" * 300_000, fin=False)] * 3,
        1009,
        "message_too_big",
    ),
)


@pytest.mark.parametrize(("frames", "code", "why"), BROKEN, ids=[f"{why}-{n}" for n, (_, _, why) in enumerate(BROKEN)])
def test_what_cannot_be_looked_at_is_closed_by_its_code(
    origin: FakeOrigin, token: str, frames: list[Frame], code: int, why: str
) -> None:
    with guarding(origin, *RULES) as edge:
        target = f"/echo/{token}?{asked_for(AGREED)}"
        with wire.websocket(edge.address, target, DEFLATE) as (client, _):
            client.send_frame(Frame(TEXT, b"before"))
            assert client.read_message() == b"before"
            client.send(b"".join(frame.from_client().encode() for frame in frames))
            got, reason = answered(client)
            assert (got, reason.partition(":")[0]) == (code, why)
            origin.find(token).until(lambda seen: seen.ended, what="the end of the tunnel")
        lines = edge.stop()
    ended = [line for line in lines if line["event"] == "websocket_closed"]
    assert [(line["closed_by"], line["why"], line["detail"]) for line in ended] == [("edge", why, "client")]
    assert ended[0]["to_origin"]["text_messages"] == 1


def test_what_an_origin_says_is_looked_at_too(origin: FakeOrigin) -> None:
    rules = (
        MessageRule(id="s", direction="to_client", action="close", schema=json.dumps(SCHEMA)),
        MessageRule(id="d", direction="to_client", action="drop", pattern="secret"),
    )
    with guarding(origin, *rules) as edge, wire.websocket(edge.address, "/echo") as (client, _):
        for text in (b'{"id": 1}', b'{ "id" : 2 }'):
            client.send_frame(Frame(TEXT, text))
            assert client.read_message() == text
        client.send_frame(Frame(TEXT, b'{"id": "secret"}'))
        assert answered(client) == (1001, "message_rule: a message breaks the rule s")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no json",
        "[]",
        "{}",
        '{"id": "1"}',
        '{"id": 1.5}',
        '{"id": 1, "id": 2}',
        '{"id": 1, "more": 1}',
        "[" * 500_000,
    ],
    ids=lambda text: text[:20],
)
def test_what_is_no_json_of_a_schema_breaks_it(origin: FakeOrigin, text: str) -> None:
    rule = MessageRule(id="s", direction="to_origin", action="close", schema=json.dumps(SCHEMA))
    with guarding(origin, rule) as edge, wire.websocket(edge.address, "/echo") as (client, _):
        client.send_frame(Frame(TEXT, b'{"id": 1}'))
        assert client.read_message() == b'{"id": 1}'
        client.send_frame(Frame(TEXT, text.encode()))
        assert answered(client) == (1008, "message_rule: a message breaks the rule s")


def test_rules_are_counted_and_told_and_what_a_message_says_is_not(origin: FakeOrigin) -> None:
    with guarding(origin, *RULES) as edge:
        with wire.websocket(edge.address, "/echo") as (client, _):
            for text in (b"noted", b"a secret", b"noted and a secret", b"an attack"):
                client.send_frame(Frame(TEXT, text))
            assert answered(client)[0] == 1008
        counted = edge.zone_when("one", lambda zone: zone.messages_found.get("close"))
        lines = edge.stop()
    # The first is noted on its way back, too, if it gets there before the edge closes.
    assert counted.messages_found["drop"] == 2
    assert counted.messages_found["log"] in {2, 3}
    told = [line for line in lines if line["event"] == "websocket_message_rule" and line["direction"] == "to_origin"]
    assert [(line["rule"], line["action"], line["message_bytes"]) for line in told] == [
        ("noted", "log", 5),
        ("dropped", "drop", 8),
        ("noted", "log", 18),
        ("dropped", "drop", 18),
    ]
    assert {line["zone"] for line in told} == {"one"}
    assert not any("secret" in json.dumps(line) for line in lines)


def test_the_limit_of_the_zone_is_that_of_what_is_inflated(origin: FakeOrigin) -> None:
    with guarding(origin, *RULES, max_message_bytes=1_000) as edge:
        for text, fits in ((b"x" * 1_000, True), (b"x" * 1_001, False)):
            with wire.websocket(edge.address, f"/echo?{asked_for(AGREED)}", DEFLATE) as (client, _):
                client.send_frame(Frame(TEXT, compressed(text), rsv=4))
                if fits:
                    assert zlib.decompressobj(wbits=-15).decompress(client.read_message()) == text
                else:
                    assert answered(client)[0] == 1009


def test_messages_that_are_begun_have_so_much_memory_together_and_who_finds_none_is_told_to_come_later(
    origin: FakeOrigin,
) -> None:
    part = Frame(TEXT, b" " * 1_000_000, fin=False)
    with guarding(origin, MessageRule(id="r", direction="to_origin", action="close", pattern="x")) as edge:
        with ExitStack() as clients:
            crowd = [clients.enter_context(wire.websocket(edge.address, "/echo"))[0] for _ in range(60)]
            for client in crowd:
                client.send_frame(part)
                client.send_frame(Frame(PING, b"begun"))
            # The ping of whoever may begin overtakes what is held of it.
            ends = [client.read_frame() for client in crowd]
            refused = [(end.close_code, end.close_reason) for end in ends if end.opcode == CLOSE]
            assert set(refused) == {(1013, "message_rule: too many messages are not complete, try again later")}
            assert 28 <= len(crowd) - len(refused) <= 33
        poll(lambda: edge.edge.statistics()["tunnels_open"] == 0, what="the end of all tunnels")
        # What is gone has made room for others.
        with wire.websocket(edge.address, "/echo") as (client, _):
            client.send_frame(part)
            client.send_frame(Frame(CONTINUATION, b"end"))
            assert client.read_message() == part.payload + b"end"


def test_a_message_of_the_allowed_size_passes_however_small_its_frames_are(origin: FakeOrigin) -> None:
    with guarding(origin, *RULES, max_message_bytes=20_000) as edge:
        with wire.websocket(edge.address, "/echo") as (client, _):
            many = [
                Frame(TEXT, b"a", fin=False),
                *[Frame(CONTINUATION, b"b", fin=False)] * 19_998,
                Frame(CONTINUATION, b"c"),
            ]
            client.send(b"".join(frame.from_client().encode() for frame in many))
            assert client.read_message() == b"a" + b"b" * 19_998 + b"c"
            client.send(b"".join(frame.from_client().encode() for frame in [many[0], *[many[1]] * 20_000]))
            assert answered(client) == (1009, "message_too_big: a message has more than 20000 bytes")
        empty = [Frame(TEXT, b"", fin=False), *[Frame(CONTINUATION, b"", fin=False)] * 4_000]
        with wire.websocket(edge.address, "/echo") as (client, _):
            client.send(b"".join(frame.from_client().encode() for frame in empty))
            assert answered(client) == (1009, "message_too_big: a message comes in too many empty frames")


def test_rubbish_hurts_nobody_else(origin: FakeOrigin) -> None:
    chance = random.Random(5)
    rule = MessageRule(id="s", direction="both", action="drop", schema=json.dumps(SCHEMA))
    with (
        guarding(origin, *RULES, rule) as edge,
        wire.websocket(edge.address, "/echo") as (other, _),
    ):
        for _ in range(60):
            with wire.websocket(edge.address, f"/echo?{asked_for(AGREED)}", DEFLATE) as (client, _):
                for _ in range(20):
                    payload = chance.randbytes(chance.choice([0, 5, 200]))
                    opcode = chance.choice([TEXT, TEXT, CONTINUATION, BINARY, PING, chance.randrange(16)])
                    frame = Frame(opcode, payload, chance.random() < 0.7, chance.choice([0, 0, 4, 7])).from_client()
                    try:
                        client.send(frame.encode()[: chance.choice([1, 7, 1_000])])
                    except OSError:
                        break
        other.send_frame(Frame(TEXT, b'{"id": 5}'))
        assert other.read_message() == b'{"id": 5}'


# --- Rules themselves -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"id": ""}, 'message rule "": id: expected'),
        ({"direction": "up"}, 'message rule "r": direction: expected "to_origin", "to_client" or "both", got "up"'),
        ({"action": "deny"}, 'message rule "r": action: expected "close", "drop" or "log", got "deny"'),
        ({"pattern": None}, 'message rule "r": pattern, schema: expected exactly one of them'),
        ({"pattern": "("}, 'message rule "r": pattern: '),
        ({"pattern": "(?=a)"}, 'message rule "r": pattern: expected a pattern without look-around'),
        ({"pattern": None, "schema": "{"}, 'message rule "r": schema: expected a JSON object'),
        ({"pattern": None, "schema": '{"type": "strin"}'}, 'message rule "r": schema: at /type'),
        ({"pattern": None, "schema": '{"$ref": "http://a.test/"}'}, "expected a reference to somewhere in the schema"),
    ],
    ids=str,
)
def test_a_rule_that_is_wrong_says_where_and_what_was_expected(wrong: dict[str, Any], told: str) -> None:
    right = {"id": "r", "direction": "both", "action": "log", "pattern": "x"}
    with pytest.raises(ValueError) as error:  # noqa: PT011  the sentence is what is tested
        MessageRule(**right | wrong)
    assert told in str(error.value)


def test_a_rule_says_what_it_is() -> None:
    assert (RULES[1].id, RULES[1].action) == ("dropped", "drop")
    with pytest.raises(ValueError, match="message_rules: expected at most 20, got 21"):
        TunnelOptions(message_rules=RULES[:1] * 21)
