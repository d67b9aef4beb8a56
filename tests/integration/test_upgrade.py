"""The upgrade over HTTP/1.1, checked on both legs (RFC 6455 §4)."""

import json
from base64 import b64encode

import pytest

from tests.integration import wire
from tests.integration.certificates import Authority
from tests.integration.edge import Edge
from tests.integration.frames import BINARY, CLOSE, PING, TEXT, Frame, close
from tests.integration.origin import Origin, accept_key
from tests.integration.origin_paths import PAGE

KEY = b64encode(bytes(range(16))).decode()


def test_an_accepted_upgrade_is_a_correct_101(edge: Edge) -> None:
    with wire.connect(edge.plain) as client:
        client.send(wire.upgrade("/echo", key=KEY))
        answer = client.read_answer()
    assert answer.status == 101
    assert answer.values("Sec-WebSocket-Accept") == [accept_key(KEY)]
    assert [value.lower() for value in answer.values("Upgrade")] == ["websocket"]
    assert [value.lower() for value in answer.values("Connection")] == ["upgrade"]
    assert not answer.values("Content-Length")
    assert not answer.values("Transfer-Encoding")  # RFC 9110 §8.6, RFC 9112 §6.1: no framing in a 1xx
    assert not answer.values("Sec-WebSocket-Extensions")
    assert not answer.values("Sec-WebSocket-Protocol")


def test_the_key_of_the_client_reaches_the_origin(edge: Edge, origin: Origin, token: str) -> None:
    with wire.websocket(edge.plain, f"/echo?{token}", f"X-Mine: {token}"):
        head = origin.head(token)
    assert head.method == "GET"
    assert head.target == f"/echo?{token}"
    assert len(head.values("Sec-WebSocket-Key")) == 1
    assert head.values("Sec-WebSocket-Version") == ["13"]
    assert head.value("Upgrade").lower() == "websocket"
    assert head.value("Connection").lower() == "upgrade"
    assert head.values("Host") == ["example.test"]


@pytest.mark.parametrize(
    "lines",
    [
        ("Upgrade: WebSocket", "Connection: Upgrade"),
        ("upgrade: WEBSOCKET", "connection: keep-alive, UPGRADE"),
        ("Upgrade: websocket", "Connection: keep-alive", "Connection: upgrade"),
        ("Upgrade: websocket", "Connection:upgrade,,  keep-alive"),
    ],
)
def test_upgrade_and_connection_are_token_lists_in_any_case(edge: Edge, lines: tuple[str, ...]) -> None:
    head = [
        "GET /echo HTTP/1.1",
        "Host: example.test",
        *lines,
        f"Sec-WebSocket-Key: {KEY}",
        "Sec-WebSocket-Version: 13",
    ]
    with wire.connect(edge.plain) as client:
        client.send(("\r\n".join(head) + "\r\n\r\n").encode())
        assert client.read_answer().status == 101
        client.send_frame(Frame(TEXT, b"open"))
        assert client.read_message() == b"open"


@pytest.mark.parametrize("version", ["12", "8", "14", "0", "255"])
def test_another_version_gets_426_and_is_told_13(edge: Edge, origin: Origin, version: str, token: str) -> None:
    with wire.connect(edge.plain) as client:
        answer, _ = client.request(wire.upgrade(f"/echo?{token}", version=version))
    assert answer.status == 426
    assert answer.values("Sec-WebSocket-Version") == ["13"]
    assert origin.look_up(token) is None


@pytest.mark.parametrize("code", [200, 301, 302, 400, 401, 403, 404, 426, 429, 500, 503])
def test_any_other_answer_of_the_origin_reaches_the_client_unchanged(edge: Edge, origin: Origin, code: int) -> None:
    with wire.connect(origin.address) as direct, wire.connect(edge.plain) as through:
        expected, expected_body = direct.request(wire.upgrade(f"/status/{code}"))
        answer, body = through.request(wire.upgrade(f"/status/{code}"))
    assert (answer.status, answer.reason, body) == (code, "Chosen By The Test", PAGE)
    assert expected_body == body
    added = {"cf-ray", "connection", "date", "server", "keep-alive"}
    assert [field for field in answer.fields if field[0].lower() not in added] == list(expected.fields)


def test_a_refused_upgrade_leaves_the_connection_usable(edge: Edge) -> None:
    with wire.connect(edge.plain) as client:
        answer, body = client.request(wire.upgrade("/status/401"))
        assert (answer.status, body) == (401, PAGE)
        if "close" not in answer.value("Connection").lower():
            assert client.request(wire.request("GET", "/status/200"))[0].status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/bad-accept",
        "/no-accept",
        "/two-accepts",
        "/no-upgrade",
        "/other-upgrade",
        "/no-connection",
        "/wrong-protocol",
        "/wrong-extension",
    ],
)
def test_a_wrong_101_of_the_origin_is_502_with_the_reason(edge: Edge, origin: Origin, path: str, token: str) -> None:
    with wire.connect(edge.plain) as client:
        client.send(wire.upgrade(f"{path}?{token}", "Accept: application/json"))
        answer = client.read_answer()
        body = client.read_body(answer)
        assert b"must not arrive" not in body + bytes(client.held)
    assert answer.status == 502
    assert "websocket" in json.dumps(json.loads(body)).lower()
    origin.find(token).until(lambda seen: seen.ended, what="the edge leaving the wrong origin")


def test_two_protocols_in_the_101_are_502_though_one_was_offered(edge: Edge) -> None:
    with wire.connect(edge.plain) as client:
        answer, _ = client.request(wire.upgrade("/two-protocols", "Sec-WebSocket-Protocol: chat"))
    assert answer.status == 502


def test_an_extension_parameter_the_client_did_not_allow_is_502(edge: Edge) -> None:
    # RFC 7692 §7.1.2.2: client_max_window_bits may be in the answer only where the offer had it.
    with wire.connect(edge.plain) as client:
        answer, _ = client.request(wire.upgrade("/wrong-parameter", "Sec-WebSocket-Extensions: permessage-deflate"))
        assert answer.status == 502
    with wire.connect(edge.plain) as client:
        client.send(
            wire.upgrade("/wrong-parameter", "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits")
        )
        assert client.read_answer().status == 101


def test_an_offered_subprotocol_is_chosen_by_the_origin(edge: Edge, origin: Origin, token: str) -> None:
    lines = ("Sec-WebSocket-Protocol: soap, chat.v2", "Sec-WebSocket-Protocol: wamp")
    with wire.websocket(edge.plain, f"/echo?protocol=chat.v2&{token}", *lines) as (_, answer):
        assert answer.values("Sec-WebSocket-Protocol") == ["chat.v2"]
    offered = ",".join(origin.head(token).values("Sec-WebSocket-Protocol"))
    assert [word.strip() for word in offered.split(",")] == ["soap", "chat.v2", "wamp"]


def test_a_subprotocol_is_compared_with_its_case(edge: Edge) -> None:
    # RFC 6455 §4.1 item 6 asks for a value that was present in the offer; only §4.2.2 /version/ style names ignore case.
    with wire.connect(edge.plain) as client:
        answer, _ = client.request(wire.upgrade("/echo?protocol=CHAT", "Sec-WebSocket-Protocol: chat"))
    assert answer.status == 502


def test_extensions_are_offered_and_accepted_end_to_end(edge: Edge, origin: Origin, token: str) -> None:
    offer = "permessage-deflate; client_max_window_bits; server_no_context_takeover, x-webkit-deflate-frame"
    accepted = "permessage-deflate%3B+server_no_context_takeover%3B+client_max_window_bits%3D12"
    with wire.websocket(edge.plain, f"/echo?extensions={accepted}&{token}", f"Sec-WebSocket-Extensions: {offer}") as (
        client,
        answer,
    ):
        assert answer.value("Sec-WebSocket-Extensions") == (
            "permessage-deflate; server_no_context_takeover; client_max_window_bits=12"
        )
        assert origin.head(token).values("Sec-WebSocket-Extensions") == [offer]
        client.send_frame(Frame(TEXT, b"\x00compressed-like", rsv=4))
        assert client.read_frame() == Frame(TEXT, b"\x00compressed-like", rsv=4)


def test_cookies_and_other_headers_of_the_101_reach_the_client(edge: Edge) -> None:
    with wire.websocket(edge.plain, "/echo?cookie=session%3D1%3B+Path%3D/") as (_, answer):
        assert answer.values("Set-Cookie") == ["session=1; Path=/"]


FIRST = [Frame(TEXT, b"with the head"), Frame(PING, b"p"), Frame(BINARY, bytes(100_000)), Frame(TEXT, b"last")]


def test_frames_sent_together_with_the_request_head_reach_the_origin_in_order(
    edge: Edge, origin: Origin, token: str
) -> None:
    first = b"".join(frame.from_client().encode() for frame in FIRST)
    with wire.websocket(edge.plain, f"/echo?{token}", first=first) as (client, _):
        more = Frame(TEXT, b"after").from_client()
        client.send(more.encode())
        origin.find(token).until(lambda seen: seen.after_head == first + more.encode(), what="all frames in order")


def test_frames_sent_together_with_the_head_wait_for_a_slow_origin(edge: Edge, origin: Origin, token: str) -> None:
    first = Frame(TEXT, b"early bird").from_client().encode()
    with wire.connect(edge.plain) as client:
        client.send(wire.upgrade(f"/slow?{token}") + first)
        seen = origin.find(token)
        # RFC 6455 §4.1: the client may not send before the 101; the edge must not let it through before either.
        assert seen.after_head == b""
        seen.release()
        assert client.read_answer().status == 101
        assert client.read_message() == b"early bird"


def test_frames_sent_with_the_101_reach_the_client_in_order(edge: Edge) -> None:
    with wire.websocket(edge.plain, "/early") as (client, _):
        assert [client.read_frame() for _ in range(3)] == [
            Frame(TEXT, b"first"),
            Frame(PING, b"p"),
            Frame(BINARY, bytes(300)),
        ]
        client.send_frame(Frame(TEXT, b"then"))
        assert client.read_message() == b"then"


@pytest.mark.parametrize("size", [1, 1000, 65_536, 2_000_000])
def test_a_long_message_with_the_101_is_not_lost(edge: Edge, origin: Origin, token: str, size: int) -> None:
    frames = [Frame(BINARY, bytes(size)), Frame(TEXT, b"end")]
    origin.scripts[token] = b"".join(frame.encode() for frame in frames)
    with wire.websocket(edge.plain, f"/play?id={token}") as (client, _):
        assert [client.read_frame(), client.read_frame()] == frames


def test_first_bytes_are_not_lost_over_tls(edge: Edge, authority: Authority, origin: Origin, token: str) -> None:
    first = Frame(TEXT, b"with the head").from_client().encode()
    with wire.websocket(edge.tls, f"/early?{token}", first=first, tls=authority.trusting()) as (client, _):
        assert client.read_frame() == Frame(TEXT, b"first")
        assert client.read_frame() == Frame(PING, b"p")
        assert client.read_message() == bytes(300)
        assert client.read_message() == b"with the head"
        client.send_frame(close(1000, "done"))
        assert client.read_frame() == Frame(CLOSE, close(1000, "done").payload)


def test_a_client_that_leaves_before_the_answer_takes_the_origin_connection_along(
    edge: Edge, origin: Origin, token: str
) -> None:
    with wire.connect(edge.plain) as client:
        client.send(wire.upgrade(f"/slow?{token}"))
        seen = origin.find(token)
        client.reset()
        seen.until(lambda seen: seen.ended, what="the edge leaving the origin")


def test_an_interim_answer_before_the_101_is_not_the_answer(edge: Edge) -> None:
    # RFC 9110 §15.2: a client must be able to parse 1xx before the final response; the 101 here comes after a 103.
    with wire.connect(edge.plain) as client:
        client.send(wire.upgrade("/hints-then-101"))
        while (answer := client.read_answer()).status == 103:
            pass
        assert answer.status == 101
        assert client.read_message() == b"upgraded"
