"""Ports: what a redirect names, and what an origin is dialled on."""

import pytest

from holdfast.edge.ports import Ports, origin_port


@pytest.mark.parametrize(
    ("ports", "scheme", "authority"),
    [
        (Ports(plain=(80,), tls=(443,)), "https", "a.test"),
        (Ports(plain=(8080,), tls=(8443, 443)), "https", "a.test"),
        (Ports(plain=(8080,), tls=(8443, 9443)), "https", "a.test:8443"),
        (Ports(plain=(8080, 8081), tls=(8443,)), "http", "a.test:8080"),
        # Somebody else may speak TLS in front of an edge that does not.
        (Ports(plain=(8080,)), "https", "a.test"),
        (Ports(), "http", "a.test"),
    ],
)
def test_a_redirect_names_the_port_where_it_does_not_go_without_saying(
    ports: Ports, scheme: str, authority: str
) -> None:
    assert ports.authority("a.test", scheme=scheme) == authority


@pytest.mark.parametrize(
    ("edge_port", "client_is_tls", "origin_is_tls", "port"),
    [
        (443, True, True, 443),
        (443, True, False, 80),
        (80, False, True, 443),
        (80, False, False, 80),
        (8443, True, False, 8443),
        (2052, False, True, 2052),
        # Odd, and the client's to choose: only HTTP's own pair is swapped.
        (80, True, False, 80),
        (443, False, True, 443),
    ],
)
def test_the_origin_s_port_is_the_client_s_but_for_http_s_own_pair(
    edge_port: int, client_is_tls: bool, origin_is_tls: bool, port: int
) -> None:
    assert origin_port(edge_port, client_is_tls=client_is_tls, origin_is_tls=origin_is_tls) == port
