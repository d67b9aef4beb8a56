"""Requests that people write down: what each way says, and where the error of a bad one points."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.request import Request
from holdfast.model.request_refusals import is_websocket_handshake
from holdfast.model.request_text import (
    DEFAULT_CLIENT,
    GivenRequest,
    RequestTextError,
    header_of,
    parse_request_text,
    request_from_object,
    request_from_url,
    request_object,
)
from tests.unit.requests import BROWSER_UPGRADE

HEAD = "GET /chat?room=1 HTTP/1.1\r\nHost: Example.com:8443\r\nX-A: grün\r\nx-a:  two \r\n\r\nbody: no\r\n"
CURL = """\
*   Trying 127.0.0.1:8443...
> GET /chat HTTP/1.1
> Host: example.com
> User-Agent: curl/8.5.0
>
< HTTP/1.1 101 Switching Protocols
"""
CHROMIUM = """\
:authority: example.com
:method: GET
:path: /chat?room=1
:scheme: https
accept: */*
"""


def read(text: str) -> Request:
    return parse_request_text(text).request


def test_a_raw_head_is_read_as_it_is() -> None:
    request = read(HEAD)
    assert (request.method, request.path, request.query, request.version) == ("GET", "/chat", "room=1", "HTTP/1.1")
    assert (request.scheme, request.host, request.edge_port, request.client_ip) == (
        "https", "example.com", 8443, DEFAULT_CLIENT,
    )  # fmt: skip
    # Bytes of a field are one character each.
    assert request.headers == (("Host", "Example.com:8443"), ("X-A", "gr\xc3\xbcn"), ("x-a", "two"))
    assert request.tls is not None
    assert request.tls.server_name == "example.com"


@pytest.mark.parametrize(
    ("text", "target", "names"),
    [
        (CURL, "/chat", ["Host", "User-Agent"]),
        (CHROMIUM, "/chat?room=1", ["Host", "accept"]),
        ("GET http://example.com/a?b HTTP/1.1\nX: 1\n", "/a?b", ["Host", "X"]),
        ("\n\nGET / HTTP/1.0\nHost: example.com\n", "/", ["Host"]),
        ("GET /\nHost: example.com", "/", ["Host"]),
    ],
)
def test_heads_are_taken_as_tools_print_them(text: str, target: str, names: list[str]) -> None:
    request = read(text)
    assert f"{request.path}?{request.query}".removesuffix("?") == target
    assert (request.host, [name for name, _ in request.headers]) == ("example.com", names)


def test_json_says_everything() -> None:
    given_request = parse_request_text(
        '{"url": "https://example.com/chat?a=1#x", "method": "PUT", "headers": {"Cookie": ["a=1", "b=2"], "X": "1"},'
        ' "protocol": "HTTP/1.0", "client_ip": "2001:DB8::1", "country": "nl", "asn": 64512}'
    )
    request = given_request.request
    assert (given_request.country, given_request.asn) == ("NL", 64512)
    assert (request.method, request.scheme, request.path, request.query) == ("PUT", "https", "/chat", "a=1")
    assert request.headers[:4] == (("Host", "example.com"), ("Cookie", "a=1"), ("Cookie", "b=2"), ("X", "1"))
    assert (request.client_ip, request.version, request.is_upgrade) == ("2001:db8::1", "HTTP/1.0", False)


def test_a_url_alone_is_a_plain_get() -> None:
    request = request_from_url("http://[2001:db8::1]:8080")
    assert (request.scheme, request.host, request.edge_port) == ("http", "[2001:db8::1]", 8080)
    assert (request.path, request.query, request.tls) == ("/", "", None)
    assert request.headers == (("Host", "[2001:db8::1]:8080"),)


def test_a_request_survives_the_way_through_json() -> None:
    whole = GivenRequest(read(HEAD), "NL", 64512)
    assert request_from_object(request_object(whole)) == whole
    plain = GivenRequest(request_from_url("http://[2001:db8::1]/"))
    assert request_from_object(request_object(plain)) == plain


def test_the_address_of_a_websocket_brings_a_handshake_but_for_what_is_said() -> None:
    assert request_from_url("wss://example.com/chat").is_upgrade
    assert not request_from_url("https://example.com/chat").is_upgrade
    other = request_from_url("ws://example.com/chat", headers=[("upgrade", "WebSocket")])
    assert other.is_upgrade
    assert other.header_values("Upgrade") == ("websocket",)
    with pytest.raises(RequestTextError, match="the edge answers 400 before it asks rules") as error:
        request_from_url("ws://example.com/chat", headers=[("upgrade", "h2c")])
    assert error.value.place == "/headers/Upgrade"


def test_the_host_is_the_fields_where_one_is_given_and_the_port_the_addresss() -> None:
    request = request_from_url("https://192.0.2.7:8443/", headers=[("host", "B.Example.:81")])
    assert (request.host, request.edge_port, request.headers) == ("b.example", 8443, (("host", "B.Example.:81"),))
    assert request.tls is not None
    assert request.tls.server_name == "b.example"
    assert (
        request_from_object({"url": "https://a.example/", "headers": {"Host": "b.example"}}).request.host == "b.example"
    )


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", "line 1"),
        ("hello", "line 1"),
        ("GET /a b HTTP/1.1", "line 1"),
        ("GET / HTTP/1.1\nHost: a\nno field\n", "line 3"),
        ("GET / HTTP/1.1\nHost: a\nX Y: 1\n", "line 3"),
        ("GET / HTTP/1.1\nX: 1\n", ""),
        ("GET / HTTP/1.1\nHost: a:99999\n", "/headers/Host"),
        ("GET chat HTTP/1.1\nHost: a\n", "/url"),
        ("GET / HTTP/1.1\nHost: a\nHost: a\n", "/headers/Host"),
        ("GET /\x1b HTTP/1.1\nHost: a\n", "/url"),
        ("GET /\udcff HTTP/1.1\nHost: a\n", "/url"),
        ("GET /#a HTTP/1.1\nHost: a\n", "/url"),
        ("GET / HTTP/1.1\nHost: a\nX: \ud800\n", "line 3"),
        ('{"url": \n}', "line 2"),
        ("{" * 100_000, "line 1"),
        ('{"asn": ' + "9" * 5_000 + "}", ""),
        ("x" * 200_000, ""),
    ],
)
def test_an_error_of_a_text_says_where(text: str, place: str) -> None:
    with pytest.raises(RequestTextError) as error:
        parse_request_text(text)
    assert error.value.place == place


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"url": 5}, "/url"),
        ({"url": "example.com"}, "/url"),
        ({"url": "ftp://example.com/"}, "/url"),
        ({"url": "https://a:99999/"}, "/url"),
        ({"url": "ws://[::1/"}, "/url"),
        ({"url": "https://example.com/a b"}, "/url"),
        ({"url": "https://example.com/" + "a" * 17_000}, "/url"),
        ({"url": "https://example.com/\ud800"}, "/url"),
        ({"headers": {"Host": "a b"}}, "/headers/Host"),
        ({"headers": {"Host": ["a", "a"]}}, "/headers/Host"),
        ({"headers": {"A": "\ud800"}}, "/headers/A"),
        ({"method": "TRACE"}, "/method"),
        ({"method": "GE T"}, "/method"),
        ({"headers": []}, "/headers"),
        ({"headers": {"A": 1}}, "/headers/A"),
        ({"headers": {"A": ["1", None]}}, "/headers/A"),
        ({"headers": {"A B": "1"}}, "/headers/A B"),
        ({"headers": {"A: 1": "2"}}, "/headers/A: 1"),
        ({"headers": {"": "A: 1"}}, "/headers/"),
        ({"headers": {"A": "1\r\nB: 2"}}, "/headers/A"),
        ({"headers": {"A": "1" * 40_000}}, "/headers"),
        ({"protocol": "SPDY/3"}, "/protocol"),
        ({"client_ip": "here"}, "/client_ip"),
        ({"client_ip": "fe80::1%eth0"}, "/client_ip"),
        ({"country": "NLD"}, "/country"),
        ({"asn": -1}, "/asn"),
        ({"asn": True}, "/asn"),
        ({"body": "x"}, "/body"),
    ],
)
def test_an_error_of_an_object_names_the_member(change: dict[str, Any], place: str) -> None:
    with pytest.raises(RequestTextError) as error:
        request_from_object({"url": "https://example.com/", **change})
    assert error.value.place == place
    with pytest.raises(RequestTextError):
        request_from_object([change])


def _changed(**fields: str | None) -> list[tuple[str, str]]:
    wanted = {name.replace("_", "-").lower(): value for name, value in fields.items()}
    found = [(name, wanted.get(name.lower(), value)) for name, value in BROWSER_UPGRADE]
    return [(name, value) for name, value in found if value is not None]


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (list(BROWSER_UPGRADE), True),
        (_changed(Connection="keep-alive, Upgrade"), True),
        (_changed(Upgrade="WebSocket"), True),
        (_changed(Upgrade="h2c, websocket"), False),
        (_changed(Upgrade="websocket, websocket"), False),
        (_changed(Upgrade="websocket,"), False),
        ([*BROWSER_UPGRADE, ("Upgrade", "websocket")], False),
        ([("Upgrade", ""), *BROWSER_UPGRADE], False),
        (_changed(Connection="keep-alive"), False),
        (_changed(Upgrade="h2c"), False),
        (_changed(Sec_WebSocket_Version="8"), False),
        (_changed(Sec_WebSocket_Key="x"), False),
        (_changed(Sec_WebSocket_Key=None), False),
        ([*BROWSER_UPGRADE, ("Content-Length", "5")], False),
        ([*BROWSER_UPGRADE, ("Transfer-Encoding", "chunked")], False),
    ],
)
def test_a_handshake_is_known_by_its_fields(headers: list[tuple[str, str]], expected: bool) -> None:
    assert is_websocket_handshake("GET", "HTTP/1.1", headers) is expected
    assert not is_websocket_handshake("POST", "HTTP/1.1", headers)
    assert not is_websocket_handshake("GET", "HTTP/1.0", headers)


def test_rules_see_the_upgrade_of_a_handshake_as_the_origin_gets_it() -> None:
    request = request_from_url("https://example.com/", headers=_changed(Upgrade="WebSocket"))
    assert request.header_values("upgrade") == ("websocket",)
    assert request.is_upgrade


def test_the_host_of_an_absolute_form_takes_the_place_of_the_field() -> None:
    found = parse_request_text("GET http://b.example:81/ HTTP/1.1\nAccept: a\nHost: a.example\n").request
    assert found.headers == (("Accept", "a"), ("Host", "b.example:81"))
    assert (found.host, found.edge_port) == ("b.example", 81)


@pytest.mark.parametrize(("authority", "host"), [("A.Example.", "a.example"), ("a.example.:81", "a.example")])
def test_a_final_dot_is_no_part_of_a_host(authority: str, host: str) -> None:
    assert request_from_url(f"http://{authority}/").host == host


@pytest.mark.parametrize("authority", [".", "..", ".a", "a..", "a..b", ".:80"])
def test_a_host_has_no_empty_labels(authority: str) -> None:
    with pytest.raises(RequestTextError, match="expected a host"):
        request_from_url(f"http://{authority}/")


@pytest.mark.parametrize(
    ("given", "seen"),
    [("203.0.113.7", "203.0.113.7"), ("::ffff:203.0.113.7", "203.0.113.7"), ("2001:DB8:0::1", "2001:db8::1")],
)
def test_a_clients_address_is_written_as_the_core_writes_it(given: str, seen: str) -> None:
    assert request_from_url("https://example.com/", client_ip=given).client_ip == seen


def test_a_header_field_is_split_at_its_first_colon() -> None:
    assert header_of("Origin: https://example.com", "--header") == ("Origin", "https://example.com")
    with pytest.raises(RequestTextError, match="--header"):
        header_of("Origin", "--header")


def test_bytes_of_a_field_that_are_no_utf_8_are_kept() -> None:
    text = b"GET / HTTP/1.1\nHost: a\nX: \xff\xc3\xbc\n".decode("utf-8", "surrogateescape")
    assert read(text).header_values("x") == ("\xff\xc3\xbc",)


@given(st.text(max_size=300) | st.text(alphabet='GET /\r\nHost:ab{}"url,1 >*<', max_size=100))
def test_any_text_is_a_request_or_an_error(text: str) -> None:
    try:
        found: GivenRequest | None = parse_request_text(text)
    except RequestTextError:
        found = None
    assert found is None or found.request.path[:1] in {"/", "*"}
