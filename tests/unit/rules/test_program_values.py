"""Code for values: what it reads is what the closures read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.request import Request
from holdfast.rules.compile import value_of
from holdfast.rules.context import EvaluationContext, Facts, Place
from holdfast.rules.parser import parse, parse_value
from holdfast.rules.program_names import Names
from holdfast.rules.program_values import is_sure_field, key_of, value_code
from holdfast.rules.scheme import FIELDS
from holdfast.rules.syntax_tree import Comparison, Indexed, Quantified
from tests.unit.rules.requests import requests

HERE = Facts(now_ms=1, place=Place(asn=1, city="Fryslân"), server_ip="::1", random_seed="0123456789abcdef")
# The default form of URLs, and the others.
FACTS = (HERE, Facts(), Facts(url_form="rfc3986"), Facts(url_form="none"))
VALUES = (
    *FIELDS,
    'http.request.headers["x"]',
    'http.request.headers["x"][0]',
    'http.request.headers["x"][1]',
    "http.request.headers.names[0]",
    "http.request.headers.values[1]",
    "lower(http.host)",
    "upper(ip.src.city)",
    'starts_with(lower(http.request.headers["x"][0]), "a")',
    'ends_with(ip.src.city, "n")',
    "len(http.request.uri.args)",
    'len(http.request.headers["x"])',
    'has_key(http.request.cookies, "a")',
    "to_string(ip.src)",
    "to_string(ssl)",
    "url_decode(http.request.uri)",
    "lower(lower(lower(lower(lower(lower(ip.src.city))))))",
    "concat(http.host, ip.src.city)",
    "decode_base64(http.cookie)",
    "substring(http.host, 1)",
    'url_decode(url_decode(concat(raw.http.request.uri, "&", http.cookie)))',
    'concat(ip.src.city, http.request.headers["x"][0])',
    'lower(join(http.request.headers["x"], ", "))',
    'concat("a", join(http.request.headers.names, " "), substring(ip.src.city, 1))',
    'lookup_json_string(url_decode(http.request.uri.query), "a")',
)
MAPPED = (
    "http.request.headers.names[*]",
    'http.request.headers["x"][*]',
    "http.request.headers[*][*]",
    "http.request.headers[*][0]",
    'lower(http.request.headers["x"][*])[*]',
    "lower(url_decode(http.request.uri.args.values[*])[*])[*]",
)


def read_by_code(node: Indexed, context: EvaluationContext) -> tuple[object, bool]:
    names = Names()
    coded = value_code(names, node)
    lines = ["def read(context):", "request = context.request", *names.setup, f"return {coded.code}"]
    exec("".join(names.functions) + "\n ".join(lines), names.namespace)
    return names.namespace["read"](context), coded.is_sure


@given(requests(), st.sampled_from(FACTS))
def test_code_reads_what_closures_read(request: Request, facts: Facts) -> None:
    for text in VALUES:
        node = parse_value(text).root
        assert isinstance(node, Indexed)
        found, is_sure = read_by_code(node, EvaluationContext(request, facts))
        assert found == value_of(node)(EvaluationContext(request, facts)), text
        assert found is not None or not is_sure


@given(requests())
def test_code_reads_the_same_elements(request: Request) -> None:
    for text in MAPPED:
        root = parse(f'any({text} eq "a")').root
        assert isinstance(root, Quantified)
        assert isinstance(root.item, Comparison)
        found, is_sure = read_by_code(root.item.left, EvaluationContext(request))
        assert found == value_of(root.item.left)(EvaluationContext(request)), text
        assert found is not None or not is_sure


@given(requests())
def test_a_sure_field_is_there_for_every_request(request: Request) -> None:
    context = EvaluationContext(request)
    assert [name for name, field in FIELDS.items() if is_sure_field(name) and field.read(context) is None] == []


@pytest.mark.parametrize("text", VALUES)
def test_a_value_has_a_key_of_its_own(text: str) -> None:
    keys = [key_of(parse_value(one).root) for one in VALUES]  # type: ignore[arg-type]
    assert keys.count(key_of(parse_value(text).root)) == 1  # type: ignore[arg-type]
