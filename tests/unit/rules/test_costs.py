"""What a rule may cost: decided or Undecided, for whatever request, and exact where it is decided."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.rules.compile import compile_expression, compile_value
from holdfast.rules.context import EvaluationContext
from holdfast.rules.costs import MAX_UNCOUNTED_STEPS, worst_steps
from holdfast.rules.meter import Undecided
from holdfast.rules.parser import parse
from holdfast.rules.program import compile_program
from holdfast.rules.syntax_tree import Indexed
from holdfast.rules.undecidable import Undecidable
from tests.unit.requests import a_request

ARGUMENTS = "&".join(f"{n:x}" for n in range(3_300))
VALUES = "http.request.uri.args.names[*]"


def asking(query: str) -> EvaluationContext:
    return EvaluationContext(msgspec.structs.replace(a_request(), query=query))


def worst(text: str) -> int:
    root = parse(text).root
    assert not isinstance(root, Indexed)
    return worst_steps(root)


@pytest.mark.parametrize(
    "text",
    [
        'http.host eq "a"',
        'any(lower(http.request.uri.args.values[*])[*] contains "<script")',
        " or ".join(f'http.request.uri.query contains "{n}"' for n in range(10)),
        'http.request.uri.query wildcard "*a*b*" and http.user_agent matches "a.*b"',
    ],
)
def test_what_people_write_is_cheap_for_any_request(text: str) -> None:
    assert worst(text) <= MAX_UNCOUNTED_STEPS


DEAR = (
    " or ".join(f'any({VALUES} contains "z{n}")' for n in range(60)),
    f'any({"lower(" * 20}{VALUES}{")[*]" * 20} == "z")',
    f'any(sha256({VALUES})[*] eq "z") or any(sha512({VALUES})[*] eq "z")',
    " or ".join(f'any({VALUES} matches "^z{n}[x-z]{{2,9}}$")' for n in range(40)),
)


@pytest.mark.parametrize("text", DEAR, ids=range(len(DEAR)))
def test_what_is_dear_for_thousands_of_values_is_undecided_for_them_alone(text: str) -> None:
    matches = compile_expression(text).matches
    with pytest.raises(Undecided):
        matches(asking(ARGUMENTS))
    assert matches(asking("a=1&b=2")) is False
    (number,) = compile_program([parse(text)]).matching(asking(ARGUMENTS))
    assert isinstance(number, Undecidable)


@pytest.mark.parametrize(
    "text",
    [
        f"{'encode_base64(' * 60}http.host{')' * 60}",
        f"concat({', '.join(['http.request.uri.query'] * 30)})",
        'regex_replace(http.request.uri.query, "(.*)", "' + "${1}" * 30 + '")',
        'wildcard_replace(http.request.uri.query, "*", "' + "${1}" * 30 + '")',
        f'{"encode_base64(" * 60}"constant"{")" * 60}',
    ],
)
def test_a_value_that_would_grow_without_end_is_missing(text: str) -> None:
    value = compile_value(text)
    assert value.evaluate(asking("a" * 16_000)) is None


@settings(max_examples=60)
@given(
    st.lists(st.sampled_from(["a.{40}c", "(?:a|ab){60}b", "^(a*b*)*c$", "b{30}", "q"]), min_size=1, max_size=5),
    st.lists(st.text("ab", max_size=3_000), max_size=3),
)
def test_what_a_program_decides_is_right(patterns: list[str], parts: list[str]) -> None:
    """A value that is long and made for it may be undecided; each pattern by itself says what is right where it is not."""
    context = asking("".join(parts))
    texts = [f'http.request.uri.query matches "{pattern}"' for pattern in patterns]
    said = {int(number): number for number in compile_program(list(map(parse, texts))).matching(context)}
    for number, text in enumerate(texts):
        if isinstance(said.get(number), Undecidable):
            continue
        try:
            alone = compile_expression(text).matches(context)
        except Undecided:
            continue
        assert (number in said) is alone


def test_an_undecidable_number_keeps_its_reason_behind_others() -> None:
    moved = 3 + Undecidable.of(4, "why")
    assert (int(moved), moved.why) == (7, "why")
