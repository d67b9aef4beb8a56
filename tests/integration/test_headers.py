"""What the edge tells an origin about a client, and what no client can make it say (docs/up.md, "What the origin sees")."""

import json
import re

import pytest

from tests.integration import wire
from tests.integration.certificates import Authority
from tests.integration.conftest import StartEdge
from tests.integration.edge import Edge
from tests.integration.origin import Head, Origin
from tests.integration.relay import Relay

RAY = re.compile(r"[0-9a-f]{16}-[A-Z]{3}")
KINDS = pytest.mark.parametrize("kind", ["upgrade", "ordinary"])


def visit(edge: Edge, origin: Origin, token: str, kind: str, *lines: str) -> tuple[Head, wire.Answer]:
    """Send a request of that kind with these header lines; the head the origin got, and the answer's."""
    with wire.connect(edge.plain) as client:
        make = (
            wire.upgrade(f"/echo?{token}", *lines)
            if kind == "upgrade"
            else wire.request("GET", f"/dump?{token}", *lines)
        )
        client.send(make)
        answer = client.read_answer()
        assert answer.status in {101, 200}
        return origin.head(token), answer


@KINDS
def test_the_origin_is_told_who_asks(edge: Edge, origin: Origin, token: str, kind: str) -> None:
    head, answer = visit(edge, origin, token, kind)
    assert head.values("CF-Connecting-IP") == ["127.0.0.1"]
    assert head.values("X-Forwarded-For") == ["127.0.0.1"]
    assert head.values("X-Forwarded-Proto") == ["http"]
    assert json.loads(head.value("CF-Visitor")) == {"scheme": "http"}
    assert RAY.fullmatch(head.value("CF-Ray"))
    assert len(head.values("CDN-Loop")) == 1
    assert answer.values("CF-Ray") == head.values("CF-Ray")


@KINDS
def test_over_tls_the_scheme_is_https(edge: Edge, origin: Origin, authority: Authority, token: str, kind: str) -> None:
    data = wire.upgrade(f"/echo?{token}") if kind == "upgrade" else wire.request("GET", f"/dump?{token}")
    with wire.connect(edge.tls, tls=authority.trusting()) as client:
        client.send(data)
        client.read_answer()
    assert origin.head(token).values("X-Forwarded-Proto") == ["https"]
    assert json.loads(origin.head(token).value("CF-Visitor")) == {"scheme": "https"}


@KINDS
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("CF-Connecting-IP", ["127.0.0.1"]),
        ("cf-connecting-ip", ["127.0.0.1"]),
        ("CF-Connecting-IPv6", []),
        ("CF-Pseudo-IPv4", []),
        ("True-Client-IP", []),
        ("CF-IPCountry", []),
        ("CF-Worker", []),
        ("CF-EW-Via", []),
        ("X-Forwarded-Proto", ["http"]),
        ("CF_Connecting_IP", []),
    ],
)
def test_what_a_client_claims_is_replaced_or_removed(
    edge: Edge, origin: Origin, token: str, kind: str, name: str, expected: list[str]
) -> None:
    head, _ = visit(edge, origin, token, kind, f"{name}: 6.6.6.6", f"{name.upper()}: 7.7.7.7")
    assert head.values(name) == expected
    assert b"6.6.6.6" not in head.raw
    assert b"7.7.7.7" not in head.raw


@KINDS
def test_a_forged_ray_is_replaced(edge: Edge, origin: Origin, token: str, kind: str) -> None:
    head, answer = visit(edge, origin, token, kind, "CF-Ray: aaaaaaaaaaaaaaaa-XXX", 'CF-Visitor: {"scheme":"https"}')
    assert head.value("CF-Ray") != "aaaaaaaaaaaaaaaa-XXX"
    assert answer.values("CF-Ray") == head.values("CF-Ray")
    assert [json.loads(value) for value in head.values("CF-Visitor")] == [{"scheme": "http"}]


@KINDS
def test_a_name_in_connection_does_not_remove_what_the_edge_says(
    edge: Edge, origin: Origin, token: str, kind: str
) -> None:
    """RFC 9110 §7.6.1 lets `Connection` name fields to drop: the classic way to strip a proxy's own."""
    named = "Connection: upgrade, CF-Connecting-IP, X-Forwarded-For, X-Forwarded-Proto, CF-Ray, Sec-WebSocket-Version"
    head, _ = visit(edge, origin, token, kind, named)
    assert head.values("CF-Connecting-IP") == ["127.0.0.1"]
    assert head.values("X-Forwarded-For") == ["127.0.0.1"]
    assert head.values("X-Forwarded-Proto") == ["http"]
    assert head.values("CF-Ray")


@KINDS
def test_the_forwarded_for_list_is_extended(edge: Edge, origin: Origin, token: str, kind: str) -> None:
    head, _ = visit(edge, origin, token, kind, "X-Forwarded-For: 192.0.2.1, 192.0.2.2", "x-forwarded-for: 192.0.2.3")
    listed = ",".join(head.values("X-Forwarded-For")).replace(" ", "").split(",")
    assert listed == ["192.0.2.1", "192.0.2.2", "192.0.2.3", "127.0.0.1"]


@KINDS
def test_all_other_fields_keep_their_order_and_spelling(edge: Edge, origin: Origin, token: str, kind: str) -> None:
    lines = [
        "X-Odd-CASE: one",
        "Cookie: a=1",
        "Accept:  text/html ",
        "X-Odd-CASE: two",
        "cookie: b=2",
        "User-Agent: t/1",
    ]
    head, _ = visit(edge, origin, token, kind, *lines)
    mine = [(n, v) for n, v in head.fields if n.lower() in {"x-odd-case", "cookie", "accept", "user-agent"}]
    assert mine == [
        ("X-Odd-CASE", "one"),
        ("Cookie", "a=1"),
        ("Accept", "text/html"),
        ("X-Odd-CASE", "two"),
        ("cookie", "b=2"),
        ("User-Agent", "t/1"),
    ]


def test_each_request_has_a_ray_of_its_own(edge: Edge) -> None:
    rays = set()
    with wire.connect(edge.plain) as client:
        for _ in range(200):
            answer, _ = client.request(wire.request("GET", "/status/200"))
            assert RAY.fullmatch(answer.ray)
            rays.add(answer.ray)
    assert len(rays) == 200


def test_two_edges_in_a_row_work_and_both_are_listed(
    edge: Edge, start_edge: StartEdge, origin: Origin, token: str
) -> None:
    host, port = edge.plain
    outer = start_edge(f"http://{host}:{port}")
    head, _ = visit(outer, origin, token, "upgrade")
    assert len(",".join(head.values("CDN-Loop")).split(",")) == 2
    assert ",".join(head.values("X-Forwarded-For")).replace(" ", "") == "127.0.0.1,127.0.0.1"
    assert head.values("CF-Connecting-IP") == ["127.0.0.1"]


def test_a_foreign_member_of_the_loop_list_is_kept(edge: Edge, origin: Origin, token: str) -> None:
    head, _ = visit(edge, origin, token, "ordinary", 'CDN-Loop: cloudflare; loops=1, other;a="b,c"')
    assert ",".join(head.values("CDN-Loop")).startswith('cloudflare; loops=1, other;a="b,c"')


@KINDS
def test_an_edge_that_meets_itself_refuses_with_508(start_edge: StartEdge, kind: str) -> None:
    """The origin is a plain TCP relay back to the edge: a loop as a wrong DNS record makes it."""
    with Relay() as relay:
        edge = start_edge(f"http://127.0.0.1:{relay.port}")
        relay.to = edge.plain
        with wire.connect(edge.plain) as client:
            answer, body = client.request(wire.upgrade("/echo") if kind == "upgrade" else wire.request("GET", "/"))
        assert answer.status == 508
        assert body
        assert relay.connections == 1
