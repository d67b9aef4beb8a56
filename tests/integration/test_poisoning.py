"""One client's exchange never becomes another's: bytes too many, from either side, belong to nobody (RFC 9112 §11.1, §11.2)."""

import pytest

from tests.integration import wire
from tests.integration.edge import Edge
from tests.integration.frames import TEXT, Frame
from tests.integration.origin import Origin
from tests.integration.origin_paths import PAGE


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/behind-length"),
        ("GET", "/behind-chunks"),
        ("GET", "/behind-204"),
        ("GET", "/behind-304"),
        ("HEAD", "/behind-head"),
    ],
)
def test_bytes_behind_an_answer_are_nobodys_answer(edge: Edge, method: str, path: str) -> None:
    for _ in range(5):
        with wire.connect(edge.plain) as attacker:
            attacker.send(wire.request(method, path))
            answer = attacker.read_answer()
            body = attacker.read_body(answer, method=method)
            assert body == (b"ok" if method == "GET" and answer.status == 200 else b"")
        for _ in range(5):
            with wire.connect(edge.plain) as victim:
                answer, body = victim.request(wire.request("GET", "/status/200"))
                assert (answer.status, body) == (200, PAGE)


@pytest.mark.parametrize("path", ["/behind-length", "/behind-chunks", "/behind-204"])
def test_bytes_behind_a_refused_upgrade_are_nobodys_answer(edge: Edge, path: str) -> None:
    with wire.connect(edge.plain) as attacker:
        attacker.request(wire.upgrade(path))
    for _ in range(5):
        with wire.connect(edge.plain) as victim:
            answer, body = victim.request(wire.request("GET", "/status/200"))
            assert (answer.status, body) == (200, PAGE)


def test_frames_behind_a_refused_upgrade_never_reach_the_origin(edge: Edge, origin: Origin, token: str) -> None:
    """A client that guessed a 101 has sent frames; at an origin that still speaks HTTP they would be a request."""
    smuggled = wire.request("GET", f"/smuggled?{token}-frame")
    with wire.connect(edge.plain) as client:
        client.send(wire.upgrade(f"/status/401?{token}") + Frame(TEXT, smuggled, mask=bytes(4)).encode())
        answer = client.read_answer()
        assert (answer.status, client.read_body(answer)) == (401, PAGE)
        # What follows can be no request: the connection ends, with or without a word about it.
        rest = client.read_to_end()
        assert rest == b"" or wire.Answer.parse(rest.partition(b"\r\n\r\n")[0]).status == 400
    with wire.connect(edge.plain) as client:
        assert client.request(wire.request("GET", "/status/200"))[0].status == 200
    assert not origin.received_anywhere(f"{token}-frame".encode())


def test_framing_fields_in_a_101_do_not_reach_the_client(edge: Edge) -> None:
    # RFC 9110 §8.6, RFC 9112 §6.1: a server must not send them in a 1xx; a client that believed them would be lost.
    with wire.connect(edge.plain) as client:
        client.send(wire.upgrade("/framed-101"))
        answer = client.read_answer()
        if answer.status == 101:
            assert not answer.values("Content-Length")
            assert not answer.values("Transfer-Encoding")
            assert client.read_message() == b"must not arrive"
        else:
            assert answer.status in {502, 520}


@pytest.mark.parametrize(
    "path", ["/chunked", "/until-close", "/trailers", "/length?bytes=100000", "/status/204", "/old"]
)
def test_a_refusal_of_any_framing_ends_where_it_ends(edge: Edge, origin: Origin, path: str) -> None:
    with wire.connect(origin.address) as direct, wire.connect(edge.plain) as through:
        expected = direct.request(wire.upgrade(path))
        answer, body = through.request(wire.upgrade(path))
        assert (answer.status, body) == (expected[0].status, expected[1])


def test_two_clients_on_pooled_connections_never_get_each_others_answers(edge: Edge) -> None:
    """The first leaves in the middle of its answer; the connection it used must not serve the rest to the second."""
    for _ in range(20):
        with wire.connect(edge.plain) as leaver:
            leaver.send(wire.request("GET", "/length?bytes=300000"))
            leaver.read_answer()
            leaver.reset()
        with wire.connect(edge.plain) as other:
            answer, body = other.request(wire.request("GET", "/status/404"))
            assert (answer.status, body) == (404, PAGE)
