"""An HTTP/2 client made of one blocking socket and Python's `h2`, which is not ours and not the edge's.

Law 1: a test says which frames go out; what comes in is kept by stream, in order, until it is asked for.
Law 2: each wait has the limit of `waiting`; a peer that says nothing is a failure, not a hang.
Law 3: what was received is given back to the windows at once, unless the test holds it (`takes`).
"""

import ssl
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings

from tests.integration import wire
from tests.integration.frames import Frame, FrameReader

Fields = list[tuple[str, str]]

FRAME_HEAD_BYTES = 9
GOAWAY = 7


class Stream:
    """What has come of one stream."""

    def __init__(self) -> None:
        self.interim: list[Fields] = []
        self.fields: Fields = []
        self.trailers: Fields = []
        self.data = bytearray()
        self.ended = False
        self.reset: int | None = None

    @property
    def status(self) -> int:
        return int(self.value(":status", "0"))

    @property
    def is_over(self) -> bool:
        return self.ended or self.reset is not None

    def value(self, name: str, default: str = "") -> str:
        return next((value for key, value in self.fields if key == name), default)


class Http2:
    """One connection over TLS. `goaway` is the code of the peer's GOAWAY; `ended` says that it has closed."""

    def __init__(self, connection: wire.Wire, name: str = "example.test", *, checks: bool = True) -> None:
        assert isinstance(connection.sock, ssl.SSLSocket)
        assert connection.sock.selected_alpn_protocol() == "h2"
        self.wire = connection
        self.name = name
        self.takes = True
        self.goaway: int | None = None
        self.ended = False
        self.streams: defaultdict[int, Stream] = defaultdict(Stream)
        # Without its checks, h2 sends what no client may.
        self.h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(
                client_side=True,
                header_encoding="utf-8",
                validate_outbound_headers=checks,
                normalize_outbound_headers=checks,
                validate_inbound_headers=True,
            )
        )
        self.h2.initiate_connection()
        self.flush()

    def flush(self) -> None:
        """Send what `h2` has made ready."""
        self.wire.send(self.h2.data_to_send())

    def until(self, look: Callable[[], object], *, what: str) -> None:
        """Read until `look()` is truthy."""
        while not look():
            assert self.read(), f"the connection ended (GOAWAY {self.goaway}) while waiting for {what}"

    def read(self) -> bool:
        """Read once; False at the end of the connection."""
        if not self.wire.read_some():
            self.ended = True
            return False
        for frame in self._whole_frames():
            # Python's h2 takes a GOAWAY for the end of the connection, and would refuse what its streams still bring.
            if frame[3] == GOAWAY:
                self.goaway = int.from_bytes(frame[13:17], "big")
                continue
            for event in self.h2.receive_data(frame):
                self._note(event)
        with suppress(ConnectionError, ssl.SSLError):
            self.flush()
        return True

    def _whole_frames(self) -> Iterator[bytes]:
        """What has come, frame by frame (RFC 9113 §4.1)."""
        held = self.wire.held
        while len(held) >= FRAME_HEAD_BYTES:
            size = FRAME_HEAD_BYTES + int.from_bytes(held[:3], "big")
            if len(held) < size:
                return
            frame = bytes(held[:size])
            del held[:size]
            yield frame

    def _note(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.InformationalResponseReceived():
                self._of(event).interim.append(_pairs(event.headers))
            case h2.events.ResponseReceived():
                self._of(event).fields = _pairs(event.headers)
            case h2.events.TrailersReceived():
                self._of(event).trailers = _pairs(event.headers)
            case h2.events.DataReceived():
                self._of(event).data += event.data or b""
                if self.takes:
                    self.give_back(event.stream_id or 0, event.flow_controlled_length or 0)
            case h2.events.StreamEnded():
                self._of(event).ended = True
            case h2.events.StreamReset():
                self._of(event).reset = int(event.error_code or 0)
            case _:
                pass

    def _of(self, event: h2.events.Event) -> Stream:
        number = getattr(event, "stream_id", None)
        assert isinstance(number, int), event
        return self.streams[number]

    def give_back(self, stream: int, count: int) -> None:
        """Open the windows by what was received. A stream that is over has none."""
        if count:
            with suppress(h2.exceptions.ProtocolError):
                self.h2.acknowledge_received_data(count, stream)

    def settings_seen(self) -> None:
        """Wait for the peer's SETTINGS."""
        self.until(lambda: self.h2.remote_settings.max_header_list_size is not None, what="SETTINGS")

    def begin(self, method: str, path: str, *fields: tuple[str, str], ends: bool = True) -> int:
        """Send the head of a request; the number of its stream."""
        number = self.h2.get_next_available_stream_id()
        head = [(":method", method), (":scheme", "https"), (":authority", self.name), (":path", path), *fields]
        self.h2.send_headers(number, head, end_stream=ends)
        self.flush()
        return number

    def begin_raw(self, head: Sequence[tuple[str, str]], *, ends: bool = True) -> int:
        """The same, with all fields as they are given."""
        number = self.h2.get_next_available_stream_id()
        self.h2.send_headers(number, list(head), end_stream=ends)
        self.flush()
        return number

    def send(self, number: int, data: bytes, *, ends: bool = False) -> None:
        """Send data as the windows allow, reading meanwhile."""
        rest = memoryview(data)
        while rest:
            self.until(lambda: self.h2.local_flow_control_window(number) > 0, what="room in the window")
            size = min(len(rest), self.h2.local_flow_control_window(number), self.h2.max_outbound_frame_size)
            self.h2.send_data(number, bytes(rest[:size]))
            rest = rest[size:]
            self.flush()
        if ends:
            self.h2.end_stream(number)
            self.flush()

    def answer(self, number: int) -> Stream:
        """The stream once its answer is whole, or cut."""
        self.until(lambda: self.streams[number].is_over, what=f"the end of stream {number}")
        return self.streams[number]

    def request(self, method: str, path: str, *fields: tuple[str, str], body: bytes = b"") -> Stream:
        number = self.begin(method, path, *fields, ends=not body)
        if body:
            self.send(number, body, ends=True)
        return self.answer(number)

    def websocket(self, path: str, *fields: tuple[str, str], protocol: str = "websocket") -> "WebSocket":
        """An extended CONNECT (RFC 8441 §5), not awaited."""
        self.settings_seen()
        head = [
            (":method", "CONNECT"),
            (":protocol", protocol),
            (":scheme", "https"),
            (":authority", self.name),
            (":path", path),
            ("sec-websocket-version", "13"),
            *fields,
        ]
        return WebSocket(self, self.begin_raw(head, ends=False))

    def open_websocket(self, path: str, *fields: tuple[str, str]) -> "WebSocket":
        socket = self.websocket(path, *fields)
        assert socket.status() == 200, (socket.stream.fields, bytes(socket.stream.data))
        return socket


class WebSocket:
    """A WebSocket on a stream."""

    def __init__(self, connection: Http2, number: int) -> None:
        self.connection = connection
        self.number = number
        self._frames = FrameReader()
        self._ready: list[Frame] = []

    @property
    def stream(self) -> Stream:
        return self.connection.streams[self.number]

    def status(self) -> int:
        """Wait for the answer."""
        stream = self.stream
        self.connection.until(lambda: stream.fields or stream.is_over, what="an answer")
        return stream.status

    def send(self, *frames: Frame) -> None:
        self.connection.send(self.number, b"".join(frame.from_client().encode() for frame in frames))

    def frame(self) -> Frame:
        """The next frame, waiting for it."""
        stream = self.stream
        while not self._ready:
            self.connection.until(lambda: stream.data or stream.is_over, what="a frame")
            assert stream.data, f"stream {self.number} ended ({stream.reset}) before a frame"
            self._ready += self._frames.feed(bytes(stream.data))
            stream.data.clear()
        return self._ready.pop(0)

    def end(self) -> None:
        """END_STREAM, as a FIN."""
        self.connection.h2.end_stream(self.number)
        self.connection.flush()

    def reset(self) -> None:
        """RST_STREAM with CANCEL."""
        self.connection.h2.reset_stream(self.number, 8)
        self.connection.flush()


@contextmanager
def connected(
    address: wire.Address,
    context: ssl.SSLContext,
    name: str = "example.test",
    *,
    checks: bool = True,
    receive_buffer_bytes: int | None = None,
) -> Iterator[Http2]:
    """A connection that is closed at the end. Without `checks` the client sends what no client may."""
    context.set_alpn_protocols(["h2"])
    with wire.connect(address, tls=context, name=name, receive_buffer_bytes=receive_buffer_bytes) as connection:
        yield Http2(connection, name, checks=checks)


def _pairs(headers: object) -> Fields:
    assert isinstance(headers, list)
    return [(str(name), str(value)) for name, value in headers]
