"""What a rule looks at, as it is written."""

import pytest

from holdfast.rules.seclang.errors import SecLangError
from holdfast.rules.seclang.syntax_tree import Selector, Target
from holdfast.rules.seclang.target_syntax import parse_targets
from tests.unit.rules.seclang.running import WHERE


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ARGS", [Target("ARGS")]),
        ("args | Request_Headers:Host", [Target("ARGS"), Target("REQUEST_HEADERS", Selector("Host"))]),
        ("&TX:a", [Target("TX", Selector("a"), is_count=True)]),
        ("ARGS|!ARGS:token", [Target("ARGS"), Target("ARGS", Selector("token"), is_excluded=True)]),
        ("TX:/^a|b/|ARGS", [Target("TX", Selector("^a|b", is_pattern=True)), Target("ARGS")]),
        (r"TX:/a\/b/", [Target("TX", Selector("a/b", is_pattern=True))]),
        ("ARGS:'/x y|z/'|TX:1", [Target("ARGS", Selector("x y|z", is_pattern=True)), Target("TX", Selector("1"))]),
        ("XML:/*|XML://@*|ARGS", [Target("XML", Selector("/*")), Target("XML", Selector("//@*")), Target("ARGS")]),
        ("REQUEST_COOKIES|!REQUEST_COOKIES:/__utm/|ARGS", [
            Target("REQUEST_COOKIES"),
            Target("REQUEST_COOKIES", Selector("__utm", is_pattern=True), is_excluded=True),
            Target("ARGS"),
        ]),
    ],
)  # fmt: skip
def test_targets_are_read(text: str, expected: list[Target]) -> None:
    assert list(parse_targets(WHERE, text)) == expected


@pytest.mark.parametrize("text", ["", "ARG", "ARGS|", "ARGS:", "!!ARGS", "&", "REQUEST_HEADERS:Host|NOTHING"])
def test_what_is_no_target_is_refused_by_name(text: str) -> None:
    with pytest.raises(SecLangError, match=r"^a\.conf:1: expected "):
        parse_targets(WHERE, text)
