"""What the edge refuses before it asks a rule: each check of the core, by its place; and hosts as the core reads them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.request_refusals import MAX_FIELDS, Authority, authority_of, is_websocket_handshake, refusal_of
from tests.unit.requests import BROWSER_UPGRADE

HOST = ("Host", "example.com")


def place_of(
    *headers: tuple[str, str], method: str = "GET", target: str = "/", version: str = "HTTP/1.1"
) -> str | None:
    found = refusal_of(method, target, version, headers)
    return None if found is None else found.place


@pytest.mark.parametrize(
    ("method", "target", "place"),
    [
        ("GET", "/chat?a=ü", None),
        ("OPTIONS", "*", None),
        ("G T", "/", "/method"),
        ("CONNECT", "/", "/method"),
        ("A" * 33, "/", "/method"),
        ("GET", "/a b", "/url"),
        ("GET", "/\x1b", "/url"),
        ("GET", "/\x7f", "/url"),
        ("GET", "/#", "/url"),
        ("GET", "/\udcff", "/url"),
        ("GET", "/" + "a" * 16_384, "/url"),
        ("GET", "/" + "ü" * 8_191, None),
        ("GET", "/" + "ü" * 8_192, "/url"),
    ],
)
def test_a_request_line_that_the_edge_refuses_is_told(method: str, target: str, place: str | None) -> None:
    assert place_of(HOST, method=method, target=target) == place


@pytest.mark.parametrize(
    ("headers", "place"),
    [
        ([HOST, ("X", "a\tb")], None),
        ([HOST, ("X", "a\x01b")], "/headers/X"),
        ([HOST, ("X", "a\x7f")], "/headers/X"),
        ([HOST, *[("X", "1")] * MAX_FIELDS], "/headers"),
        ([HOST, ("X", "a" * 33_000)], "/headers"),
        ([], "/headers/Host"),
        ([HOST, HOST], "/headers/Host"),
        ([("Host", "a b")], "/headers/Host"),
        ([("Host", "a..b")], "/headers/Host"),
        ([HOST, ("Content-Length", "5")], None),
        ([HOST, ("Content-Length", "0x5")], "/headers/Content-Length"),
        ([HOST, ("Content-Length", str(2**64))], "/headers/Content-Length"),
        ([HOST, *[("Content-Length", "5")] * 2], "/headers/Content-Length"),
        ([HOST, ("Content-Length", "5"), ("Transfer-Encoding", "chunked")], "/headers/Content-Length"),
        ([HOST, ("Transfer-Encoding", "Chunked")], None),
        ([HOST, ("Transfer-Encoding", "gzip, chunked")], "/headers/Transfer-Encoding"),
    ],
)
def test_fields_that_the_edge_refuses_are_told(headers: list[tuple[str, str]], place: str | None) -> None:
    assert place_of(*headers) == place


def changed(name: str, *values: str) -> list[tuple[str, str]]:
    return [field for field in BROWSER_UPGRADE if field[0] != name] + [(name, value) for value in values]


@pytest.mark.parametrize(
    ("headers", "place"),
    [
        (list(BROWSER_UPGRADE), None),
        (changed("Upgrade", "WebSocket"), None),
        (changed("Upgrade", "h2c, websocket"), "/headers/Upgrade"),
        (changed("Upgrade", "websocket", "websocket"), "/headers/Upgrade"),
        (changed("Upgrade"), "/headers/Upgrade"),
        (changed("Connection", "close"), "/headers/Connection"),
        (changed("Sec-WebSocket-Version", "8"), "/headers/Sec-WebSocket-Version"),
        (changed("Sec-WebSocket-Key"), "/headers/Sec-WebSocket-Key"),
        (changed("Sec-WebSocket-Key", "x"), "/headers/Sec-WebSocket-Key"),
        (changed("Content-Length", "5"), "/headers/Content-Length"),
        (changed("Sec-WebSocket-Protocol", "mqtt, chat"), None),
        (changed("Sec-WebSocket-Protocol", "1' union select"), "/headers/Sec-WebSocket-Protocol"),
        (changed("Sec-WebSocket-Protocol", "a", "a"), "/headers/Sec-WebSocket-Protocol"),
    ],
)
def test_an_attempt_to_open_a_websocket_is_one_or_refused(headers: list[tuple[str, str]], place: str | None) -> None:
    assert place_of(*headers) == place
    assert is_websocket_handshake("GET", "HTTP/1.1", headers) is (place is None)
    # As rules see one that came over HTTP/2.
    assert is_websocket_handshake("GET", "HTTP/2", headers) is (place is None)
    assert place_of(*headers, method="POST") == "/method"
    assert place_of(*headers, version="HTTP/1.0") == "/protocol"


def test_what_is_no_attempt_is_a_request_like_others() -> None:
    headers = [HOST, ("Connection", "Upgrade"), ("Upgrade", "h2c")]
    assert place_of(*headers) is None
    assert not is_websocket_handshake("GET", "HTTP/1.1", headers)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Example.COM", Authority("example.com", 0)),
        ("example.com.:8443", Authority("example.com", 8443)),
        ("[2001:DB8::1]:80", Authority("[2001:db8::1]", 80)),
        ("192.0.2.1", Authority("192.0.2.1", 0)),
        ("a_b~c-d", Authority("a_b~c-d", 0)),
        ("", None), (".", None), ("a..b", None), ("a b", None), ("a:", None), ("a:0", None), ("a:65536", None),
        ("[::1", None), ("::1", None), ("[x]", None), ("[fe80::1%1]", None), ("ü.example", None), ("a" * 254, None),
    ],
)  # fmt: skip
def test_a_host_is_read_as_the_core_reads_it(text: str, expected: Authority | None) -> None:
    assert authority_of(text) == expected


@given(st.text(max_size=40), st.text(max_size=60), st.lists(st.tuples(st.text(max_size=20), st.text(max_size=20))))
def test_whatever_is_written_it_is_refused_or_not(method: str, target: str, headers: list[tuple[str, str]]) -> None:
    found = refusal_of(method, target, "HTTP/1.1", headers)
    assert found is None or found.place.startswith("/")
