"""Code for conditions: what is dear is asked once, what is rare is left to closures, and all of it is names of ours."""

import re

import pytest

from holdfast.rules.context import EvaluationContext
from holdfast.rules.parser import parse
from holdfast.rules.program import compile_program
from holdfast.rules.program_code import MAX_DEPTH, code_of
from holdfast.rules.program_names import Names
from holdfast.rules.syntax_tree import Condition, Indexed
from tests.unit.requests import a_request
from tests.unit.rules.expressions import SHARED_COMPARISONS, SOUND_COMPARISONS


def roots_of(*texts: str) -> list[Condition]:
    roots = [parse(text).root for text in texts]
    return [root for root in roots if not isinstance(root, Indexed)]


# Of ours: names with a number, words of Python, what stands in `program_values`.
_OURS = re.compile(
    r"\b(?:[ctvf]\d+|\d+|U|G|x|and|or|not|is|in|if|else|for|any|all|map|len|None|True|False|context|get|startswith|endswith"
    r"|isdisjoint|issuperset|count)\b|[\s()\[\],.:=<>!&+-]"
)


@pytest.mark.parametrize("text", [*SHARED_COMPARISONS, *SOUND_COMPARISONS])
def test_code_holds_no_text_of_a_person(text: str) -> None:
    (code,) = code_of(roots_of(text), Names())
    assert _OURS.sub("", code) == ""


def test_a_guard_is_asked_once_before_patterns_are_tried() -> None:
    texts = [f'http.user_agent matches "bot{number}"' for number in range(2)]
    first, second = code_of(roots_of(*texts), Names())
    asked = re.compile(
        r"\(\(v\d+ if v\d+ is not U else \(v\d+ := \(\(t\d+ := G\.get\(c\d+\)\) is None or t\d+\(context\)\)\)\) and "
    )
    found = [asked.match(code) for code in (first, second)]
    assert None not in found
    assert len({match[0] for match in found if match}) == 1


def test_what_is_dear_and_repeated_is_asked_once() -> None:
    text = 'any(http.request.uri.args["a"][*] contains "x")'
    (once,) = code_of(roots_of(text), Names())
    first, *others = code_of(roots_of(text, f"{text} and ssl", f"not {text}"), Names())
    assert re.match(r"\(v\d+ if v\d+ is not U else ", once) is None
    assert re.match(r"\(v\d+ if v\d+ is not U else ", first) is not None
    assert all(first in code for code in others)


def test_what_is_nested_deeply_is_left_to_closures() -> None:
    (code,) = code_of(roots_of("not " * (2 * MAX_DEPTH) + "ssl"), Names())
    assert code.count("(") <= 2 * MAX_DEPTH


@pytest.mark.parametrize(
    ("bounds", "inside"),
    [
        ("203.0.113.0/24 203.0.114.0/24", True),
        ("203.0.113.7 203.0.113.7", True),
        ("0.0.0.0/0", True),
        ("::/0", False),
        ("203.0.113.8 203.0.113.6", False),
        ("203.0.113.8..203.0.113.9 1.1.1.1 10.0.0.0/8 203.0.113.0/29", True),
    ],
)
def test_a_client_is_within_its_ranges(bounds: str, inside: bool) -> None:
    matching = compile_program([parse(f"ip.src in {{{bounds}}}")]).matching
    assert list(matching(EvaluationContext(a_request(client_ip="203.0.113.7")))) == ([0] if inside else [])
