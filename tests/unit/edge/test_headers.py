"""What goes to the origin because it came through an edge, and what a client cannot make us say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.edge.headers import is_loop, loop_member, origin_headers
from holdfast.model.request import Request
from tests.unit.requests import a_request

MEMBER = loop_member("00ff")

# Every spelling that CGI (RFC 3875 §4.1.18) would give the same name, and more.
EDGE_FIELDS = (
    "CF-Connecting-IP", "CF-Connecting-IPv6", "CF-Pseudo-IPv4", "CF-Ray", "CF-IPCountry", "CF-Visitor", "CF-Worker",
    "CF-EW-Via", "CF-Bot-Score", "CF-Anything-New", "True-Client-IP", "X-Forwarded-Proto",
)  # fmt: skip


def _at_origin(request: Request, member: str = MEMBER) -> list[tuple[str, str]]:
    """The fields the origin sees: the core's rule for `set_headers` and `remove_headers`, in Python."""
    set_headers, removed = origin_headers(request, member)
    gone = {name.lower() for name in removed} | {name.lower() for name, _ in set_headers}
    return [(name, value) for name, value in request.headers if name.lower() not in gone] + list(set_headers)


def _values(fields: list[tuple[str, str]], name: str) -> list[str]:
    return [value for key, value in fields if key.lower() == name.lower()]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_origin_learns_of_the_client(scheme: str) -> None:
    request = a_request(headers=[("Host", "example.com")], scheme=scheme)
    assert _at_origin(request) == [
        ("Host", "example.com"),
        ("CF-Connecting-IP", "203.0.113.7"),
        ("X-Forwarded-For", "203.0.113.7"),
        ("X-Forwarded-Proto", scheme),
        ("CF-Visitor", f'{{"scheme":"{scheme}"}}'),
        ("CF-Ray", "230b030023ae2822-LOC"),
        ("CDN-Loop", "holdfast;instance=00ff"),
    ]


def test_the_clients_own_fields_pass_untouched_and_in_order() -> None:
    request = a_request()
    assert tuple(_at_origin(request)[: len(request.headers)]) == request.headers


def test_a_spoofed_field_never_reaches_the_origin_however_it_is_spelled() -> None:
    for field in EDGE_FIELDS:
        for spelling in (field, field.lower(), field.upper(), field.replace("-", "_"), field.replace("-", "_", 1)):
            seen = _at_origin(a_request(headers=[(spelling, "spoofed")]))
            assert "spoofed" not in [value for _, value in seen], spelling


@pytest.mark.parametrize("name", ["X_Forwarded_For", "x_forwarded-for", "CDN_Loop", "cdn_loop"])
def test_a_look_alike_of_an_extended_field_is_left_out(name: str) -> None:
    assert "spoofed" not in [value for _, value in _at_origin(a_request(headers=[(name, "spoofed")]))]


@pytest.mark.parametrize(
    "name",
    ["CF-Access-Client-Id", "CF-Access-Client-Secret", "cf-access-token", "Forwarded", "X-Real-IP", "X-Forwarded-Host",
     "X-Forwarded-Port", "CFX", "Cookie", "Content-Type", "TE", "True", "X"],
)  # fmt: skip
def test_what_is_the_clients_to_say_passes(name: str) -> None:
    assert (name, "value") in _at_origin(a_request(headers=[(name, "value")]))


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], "203.0.113.7"),
        (["198.51.100.1"], "198.51.100.1,203.0.113.7"),
        (["198.51.100.1, 198.51.100.2", "198.51.100.3"], "198.51.100.1, 198.51.100.2,198.51.100.3,203.0.113.7"),
        (["", " ", "198.51.100.1", ""], "198.51.100.1,203.0.113.7"),
        (["not an address"], "not an address,203.0.113.7"),
    ],
)
def test_the_client_is_appended_to_the_hops_before_it(lines: list[str], expected: str) -> None:
    for name in ("X-Forwarded-For", "x-forwarded-for"):
        seen = _at_origin(a_request(headers=[(name, line) for line in lines]))
        assert _values(seen, "X-Forwarded-For") == [expected]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], "holdfast;instance=00ff"),
        (["cloudflare"], "cloudflare,holdfast;instance=00ff"),
        (["a; x=1, b", "holdfast;instance=beef"], "a; x=1, b,holdfast;instance=beef,holdfast;instance=00ff"),
    ],
)
def test_cdn_loop_keeps_every_member_and_gains_ours(lines: list[str], expected: str) -> None:
    seen = _at_origin(a_request(headers=[("cdn-LOOP", line) for line in lines]))
    assert _values(seen, "CDN-Loop") == [expected]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], False),
        (["cloudflare"], False),
        (["holdfast"], False),
        (["holdfast;instance=beef"], False),
        (["holdfast;instance=00ff"], True),
        (["HOLDFAST ; Instance=00FF"], True),
        (["a", "b, holdfast; instance=00ff , c"], True),
        (["xholdfast;instance=00ff"], False),
        (["holdfast;instance=00ff0"], False),
        (['a;q="', "holdfast;instance=00ff"], True),
        (['a;q=",holdfast;instance=00ff'], True),
    ],
)
def test_a_loop_is_this_very_instance_met_again(lines: list[str], expected: bool) -> None:
    assert is_loop(a_request(headers=[("CDN-Loop", line) for line in lines]), MEMBER) is expected
    assert is_loop(a_request(headers=[("cdn-loop", line) for line in lines]), MEMBER) is expected


_FIELDS = st.lists(
    st.tuples(
        st.one_of(
            st.sampled_from([*EDGE_FIELDS, "X-Forwarded-For", "CDN-Loop", "cdn_loop", "Cookie", "Host", ""]),
            st.text("cCfFtTxX-_abXY", max_size=16),
        ),
        st.text(st.characters(max_codepoint=0xFF), max_size=30),
    ),
    max_size=12,
)


@given(_FIELDS)
def test_each_field_of_ours_stands_once_whatever_the_client_sends(fields: list[tuple[str, str]]) -> None:
    seen = _at_origin(a_request(headers=fields))
    for name, value in [
        ("CF-Connecting-IP", "203.0.113.7"),
        ("X-Forwarded-Proto", "https"),
        ("CF-Visitor", '{"scheme":"https"}'),
        ("CF-Ray", "230b030023ae2822-LOC"),
    ]:
        alike = [(key, one) for key, one in seen if key.lower().replace("_", "-") == name.lower()]
        assert alike == [(name, value)]
    assert [value.rpartition(",")[2] for value in _values(seen, "X-Forwarded-For")] == ["203.0.113.7"]


@given(_FIELDS)
def test_what_we_forward_is_a_loop_when_it_comes_back_and_not_for_another_instance(
    fields: list[tuple[str, str]],
) -> None:
    """However many lines and quotes a client sends, and through however many other instances it goes."""
    request = a_request(headers=fields)
    once = _at_origin(request)
    assert is_loop(a_request(headers=once), MEMBER)
    assert not is_loop(a_request(headers=once), loop_member("beef"))
    twice = _at_origin(a_request(headers=once), loop_member("beef"))
    assert is_loop(a_request(headers=twice), MEMBER)
    assert is_loop(a_request(headers=twice), loop_member("beef"))
