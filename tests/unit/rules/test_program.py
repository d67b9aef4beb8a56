"""`holdfast.rules.program`: programs say what their conditions say, lazily, in order, and are known again."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.request import Request
from holdfast.rules.compile import compile_expression
from holdfast.rules.context import EvaluationContext, Facts, Place
from holdfast.rules.known import KNOWN
from holdfast.rules.lists import RuleList
from holdfast.rules.meter import Undecided
from holdfast.rules.parser import MAX_NESTING, parse, parse_value
from holdfast.rules.program import MAX_CHUNK_RULES, KnownChunks, chunks_of, compile_program
from holdfast.rules.program_guards import MAX_TOGETHER
from holdfast.rules.undecidable import Undecidable
from tests.unit.requests import a_request
from tests.unit.rules.case_files import FACTS, LISTS, REQUEST, cases
from tests.unit.rules.expressions import PROGRAMS, SHARED_COMPARISONS, SOUND_COMPARISONS
from tests.unit.rules.requests import requests

HERE = Facts(
    now_ms=1_700_000_000_123,
    place=Place(asn=64513, city="a", country="NL", in_european_union=True),
    server_ip="2001:db8::1",
    random_seed="0123456789abcdef",
    lists={**LISTS, "list": RuleList.of_hostnames(["a", "*.example.com"])},
)
ALL = (*SHARED_COMPARISONS, *SOUND_COMPARISONS)


def one_by_one(texts: list[str], request: Request, facts: Facts) -> list[int]:
    context = EvaluationContext(request, facts)
    return [number for number, text in enumerate(texts) if KNOWN.compiled(text).matches(context)]


def together(texts: list[str], request: Request, facts: Facts) -> list[int]:
    program = compile_program([KNOWN.compiled(text) for text in texts])
    return list(program.matching(EvaluationContext(request, facts)))


@given(PROGRAMS, requests(), st.sampled_from((HERE, Facts(), Facts(url_form="none"))))
def test_a_program_says_what_its_conditions_say(texts: list[str], request: Request, facts: Facts) -> None:
    assert together(texts, request, facts) == one_by_one(texts, request, facts)


@given(requests(), st.sampled_from((HERE, Facts(), Facts(url_form="none"))))
def test_so_does_one_of_every_kind_of_condition(request: Request, facts: Facts) -> None:
    assert together(list(ALL), request, facts) == one_by_one(list(ALL), request, facts)


def test_cases_of_evaluation_are_true_together_as_alone() -> None:
    found = [case for case in cases("evaluation.txt") if case.expected != "refused"]
    expected = [number for number, case in enumerate(found) if case.expected == "true"]
    assert together([case.given for case in found], REQUEST, FACTS) == expected


def test_no_condition_is_asked_before_somebody_wants_to_know() -> None:
    texts = ["ssl", 'http.request.headers["x"][0] eq "1"', "ssl", 'any(http.request.uri.args["a"][*] eq "1")']
    context = EvaluationContext(a_request())
    matching = compile_program([parse(text) for text in texts]).matching(context)
    assert next(matching) == 0
    assert context.computed == {}
    assert next(matching) == 2
    assert list(context.computed) == ["searches of headers"]
    assert list(matching) == []


def test_what_one_program_computed_another_uses() -> None:
    context = EvaluationContext(REQUEST, FACTS)
    text = 'url_decode(http.request.uri.query) contains "a b"'
    for extra in ("ssl", "not ssl"):
        assert next(compile_program([parse(text), parse(f"{text} and {extra}")]).matching(context)) == 0
    assert list(context.computed) == ["url_decode(http.request.uri.query)"]


@pytest.mark.parametrize(
    "text",
    [
        "not " * MAX_NESTING + "ssl",
        "(" * MAX_NESTING + "ssl" + ")" * MAX_NESTING,
        "lower(" * (MAX_NESTING - 1) + "http.host" + ")" * (MAX_NESTING - 1) + ' eq "www.example.com"',
        " or ".join(['http.host eq "a"'] * 190) + " or ssl",
        " xor ".join(["ssl"] * 501),
        "ssl and (not ssl or (ssl xor " * 30 + "ssl" + "))" * 30,
    ],
)
def test_what_is_nested_or_long_to_the_limit_is_compiled(text: str) -> None:
    assert together([text], REQUEST, FACTS) == one_by_one([text], REQUEST, FACTS)


@pytest.mark.parametrize("text", ['"', "\\", "\n", "'''", "{0}", "__import__('os')", "\x00", "#", "é"])
def test_a_text_of_a_person_is_only_ever_compared(text: str) -> None:
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    rules = [f'{field} eq "{quoted}"' for field in ("http.referer", 'http.request.headers["referer"][0]')]
    rules += [f'http.referer contains "{quoted}"', f'http.request.uri.args["{quoted}"][0] eq "{quoted}"']
    sent = text.encode().decode("latin-1")
    request = msgspec.structs.replace(a_request(headers=(("Referer", sent),)), query=f"{text}={text}")
    assert together(rules, request, Facts()) == [0, 1, 2, 3]


def test_what_is_worked_out_in_code_counts_as_in_closures() -> None:
    dear = " or ".join(f'join(http.request.uri.args.values, "{number}") eq "a"' for number in range(40))
    context = EvaluationContext(msgspec.structs.replace(a_request(), query="&".join(["a"] * 8_000)))
    doubtful, sure = compile_program([parse(dear), parse("ssl")]).matching(context)
    assert isinstance(doubtful, Undecidable)
    assert (doubtful, sure) == (0, 1)
    with pytest.raises(Undecided):
        compile_expression(dear).matches(context)


def test_many_conditions_are_numbered_throughout() -> None:
    texts = [f"cf.edge.server_port eq {number % 7}" for number in range(1_000)]
    request = a_request()
    matching = compile_program([parse(text) for text in [*texts, "ssl"]]).matching
    assert list(matching(EvaluationContext(request))) == [1_000]
    assert list(compile_program([]).matching(EvaluationContext(request))) == []


@given(st.lists(st.integers(0, 10_000), max_size=300), st.integers(0, 300))
def test_a_rule_that_is_put_in_leaves_most_chunks_as_they_are(numbers: list[int], place: int) -> None:
    rules = [parse(f"cf.edge.server_port eq {number}") for number in numbers]
    more = [*rules[:place], parse('http.host eq "new"'), *rules[place:]]
    before, after = chunks_of(rules), chunks_of(more)
    assert [one for chunk in after for one in chunk] == more
    assert all(1 <= len(chunk) <= MAX_CHUNK_RULES for chunk in after)
    assert [one for chunk in before for one in chunk] == rules


def test_a_program_is_made_with_pauses_in_between() -> None:
    pauses: list[int] = []
    rules = [parse(f'http.user_agent matches "paused{number}"') for number in range(100)]
    compile_program(rules, pause=lambda: pauses.append(1))
    # One for each chunk, and one for each of the guards over their patterns.
    assert len(pauses) >= len(chunks_of(rules)) + 100 // MAX_TOGETHER


def test_a_chunk_is_compiled_once_and_the_oldest_are_forgotten() -> None:
    known = KnownChunks(max_chars=3 * (256 + 20))
    first, *others = [(parse(f"cf.edge.server_port eq {number}"),) for number in range(5)]
    assert known.compiled(first) is known.compiled(first)
    for chunk in others:
        known.compiled(chunk)
    assert known.statistics()["program_compilations"] == 5
    assert known.statistics()["program_chunks"] == 2
    assert known.statistics()["program_chars"] <= 3 * (256 + 20)
    known.compiled(first)
    assert known.statistics()["program_compilations"] == 6


def test_an_expression_for_a_value_is_no_condition() -> None:
    with pytest.raises(TypeError):
        compile_program([parse_value("http.host")])


def test_expressions_and_compiled_ones_are_alike() -> None:
    text = "ssl"
    context = EvaluationContext(REQUEST)
    for one in (parse(text), compile_expression(text)):
        assert list(compile_program([one]).matching(context)) == [0]
