"""Evaluation: what a condition or a value is for a request. Most of it is in `cases/`."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.request import Request
from holdfast.rules.compile import MANY_VALUES, CompiledExpression, compile_expression, compile_value
from holdfast.rules.context import EvaluationContext, Facts
from holdfast.rules.errors import ParseError
from holdfast.rules.lists import RuleList
from holdfast.rules.parser import MAX_NESTING, parse, parse_value
from holdfast.rules.value_types import INT
from tests.unit.requests import a_request
from tests.unit.rules.case_files import FACTS, LISTS, REQUEST, Case, cases
from tests.unit.rules.expressions import SOUND, SOUND_COMPARISONS
from tests.unit.rules.requests import requests

CONTEXT = EvaluationContext(REQUEST, FACTS)


@pytest.mark.parametrize("case", cases("evaluation.txt"), ids=str)
def test_a_condition_is_what_it_should_be(case: Case) -> None:
    if case.expected == "refused":
        with pytest.raises(ParseError):
            compile_expression(case.given)
        return
    matches = compile_expression(case.given).matches
    assert [matches(EvaluationContext(REQUEST, FACTS)), matches(CONTEXT)] == [case.expected == "true"] * 2


@pytest.mark.parametrize("case", cases("values.txt"), ids=str)
def test_a_value_is_what_it_should_be(case: Case) -> None:
    text = compile_value(case.given).text(CONTEXT)
    assert ("(missing)" if text is None else text) == case.expected


ANY_FACTS = Facts(lists={"list": LISTS["sites"]})


@given(st.one_of(SOUND, st.sampled_from(SOUND_COMPARISONS)), requests())
def test_whatever_the_client_sent_evaluating_gives_a_truth(text: str, request: Request) -> None:
    compiled = compile_expression(text)
    first, again = EvaluationContext(request, ANY_FACTS), EvaluationContext(request, ANY_FACTS)
    assert compiled.matches(first) in {True, False}
    assert compiled.matches(first) is compiled.matches(again)


@given(st.sampled_from(SOUND_COMPARISONS[:-1]), st.sampled_from(SOUND_COMPARISONS[:-1]), requests())
def test_logic_is_that_of_its_parts(left: str, right: str, request: Request) -> None:
    context = EvaluationContext(request, ANY_FACTS)

    def truth(text: str) -> bool:
        return compile_expression(text).matches(context)

    one, other = truth(left), truth(right)
    if "replace" in left and "replace" in right:
        return
    assert truth(f"({left}) and ({right})") is (one and other)
    assert truth(f"({left}) or ({right})") is (one or other)
    assert truth(f"({left}) xor ({right})") is (one is not other)
    assert truth(f"not ({left})") is not one


def test_a_list_is_the_one_of_the_moment() -> None:
    one = compile_expression('ip.src in $office and any(http.request.headers["x-twice"][*] in $words)').matches
    office, words = LISTS["office"], RuleList.of_hostnames(["two"])
    truths = [
        one(EvaluationContext(REQUEST, Facts(lists=lists)))
        for lists in (
            {"office": office, "words": words},
            {"office": office},
            {"office": words, "words": words},
            {"office": office, "words": office},
            {"office": office, "words": RuleList.of_hostnames(["three"])},
            {},
        )
    ]
    assert truths == [True, False, False, False, False, False]


def test_what_is_nested_to_the_limit_compiles_and_evaluates() -> None:
    text = 'http.host eq "x"'
    for _ in range(MAX_NESTING // 2):
        text = f"http.host eq concat(http.host, to_string({text}))"
    assert compile_expression(text).matches(CONTEXT) is False
    calls = "lower(" * MAX_NESTING + "http.host" + ")" * MAX_NESTING
    assert compile_value(calls).text(CONTEXT) == "www.example.com"
    assert compile_expression("not " * MAX_NESTING + "ssl").matches(CONTEXT) is True


def test_what_one_expression_computed_another_uses() -> None:
    context = EvaluationContext(REQUEST, FACTS)
    compile_expression('http.request.headers["upgrade"][0] eq "websocket"').matches(context)
    headers = context.computed["http.request.headers"]
    compile_expression('any(http.request.headers["x-twice"][*] eq "one")').matches(context)
    assert context.computed["http.request.headers"] is headers
    assert list(context.computed) == ["http.request.headers"]


def test_many_values_are_computed_as_few_are() -> None:
    values = ["QQ", "Qg", "???", "QQ", "Qw"] * MANY_VALUES
    request = msgspec.structs.replace(a_request(), query="&".join(f"a={value}" for value in values))
    context = EvaluationContext(request)
    decoded = compile_value('join(decode_base64(http.request.uri.args["a"][*]), ",")')
    assert decoded.text(context) == ",".join(["A", "B", "A", "C"] * MANY_VALUES)
    both = compile_value('join(concat(http.request.uri.args["a"][*], http.host), ",")')
    assert both.text(context) == ",".join(f"{value}example.com" for value in values)
    lengths = compile_expression("all(len(http.request.headers[*])[*] eq 1)")
    many = a_request(headers=[(f"X-{number}", "a") for number in range(2 * MANY_VALUES)])
    assert lengths.matches(EvaluationContext(many))


def test_letters_beyond_ascii_are_utf_8_wherever_they_stand() -> None:
    request = a_request(path="/grüße/€.ÜX", headers=(("Referer", "/gr\xc3\xbc\xc3\x9fe/\xe2\x82\xac.\xc3\x9cX"),))
    context = EvaluationContext(request)
    for text in (
        'raw.http.request.uri.path eq "/grüße/€.ÜX"',
        "raw.http.request.uri.path eq http.referer",
        "len(raw.http.request.uri.path) eq 16",
        'raw.http.request.uri.path matches "^/gr(ü|u)ße/€"',
        'raw.http.request.uri.path wildcard "/GRüßE/*"',
        'ends_with(raw.http.request.uri, "€.ÜX")',
        'raw.http.request.uri.path.extension eq "\\xc3\\x9cx"',
        'raw.http.request.full_uri contains "€"',
    ):
        assert compile_expression(text).matches(context), text


def test_a_parsed_expression_compiles_as_its_text_does() -> None:
    text = 'http.host eq "www.example.com"'
    assert compile_expression(parse(text)).matches(CONTEXT) is True
    assert isinstance(compile_expression(text), CompiledExpression)
    value = compile_value(parse_value("cf.edge.server_port"))
    assert (value.type, value.evaluate(CONTEXT), value.text(CONTEXT)) == (INT, 8443, "8443")


def test_a_condition_is_no_value_and_a_value_no_condition() -> None:
    with pytest.raises(TypeError, match="is a condition"):
        compile_value(parse("ssl and ssl"))
    with pytest.raises(TypeError, match="is a value"):
        compile_expression(parse_value("http.host"))


def test_without_facts_what_they_hold_is_missing() -> None:
    bare = EvaluationContext(a_request(), Facts())
    for text in ("ip.src.country ne 61:62", "http.request.timestamp.sec ge 0", "cf.edge.server_ip ne ::1"):
        assert compile_expression(text).matches(bare) is False
