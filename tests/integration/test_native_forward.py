"""What a decision may ask for a request on its way to the origin and back, held over real sockets."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from holdfast._native import Origin
from holdfast.edge.decision import Forward, Respond
from holdfast.model.fault import Fault
from tests.integration import wire
from tests.integration.certificates import Authority
from tests.integration.frames import TEXT, Frame
from tests.integration.in_process import Running, ask, of, origin_that, running
from tests.integration.origin import Origin as FakeOrigin
from tests.integration.origin_paths import PATHS

UPGRADE_NAMES = ("upgrade", "sec-websocket-key", "sec-websocket-version", "sec-websocket-extensions")


def forwards(origin: Origin, **said: Any) -> Callable[[object], Forward]:
    decision = Forward(origin=origin, **said)
    return lambda _: decision


@pytest.mark.parametrize("data", [wire.upgrade("/echo/{}"), wire.request("GET", "/status/200/{}")], ids=["ws", "http"])
def test_a_host_that_is_set_is_the_only_host_the_origin_sees(origin: FakeOrigin, token: str, data: bytes) -> None:
    decide = forwards(of(origin), set_headers=(("host", "inner.test:81"),))
    with running(decide) as edge, wire.connect(edge.address) as client:
        client.send(data.replace(b"{}", token.encode()))
        assert client.read_answer().status in {101, 200}
    assert origin.head(token).values("Host") == ["inner.test:81"]


def test_a_stripped_upgrade_is_an_ordinary_get_to_the_origin(origin: FakeOrigin, token: str) -> None:
    decide = forwards(of(origin), strip_upgrade=True)
    extensions = "Sec-WebSocket-Extensions: permessage-deflate"
    with running(decide) as edge, wire.connect(edge.address) as client:
        # A frame that comes at once must not be read as a request, nor reach the origin.
        client.send(wire.upgrade(f"/status/200/{token}", extensions, "X-Kept: 1") + Frame(TEXT, b"hi").encode())
        answer = client.read_answer()
        body = client.read_body(answer)
        assert client.read_to_end() == b""
    assert (answer.status, answer.value("Connection")) == (200, "close")
    assert body
    head = origin.head(token)
    assert [name for name in UPGRADE_NAMES if head.values(name)] == []
    assert (head.value("Connection"), head.value("X-Kept")) == ("", "1")
    assert origin.find(token).after(token) == b""


def test_an_origin_that_upgrades_a_stripped_request_is_at_fault(origin: FakeOrigin) -> None:
    def answer(connection: Any, _: bytes) -> None:
        connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")

    with (
        origin_that(answer) as (broken, _),
        running(forwards(broken, strip_upgrade=True), lambda fault: Respond(status=fault.status)) as edge,
    ):
        assert ask(edge.address, wire.upgrade("/"))[0].status == 520


def test_fields_set_on_an_answer_replace_the_origins(origin: FakeOrigin) -> None:
    said = (
        ("x-odd-case", "ours"),
        ("Set-Cookie", "c=3"),
        ("Content-Length", "9999"),
        ("CF-Ray", "forged"),
        ("X-New", "1"),
    )
    with running(forwards(of(origin), set_response_headers=said)) as edge:
        answer, body = ask(edge.address, wire.request("GET", "/status/200", "Connection: close"))
        with wire.websocket(edge.address, "/echo") as (client, opened):
            client.send_frame(Frame(TEXT, b"hi"))
            assert client.read_message() == b"hi"
    for head in (answer, opened):
        assert (head.values("X-Odd-Case"), head.values("Set-Cookie"), head.value("X-New")) == (["ours"], ["c=3"], "1")
        assert head.ray != "forged"
    assert answer.values("Content-Length") == [str(len(body))]


@pytest.mark.parametrize("upgrade", [True, False], ids=["ws", "http"])
@pytest.mark.parametrize("status", [502, 504])
def test_a_status_to_be_explained_is_asked_about_and_not_passed_on(
    origin: FakeOrigin, status: int, *, upgrade: bool
) -> None:
    faults: list[Fault] = []

    def answer(fault: Fault) -> Respond:
        faults.append(fault)
        return Respond(status=fault.status, body=b"ours")

    with running(forwards(of(origin), zone="z", explain_statuses=(502, 504)), answer) as edge:
        for said in (status, 503):
            target = f"/status/{said}"
            data = wire.upgrade(target) if upgrade else wire.request("GET", target)
            with wire.connect(edge.address) as client:
                answered, body = client.request(data)
            assert (answered.status, body == b"ours") == (said, said == status)
        lines = edge.stop()
    (fault,) = faults
    assert (fault.status, fault.code, fault.reason) == (status, status, f"the origin o answered {status}")
    assert [(line["event"], line["status"], line["zone"]) for line in lines] == [("request_failed", status, "z")]


@pytest.fixture
def twins() -> Iterator[tuple[FakeOrigin, FakeOrigin]]:
    """Two origins at one port of two addresses."""
    with (
        FakeOrigin(PATHS, host="127.0.0.2") as first,
        FakeOrigin(PATHS, host="127.0.0.3", port=first.address[1]) as second,
    ):
        yield first, second


def connections(edge: Running, count: int) -> None:
    for _ in range(count):
        with wire.websocket(edge.address, "/echo") as (client, _):
            client.send_frame(Frame(TEXT, b"hi"))
            assert client.read_message() == b"hi"


def test_addresses_take_turns(twins: tuple[FakeOrigin, FakeOrigin]) -> None:
    port = twins[0].address[1]
    origin = Origin(label="o", scheme="http", addresses=["127.0.0.2", "127.0.0.3"], port=port)
    with running(forwards(origin)) as edge:
        connections(edge, 6)
    assert [len(twin.connections) for twin in twins] == [3, 3]


def test_an_address_that_refuses_leaves_it_to_the_next(twins: tuple[FakeOrigin, FakeOrigin]) -> None:
    port = twins[0].address[1]
    origin = Origin(label="o", scheme="http", addresses=["127.0.0.4", "127.0.0.2"], port=port)
    with running(forwards(origin)) as edge:
        connections(edge, 4)
    assert len(twins[0].connections) == 4


def test_addresses_that_all_refuse_are_521() -> None:
    origin = Origin(label="o", scheme="http", addresses=["127.0.0.1", "::1"], port=1)
    with running(forwards(origin), lambda fault: Respond(status=fault.status)) as edge:
        assert ask(edge.address)[0].status in {521, 523}


@pytest.fixture
def named(authority: Authority) -> Iterator[tuple[FakeOrigin, list[str | None]]]:
    """A TLS origin for one.test and two.test, and the names that it was asked for."""
    names: list[str | None] = []
    context = authority.issue("one.test", "two.test").server_context()
    context.sni_callback = lambda _socket, name, _context: names.append(name)
    with FakeOrigin(PATHS, tls=context) as fake:
        yield fake, names


def tls_origin(fake: FakeOrigin, authority: Authority, **changed: Any) -> Origin:
    place = {"addresses": ["127.0.0.1"], "host": ""}
    return of(fake, scheme="https", ca_pem=authority.file.read_bytes(), **place | changed)


def test_the_server_name_of_an_origin_is_asked_for_and_verified(
    named: tuple[FakeOrigin, list[str | None]], authority: Authority
) -> None:
    fake, names = named
    for given, status in (("one.test", 200), ("other.test", 526), ("", 526)):
        origin = tls_origin(fake, authority, server_name=given)
        with running(forwards(origin), lambda fault: Respond(status=fault.status)) as edge:
            assert ask(edge.address)[0].status == status
    # An address is no server name (RFC 6066 §3).
    assert names == ["one.test", "other.test", None]


def test_connections_of_one_name_never_serve_another(
    named: tuple[FakeOrigin, list[str | None]], authority: Authority
) -> None:
    fake, names = named
    origin = tls_origin(fake, authority, server_name="one.test")
    said = iter(["", "two.test", "two.test", "", "one.test"])
    with (
        running(lambda _: Forward(origin=origin, server_name=next(said))) as edge,
        wire.connect(edge.address) as client,
    ):
        for _ in range(5):
            assert client.request(wire.request("GET", "/status/200"))[0].status == 200
    # A name that the decision gives is apart from the same name of the origin: never mixed, at the cost of a connection.
    assert names == ["one.test", "two.test", "one.test"]


def test_a_server_name_is_for_upgrades_too(named: tuple[FakeOrigin, list[str | None]], authority: Authority) -> None:
    fake, names = named
    with running(forwards(tls_origin(fake, authority), server_name="two.test")) as edge:
        connections(edge, 1)
    assert names == ["two.test"]


def test_a_server_name_means_nothing_without_tls(origin: FakeOrigin) -> None:
    with running(forwards(of(origin), server_name="two.test")) as edge:
        assert ask(edge.address)[0].status == 200


@pytest.mark.parametrize(
    "said",
    [
        {"server_name": "not a name"},
        {"zone": 7},
        {"set_response_headers": (("X A", "1"),)},
        {"explain_statuses": ("502",)},
    ],
    ids=lambda said: next(iter(said)),
)
def test_a_decision_that_says_nonsense_refuses_the_request(origin: FakeOrigin, said: dict[str, Any]) -> None:
    with running(forwards(of(origin), **said)) as edge:
        assert ask(edge.address)[0].status == 500
        assert edge.edge.statistics()["policy_failed"] == 1


def test_tls_to_an_origin_needs_the_authority_of_its_certificate(
    named: tuple[FakeOrigin, list[str | None]], tmp_path: Any
) -> None:
    fake, _ = named
    origin = tls_origin(fake, Authority(tmp_path), server_name="one.test")
    with running(forwards(origin), lambda fault: Respond(status=fault.status)) as edge:
        assert ask(edge.address)[0].status == 526


def test_origins_that_are_verified_alike_verify_each_its_own_name(authority: Authority) -> None:
    with FakeOrigin(PATHS, tls=authority.issue("one.test").server_context()) as fake:
        good, bad = (tls_origin(fake, authority, server_name=name) for name in ("one.test", "two.test"))
        said = iter([good, bad, good])
        with running(lambda _: Forward(origin=next(said)), lambda fault: Respond(status=fault.status)) as edge:
            assert [ask(edge.address)[0].status for _ in range(3)] == [200, 526, 200]
