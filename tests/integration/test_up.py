"""`holdfast up` as a person meets it: what it prints, how it ends, and what it says when it cannot start."""

import json
import os
import signal
import socket
import ssl
import stat
import subprocess
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.integration import records, wire
from tests.integration.certificates import Authority, Pair
from tests.integration.conftest import LISTEN, TLS_LISTEN, StartEdge
from tests.integration.edge import COMMAND, READY, START_LIMIT_S, STOP_LIMIT_S, Edge, run_to_end
from tests.integration.frames import BINARY, CONTINUATION, TEXT, Frame, FrameReader, close
from tests.integration.origin import Origin
from tests.integration.origin_paths import PATHS
from tests.integration.waiting import poll


def test_the_ready_lines_name_each_address_and_the_origin(edge: Edge, origin: Origin) -> None:
    matches = [READY.match(line) for line in edge.ready_lines]
    assert [match and match["scheme"] for match in matches] == ["ws", "wss"]
    assert all(match and match["origin"] == origin.url for match in matches)
    assert all(match and match["host"] == "127.0.0.1" and int(match["port"]) > 0 for match in matches)


def test_several_addresses_are_served(start_edge: StartEdge, origin: Origin) -> None:
    edge = start_edge(origin.url, *LISTEN, *LISTEN)
    ports = [int(match["port"]) for line in edge.ready_lines if (match := READY.match(line))]
    assert len(set(ports)) == 2
    for port in ports:
        with wire.websocket(("127.0.0.1", port), "/echo"):
            pass


@pytest.mark.parametrize("threads", ["1", "4"])
def test_any_number_of_threads_serves(start_edge: StartEdge, origin: Origin, threads: str) -> None:
    edge = start_edge(origin.url, "--threads", threads)
    for _ in range(20):
        with wire.websocket(edge.plain, "/echo") as (client, _):
            client.send_frame(Frame(TEXT, b"x"))
            assert client.read_message() == b"x"


def test_the_schemes_ws_and_wss_mean_http_and_https(
    start_edge: StartEdge, origin: Origin, authority: Authority
) -> None:
    with Origin(PATHS, tls=authority.issue("127.0.0.1").server_context()) as secure:
        plain = start_edge(origin.url.replace("http", "ws"))
        tls = start_edge(secure.url.replace("https", "wss"), "--origin-ca", authority.file)
        for edge in (plain, tls):
            with wire.websocket(edge.plain, "/echo"):
                pass


def test_a_unix_socket_is_an_origin(start_edge: StartEdge, tmp_path: Path, token: str) -> None:
    with Origin(PATHS, unix=tmp_path / "origin.sock") as local:
        edge = start_edge(local.url)
        with wire.websocket(edge.plain, f"/echo?{token}") as (client, answer):
            client.send_frame(Frame(BINARY, bytes(100_000)))
            assert client.read_message() == bytes(100_000)
            client.send_frame(close(1000))
            client.read_close()
        assert str(tmp_path / "origin.sock") in edge.closed(answer.ray).origin
        with wire.connect(edge.plain) as client:
            assert client.request(wire.request("GET", "/chunked"))[1] == b"one,two,three"


def has_ipv6() -> bool:
    """Whether this machine has an IPv6 loopback address."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 loopback address on this machine")
def test_ipv6_on_both_legs(start_edge: StartEdge, token: str) -> None:
    with Origin(PATHS, host="::1") as six:
        edge = start_edge(six.url, "--listen", "[::1]:0")
        assert edge.plain[0] == "::1"
        with wire.websocket(edge.plain, f"/echo?{token}", name="[::1]") as (client, answer):
            client.send_frame(Frame(TEXT, b"six"))
            assert client.read_message() == b"six"
            client.send_frame(close(1000))
            client.read_close()
        assert six.head(token).values("CF-Connecting-IP") == ["::1"]
        assert six.head(token).values("Host") == ["[::1]"]
        record = edge.closed(answer.ray)
        assert record.client.startswith("[::1]:")
        assert record.host == "[::1]"


def test_a_base_path_goes_before_the_clients(start_edge: StartEdge, origin: Origin, token: str) -> None:
    edge = start_edge(f"{origin.url}/base")
    with wire.websocket(edge.plain, f"/echo?{token}-ws"):
        assert origin.head(f"{token}-ws").target == f"/base/echo?{token}-ws"
    with wire.connect(edge.plain) as client:
        client.request(wire.request("GET", f"/dump/a%2Fb?{token}-http"))
    assert origin.head(f"{token}-http").target == f"/base/dump/a%2Fb?{token}-http"


def test_the_log_goes_to_a_file(start_edge: StartEdge, origin: Origin, tmp_path: Path) -> None:
    log = tmp_path / "edge.log"
    log.write_text('{"event": "an earlier run"}\n')
    edge = start_edge(origin.url, "--log", log)
    with wire.websocket(edge.plain, "/close/1000") as (client, answer):
        client.read_close()
        client.send_frame(close(1000))
        client.read_to_end()
    poll(lambda: answer.ray in log.read_text(), what="the record in the file")
    assert log.read_text().startswith('{"event": "an earlier run"}\n')
    assert not any(answer.ray in line for line in edge.log_lines)
    for line in log.read_text().splitlines():
        json.loads(line)


def test_without_a_certificate_a_local_one_is_made_and_kept(origin: Origin, tmp_path: Path) -> None:
    seen = []
    for _ in range(2):
        with Edge(origin.url, tmp_path, *TLS_LISTEN, *LISTEN) as edge:
            ca = tmp_path / "tls" / "ca.pem"
            trust = ssl.create_default_context(cafile=ca)
            with wire.websocket(edge.tls, "/echo", tls=trust, name="localhost") as (client, _):
                assert isinstance(client.sock, ssl.SSLSocket)
                seen.append(client.sock.getpeercert(binary_form=True))
    assert seen[0] == seen[1]
    for key in (tmp_path / "tls").glob("*key.pem"):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600


@pytest.mark.parametrize("redirection", ["", ">&-", ">/dev/full", ">&- 2>&-", "<&- >&- 2>/dev/full"])
def test_nobody_has_to_read_the_ready_lines(redirection: str, origin: Origin, tmp_path: Path) -> None:
    # The lines that would tell a port are what is lost. It is kept: whoever sets the same, as we do, may listen there.
    with socket.socket() as kept:
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        kept.bind(("127.0.0.1", 0))
        serve_unheard(redirection, origin, tmp_path, kept.getsockname())


def serve_unheard(redirection: str, origin: Origin, tmp_path: Path, address: wire.Address) -> None:
    up: list[str | Path] = [
        COMMAND,
        "up",
        origin.url,
        "--data",
        tmp_path / "data",
        "--listen",
        f"127.0.0.1:{address[1]}",
    ]
    reader, writer = os.pipe()
    os.close(reader)  # where stdout is not redirected, its reader has left, as `| true` does
    is_heard, errors = "2>" not in redirection, tmp_path / "errors"
    with errors.open("wb") as stderr:
        process = subprocess.Popen(["sh", "-c", f'exec "$@" {redirection}', "sh", *up], stdout=writer, stderr=stderr)
    os.close(writer)
    try:
        poll(lambda: process.poll() is not None or not refuses(address), what="serving", limit_s=START_LIMIT_S)
        poll(
            lambda: not is_heard or b"cannot be written" in errors.read_bytes(), what="what is said of the ready lines"
        )
        with wire.websocket(address, "/echo") as (client, _):
            client.send_frame(Frame(TEXT, b"unheard"))
            assert client.read_message() == b"unheard"
        process.send_signal(signal.SIGTERM)
        process.wait(STOP_LIMIT_S)
    finally:
        process.kill()
        process.wait(STOP_LIMIT_S)
    said = errors.read_text()
    assert process.returncode == 0, said
    told = [line for line in said.splitlines() if records.parse(line) is None]
    assert len(told) == is_heard, said
    assert all("ready lines cannot be written" in line for line in told)


# --- Stopping -------------------------------------------------------------------------------------------------------


def test_stopping_closes_both_sides_with_1001_and_ends_with_0(origin: Origin, tmp_path: Path, token: str) -> None:
    with Edge(origin.url, tmp_path, *LISTEN) as edge, wire.websocket(edge.plain, f"/echo?{token}") as (client, answer):
        client.send_frame(Frame(TEXT, b"open"))
        assert client.read_message() == b"open"
        edge.process.send_signal(signal.SIGINT)
        assert client.read_close().close_code == 1001
        client.send_frame(close(1001))
        assert client.read_to_end() == b""
        assert edge.ended() == 0
        edge.kill()  # reads what is left of the log
        frames = frames_of(all_at(origin, token))
        assert frames[0].payload == b"open"
        assert frames[1].close_code == 1001
        assert frames[1].mask is not None  # RFC 6455 §5.1: towards the origin the edge is the client
        record = edge.closed(answer.ray)
        assert (record.closed_by, record.edge_close_code, record.why) == ("edge", 1001, "edge_stopping")


def all_at(origin: Origin, token: str) -> bytes:
    """What the origin got after the head with `token`, once the edge has ended that: whoever has read it all knows of both."""
    seen = origin.find(token)
    seen.until(lambda seen: seen.ended, what="the end")
    return seen.after_head


def frames_of(data: bytes) -> list[Frame]:
    reader = FrameReader()
    frames = reader.feed(data)
    assert not reader.pending, "half a frame"
    return frames


def test_a_hundred_open_sockets_are_closed_on_stop(origin: Origin, tmp_path: Path, token: str) -> None:
    with Edge(origin.url, tmp_path, *LISTEN) as edge, ExitStack() as stack:
        clients = [stack.enter_context(wire.websocket(edge.plain, f"/echo?{token}-{n}-"))[0] for n in range(100)]
        edge.process.send_signal(signal.SIGINT)
        for client in clients:
            assert client.read_close().close_code == 1001
            client.send_frame(close(1001))
        assert edge.ended() == 0
        edge.kill()
        closed = [records.parse(line) for line in edge.log_lines]
        assert sum(record is not None and record["event"] == records.CLOSED_EVENT for record in closed) == 100
        for n in range(100):
            assert frames_of(all_at(origin, f"{token}-{n}-"))[0].close_code == 1001


def test_stopping_between_fragments_still_sends_a_close(origin: Origin, tmp_path: Path, token: str) -> None:
    """RFC 6455 §5.4: control frames may come between the fragments of a message; so may this Close."""
    origin.scripts[token] = (
        Frame(TEXT, b"first part", fin=False).encode() + Frame(CONTINUATION, b"more", fin=False).encode()
    )
    with Edge(origin.url, tmp_path, *LISTEN) as edge, wire.websocket(edge.plain, f"/play?id={token}") as (client, _):
        client.send_frame(Frame(TEXT, b"mine", fin=False))
        origin.find(token).until(
            lambda seen: b"mine" in seen.after_head or len(seen.after_head) == 10, what="my fragment"
        )
        assert [client.read_frame().payload for _ in range(2)] == [b"first part", b"more"]
        edge.process.send_signal(signal.SIGINT)
        assert client.read_close().close_code == 1001
        client.send_frame(close(1001))
        assert edge.ended() == 0
        assert [frame.opcode for frame in frames_of(all_at(origin, token))] == [1, 8]


def test_stopping_in_the_middle_of_a_frame_sends_no_close_into_it(origin: Origin, tmp_path: Path, token: str) -> None:
    half = Frame(BINARY, bytes(1000)).encode()[:500]
    origin.scripts[token] = half
    with Edge(origin.url, tmp_path, *LISTEN) as edge, wire.websocket(edge.plain, f"/play?id={token}") as (client, _):
        assert client.read_exactly(500) == half
        sent = Frame(BINARY, bytes(1000)).from_client().encode()[:500]
        client.send(sent)
        origin.find(token).until(lambda seen: len(seen.after_head) == 500, what="my half frame")
        edge.process.send_signal(signal.SIGINT)
        assert client.read_to_end() == b""
        assert edge.ended() == 0
        assert all_at(origin, token) == sent


def test_a_request_in_flight_is_finished_before_the_end(origin: Origin, tmp_path: Path, token: str) -> None:
    with Edge(origin.url, tmp_path, *LISTEN) as edge, wire.connect(edge.plain) as client:
        client.send(wire.request("GET", f"/held?{token}"))
        chunks_answer = client.read_answer()
        assert chunks_answer.status == 200
        edge.process.send_signal(signal.SIGINT)
        poll(lambda: refuses(edge.plain), what="no more accepting")
        origin.find(token).release()
        assert client.read_body(chunks_answer) == b"firstsecond"
        assert edge.ended() == 0


def test_idle_connections_end_before_a_request_in_flight_does(origin: Origin, tmp_path: Path, token: str) -> None:
    with (
        Edge(origin.url, tmp_path, *LISTEN) as edge,
        wire.connect(edge.plain) as client,
        wire.connect(edge.plain) as silent,
        wire.connect(edge.plain) as asking,
    ):
        client.request(wire.request("GET", "/status/200"))
        asking.send(wire.request("GET", f"/held?{token}"))
        held = asking.read_answer()
        edge.process.send_signal(signal.SIGINT)
        # The grace is for the request alone, which is still in flight when they have ended.
        assert client.read_to_end() == b""
        assert silent.read_to_end() == b""
        origin.find(token).release()
        assert asking.read_body(held) == b"firstsecond"
        assert edge.ended() == 0


def refuses(address: wire.Address) -> bool:
    """Whether nobody listens there any more."""
    try:
        socket.create_connection(address, timeout=30).close()
    except ConnectionRefusedError:
        return True
    return False


def test_a_second_signal_ends_it_at_once(origin: Origin, tmp_path: Path, token: str) -> None:
    edge = Edge(origin.url, tmp_path, *LISTEN)
    try:
        with wire.connect(edge.plain) as client:
            client.send(wire.request("GET", f"/held?{token}"))  # would keep it for its whole grace
            client.read_answer()
            edge.process.send_signal(signal.SIGINT)
            poll(lambda: refuses(edge.plain), what="no more accepting")
            edge.process.send_signal(signal.SIGINT)
            assert edge.process.wait(30) == -signal.SIGINT
    finally:
        edge.kill()


# --- What cannot start --------------------------------------------------------------------------------------------


def check_one_sentence(arguments: list[str | Path], *words: str) -> None:
    """It ends with status 2 and one sentence on standard error that has these words; nothing on standard output."""
    ended = run_to_end(["up", *arguments])
    assert ended.returncode == 2, ended
    assert ended.stdout == ""
    assert len(ended.stderr.strip().splitlines()) == 1, ended.stderr
    assert "Traceback" not in ended.stderr
    for word in words:
        assert word in ended.stderr, ended.stderr


GOOD = "http://127.0.0.1:9"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "ftp://127.0.0.1:21",
        "http://",
        "http://127.0.0.1:99999",
        "http://127.0.0.1:x",
        "http://u:p@127.0.0.1",
        "http://127.0.0.1/?q=1",
        "unix:",
        "http://[::1",
        "http://a b/",
    ],
)
def test_an_origin_that_is_no_url_is_one_sentence(url: str, tmp_path: Path) -> None:
    check_one_sentence([url, "--data", tmp_path, *LISTEN])


@pytest.mark.parametrize("flag", ["--listen", "--tls-listen"])
@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000", "256.0.0.1:80", "[::1:80"])
def test_an_address_that_is_none_is_one_sentence(flag: str, address: str, tmp_path: Path) -> None:
    check_one_sentence([GOOD, "--data", tmp_path, flag, address], flag)


@pytest.mark.parametrize("flag", ["--listen", "--tls-listen"])
def test_a_port_in_use_is_one_sentence(flag: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        beside = LISTEN if flag == "--tls-listen" else ()
        check_one_sentence([GOOD, "--data", tmp_path, *beside, flag, f"127.0.0.1:{port}"], str(port), "in use")


def test_the_default_address_is_port_8080_of_this_machine(tmp_path: Path) -> None:
    with ExitStack() as stack:
        with suppress(OSError):  # somebody else has it, and not another of this test: as good for it
            stack.enter_context(socket.create_server(("127.0.0.1", 8080), reuse_port=True))
        check_one_sentence([GOOD, "--data", tmp_path], "127.0.0.1:8080", "in use")


def test_a_port_that_another_edge_uses_is_in_use(edge: Edge, tmp_path: Path) -> None:
    """SO_REUSEPORT would let a second edge of the same user share it; that must be found out."""
    check_one_sentence([GOOD, "--data", tmp_path, "--listen", f"127.0.0.1:{edge.plain[1]}"], "in use")


def test_an_address_of_another_machine_is_one_sentence(tmp_path: Path) -> None:
    check_one_sentence([GOOD, "--data", tmp_path, "--listen", "192.0.2.1:0"], "192.0.2.1")


def test_a_missing_key_file_is_one_sentence(tmp_path: Path, leaf: Pair) -> None:
    missing = tmp_path / "nothing.pem"
    check_one_sentence(
        [GOOD, "--data", tmp_path, *LISTEN, *TLS_LISTEN, "--cert", leaf.cert, "--key", missing], str(missing)
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_a_key_file_without_permission_is_one_sentence(tmp_path: Path, leaf: Pair) -> None:
    key = tmp_path / "key.pem"
    key.write_bytes(leaf.key.read_bytes())
    key.chmod(0)
    check_one_sentence([GOOD, "--data", tmp_path, *LISTEN, *TLS_LISTEN, "--cert", leaf.cert, "--key", key], str(key))


def test_a_key_that_is_a_directory_is_one_sentence(tmp_path: Path, leaf: Pair) -> None:
    check_one_sentence(
        [GOOD, "--data", tmp_path, *LISTEN, *TLS_LISTEN, "--cert", leaf.cert, "--key", tmp_path], str(tmp_path)
    )


def test_a_key_of_another_certificate_is_one_sentence(tmp_path: Path, leaf: Pair, authority: Authority) -> None:
    other = authority.issue("example.test")
    check_one_sentence(
        [GOOD, "--data", tmp_path, *LISTEN, *TLS_LISTEN, "--cert", leaf.cert, "--key", other.key], str(other.key)
    )


def test_files_that_are_not_pem_are_one_sentence(tmp_path: Path, leaf: Pair) -> None:
    junk = tmp_path / "junk.pem"
    junk.write_bytes(b"\x00\xffnot PEM")
    check_one_sentence([GOOD, "--data", tmp_path, *LISTEN, *TLS_LISTEN, "--cert", junk, "--key", leaf.key], str(junk))
    check_one_sentence([GOOD, "--data", tmp_path, *LISTEN, *TLS_LISTEN, "--cert", leaf.cert, "--key", junk], str(junk))


def test_a_certificate_without_a_key_is_one_sentence(tmp_path: Path, leaf: Pair) -> None:
    check_one_sentence([GOOD, "--data", tmp_path, *LISTEN, *TLS_LISTEN, "--cert", leaf.cert], "--key")


@pytest.mark.parametrize("threads", ["0", "-1", "x", "65", "1.5"])
def test_a_wrong_number_of_threads_is_one_sentence(threads: str, tmp_path: Path) -> None:
    check_one_sentence([GOOD, "--data", tmp_path, *LISTEN, "--threads", threads], "threads")


def test_an_origin_authority_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    missing = tmp_path / "ca.pem"
    check_one_sentence(["https://127.0.0.1:9", "--data", tmp_path, *LISTEN, "--origin-ca", missing], str(missing))


def test_a_log_that_cannot_be_opened_is_one_sentence(tmp_path: Path) -> None:
    check_one_sentence([GOOD, "--data", tmp_path, *LISTEN, "--log", tmp_path / "no" / "log"], "log")


def test_no_origin_is_a_usage_error() -> None:
    ended = run_to_end(["up"])
    assert ended.returncode == 2
    assert "ORIGIN" in ended.stderr


def test_help_names_every_option() -> None:
    ended = run_to_end(["up", "--help"])
    assert ended.returncode == 0
    for option in (
        "--listen",
        "--tls-listen",
        "--cert",
        "--key",
        "--data",
        "--threads",
        "--ssl",
        "--origin-ca",
        "--log",
    ):
        assert option in ended.stdout
