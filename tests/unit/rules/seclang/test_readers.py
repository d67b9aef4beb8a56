"""Targets into values."""

import pytest

from holdfast.rules.seclang.patterns import PatternCache
from holdfast.rules.seclang.readers import compile_targets, excluding, is_empty, is_static
from holdfast.rules.seclang.syntax_tree import Selector
from holdfast.rules.seclang.target_syntax import parse_targets
from tests.unit.rules.seclang.running import WHERE, a_request, transaction


def values(text: str) -> list[tuple[bytes, bytes]]:
    """Whole names and values."""
    state = transaction(a_request("/?a=1&B=2&ab=3", ("Cookie", "c=4")), x=b"5", xy=b"6")
    state.collections["IP"] = {b"n": b"7"}
    state.rule = {b"id": b"8"}
    state.matched_vars = [(b"ARGS:a", b"1")]
    readers = compile_targets(parse_targets(WHERE, text), PatternCache())
    return [(reader.prefix + name, value) for reader in readers for name, value in reader.read(state)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ARGS", [(b"ARGS:a", b"1"), (b"ARGS:B", b"2"), (b"ARGS:ab", b"3")]),
        ("ARGS:b", [(b"ARGS:B", b"2")]),
        ("ARGS:/^A/", [(b"ARGS:a", b"1"), (b"ARGS:ab", b"3")]),
        ("ARGS:/b$/", [(b"ARGS:B", b"2"), (b"ARGS:ab", b"3")]),
        ("ARGS|!ARGS:a|!ARGS:/^b/", [(b"ARGS:ab", b"3")]),
        ("ARGS|!ARGS", []),
        ("!ARGS:a|REQUEST_COOKIES", [(b"REQUEST_COOKIES:c", b"4")]),
        ("&ARGS", [(b"ARGS", b"3")]),
        ("&ARGS:gone", [(b"ARGS:gone", b"0")]),
        ("&ARGS|!ARGS:a", [(b"ARGS", b"2")]),
        ("&FILES", [(b"FILES", b"0")]),
        ("FILES|XML:/*|REQUEST_BODY", []),
        ("REQUEST_METHOD", [(b"REQUEST_METHOD", b"GET")]),
        ("TX:X", [(b"TX:x", b"5")]),
        ("TX:gone|&TX:x", [(b"TX:x", b"1")]),
        ("TX:/^x/", [(b"TX:x", b"5"), (b"TX:xy", b"6")]),
        ("TX", [(b"TX:x", b"5"), (b"TX:xy", b"6")]),
        ("IP:n|IP:gone|SESSION|IP", [(b"IP:n", b"7"), (b"IP:n", b"7")]),
        ("RULE:id|GEO:country_code", [(b"RULE:id", b"8")]),
        ("MATCHED_VARS", [(b"MATCHED_VARS:ARGS:a", b"1")]),
    ],
)
def test_targets_give_names_and_values(text: str, expected: list[tuple[bytes, bytes]]) -> None:
    assert values(text) == expected


@pytest.mark.parametrize(
    ("text", "static", "empty"),
    [("ARGS", True, False), ("TX:a", False, False), ("MATCHED_VAR", False, False), ("FILES", True, True), ("&FILES", True, False)],
)  # fmt: skip
def test_it_is_known_before_whether_a_request_or_a_rule_decides(text: str, static: bool, empty: bool) -> None:
    (target,) = parse_targets(WHERE, text)
    assert (is_static(target), is_empty(target)) == (static, empty)


def test_members_are_excluded_by_name_and_by_pattern() -> None:
    excluded = excluding([Selector("Token"), Selector("^x-", is_pattern=True)], PatternCache())
    assert [excluded(name) for name in (b"token", b"X-A", b"tokens", b"ax-")] == [True, True, False, False]
