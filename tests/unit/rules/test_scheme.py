"""The fields, beside those of the original: each is here with its type, or refused with a reason."""

import msgspec
import octorules_wirefilter
import pytest

from holdfast.rules.context import EvaluationContext, Facts
from holdfast.rules.refused_fields import refusal_of
from holdfast.rules.scheme import FIELDS, header_lines
from holdfast.rules.url_normalization import UrlForm
from holdfast.rules.value_types import IP, ValueType
from tests.unit.requests import a_request
from tests.unit.rules.case_files import FACTS, REQUEST, verdict_of_the_original

ORIGINAL = {field["name"]: field["type"] for field in octorules_wirefilter.get_schema_info()["fields"]}
PRIMITIVES = {"Bool": "BOOL", "Int": "INT", "Ip": "IP", "Bytes": "STRING"}


def name_of(type_: ValueType) -> str:
    """A type as the original's table of fields has it."""
    inner = type_.element
    if inner is None:
        return PRIMITIVES[type_.primitive]
    return f"{'ARRAY' if type_.is_array else 'MAP'}_{name_of(inner)}"


@pytest.mark.parametrize("name", sorted(ORIGINAL))
def test_a_field_of_the_original_is_here_or_refused_with_a_reason(name: str) -> None:
    assert (name in FIELDS) is not (refusal_of(name) is not None)


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_a_field_has_the_type_that_it_has_in_the_original(name: str) -> None:
    assert ORIGINAL.get(name, name_of(FIELDS[name].type)) == name_of(FIELDS[name].type)
    # The original's table leaves out deprecated names and a few others, which its parser knows.
    assert "unknown identifier" not in verdict_of_the_original(name)


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_a_value_is_of_its_type_or_missing(name: str) -> None:
    field = FIELDS[name]
    for context in (EvaluationContext(REQUEST, FACTS), EvaluationContext(a_request(scheme="http", headers=()))):
        value = field.read(context)
        assert value is None or _is_of(value, field.type)
        assert field.read(context) == value


def _is_of(value: object, type_: ValueType) -> bool:
    inner = type_.element
    if inner is not None:
        items = value.values() if isinstance(value, dict) else value
        return isinstance(value, dict) is type_.is_map and all(_is_of(item, inner) for item in items)  # type: ignore[attr-defined]
    if type_ == IP:
        return isinstance(value, tuple) and value[0] in {4, 6} and isinstance(value[1], int)
    return type(value) is {"Bool": bool, "Int": int, "Bytes": str}[type_.primitive]


@pytest.mark.parametrize(
    ("form", "path"), [("cloudflare", "/a/b.Php"), ("rfc3986", "//a/b.Php"), ("none", "//a/x/../%62.%50hp")]
)
def test_fields_of_the_path_are_of_the_normalised_one_and_raw_ones_are_not(form: UrlForm, path: str) -> None:
    request = msgspec.structs.replace(a_request(path="//a/x/../%62.%50hp"), query="%61=/../%62")
    context = EvaluationContext(request, Facts(url_form=form))
    as_sent = "//a/x/../%62.%50hp"
    for prefix, seen in (("", path), ("raw.", as_sent)):
        assert FIELDS[f"{prefix}http.request.uri.path"].read(context) == seen
        assert FIELDS[f"{prefix}http.request.uri"].read(context) == f"{seen}?%61=/../%62"
        assert FIELDS[f"{prefix}http.request.full_uri"].read(context) == f"https://example.com{seen}?%61=/../%62"
        extension = seen.rpartition(".")[2].lower()
        assert FIELDS[f"{prefix}http.request.uri.path.extension"].read(context) == extension
        # The query is what was sent, in both.
        assert FIELDS[f"{prefix}http.request.uri.query"].read(context) == "%61=/../%62"
        assert FIELDS[f"{prefix}http.request.uri.args"].read(context) == {"%61": ["/../%62"]}


def test_a_place_has_its_names_in_utf_8() -> None:
    context = EvaluationContext(REQUEST, FACTS)
    assert FIELDS["ip.src.region"].read(context) == "Frysl\xc3\xa2n"
    assert FIELDS["ip.src.city"].read(context) is None
    assert FIELDS["ip.geoip.country"].read(context) == "NL"


def test_the_time_is_seconds_and_the_milliseconds_after_them() -> None:
    context = EvaluationContext(REQUEST, FACTS)
    assert FIELDS["http.request.timestamp.sec"].read(context) == 1_700_000_000
    assert FIELDS["http.request.timestamp.msec"].read(context) == 123


def test_headers_that_are_searched_again_and_again_are_gathered() -> None:
    context = EvaluationContext(a_request(headers=[("A", "1"), ("a", "2")]))
    for _ in range(4):
        assert header_lines(context, "a") == ["1", "2"]
        assert header_lines(context, "b") is None
    assert context.computed["http.request.headers"] == {"a": ["1", "2"]}
