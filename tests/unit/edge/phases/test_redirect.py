"""Redirects keep host, path and query, and nothing a client writes gets out of the Location."""

from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from holdfast.edge.decision import Respond
from holdfast.edge.phases.redirect import redirect
from holdfast.edge.ports import Ports
from holdfast.edge.view import view_of
from holdfast.model.request import Request
from tests.unit.edge.origins import a_zone, snapshot_of
from tests.unit.requests import a_request


def location(request: Request, ports: Ports | None = None, **settings: Any) -> str | None:
    snapshot = snapshot_of(a_zone(**settings), ports=ports or Ports(plain=(80,), tls=(443,)))
    decision = redirect(request, view_of(request, snapshot, now=1.0))
    if decision is None:
        return None
    assert isinstance(decision, Respond)
    assert (decision.status, decision.body) == (301, b"")
    return dict(decision.headers)["Location"]


def asking(scheme: str, path: str = "/a", query: str = "", host: str = "chat.example.com") -> Request:
    return msgspec.structs.replace(a_request(scheme=scheme, path=path, host=host), query=query)


@pytest.mark.parametrize(
    ("scheme", "settings", "expected"),
    [
        ("http", {}, None),
        ("https", {}, None),
        ("http", {"always_use_https": "on"}, "https://chat.example.com/a"),
        ("https", {"always_use_https": "on"}, None),
        ("https", {"ssl": "off"}, "http://chat.example.com/a"),
        ("http", {"ssl": "off"}, None),
        # Both would send a client round for ever: without HTTPS there is nowhere to go.
        ("http", {"ssl": "off", "always_use_https": "on"}, None),
        ("http", {"always_use_https": "on", "paused": True}, None),
        ("https", {"ssl": "off", "paused": True}, None),
    ],
)
def test_a_zone_redirects_as_its_settings_say(scheme: str, settings: dict[str, Any], expected: str | None) -> None:
    assert location(asking(scheme), **settings) == expected


@pytest.mark.parametrize(
    ("path", "query", "expected"),
    [
        ("/", "", "/"),
        ("*", "", "/"),
        ("/a/b%20c;d=e", "f=g&h=i%26", "/a/b%20c;d=e?f=g&h=i%26"),
        ("/caf\xc3\xa9", "\xe9", "/caf%C3%A9?%E9"),
        ('/"<>\\^`{|}', "", "/%22%3C%3E%5C%5E%60%7B%7C%7D"),
        ("//evil.test/", "", "//evil.test/"),
    ],
)
def test_path_and_query_are_kept(path: str, query: str, expected: str) -> None:
    assert location(asking("http", path, query), always_use_https="on") == f"https://chat.example.com{expected}"


def test_the_port_is_the_edge_s_own() -> None:
    ports = Ports(plain=(8080,), tls=(8443,))
    assert location(asking("http"), ports, always_use_https="on") == "https://chat.example.com:8443/a"
    assert location(asking("https"), ports, ssl="off") == "http://chat.example.com:8080/a"


_LATIN = st.text(st.characters(max_codepoint=0xFF), max_size=30)


@given(label=_LATIN.filter(lambda text: "." not in text and text), path=_LATIN, query=_LATIN)
@example(label="[", path="", query="")
def test_whatever_is_asked_the_location_is_printable_and_of_the_same_site(label: str, path: str, query: str) -> None:
    request = asking("http", f"/{path}", query, host=f"{label}.example.com")
    where = location(request, always_use_https="on")
    assert where is not None
    assert where.isascii()
    assert where.isprintable()
    assert " " not in where
    assert (urlsplit(where).hostname or "").endswith(".example.com")
