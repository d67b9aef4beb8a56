"""What a rule may cost: decided or Undecided, for whatever request, and exact where it is decided."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.rules.compile import compile_expression, compile_value
from holdfast.rules.context import EvaluationContext
from holdfast.rules.costs import MAX_UNCOUNTED_STEPS, price_of, worst_steps
from holdfast.rules.meter import Undecided
from holdfast.rules.parser import parse
from holdfast.rules.program import compile_program
from holdfast.rules.syntax_tree import Comparison, Indexed
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
        'any(url_decode(http.request.uri.args.values[*])[*] contains "<script")',
        'any(http.request.uri.args.values[*] wildcard "*<script*")',
    ],
)
def test_what_people_write_is_cheap_for_any_request(text: str) -> None:
    assert worst(text) <= MAX_UNCOUNTED_STEPS


LONG = "a" * 16_000
HEADERS = "http.request.headers.values[*]"


@pytest.mark.parametrize(
    "text",
    [
        # Compared from its beginning at each of the places, nearly as far as it goes.
        " or ".join(f'http.request.uri.query contains "{"a" * (90 + n)}ba"' for n in range(8)),
        " or ".join(f'http.request.uri.query strict wildcard "*{"a" * (90 + n)}ba*"' for n in range(8)),
        f'any({VALUES} wildcard "*z*y*") or any({VALUES} wildcard "*y*z*")',
        f'any(concat({VALUES}, "x")[*] eq "z")',
        f'any(remove_bytes({VALUES}, "b")[*] eq "z")',
    ],
)
def test_what_is_dear_for_a_request_that_is_made_for_it_is_counted(text: str) -> None:
    assert worst(text) > MAX_UNCOUNTED_STEPS


def test_few_values_cost_what_they_are_long() -> None:
    request = a_request(headers=[("Host", "example.com"), ("X", "a" * 15_000), ("Y", "a" * 15_000)])
    text = " or ".join(f'any({HEADERS} contains "{"a" * (90 + n)}b")' for n in range(20))
    with pytest.raises(Undecided):
        compile_expression(text).matches(EvaluationContext(request))
    assert compile_expression(text).matches(asking(LONG)) is False


@pytest.mark.parametrize(
    ("sought", "sixteenths"),
    [
        ("", 32),
        ("select", 32),
        ("a" * 20, 32),
        ("a" * 100, 150),
        ("ab" * 50, 75),
        ("b" + "a" * 99, 32),
        ("xaaaa" * 40, 60),
    ],
)
def test_a_text_that_repeats_itself_is_dear_to_search(sought: str, sixteenths: int) -> None:
    root = parse(f'http.host contains "{sought}"').root
    assert isinstance(root, Comparison)
    assert price_of(root.relation).sixteenths == sixteenths


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
