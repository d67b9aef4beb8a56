"""Texts that a request fills in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.rules.seclang.macros import Reference, parse_text
from tests.unit.rules.seclang.running import a_request, transaction


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain", b"plain"),
        ("", b""),
        ("%{tx.a}", b"1"),
        ("x%{TX.A}y%{tx:a}", b"x1y1"),
        ("%{tx.gone}|", b"|"),
        ("%{REQUEST_METHOD} %{remote_addr}", b"GET 203.0.113.7"),
        ("%{REQUEST_HEADERS.user-agent}", b"tests"),
        ("%{ARGS.q}", b"s"),
        ("%{MATCHED_VAR_NAME}=%{MATCHED_VAR}", b"ARGS:q=v"),
        ("%{rule.id}", b"7"),
        ("%{ip.a}", b""),
        ("%{nothing.a} %{", b"%{nothing.a} %{"),
        (r"[%{]a{1,2}", b"[%{]a{1,2}"),
    ],
)
def test_references_are_filled_in(text: str, value: bytes) -> None:
    state = transaction(a_request("/?q=s"), a=b"1")
    state.matched_name, state.matched_value, state.rule = b"ARGS:q", b"v", {b"id": b"7"}
    parsed = parse_text(text)
    assert parsed.expand(state) == parsed.compiled()(state) == value


def test_what_is_known_is_filled_in_before() -> None:
    text = parse_text("a%{tx.x}b%{tx.y}c")
    assert (text.constant, text.prefix) == (None, b"a")
    assert text.references == (Reference("TX", b"x"), Reference("TX", b"y"))
    half = text.bound(lambda one: b"1" if one.member == b"x" else None)
    assert (half.constant, half.prefix) == (None, b"a1b")
    assert half.bound(lambda _: b"").constant == b"a1bc"


@given(st.text(alphabet="%{}.tx0a", max_size=30))
def test_any_text_can_be_filled_in(text: str) -> None:
    parsed = parse_text(text)
    assert parsed.expand(transaction()) == parsed.compiled()(transaction())
