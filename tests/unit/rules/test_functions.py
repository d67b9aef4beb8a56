"""The functions, beside those of the original: each is here or refused by name, and checks its arguments alike."""

import octorules_wirefilter
import pytest

from holdfast.rules.errors import ParseError
from holdfast.rules.functions import FUNCTIONS, REFUSED_FUNCTIONS, ArgumentKind, Function
from holdfast.rules.parser import parse
from tests.unit.rules.case_files import verdict_of_the_original

# `any` and `all` are syntax.
QUANTIFIERS = {"any", "all"}
# Those that the documentation describes otherwise than the stand-ins of the original's open parser have it.
DOCUMENTED_OTHERWISE = {
    *("len", "to_string", "substring", "url_decode", "lookup_json_string", "lookup_json_integer", "encode_base64"),
    *("sha256", "sha512", "is_timed_hmac_valid_v0"),
}
ARGUMENTS = (
    "",
    "http.host",
    '"x"',
    "ip.src",
    "1",
    "ssl",
    "http.request.headers",
    "http.request.headers.names",
    '"a", "b"',
)


def verdict(expression: str) -> str:
    try:
        parse(expression)
    except ParseError as error:
        return str(error)
    return "ok"


def test_every_function_of_the_original_is_here_or_refused() -> None:
    names = set(octorules_wirefilter.get_schema_info()["functions"])
    assert names == set(FUNCTIONS) | set(REFUSED_FUNCTIONS) | QUANTIFIERS
    assert not set(FUNCTIONS) & set(REFUSED_FUNCTIONS)


@pytest.mark.parametrize("name", sorted(set(FUNCTIONS) - DOCUMENTED_OTHERWISE))
@pytest.mark.parametrize("arguments", ARGUMENTS)
def test_arguments_are_checked_as_the_original_checks_them(name: str, arguments: str) -> None:
    expression = f"{name}({arguments})"
    assert verdict(expression) == verdict_of_the_original(expression)


@pytest.mark.parametrize("name", sorted(REFUSED_FUNCTIONS))
def test_a_function_that_is_not_here_is_refused_by_name(name: str) -> None:
    assert f"this edge does not have the function {name}" in verdict(f"{name}(http.host)")


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_what_may_be_left_out_has_a_default_that_can_be_prepared(function: Function) -> None:
    assert function.required <= len(function.parameters) or function.repeated
    for parameter in function.parameters[function.required :]:
        assert parameter.kind is ArgumentKind.LITERAL
        assert parameter.prepare is None or parameter.prepare(parameter.default) == parameter.default


@pytest.mark.parametrize("name", ["concat", "remove_query_args", "lookup_json_string", "coalesce"])
def test_the_last_argument_may_be_given_again(name: str) -> None:
    assert FUNCTIONS[name].parameter(99) is FUNCTIONS[name].parameters[-1]
    assert FUNCTIONS["lower"].parameter(1) is None
