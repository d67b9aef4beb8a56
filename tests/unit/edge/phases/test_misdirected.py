"""Host and SNI of different zones, and handshakes that settled on less than a zone asks for."""

from typing import Any

import msgspec
import pytest

from holdfast.edge.decision import Respond
from holdfast.edge.phases.misdirected import misdirected
from holdfast.edge.view import view_of
from holdfast.model.request import Request, TlsFacts
from holdfast.model.setting import CIPHERS
from tests.unit.edge.origins import a_snapshot, a_zone, snapshot_of
from tests.unit.requests import a_request

SNAPSHOT = snapshot_of(a_zone("example.com"), a_zone("other.test"), a_zone("deep.example.com"))


def over_tls(host: str, server_name: str, version: str = "TLSv1.3") -> Request:
    return msgspec.structs.replace(a_request(host=host), tls=TlsFacts(version, "suite", server_name))


@pytest.mark.parametrize(
    ("host", "server_name", "is_refused"),
    [
        ("example.com", "example.com", False),
        ("a.example.com", "b.example.com", False),
        ("a.example.com", "A.Example.COM", False),
        ("a.example.com", "a.example.com.", False),
        ("a.example.com", "", False),
        ("a.example.com", "192.0.2.1", False),
        ("a.example.com", "::1", False),
        ("a.example.com", "other.test", True),
        ("other.test", "a.example.com", True),
        ("example.com", "deep.example.com", True),
        ("example.com", "nobody.test", True),
    ],
)
def test_a_host_of_another_zone_than_the_name_in_tls_is_refused(host: str, server_name: str, is_refused: bool) -> None:
    request = over_tls(host, server_name)
    decision = misdirected(request, view_of(request, SNAPSHOT, now=1.0))
    assert (decision is not None) is is_refused
    if is_refused:
        assert isinstance(decision, Respond)
        assert decision.status == 421


def test_without_tls_nothing_is_misdirected() -> None:
    request = a_request(scheme="http")
    assert misdirected(request, view_of(request, SNAPSHOT, now=1.0)) is None


def test_names_that_only_the_catch_all_has_are_of_one_zone() -> None:
    request = over_tls("a.test", "b.test")
    assert misdirected(request, view_of(request, a_snapshot(), now=1.0)) is None


@pytest.mark.parametrize(
    ("settings", "version", "is_refused"),
    [
        ({"min_tls_version": "1.3"}, "TLSv1.2", True),
        ({"min_tls_version": "1.3"}, "TLSv1.3", False),
        ({"tls_1_3": "off"}, "TLSv1.3", True),
        ({"tls_1_3": "off"}, "TLSv1.2", False),
        ({"ciphers": ("ECDHE-RSA-AES128-GCM-SHA256",)}, "TLSv1.2", True),
        ({"ciphers": ("ECDHE-RSA-AES128-GCM-SHA256",)}, "TLSv1.3", False),
        ({}, "TLSv1.2", False),
    ],
)
def test_a_handshake_that_named_nobody_does_not_get_round_a_zone_s_demand(
    settings: dict[str, Any], version: str, is_refused: bool
) -> None:
    request = over_tls("a.example.com", "", version)
    decision = misdirected(request, view_of(request, snapshot_of(a_zone(**settings)), now=1.0))
    assert (decision is not None) is is_refused


@pytest.mark.parametrize("cipher", CIPHERS)
def test_a_suite_that_the_zone_takes_is_known_by_the_name_that_a_handshake_has_for_it(cipher: str) -> None:
    kind, rest = cipher.removeprefix("ECDHE-").split("-", 1)
    name = {
        "AES128-GCM-SHA256": "AES_128_GCM_SHA256",
        "AES256-GCM-SHA384": "AES_256_GCM_SHA384",
        "CHACHA20-POLY1305": "CHACHA20_POLY1305_SHA256",
    }[rest]
    settled = TlsFacts("TLSv1.2", f"TLS_ECDHE_{kind}_WITH_{name}", "")
    request = msgspec.structs.replace(a_request(host="example.com"), tls=settled)
    for taken, is_refused in (((cipher,), False), (tuple(one for one in CIPHERS if one != cipher), True)):
        decision = misdirected(request, view_of(request, snapshot_of(a_zone(ciphers=taken)), now=1.0))
        assert (decision is not None) is is_refused


@pytest.mark.parametrize(
    ("http2", "version", "is_refused"), [("off", "HTTP/2", True), ("off", "HTTP/1.1", False), ("on", "HTTP/2", False)]
)
def test_a_zone_without_http_2_is_not_reached_over_it(http2: str, version: str, is_refused: bool) -> None:
    """A client that named no host in its handshake has been offered both."""
    request = msgspec.structs.replace(over_tls("a.test", ""), version=version)
    decision = misdirected(request, view_of(request, snapshot_of(a_zone("a.test", http2=http2)), now=1.0))
    assert (decision is not None) is is_refused
