"""The parser beside the original's: the same is accepted, and the same is refused in the same words."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.rules.errors import ParseError
from holdfast.rules.parser import MAX_CHARACTERS, MAX_NESTING, parse, parse_value
from holdfast.rules.scheme import FIELDS
from holdfast.rules.value_types import BYTES, IP
from tests.unit.rules.case_files import Case, cases, verdict_of_the_original
from tests.unit.rules.expressions import CONDITIONS, VALUES, damaged

# What the original trims before it reads.
WHITE_SPACE = " \t\n\r\v\f\x85\xa0\u2000\u3000"


def verdict(expression: str) -> str:
    """ "ok", or our complaint."""
    try:
        parse(expression)
    except ParseError as error:
        return str(error)
    return "ok"


@pytest.mark.parametrize("case", cases("as_the_original.txt"), ids=str)
def test_an_expression_is_read_as_the_original_reads_it(case: Case) -> None:
    assert verdict(case.given) == case.expected
    assert verdict_of_the_original(case.given) == case.expected


@pytest.mark.parametrize("case", cases("unlike_the_original.txt"), ids=str)
def test_where_we_differ_is_known(case: Case) -> None:
    assert verdict(case.given) == case.expected
    assert verdict_of_the_original(case.given) != case.expected


@settings(max_examples=300)
@given(st.one_of(CONDITIONS, damaged()))
def test_what_is_generated_is_read_as_the_original_reads_it(expression: str) -> None:
    trimmed = expression.strip(WHITE_SPACE)
    if trimmed:
        assert verdict(trimmed) == verdict_of_the_original(trimmed)


OPERATORS = ("eq", "ne", "lt", "<=", "gt", ">=", "contains", "matches", "~", "wildcard", "strict wildcard", "in", "&")
OPERANDS = (
    *(
        '"a"',
        'r#"a"#',
        '"a\\\\*"',
        "5",
        "0x1f",
        "61:62",
        "1.2.3.4",
        "10.0.0.0/8",
        '{"a"}',
        "{1..5 7}",
        "{1.2.3.4 ::/0}",
        "{}",
    ),
    *("$list", "http.host", "ip.src", "cf.edge.server_port", "true"),
)


INDEXES = ("", "[0]", "[*]", '["k"]', '["k"][0]', '["k"][*]', "[*][*]")
# One field of each type.
OF_TYPE = {str(field.type): name for name, field in FIELDS.items()}


@pytest.mark.parametrize("field", OF_TYPE.values(), ids=OF_TYPE)
def test_each_type_takes_the_operators_and_operands_that_the_original_lets_it_take(field: str) -> None:
    for value in (f"{field}{index}" for index in INDEXES):
        for text in (value, f"not {value}", f"any({value})", f"any({value} eq {value})"):
            assert verdict(text) == verdict_of_the_original(text)
        for op, operand in itertools.product(OPERATORS, OPERANDS):
            text = f"{value} {op} {operand}"
            assert verdict(text) == verdict_of_the_original(text)


@pytest.mark.parametrize("field", sorted(FIELDS))
def test_each_field_is_compared_as_the_original_lets_it_be(field: str) -> None:
    for op, operand in itertools.product(
        ("eq", "in", "matches", "&"), ('"a"', "5", "1.2.3.4", '{"a"}', "{1..5}", "$list")
    ):
        text = f"{field} {op} {operand}"
        assert verdict(text) == verdict_of_the_original(text)


@settings(max_examples=200)
@given(st.one_of(st.text(), st.text(st.characters(codec=None)), damaged(), VALUES))
def test_whatever_the_text_only_a_parse_error_is_raised(text: str) -> None:
    for read in (parse, parse_value):
        complaint: ParseError | None = None
        try:
            assert read(text).text == text
        except ParseError as error:
            complaint = error
        assert complaint is None or str(complaint).startswith("Filter parsing error (")
        assert complaint is None or "\n" not in complaint.sentence


@pytest.mark.parametrize(
    ("opening", "closing"),
    [("(", ")"), ("not ", ""), ("!", ""), ("concat(http.host, to_string(http.host eq ", '"x"))')],
)
def test_nesting_ends_at_the_limit(opening: str, closing: str) -> None:
    levels = 2 if "concat" in opening else 1
    within, beyond = MAX_NESTING // levels, MAX_NESTING // levels + 1
    if levels == 2:
        fits = 'http.host eq "x"'
        for _ in range(MAX_NESTING // 2):
            fits = f"http.host eq concat(http.host, to_string({fits}))"
        assert verdict(fits) == "ok"
        assert "maximum nesting depth exceeded (limit: 128)" in verdict(f"(({fits}))")
        return
    assert verdict(opening * within + "ssl" + closing * within) == "ok"
    refused = opening * beyond + "ssl" + closing * beyond
    assert verdict(refused) == verdict_of_the_original(refused)
    assert "maximum nesting depth exceeded (limit: 128)" in verdict(refused)


def test_4096_characters_are_read_and_one_more_is_not() -> None:
    longest = f'http.host eq "{"a" * (MAX_CHARACTERS - 15)}"'
    assert len(longest) == MAX_CHARACTERS
    assert verdict(longest) == "ok"
    assert "the expression has 4097 characters, 4096 are allowed" in verdict(f"{longest} ")


def test_half_a_surrogate_pair_is_refused() -> None:
    assert "character 15 is half a surrogate pair" in verdict('http.host eq "\ud800"')


def test_white_space_around_does_not_matter_and_is_counted() -> None:
    assert verdict("\t\n ssl \u3000") == "ok"
    assert verdict("\n  foo").startswith("Filter parsing error (2:3):\n  foo\n  ^^^ unknown identifier")


@pytest.mark.parametrize("text", ["", " ", "\n"])
def test_nothing_is_no_expression(text: str) -> None:
    assert "expected identifier character" in verdict(text)


@pytest.mark.parametrize("text", ["true", " false "])
def test_true_and_false_are_whole_expressions(text: str) -> None:
    assert verdict(text) == "ok"
    assert "unknown identifier" in verdict(f"{text.strip()} and ssl")


def test_an_expression_says_what_it_uses() -> None:
    expression = parse(
        'any(lower(http.request.headers["x"][*])[*] in $names) and ip.src in $office and http.host eq cf.ray_id'
    )
    assert expression.fields == {"http.request.headers", "ip.src", "http.host", "cf.ray_id"}
    assert expression.functions == {"lower"}
    assert expression.lists == {"names": BYTES, "office": IP}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("http.request.headers.names[*]", "expected value of type Bytes, but got Array<Bytes>"),
        ('http.host eq "x"', "unrecognised input"),
        ('"x"', "expected identifier character"),
    ],
)
def test_what_is_no_value_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ParseError, match=reason.replace("(", r"\(")):
        parse_value(text)
