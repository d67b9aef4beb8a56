"""Files of managed rules: what a good one says, and where the error of a bad one points."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.rules.managed.rule_file import RuleFileError, id_of, read_rule_file
from holdfast.rules.managed_ruleset import ManagedRule

GOOD = """\
# What it is about.
let PATH = http.request.uri.path
let TWICE = concat(PATH, PATH)
when PATH contains "a"
  and ssl

=== holdfast-0001 One thing
categories: one, two-three
severity: warning
action: log
---
TWICE eq "aa"
  and PATH ne "b"
---
+ GET /a
# Why not the next one.
- GET /b
~ GET /c

=== holdfast-0002 Another
id: 0123456789abcdef0123456789abcdef
categories: one
severity: critical
action: block
default: off
---
ssl
---
+ GET /
- GET http://example.com/
"""


def test_a_good_file_says_its_rules_their_conditions_and_their_requests() -> None:
    file = read_rule_file("good.rules", GOOD)
    assert (file.when.strip(), file.when_line) == ('http.request.uri.path contains "a"\n  and ssl', 4)
    one, other = file.rules
    assert one.rule == ManagedRule(
        id_of("holdfast-0001"), "holdfast-0001", "One thing", ("one", "two-three"), "log", enabled=True, score=3
    )
    path = "http.request.uri.path"
    assert one.condition == f'concat({path}, {path}) eq "aa"\n  and {path} ne "b"'
    assert [(case.is_match, case.is_benign, case.text, case.line) for case in one.cases] == [
        (True, False, "GET /a", 15),
        (False, True, "GET /b", 17),
        (False, False, "GET /c", 18),
    ]
    assert one.line == 12
    assert (other.rule.id, other.rule.enabled, other.rule.score) == ("0123456789abcdef0123456789abcdef", False, 5)


def test_a_file_without_when_applies_always() -> None:
    assert read_rule_file("a.rules", GOOD[GOOD.index("===") :].replace("TWICE", "ssl and ssl or")).when == "true"


@pytest.mark.parametrize(
    ("old", "new", "line", "reason"),
    [
        ("# What it is about.", "What it is about.", 1, "expected '#'"),
        ("let PATH = ", "let path = ", 2, "expected '#'"),
        ("  and ssl\n", "and ssl\n", 5, "expected '#'"),
        ("=== holdfast-0001 One", "=== 0001 One", 7, "expected '=== holdfast-NNNN description'"),
        ("=== holdfast-0002 Another", "=== holdfast-0001 Another", 27, "two rules 'holdfast-0001'"),
        ("severity: warning", "severity: grave", 9, "'severity' to be critical"),
        ("severity: warning\n", "", 7, "does not say its 'severity'"),
        ("action: log", "action: skip", 10, "'action' to be block"),
        ("action: log", "action: log\naction: log", 11, "expected one each of"),
        ("action: log", "volume: 5", 10, "expected one each of"),
        ("default: off", "default: perhaps", 25, "'default' to be on or off"),
        ("categories: one, two-three", "categories: One", 8, "expected categories like"),
        ("id: 0123", "id: x123", 21, "an id of 32 hex digits"),
        ("---\nssl\n---", "---\n---", 27, "holdfast-0002 has no condition"),
        ("- GET http://example.com/\n", "", 29, "needs a request that it must match and one that it must not"),
        ("- GET /b", "? GET /b", 17, "expected '+ request'"),
    ],
)
def test_an_error_says_file_and_line(old: str, new: str, line: int, reason: str) -> None:
    assert old in GOOD
    with pytest.raises(RuleFileError) as error:
        read_rule_file("bad.rules", GOOD.replace(old, new, 1))
    assert (error.value.line, error.value.file) == (line, "bad.rules")
    assert reason in str(error.value)


@pytest.mark.parametrize("end", [match.start() for match in re.finditer("---\n", GOOD)])
def test_a_file_that_stops_before_a_marker_is_refused(end: int) -> None:
    with pytest.raises(RuleFileError, match="expected '---' after"):
        read_rule_file("bad.rules", GOOD[:end])


@given(st.text(alphabet="=-+~ #:\nabletwhn0123456789.", max_size=200))
def test_any_text_is_a_file_or_an_error_of_it(text: str) -> None:
    try:
        read_rule_file("any.rules", text)
    except RuleFileError as error:
        assert 0 <= error.line <= len(text.splitlines()) + 1  # noqa: PT017
