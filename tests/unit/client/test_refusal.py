"""Why there is no WebSocket, in a sentence."""

import json
import socket
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.datastructures import Headers
from websockets.exceptions import InvalidHandshake, InvalidMessage, InvalidProxy, InvalidStatus
from websockets.http11 import Response

from holdfast.client.refusal import refused
from holdfast.edge.answers import answer
from holdfast.model.fault import Fault
from tests.unit.requests import a_request


def _answered(status: int, reason: str, headers: dict[str, str], body: bytes = b"") -> str:
    return refused(InvalidStatus(Response(status, reason, Headers(headers), body)))


def test_our_own_answer_is_told_with_code_side_reason_and_ray_id() -> None:
    respond = answer(Fault(521, 521, "the origin refused the connection", "http://o", a_request()), now=0)
    assert _answered(521, "Web Server Is Down", {**dict(respond.headers), "CF-Ray": "aa-LOC"}, respond.body) == (
        "the server answered 521 Web Server Is Down, not 101; error 521 on the side of the origin;"
        " The origin is down: The origin refused the connection.; ray id aa-LOC"
    )


@pytest.mark.parametrize(
    ("headers", "body", "said"),
    [
        ({}, b"", "the server answered 401 Unauthorized, not 101"),
        (
            {"Content-Type": "text/plain"},
            b"log in\nfirst\n",
            "the server answered 401 Unauthorized, not 101; log in first",
        ),
        ({"Content-Type": "text/html"}, b"<p>log in", "the server answered 401 Unauthorized, not 101"),
        ({"Content-Type": "application/json"}, b'{"a":1}', 'the server answered 401 Unauthorized, not 101; {"a":1}'),
        ({"Content-Type": "application/json"}, b"not json", "the server answered 401 Unauthorized, not 101; not json"),
        (
            {"Content-Type": "application/json"},
            b"[" * 60_000,
            f"the server answered 401 Unauthorized, not 101; {'[' * 300}",
        ),
        ({"Location": "/login"}, b"", "the server answered 401 Unauthorized, not 101; it points to /login"),
        ({"cf-error-type": "1016"}, b"", "the server answered 401 Unauthorized, not 101"),
    ],
)
def test_another_answer_is_told_with_what_it_says(headers: dict[str, str], body: bytes, said: str) -> None:
    assert _answered(401, "Unauthorized", headers, body).startswith(said)


_UNTRUSTED = ssl.SSLCertVerificationError(1, "certificate verify failed")
_UNTRUSTED.verify_message = "self-signed certificate"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (_UNTRUSTED, "the certificate is not trusted: self-signed certificate (--cacert names an authority"),
        (ssl.SSLError(1, "WRONG_VERSION_NUMBER"), "the TLS handshake failed: WRONG_VERSION_NUMBER (does this port"),
        (TimeoutError(), "no connection in time"),
        (socket.gaierror(-2, "Name or service not known"), "the host name does not resolve: Name or service"),
        (ConnectionRefusedError(111, "Connection refused"), "nothing listens there"),
        (ConnectionResetError(), "the connection was cut without an answer"),
        (OSError(113, "No route to host"), "no connection: No route to host"),
        (EOFError(), "the server closed the connection without an answer"),
        (InvalidMessage("did not receive a valid HTTP response"), "what listens there did not answer in HTTP"),
        (InvalidProxy("http://p", "bad"), "the proxy of this environment is in the way"),
        (InvalidHandshake("wrong accept"), "the server's 101 is not valid: wrong accept"),
        (RuntimeError("\x1b[2J"), r"\x1b[2J"),
    ],
)
def test_what_failed_before_an_answer_is_told(error: Exception, said: str) -> None:
    assert refused(error).startswith(said)


@given(
    reason=st.text(max_size=80),
    field=st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=80),
    content_type=st.sampled_from(
        ["text/plain", "application/json", "Application/Problem+JSON; charset=x", "text/html"]
    ),
    body=st.one_of(
        st.binary(max_size=200),
        st.dictionaries(st.sampled_from(["title", "detail"]), st.one_of(st.text(), st.integers())).map(
            lambda value: json.dumps(value).encode()
        ),
    ),
)
def test_whatever_a_server_answers_is_one_printable_line(
    reason: str, field: str, content_type: str, body: bytes
) -> None:
    said = _answered(
        500,
        reason,
        {"Content-Type": content_type, "cf-error-type": field, "cf-error-origin": field, "Location": field},
        body,
    )
    assert len(said.splitlines()) == 1
    assert "\x1b" not in said
