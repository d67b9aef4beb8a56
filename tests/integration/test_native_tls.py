"""TLS by host name, and the names of origins, held over real sockets."""

import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from holdfast._native import Certificate, Edge, Origin, TlsRule
from holdfast.edge.decision import Forward, Respond
from tests.integration import wire
from tests.integration.certificates import Authority, Pair
from tests.integration.in_process import Running, ask, fine, running
from tests.integration.origin import Origin as FakeOrigin
from tests.integration.origin_paths import PATHS
from tests.integration.waiting import poll

TLS12, TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
AES_128, AES_256 = "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"
NAMES = ("new.test", "old.test", "free.test", "a.wild.test")


@pytest.fixture(scope="module")
def pair(authority: Authority) -> Pair:
    return authority.issue(*NAMES)


@pytest.fixture(scope="module")
def certificate(pair: Pair) -> Certificate:
    return Certificate(names=NAMES, chain_pem=pair.cert.read_bytes(), key_pem=pair.key.read_bytes())


def agreed(edge: Running, context: ssl.SSLContext, name: str) -> tuple[str | None, str]:
    """Version and cipher of a request over TLS that is answered."""
    with wire.connect(edge.address, tls=context, name=name) as client:
        assert client.request(wire.request("GET", "/", "Connection: close", host=name))[0].status == 200
        sock = client.sock
        assert isinstance(sock, ssl.SSLSocket)
        cipher = sock.cipher()
        assert cipher is not None
        return sock.version(), cipher[0]


def refused(edge: Running, context: ssl.SSLContext, name: str) -> str:
    """The alert a handshake ends with."""
    with pytest.raises(ssl.SSLError) as error, wire.connect(edge.address, tls=context, name=name):
        pass
    return str(error.value.reason)


def test_a_name_s_rule_decides_what_its_clients_may_use(authority: Authority, certificate: Certificate) -> None:
    rules = [
        TlsRule(names=["new.test", "*.wild.test"], min_version="1.3", max_version="1.3"),
        TlsRule(names=["old.test"], min_version="1.2", max_version="1.2", ciphers=[AES_128]),
    ]
    old, new = (authority.trusting(version=version) for version in (TLS12, TLS13))
    with running(fine, is_tls=True, certificates=[certificate], tls_rules=rules) as edge:
        assert agreed(edge, new, "new.test")[0] == "TLSv1.3"
        assert agreed(edge, old, "old.test") == ("TLSv1.2", AES_128)
        assert [agreed(edge, one, "free.test")[0] for one in (old, new)] == ["TLSv1.2", "TLSv1.3"]
        for context, name in ((old, "new.test"), (old, "a.wild.test"), (new, "old.test")):
            assert refused(edge, context, name) == "TLSV1_ALERT_PROTOCOL_VERSION"
        strong = authority.trusting(version=TLS12)
        strong.set_ciphers(AES_256)
        assert refused(edge, strong, "old.test") == "SSLV3_ALERT_HANDSHAKE_FAILURE"
        # Counted by the edge after the client has read the alert.
        poll(lambda: edge.edge.statistics()["tls_handshakes_failed"] == 4, what="four failed handshakes")


def test_a_name_without_http_2_is_offered_http_1_1_alone(authority: Authority, certificate: Certificate) -> None:
    rules = [TlsRule(names=["old.test"], min_version="1.2", max_version="1.3", http2=False)]
    context = authority.trusting()
    context.set_alpn_protocols(["h2", "http/1.1"])

    def spoken(edge: Running, name: str) -> str | None:
        with wire.connect(edge.address, tls=context, name=name) as client:
            assert isinstance(client.sock, ssl.SSLSocket)
            return client.sock.selected_alpn_protocol()

    with running(fine, is_tls=True, certificates=[certificate], tls_rules=rules) as edge:
        assert [spoken(edge, name) for name in ("old.test", "free.test")] == ["http/1.1", "h2"]
        edge.edge.set_tls(certificates=[certificate], rules=[])
        assert spoken(edge, "old.test") == "h2"


def test_certificates_and_rules_are_swapped_together_and_open_connections_stay(
    authority: Authority, certificate: Certificate
) -> None:
    strict = [TlsRule(names=["new.test"], min_version="1.3", max_version="1.3")]
    old = authority.trusting(version=TLS12)
    with (
        running(fine, is_tls=True, certificates=[certificate]) as edge,
        wire.connect(edge.address, tls=old, name="new.test") as before,
    ):
        edge.edge.set_tls(certificates=[certificate], rules=strict)
        assert refused(edge, old, "new.test") == "TLSV1_ALERT_PROTOCOL_VERSION"
        assert before.request(wire.request("GET", "/", host="new.test"))[0].status == 200
        edge.edge.set_certificates([certificate])
        assert refused(edge, old, "new.test") == "TLSV1_ALERT_PROTOCOL_VERSION"
        edge.edge.set_tls(certificates=[certificate], rules=[])
        assert agreed(edge, old, "new.test")[0] == "TLSv1.2"


def test_a_ticket_from_before_a_rule_is_no_way_around_it(authority: Authority, certificate: Certificate) -> None:
    context = authority.trusting(version=TLS12)
    weak, strong = (
        [TlsRule(names=["old.test"], min_version="1.2", max_version="1.2", ciphers=[one])] for one in (AES_128, AES_256)
    )

    def cipher(edge: Running, session: ssl.SSLSession | None) -> tuple[str, bool, ssl.SSLSession | None]:
        plain = socket.create_connection(edge.address)
        with context.wrap_socket(plain, server_hostname="old.test", session=session) as sock:
            found = sock.cipher()
            assert found is not None
            return found[0], bool(sock.session_reused), sock.session

    with running(fine, is_tls=True, certificates=[certificate], tls_rules=weak) as edge:
        first = cipher(edge, None)
        again = cipher(edge, first[2])
        edge.edge.set_tls(certificates=[certificate], rules=strong)
        after = cipher(edge, first[2])
    assert (first[:2], again[:2], after[:2]) == ((AES_128, False), (AES_128, True), (AES_256, False))


@pytest.mark.parametrize("chop", [1, 50])
def test_a_hello_in_pieces_meets_its_rule(authority: Authority, certificate: Certificate, chop: int) -> None:
    rules = [TlsRule(names=["new.test"], min_version="1.3", max_version="1.3")]
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = authority.trusting(version=TLS12).wrap_bio(incoming, outgoing, server_hostname="new.test")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    hello = outgoing.read()
    with (
        running(fine, is_tls=True, certificates=[certificate], tls_rules=rules) as edge,
        wire.connect(edge.address) as connection,
    ):
        for at in range(0, len(hello), chop):
            connection.send(hello[at : at + chop])
        incoming.write(connection.read_to_end())
    with pytest.raises(ssl.SSLError, match=r"(?i)protocol version"):
        client.do_handshake()


BAD_RULES: dict[str, dict[str, Any]] = {
    "names": {"names": []},
    "names ": {"names": ["a b"]},
    "min_version": {"min_version": "1.1"},
    "min_version ": {"min_version": "1.3", "max_version": "1.2"},
    "max_version": {"max_version": "2"},
    "ciphers": {"ciphers": ["AES128-SHA"]},
}


@pytest.mark.parametrize(("argument", "changed"), BAD_RULES.items(), ids=BAD_RULES)
def test_a_bad_rule_is_refused_by_the_argument_s_name(argument: str, changed: dict[str, Any]) -> None:
    given: dict[str, Any] = {"names": ["a.test"], "min_version": "1.2", "max_version": "1.3"}
    with pytest.raises(ValueError, match=f"^{argument.strip()}: "):
        TlsRule(**given | changed)


@contextmanager
def name_server(names: dict[str, str]) -> Iterator[str]:
    """A name server that knows these IPv4 addresses, for one second each; its address."""

    def serve(sock: socket.socket) -> None:
        while (got := sock.recvfrom(4096))[0]:
            query, client = got
            end = query.index(0, 12) + 1
            labels, at = [], 12
            while (size := query[at]) > 0:
                labels.append(query[at + 1 : at + 1 + size].decode().lower())
                at += 1 + size
            address = names.get(".".join(labels)) if query[end : end + 2] == b"\0\1" else None
            flags = 0x8180 if ".".join(labels) in names else 0x8183
            head = query[:2] + struct.pack(">5H", flags, 1, address is not None, 0, 0)
            record = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 1, 4) + socket.inet_aton(address) if address else b""
            sock.sendto(head + query[12 : end + 4] + record, client)

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=serve, args=(sock,), daemon=True)
        thread.start()
        yield "{}:{}".format(*sock.getsockname())
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", sock.getsockname())
        thread.join()


def test_origins_are_looked_up_at_the_name_servers_that_are_given(origin: FakeOrigin) -> None:
    port = origin.address[1]
    known, unknown = (Origin(label=name, scheme="http", host=name, port=port) for name in ("a.test", "no.test"))
    said = iter([known, unknown])
    reasons: list[str] = []

    def explain(fault: Any) -> Respond:
        reasons.append(fault.reason)
        return Respond(status=fault.status)

    with (
        name_server({"a.test": "127.0.0.1"}) as server,
        running(lambda _: Forward(origin=next(said)), explain, resolvers=[server]) as edge,
    ):
        assert [ask(edge.address)[0].status for _ in range(2)] == [200, 530]
    assert reasons == ["the origin's name no.test does not exist"]


def test_a_connection_that_stays_busy_moves_with_the_name_of_its_origin(origin: FakeOrigin, token: str) -> None:
    names = {"a.test": "127.0.0.1"}
    named = Origin(label="o", scheme="http", host="a.test", port=origin.port)
    with (
        FakeOrigin(PATHS, host="127.0.0.2", port=origin.port) as moved,
        name_server(names) as server,
        running(lambda _: Forward(origin=named), resolvers=[server]) as edge,
        wire.connect(edge.address) as client,
    ):

        def status() -> int:
            return client.request(wire.request("GET", f"/status/200?{token}"))[0].status

        assert status() == 200
        assert origin.look_up(token)
        names["a.test"] = "127.0.0.2"
        poll(lambda: status() == 200 and moved.look_up(token), what="a request at the new address")


@pytest.mark.parametrize("server", ["dns.test", "127.0.0.1:dns", ""])
def test_a_bad_name_server_is_refused(server: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, pytest.raises(ValueError, match=r"^resolvers: "):
        Edge(listeners=[(listener.detach(), False)], threads=1, decide=fine, answer=fine, resolvers=[server])
