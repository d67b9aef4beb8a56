"""TLS on the client's leg: versions, SNI, resumption, reload, and what is not TLS (RFC 8446, RFC 5246, RFC 6066)."""

import signal
import socket
import ssl
import subprocess
import warnings
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.integration import wire
from tests.integration.certificates import Authority, Pair
from tests.integration.conftest import LISTEN, TLS_LISTEN, StartEdge
from tests.integration.edge import Edge
from tests.integration.frames import BINARY, TEXT, Frame, FrameReader, close
from tests.integration.origin import Origin
from tests.integration.origin_paths import PATHS
from tests.integration.waiting import LIMIT_S, poll

VERSIONS = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])


@pytest.fixture(scope="module")
def names(authority: Authority) -> list[Pair]:
    """Certificates of three names: the first is the default, the second a wildcard."""
    return [
        authority.issue("first.test", common_name="first"),
        authority.issue("*.wild.test", common_name="wild"),
        authority.issue("second.test", "deep.wild.test", common_name="second"),
    ]


@pytest.fixture(scope="module")
def many(origin: Origin, names: list[Pair], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    """An edge with several certificates."""
    arguments = [argument for pair in names for argument in pair.arguments()]
    with Edge(origin.url, tmp_path_factory.mktemp("edge"), *LISTEN, *TLS_LISTEN, *arguments, "--threads", "2") as edge:
        yield edge


def handshake(address: wire.Address, context: ssl.SSLContext, name: str | None) -> ssl.SSLSocket:
    sock = socket.create_connection(address, timeout=LIMIT_S)
    try:
        return context.wrap_socket(sock, server_hostname=name)
    except BaseException:
        sock.close()
        raise


def common_name(address: wire.Address, authority: Authority, name: str | None) -> str:
    """The common name of the certificate that the edge shows to a client that asks for `name`."""
    context = authority.trusting()
    context.check_hostname = False
    with closing(handshake(address, context, name)) as sock:
        shown = sock.getpeercert()
        assert shown is not None
        subject = dict(pair for part in shown["subject"] for pair in part)  # type: ignore[misc]  # typeshed: nested tuples
        return str(subject["commonName"])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("first.test", "first"),
        ("second.test", "second"),
        ("SECOND.test", "second"),
        ("a.wild.test", "wild"),
        ("deep.wild.test", "second"),
        ("a.b.wild.test", "first"),
        ("wild.test", "first"),
        ("unknown.test", "first"),
        (None, "first"),
    ],
)
def test_the_name_chooses_the_certificate(many: Edge, authority: Authority, name: str | None, expected: str) -> None:
    assert common_name(many.tls, authority, name) == expected


@VERSIONS
def test_a_websocket_works_in_each_version(edge: Edge, authority: Authority, version: ssl.TLSVersion) -> None:
    with wire.websocket(edge.tls, "/echo", tls=authority.trusting(version=version)) as (client, answer):
        assert isinstance(client.sock, ssl.SSLSocket)
        assert client.sock.version() == version.name.replace("_", ".")
        for size in (0, 125, 126, 16_384, 16_385, 300_000):
            client.send_frame(Frame(BINARY, bytes(size)))
            assert client.read_message() == bytes(size)
        client.send_frame(close(1000))
        client.read_close()
    assert edge.closed(answer.ray).closed_by == "client"


@pytest.mark.parametrize("version", ["TLSv1", "TLSv1_1"])
def test_older_versions_are_refused(edge: Edge, version: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # Python knows that it is old, too
        context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionError)):
        handshake(edge.tls, context, "example.test")


@VERSIONS
def test_a_session_is_resumed(many: Edge, authority: Authority, version: ssl.TLSVersion) -> None:
    """With two threads the second connection may meet another one: tickets must be good everywhere."""
    context = authority.trusting(version=version)
    with wire.connect(many.tls, tls=context, name="first.test") as client:
        assert client.request(wire.request("GET", "/status/200"))[0].status == 200
        assert isinstance(client.sock, ssl.SSLSocket)
        session = client.sock.session
    assert session is not None
    for _ in range(8):
        sock = socket.create_connection(many.tls, timeout=LIMIT_S)
        with closing(context.wrap_socket(sock, server_hostname="first.test", session=session)) as resumed:
            assert resumed.session_reused
            resumed.sendall(wire.request("GET", "/status/200", "Connection: close"))
            assert resumed.recv(100).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("flag", ["-tls1_2", "-tls1_3"])
def test_openssl_s_client_connects_and_verifies(edge: Edge, authority: Authority, flag: str) -> None:
    host, port = edge.tls
    said = subprocess.run(
        [
            "openssl",
            "s_client",
            "-connect",
            f"{host}:{port}",
            "-servername",
            "example.test",
            "-CAfile",
            authority.file,
            flag,
            "-verify_return_error",
            "-quiet",
            "-ign_eof",
        ],
        input=wire.request("GET", "/status/200", "Connection: close"),
        capture_output=True,
        timeout=2 * LIMIT_S,
        check=False,
    )
    assert b"HTTP/1.1 200" in said.stdout, said.stderr


@pytest.mark.parametrize(
    ("offered", "agreed"), [(["http/1.1", "h2"], "h2"), (["http/1.1"], "http/1.1"), (["h2"], "h2"), ([], None)]
)
def test_alpn_prefers_http_2(edge: Edge, authority: Authority, offered: list[str], agreed: str | None) -> None:
    context = authority.trusting()
    if offered:
        context.set_alpn_protocols(offered)
    with closing(handshake(edge.tls, context, "example.test")) as sock:
        assert sock.selected_alpn_protocol() == agreed


def test_http_2_in_the_clear_is_refused(edge: Edge) -> None:
    with wire.connect(edge.plain) as client:
        client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        assert client.read_answer().status == 505


def test_a_plain_request_on_the_tls_port_gets_400(edge: Edge, origin: Origin, token: str) -> None:
    for data, form in (
        (wire.request("GET", f"/dump?{token}"), "text/plain"),
        (wire.upgrade(f"/echo?{token}"), "application/json"),
    ):
        with wire.connect(edge.tls) as client:
            answer, body = client.request(data)
            assert (answer.status, answer.value("Content-Type")) == (400, f"{form}; charset=utf-8")
            assert b"https" in body.lower() or b"tls" in body.lower()
            assert client.read_to_end() == b""
    assert not origin.received_anywhere(token.encode())


@pytest.mark.parametrize(
    "data",
    [
        b"\x00" * 50,
        b"\x15\x03\x01\x00\x02\x01\x00",
        b"\x16\x03\x01\xff\xff" + b"\x00" * 100,
        b"\x80\x2e\x01\x00\x02",
        b"SSH-2.0-x\r\n",
        b"\xff" * 5000,
    ],
)
def test_garbage_on_the_tls_port_is_closed(edge: Edge, data: bytes) -> None:
    with wire.connect(edge.tls) as client:
        client.send(data)
        # At most an alert comes back; never a word of HTTP.
        assert not client.read_to_end().startswith(b"HTTP")
    with wire.connect(edge.plain) as client:
        assert client.request(wire.request("GET", "/status/200"))[0].status == 200


@pytest.mark.parametrize("first", [b"", b"\x16", b"G", b"\x16\x03\x01\x02\x00\x01"])
def test_a_client_that_leaves_before_its_hello_is_whole_is_let_go_at_once(edge: Edge, first: bytes) -> None:
    with wire.connect(edge.tls) as client:
        client.send(first)
        client.end()
        client.sock.settimeout(LIMIT_S)
        client.read_to_end()


@pytest.mark.slow
@pytest.mark.parametrize("first", [b"", b"\x16", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"])
def test_a_handshake_that_does_not_come_is_given_up(edge: Edge, first: bytes) -> None:
    with wire.connect(edge.tls) as client:
        client.send(first)
        # Three times as long as the edge does at most.
        client.sock.settimeout(LIMIT_S)
        assert not client.read_to_end().startswith(b"HTTP")


def test_a_client_that_leaves_during_the_handshake_leaves_nothing_behind(
    start_edge: StartEdge, origin: Origin, leaf: Pair
) -> None:
    edge = start_edge(origin.url, *TLS_LISTEN, *leaf.arguments())
    before = edge.open_descriptors()
    for _ in range(50):
        with wire.connect(edge.tls) as client:
            client.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(20))
            client.reset()
    poll(lambda: edge.open_descriptors() <= before, what=f"no more than {before} descriptors")


def test_close_notify_of_the_client_is_a_clean_end(
    edge: Edge, authority: Authority, origin: Origin, token: str
) -> None:
    with wire.websocket(edge.tls, f"/echo?{token}", tls=authority.trusting()) as (client, answer):
        client.send_frame(close(1000, "bye"))
        assert client.read_close().close_reason == "bye"
        assert client.read_to_end() == b""
        assert isinstance(client.sock, ssl.SSLSocket)
        client.sock.unwrap().close()  # raises where the edge's close_notify was missing
    assert edge.closed(answer.ray).client_close_code == 1000


def test_stopping_says_1001_and_close_notify_on_both_legs(
    authority: Authority, leaf: Pair, tmp_path: Path, token: str
) -> None:
    with Origin(PATHS, tls=leaf.server_context()) as secure:
        trusted = ("--origin-ca", str(authority.file))
        with Edge(secure.url, tmp_path, *LISTEN, *TLS_LISTEN, *leaf.arguments(), *trusted) as edge:
            with wire.websocket(edge.tls, f"/echo?{token}", tls=authority.trusting()) as (client, _):
                client.send_frame(Frame(TEXT, b"open"))
                assert client.read_message() == b"open"
                edge.process.send_signal(signal.SIGINT)
                assert client.read_close().close_code == 1001
                client.send_frame(close(1001))
                assert client.read_to_end() == b""
                assert not client.was_reset
            assert edge.ended() == 0
        seen = secure.find(token)
        seen.until(lambda seen: seen.ended, what="the end")
        frames = FrameReader().feed(seen.after_head)
        assert [frame.payload for frame in frames[:1]] == [b"open"]
        assert frames[1].close_code == 1001


# --- Reload ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def own(authority: Authority, tmp_path: Path) -> Pair:
    """A pair in files of this test's own."""
    pair = authority.issue("example.test", common_name="before")
    mine = Pair(tmp_path / "cert.pem", tmp_path / "key.pem")
    for source, target in ((pair.cert, mine.cert), (pair.key, mine.key)):
        target.write_bytes(source.read_bytes())
    return mine


def test_a_changed_certificate_is_served_without_a_restart(
    start_edge: StartEdge, origin: Origin, authority: Authority, own: Pair
) -> None:
    edge = start_edge(origin.url, *TLS_LISTEN, *own.arguments())
    assert common_name(edge.tls, authority, "example.test") == "before"
    with wire.websocket(edge.tls, "/echo", tls=authority.trusting()) as (client, _):
        own.replace_with(authority.issue("example.test", common_name="after"))
        edge.record(lambda record: record["event"] == "certificate_loaded")
        poll(lambda: common_name(edge.tls, authority, "example.test") == "after", what="the new certificate")
        client.send_frame(Frame(TEXT, b"still open"))
        assert client.read_message() == b"still open"


@pytest.mark.parametrize("fault", ["half a file", "another key", "gone", "junk"])
def test_a_bad_new_certificate_keeps_the_old_and_says_why(
    start_edge: StartEdge, origin: Origin, authority: Authority, own: Pair, fault: str
) -> None:
    edge = start_edge(origin.url, *TLS_LISTEN, *own.arguments())
    new = authority.issue("example.test", common_name="after")
    match fault:
        case "half a file":
            own.cert.write_bytes(new.cert.read_bytes()[:300])
        case "another key":
            own.key.write_bytes(new.key.read_bytes())
        case "gone":
            own.key.unlink()
        case _:
            own.cert.write_bytes(b"\xff\x00 not PEM")
    said = edge.record(lambda record: record["event"] == "certificate_rejected")
    assert said["reason"]
    assert common_name(edge.tls, authority, "example.test") == "before"
    own.replace_with(new)
    poll(lambda: common_name(edge.tls, authority, "example.test") == "after", what="the mended certificate")
