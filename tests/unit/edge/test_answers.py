"""Answers in the edge's own name: every status, both forms, whatever the client and the reason are."""

import json
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.edge.answers import (
    MAX_HOST_CHARS,
    MAX_REASON_CHARS,
    RefusedBy,
    answer,
    public_reason,
    refuse,
    refuse_by_rule,
    refuse_by_setting,
)
from holdfast.edge.decision import Respond
from holdfast.edge.error_page import MAX_PAGE_BYTES
from holdfast.edge.explanations import EXPLANATIONS, LIMIT_EXPLANATIONS
from holdfast.edge.firewall.values import CUSTOM, IP_ACCESS, MANAGED, RATE_LIMITS, Answer
from holdfast.model.fault import Fault
from holdfast.model.request import Request
from tests.unit.requests import a_request

NOW = 1_772_366_400.0
FAULTS = [(status, status) for status in (502, 503, *range(520, 527), 530)] + [(530, 1016)]
PAGE = [("Accept", "text/html,*/*;q=0.8")]
PROGRAM = [("Accept", "application/json")]


def _answer(status: int, code: int, request: Request, reason: str = "the origin did not answer") -> Respond:
    return answer(Fault(status, code, reason, "http://10.0.0.5:9000", request), now=NOW)


@pytest.mark.parametrize(("status", "code"), FAULTS)
@pytest.mark.parametrize(
    ("request_", "content_type"),
    [
        (a_request(), "application/json; charset=utf-8"),
        (a_request(headers=PAGE), "application/json; charset=utf-8"),
        (a_request(headers=PROGRAM, is_upgrade=False), "application/json; charset=utf-8"),
        (
            a_request(headers=[("accept", "application/problem+json")], is_upgrade=False),
            "application/problem+json; charset=utf-8",
        ),
    ],
)
def test_a_program_gets_every_fact_in_json(status: int, code: int, request_: Request, content_type: str) -> None:
    respond = _answer(status, code, request_)
    headers = dict(respond.headers)
    problem = json.loads(respond.body)
    assert respond.status == problem["status"] == status
    assert headers["Content-Type"] == content_type
    assert headers["cf-error-type"] == str(code)
    assert headers["cf-error-origin"] == problem["side"] == EXPLANATIONS[code].side
    assert headers["Cache-Control"] == "no-store"
    assert problem["error_code"] == code
    assert problem["error_name"] == EXPLANATIONS[code].name
    assert problem["title"] == EXPLANATIONS[code].title
    tls = {525: "The TLS handshake with the origin failed.", 526: "The origin's certificate is not valid."}
    assert problem["detail"] == tls.get(status, "The origin did not answer.")
    assert problem["host"] == "example.com"
    assert problem["ray_id"] == "230b030023ae2822-LOC"
    assert problem["timestamp"] == "2026-03-01T12:00:00Z"
    assert problem["retryable"] is ("Retry-After" in headers)
    assert str(problem.get("retry_after")) == headers.get("Retry-After", "None")


@pytest.mark.parametrize(("status", "code"), FAULTS)
@pytest.mark.parametrize("headers", [PAGE, [], [("Accept", "*/*")]], ids=["browser", "no Accept", "curl"])
def test_a_person_gets_a_page(status: int, code: int, headers: list[tuple[str, str]]) -> None:
    respond = _answer(status, code, a_request(headers=headers, is_upgrade=False))
    fields = dict(respond.headers)
    page = _Page(respond.body)
    assert respond.status == status
    assert fields["Content-Type"] == "text/html; charset=utf-8"
    assert fields["cf-error-type"] == str(code)
    assert fields["Cache-Control"] == "no-store"
    assert "default-src 'none'" in fields["Content-Security-Policy"]
    for shown in (
        str(code),
        EXPLANATIONS[code].title,
        "example.com",
        "230b030023ae2822-LOC",
        "2026-03-01 12:00:00 UTC",
    ):
        assert shown in page.text


def test_an_answer_that_depends_on_accept_says_so() -> None:
    assert dict(_answer(521, 521, a_request(headers=PAGE, is_upgrade=False)).headers)["Vary"] == "Accept"
    assert "Vary" not in dict(_answer(521, 521, a_request()).headers)


@pytest.mark.parametrize(
    ("reason", "origin", "public"),
    [
        (
            "the origin http://10.0.0.5:9000 refused the connection: Connection refused (os error 111)",
            "http://10.0.0.5:9000",
            "The origin refused the connection: Connection refused.",
        ),
        (
            "the origin's name db.internal does not resolve",
            "https://db.internal",
            "The origin's name does not resolve.",
        ),
        ("connecting to db.internal:8443 failed", "https://db.internal:8443/base", "Connecting to failed."),
        ("the origin unix:/run/app.sock hung up", "unix:/run/app.sock", "The origin hung up."),
        ("the origin https://[fd00::1]:9000 said no", "https://[fd00::1]:9000", "The origin said no."),
        ("a host fd00::1 said no", "https://[fd00::1]:9000", "A host said no."),
        ("Sec-WebSocket-Accept is wrong.", "http://a", "Sec-WebSocket-Accept is wrong."),
        ("it sent a http://a answer", "http://a", "It sent answer."),
        ("", "http://a", "."),
    ],
)
def test_where_the_origin_is_stays_in_the_log(reason: str, origin: str, public: str) -> None:
    assert public_reason(Fault(521, 521, reason, origin, a_request())) == public


_INVALID = (
    "the certificate of the origin https://{host}:{port} is not valid: "
    "The certificate was not accepted: invalid peer certificate: {why}."
)
_FAILED = "the TLS handshake with the origin https://{host}:{port} failed: {why}"
_TLS_REASONS = [
    (
        526,
        _INVALID,
        'certificate not valid for name "{host}"; certificate is only valid for DnsName("{name}")',
        "The origin's certificate is for another name.",
    ),
    (526, _INVALID, "NotValidForName", "The origin's certificate is for another name."),
    (
        526,
        _INVALID,
        "certificate expired: verification time 3 (UNIX), but certificate is not valid after 2 (1 seconds ago)",
        "The origin's certificate has expired.",
    ),
    (526, _INVALID, "Expired", "The origin's certificate has expired."),
    (
        526,
        _INVALID,
        "certificate not valid yet: verification time 1 (UNIX), but certificate is not valid before 2 (1 seconds …)",
        "The origin's certificate is not valid yet.",
    ),
    (
        526,
        _INVALID,
        "UnknownIssuer",
        "The origin's certificate is from an authority that the edge does not trust.",
    ),
    (526, _INVALID, "Revoked", "The origin's certificate has been revoked."),
    (
        526,
        _INVALID,
        "certificate does not allow extended key usage for server authentication, allows client authentication",
        "The origin's certificate is not one for a server.",
    ),
    (526, _INVALID, "ExpiredRevocationList", "The origin's certificate is not valid."),
    (526, _INVALID, 'Other("{name}")', "The origin's certificate is not valid."),
    (
        525,
        _FAILED,
        "The peer ended TLS with the alert HandshakeFailure.",
        "The origin ended the TLS handshake with an alert.",
    ),
    (
        525,
        _FAILED,
        "TLS failed: received corrupt message of type InvalidContentType.",
        "The origin's answer to the TLS handshake is not TLS.",
    ),
    (
        525,
        _FAILED,
        "TLS failed: peer is incompatible: NoCipherSuitesInCommon.",
        "The origin and the edge have no way of TLS in common.",
    ),
    (
        525,
        _FAILED,
        "The peer closed the connection during the TLS handshake.",
        "The origin closed the connection during the TLS handshake.",
    ),
    (
        525,
        _FAILED,
        "The connection failed during TLS: Connection reset by peer (os error 104).",
        "The connection to the origin failed during the TLS handshake.",
    ),
    (
        525,
        "the TLS handshake with the origin https://{host}:{port} took longer than 19 s",
        "",
        "The TLS handshake with the origin took too long.",
    ),
    (525, _FAILED, 'TLS failed: unexpected error: "{name}".', "The TLS handshake with the origin failed."),
]


@pytest.mark.parametrize(("status", "form", "why", "public"), _TLS_REASONS)
@given(
    host=st.from_regex(
        r"(expired|revoked|[a-z]{1,9})\.(internal|test)|10\.\d{1,2}\.\d{1,3}\.\d|\[fd00::\d{1,4}\]", fullmatch=True
    ),
    port=st.integers(1, 65535),
    name=st.from_regex(r"(expired|unknown-issuer|[a-z]{1,9})\.(internal|test)", fullmatch=True),
)
def test_of_tls_with_the_origin_a_client_learns_the_kind_of_failure_only(
    status: int, form: str, why: str, public: str, host: str, port: int, name: str
) -> None:
    reason = form.format(host=host, port=port, why=why.format(host=host, name=name))
    label = f"https://{host}:{port}"
    told = public_reason(Fault(status, status, reason, label, a_request()))
    assert told == public
    assert not any(secret in told for secret in (label, host, str(port), name, '"'))


@given(status=st.sampled_from([525, 526]), reason=st.text(), phrase=st.sampled_from(_TLS_REASONS))
def test_whatever_the_reason_of_a_tls_failure_nothing_of_it_is_repeated(
    status: int, reason: str, phrase: tuple[int, str, str, str]
) -> None:
    known = {public for _, _, _, public in _TLS_REASONS}
    for text in (reason, reason + phrase[2], phrase[2] + reason):
        assert public_reason(Fault(status, status, text, "https://a", a_request())) in known


@given(
    reason=st.text(max_size=60),
    origin=st.sampled_from(["http://10.1.2.3:9000", "https://db.internal/base", "unix:/run/app.sock"]),
    status=st.sampled_from([502, 521, 525, 526, 530]),
    is_upgrade=st.booleans(),
)
def test_no_form_names_the_origin(reason: str, origin: str, status: int, is_upgrade: bool) -> None:
    request = a_request(headers=PAGE, is_upgrade=is_upgrade)
    respond = answer(Fault(status, status, f"the origin {origin} {reason}", origin, request), now=NOW)
    assert origin.encode() not in respond.body


class _Page(HTMLParser):
    """Tags, attributes and text of a page; entities are decoded, so the text is what a person would see."""

    def __init__(self, body: bytes) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(body.decode())
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


_HOSTILE = st.one_of(
    st.sampled_from(
        ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</style><script>", "&lt;", "$code ${x}", "\r\nSet-Cookie: a",
         "\u202eevil", "\x00\x1b[31m", "\ud800"]
    ),
    st.text(max_size=500),
)  # fmt: skip


@given(host=_HOSTILE, path=_HOSTILE, reason=_HOSTILE, ray=_HOSTILE, status=st.integers(400, 599))
def test_a_page_holds_no_markup_but_its_own(host: str, path: str, reason: str, ray: str, status: int) -> None:
    plain = _Page(_page_for(status, host="a", reason="b", ray="c"))
    hostile_body = _page_for(status, host=host, path=path, reason=reason, ray=ray)
    hostile = _Page(hostile_body)
    assert hostile.tags == plain.tags
    assert hostile.attributes == plain.attributes
    assert len(hostile_body) < MAX_PAGE_BYTES
    assert not any(0xD800 <= ord(char) < 0xE000 or char in "\x00\x1b\u202e" for char in hostile.text)


def _page_for(status: int, *, host: str, reason: str, ray: str, path: str = "/") -> bytes:
    request = a_request(headers=PAGE, host=host, path=path, ray=ray, is_upgrade=False)
    return refuse(request, status=status, code=status, reason=reason, now=NOW).body


@given(host=_HOSTILE, reason=_HOSTILE, ray=_HOSTILE)
def test_json_and_header_fields_take_any_text(host: str, reason: str, ray: str) -> None:
    respond = refuse(a_request(host=host, ray=ray), status=502, code=502, reason=reason, now=NOW)
    problem = json.loads(respond.body)
    assert len(problem["host"]) <= MAX_HOST_CHARS + 1
    assert len(problem["detail"]) <= MAX_REASON_CHARS + 1
    for name, value in respond.headers:
        assert f"{name}: {value}".isascii()
        assert f"{name}: {value}".isprintable()


def test_the_largest_page_fits_its_bound() -> None:
    sizes = [len(_page_for(status, host='"' * 400, reason="'" * 400, ray="&" * 400)) for status in range(400, 600)]
    assert max(sizes) < MAX_PAGE_BYTES


def test_a_refusal_of_a_clients_request_is_on_its_side() -> None:
    respond = refuse(a_request(), status=403, code=1020, reason="A rule refused it.", now=NOW)
    assert dict(respond.headers)["cf-error-origin"] == "client"
    assert json.loads(respond.body)["retryable"] is False


@pytest.mark.parametrize(
    ("zone", "field"),
    [
        ("example.com", 'setting;id="websockets";zone="example.com"'),
        ('a"b\\c', 'setting;id="websockets";zone="a\\"b\\\\c"'),
        ("caf\xe9\r\nX: 1", 'setting;id="websockets";zone="caf???X: 1"'),
    ],
)
def test_the_name_of_a_zone_cannot_leave_its_string_in_a_structured_field(zone: str, field: str) -> None:
    respond = refuse_by_setting(a_request(), setting="websockets", zone=zone, now=NOW)
    assert dict(respond.headers)["Holdfast-Refused"] == field
    assert json.loads(respond.body)["zone"] == zone


def test_only_a_setting_s_refusal_names_a_setting() -> None:
    problem = json.loads(_answer(521, 521, a_request()).body)
    assert "setting" not in problem
    assert "zone" not in problem


def by(**fields: Any) -> RefusedBy:
    """A custom rule that blocks, but for `fields`."""
    given_fields: dict[str, Any] = {
        "rule_id": "b",
        "ruleset_id": "a",
        "phase": CUSTOM,
        "action": "block",
        "zone": "z",
        "code": 1020,
    }
    return RefusedBy(**given_fields | fields)


@pytest.mark.parametrize(
    ("refused", "status", "name", "detail", "retry_after"),
    [
        (by(), 403, "access_denied", "The custom rule b refuses this request.", None),
        (by(phase=MANAGED), 403, "access_denied", "The managed rule b refuses this request.", None),
        (by(phase=IP_ACCESS, code=1006), 403, "address_denied", "The IP access rule b refuses this request.", None),
        (
            by(phase=RATE_LIMITS, code=1015, retry_after_s=7),
            429,
            "rate_limited",
            "The rate limiting rule b lets no more requests through now.",
            "7",
        ),
        (by(phase=RATE_LIMITS, code=1015), 429, "rate_limited", None, "30"),
        (
            by(action="managed_challenge"),
            403,
            "challenge_not_possible",
            "The custom rule b asks for a challenge (managed_challenge), which a WebSocket cannot solve.",
            None,
        ),
        (
            by(phase=RATE_LIMITS, code=1015, action="challenge", retry_after_s=9),
            429,
            "challenge_not_possible",
            "The rate limiting rule b asks for a challenge (challenge), which a WebSocket cannot solve.",
            "9",
        ),
    ],
)
def test_a_refusal_by_a_rule_names_it(
    refused: RefusedBy, status: int, name: str, detail: str | None, retry_after: str | None
) -> None:
    respond = refuse_by_rule(a_request(), refused, now=NOW)
    headers, problem = dict(respond.headers), json.loads(respond.body)
    assert (respond.status, headers["cf-error-type"]) == (status, str(refused.code))
    assert (problem["error_name"], problem["error_code"]) == (name, refused.code)
    assert detail is None or problem["detail"] == detail
    assert headers.get("Retry-After") == retry_after
    assert (problem["rule_id"], problem["ruleset_id"], problem["phase"]) == ("b", "a", refused.phase)
    assert (problem["action"], problem["zone"]) == (refused.action, "z")
    assert problem["ray_id"] == "230b030023ae2822-LOC"
    assert headers["Holdfast-Refused"] == f'rule;id="b";ruleset="a";phase={refused.phase};zone="z"'


def test_an_api_client_is_told_that_it_cannot_solve_a_challenge_either() -> None:
    request = a_request(headers=PROGRAM, is_upgrade=False)
    problem = json.loads(refuse_by_rule(request, by(action="js_challenge"), now=NOW).body)
    assert problem["detail"].endswith("asks for a challenge (js_challenge), which an API client cannot solve.")


def test_a_person_gets_a_page_that_names_the_rule() -> None:
    respond = refuse_by_rule(a_request(headers=PAGE, is_upgrade=False), by(), now=NOW)
    assert "The custom rule b refuses this request." in _Page(respond.body).text


def test_an_answer_of_the_rule_s_own_is_all_there_is() -> None:
    own = Answer(418, "text/plain", b"tea")
    respond = refuse_by_rule(a_request(), by(retry_after_s=3), now=NOW, answer=own)
    assert (respond.status, respond.body) == (418, b"tea")
    assert dict(respond.headers) == {
        "Holdfast-Refused": f'rule;id="b";ruleset="a";phase={CUSTOM};zone="z"',
        "Content-Type": "text/plain",
        "Cache-Control": "no-store",
        "Retry-After": "3",
    }


LIMITS = [
    ("zone_connections", 503, "websocket_max_connections", range(10, 20)),
    ("address_connections", 429, "websocket_max_connections_per_address", range(30, 60)),
    ("origin_busy", 503, None, range(5, 10)),
]


@pytest.mark.parametrize(("kind", "status", "setting", "waits"), LIMITS)
@pytest.mark.parametrize("is_upgrade", [True, False])
def test_a_limit_of_the_edge_is_named_with_its_setting_and_when_to_come_back(
    kind: str, status: int, setting: str | None, waits: range, is_upgrade: bool
) -> None:
    request = a_request(headers=PROGRAM, is_upgrade=is_upgrade)
    respond = answer(Fault(status, status, "n of m are open", "http://10.0.0.5", request, kind), now=NOW, zone="a.test")
    headers, problem = dict(respond.headers), json.loads(respond.body)
    assert respond.status == problem["status"] == status
    assert headers["X-Holdfast-Reason"] == kind
    assert problem["error_name"] == LIMIT_EXPLANATIONS[kind].name
    assert (problem.get("setting"), problem.get("zone")) == (setting, "a.test" if setting else None)
    assert int(headers["Retry-After"]) == problem["retry_after"]
    assert problem["retry_after"] in waits
    assert "10.0.0.5" not in respond.body.decode()


def test_those_who_are_refused_together_are_not_told_to_come_back_together() -> None:
    told = {
        dict(answer(Fault(503, 503, "", "", a_request(ray=f"{ray:016x}-LOC"), "zone_connections"), now=NOW).headers)[
            "Retry-After"
        ]
        for ray in range(200)
    }
    assert len(told) == 10
