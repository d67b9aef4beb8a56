"""The fake origin is right where it claims to be: `websockets` talks to it directly, without the edge."""

import http.client
import json

import pytest
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidUpgrade
from websockets.sync.client import connect

from tests.integration import wire
from tests.integration.frames import TEXT, Frame, FrameReader, close
from tests.integration.origin import Origin
from tests.integration.origin_paths import PAGE
from tests.integration.waiting import LIMIT_S


def ws(origin: Origin, path: str) -> str:
    return f"ws://127.0.0.1:{origin.port}{path}"


@pytest.mark.parametrize("message", ["", "hello", "x" * 126, "y" * 70_000, b"\x00\xff" * 40_000])
def test_echo_returns_what_a_real_client_sends(origin: Origin, message: str | bytes) -> None:
    with connect(ws(origin, "/echo"), compression=None, open_timeout=LIMIT_S) as client:
        client.send(message)
        assert client.recv(timeout=LIMIT_S) == message
        assert client.ping().wait(30)


def test_frames_sent_with_the_101_are_read_by_a_real_client(origin: Origin) -> None:
    with connect(ws(origin, "/early"), compression=None, open_timeout=LIMIT_S) as client:
        assert client.recv(timeout=LIMIT_S) == "first"
        assert client.recv(timeout=LIMIT_S) == bytes(300)


def test_a_close_code_and_reason_reach_a_real_client(origin: Origin) -> None:
    with (
        connect(ws(origin, "/close/4001?reason=because"), compression=None, open_timeout=LIMIT_S) as client,
        pytest.raises(ConnectionClosed) as end,
    ):
        client.recv(timeout=LIMIT_S)
    assert end.value.rcvd is not None
    assert (end.value.rcvd.code, end.value.rcvd.reason) == (4001, "because")


@pytest.mark.parametrize("path", ["/reset", "/half-frame", "/fin-after"])
def test_an_abnormal_end_is_1006_to_a_real_client(origin: Origin, path: str) -> None:
    with connect(ws(origin, path), compression=None, open_timeout=LIMIT_S) as client:
        if path == "/reset":
            client.send("what it waits for")
        with pytest.raises(ConnectionClosed) as end:
            list(client)
    assert end.value.rcvd is None


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
def test_a_real_client_refuses_each_wrong_101(origin: Origin, path: str) -> None:
    with (
        pytest.raises((InvalidHandshake, InvalidUpgrade)),
        connect(ws(origin, path), compression=None, open_timeout=LIMIT_S),
    ):
        pass


@pytest.mark.parametrize(
    "path", ["/status/200", "/chunked", "/trailers", "/length?bytes=100000", "/until-close", "/103", "/old"]
)
def test_a_real_http_client_reads_each_good_answer(origin: Origin, path: str) -> None:
    client = http.client.HTTPConnection("127.0.0.1", origin.port, timeout=LIMIT_S)
    try:
        client.request("GET", path)
        answer = client.getresponse()
        if path == "/103":  # http.client knows only 100: it takes any other interim answer for the final one
            assert answer.status in {102, 103, 200}
        else:
            assert answer.status == 200
            assert answer.read()
    finally:
        client.close()


def test_the_dump_tells_the_request_as_it_was_sent(origin: Origin) -> None:
    with wire.connect(origin.address) as client:
        sent = wire.request("POST", "/dump?a=1", "X-Odd-CASE: v", body=b"12345")
        _, body = client.request(sent)
        said = json.loads(body)
        assert said["head"].encode() + b"12345" == sent
        assert said["body_bytes"] == 5
        answer, page = client.request(wire.request("GET", "/status/404"))
        assert (answer.status, page) == (404, PAGE)


def test_every_byte_is_remembered_though_no_behaviour_reads_it(origin: Origin, token: str) -> None:
    with wire.websocket(origin.address, f"/stall?{token}") as (client, _):
        sent = Frame(TEXT, b"unread").from_client().encode()
        client.send(sent)
        # The bytes may wait in the kernel while the origin does not read: only after its release must they be seen.
        origin.find(token).release()
        origin.find(token).until(lambda seen: seen.after_head == sent, what="the frame")
        client.end()
        origin.find(token).until(lambda seen: seen.ended == "eof", what="the FIN")


def test_the_frame_reader_gives_the_same_frames_however_its_input_is_chopped() -> None:
    frames = [
        Frame(TEXT, b"a" * 125).from_client(),
        Frame(2, bytes(126), fin=False),
        Frame(0, bytes(65536)),
        close(1001, "bye"),
    ]
    data = b"".join(frame.encode() for frame in frames)
    reader = FrameReader()
    assert [frame for at in range(len(data)) for frame in reader.feed(data[at : at + 1])] == frames
    assert FrameReader().feed(data) == frames
