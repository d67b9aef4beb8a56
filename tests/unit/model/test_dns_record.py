"""`holdfast.model.dns_record`: names, contents and the rest, parsed once."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.edge.records import targets_of
from holdfast.model.dns_record import (
    MAX_TAGS,
    DnsRecord,
    RecordError,
    RecordFields,
    changed,
    fields_of,
    made,
    parse_content,
    parse_fields,
    parse_name,
    parse_type,
)
from holdfast.model.hostname import is_within
from holdfast.model.zone_document import RecordDocument

ZONE = "example.com"
# What people and machines send for names and contents, and what they should not.
WORDS = st.one_of(
    st.text(max_size=300),
    st.from_regex(r"(\*\.|@|[a-z0-9_-]{1,8}\.){0,4}(example\.com)?\.?", fullmatch=True),
    st.ip_addresses().map(str),
)
FIELDS = st.builds(
    RecordFields,
    name=WORDS,
    type=st.one_of(st.sampled_from(["A", "AAAA", "CNAME", "cname"]), st.text(max_size=5)),
    content=WORDS,
    ttl=st.integers(),
    proxied=st.booleans(),
    comment=st.none() | st.text(max_size=600),
    tags=st.lists(st.text(max_size=40), max_size=3).map(tuple),
    settings=st.dictionaries(st.sampled_from(["ipv4_only", "other"]), st.booleans()),
)


def _parsed(**members: Any) -> RecordFields:
    given_ = RecordFields(**{"name": "www", "type": "A", "content": "192.0.2.1", **members})
    return parse_fields(given_, zone=ZONE, plan="free")


def _parsed_or_refused(fields: RecordFields, plan: str) -> RecordFields | RecordError:
    try:
        return parse_fields(fields, zone=ZONE, plan=plan)
    except RecordError as error:
        return error


@given(FIELDS, st.sampled_from(["free", "enterprise"]))
def test_whatever_is_sent_it_is_a_record_that_compiles_or_refused_with_a_sentence(
    fields: RecordFields, plan: str
) -> None:
    parsed = _parsed_or_refused(fields, plan)
    if isinstance(parsed, RecordError):
        assert (parsed.code >= 1000, bool(str(parsed))) == (True, True)
        assert parsed.field in RecordFields.__struct_fields__
        return
    assert is_within(parsed.name, ZONE)
    assert parse_fields(parsed, zone=ZONE, plan=plan) == parsed
    document = RecordDocument(name=parsed.name, type=parsed.type, content=parsed.content, ttl=parsed.ttl)  # type: ignore[arg-type]
    assert list(targets_of(ZONE, [document])) == [parsed.name]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("@", "example.com"),
        ("example.com", "example.com"),
        ("EXAMPLE.com.", "example.com"),
        ("www", "www.example.com"),
        ("10", "10.example.com"),
        ("*", "*.example.com"),
        ("*.a", "*.a.example.com"),
        ("a.example.com", "a.example.com"),
        ("other.org", "other.org.example.com"),
        ("notexample.com", "notexample.com.example.com"),
        (" www ", "www.example.com"),
        ("_dmarc", "_dmarc.example.com"),
        ("bücher", "xn--bcher-kva.example.com"),
        ("xn--bcher-kva.example.com", "xn--bcher-kva.example.com"),
    ],
)
def test_a_name_may_be_relative_or_full(text: str, name: str) -> None:
    assert parse_name(text, ZONE) == name


@pytest.mark.parametrize(
    "text", ["", ".", "a..b", "-a", "a.*", "*a", "**", "a b", "a\0", "other.org.", "x" * 64, "a." * 130]
)
def test_what_is_no_name_in_the_zone_is_refused(text: str) -> None:
    with pytest.raises(RecordError) as refused:
        parse_name(text, ZONE)
    assert (refused.value.code, refused.value.field) == (9000, "name")
    assert "within example.com" in refused.value.detail


@pytest.mark.parametrize(
    ("kind", "text", "content"),
    [
        ("A", " 192.0.2.1", "192.0.2.1"),
        ("AAAA", "2001:DB8:0:0::1", "2001:db8::1"),
        ("CNAME", "Origin.Example.NET.", "origin.example.net"),
        ("CNAME", "localhost", "localhost"),
        ("CNAME", "@", "example.com"),
    ],
)
def test_content_is_written_in_one_way(kind: str, text: str, content: str) -> None:
    assert parse_content(kind, text, ZONE) == content


@pytest.mark.parametrize(
    ("kind", "text", "code"),
    [
        ("A", "::1", 9005),
        ("A", "", 9005),
        ("AAAA", "192.0.2.1", 9006),
        ("AAAA", "fe80::1%1", 9006),
        ("CNAME", "192.0.2.1", 9007),
        ("CNAME", "*.example.net", 9007),
        ("CNAME", "http://example.net", 9007),
    ],
)
def test_content_of_another_type_is_refused(kind: str, text: str, code: int) -> None:
    with pytest.raises(RecordError) as refused:
        parse_content(kind, text, ZONE)
    assert (refused.value.code, refused.value.field) == (code, "content")


def test_a_type_this_edge_does_not_take_is_named() -> None:
    assert parse_type("cname") == "CNAME"
    with pytest.raises(RecordError, match="A, AAAA and CNAME") as refused:
        parse_type("MX")
    assert refused.value.detail == "got 'MX'"


@pytest.mark.parametrize(("plan", "shortest"), [("free", 60), ("business", 60), ("enterprise", 30)])
def test_times_have_a_range_that_the_plan_widens(plan: str, shortest: int) -> None:
    for ttl in (1, shortest, 86_400):
        fields = RecordFields(name="@", type="A", content="1.1.1.1", ttl=ttl)
        assert parse_fields(fields, zone=ZONE, plan=plan).ttl == ttl
    for ttl in (-1, 0, 2, shortest - 1, 86_401, 10**30):
        fields = RecordFields(name="@", type="A", content="1.1.1.1", ttl=ttl)
        with pytest.raises(RecordError, match=f"between {shortest} and 86400 seconds, or 1 for Automatic") as refused:
            parse_fields(fields, zone=ZONE, plan=plan)
        assert (refused.value.code, refused.value.field) == (9021, "ttl")


def test_a_proxied_record_has_no_time_of_its_own() -> None:
    assert _parsed(ttl=7, proxied=True).ttl == 1


def test_comments_and_tags_have_limits() -> None:
    assert _parsed(comment="x" * 100).comment == "x" * 100
    assert _parsed(comment="").comment is None
    assert _parsed(tags=("a", "b:c", "a")).tags == ("a", "b:c")
    for members in (
        {"comment": "x" * 101},
        {"comment": "\0"},
        {"tags": ("a b",)},
        {"tags": (":x",)},
        {"tags": tuple(str(number) for number in range(MAX_TAGS + 1))},
    ):
        with pytest.raises(RecordError):
            _parsed(**members)


def test_a_record_knows_when_what_of_it_was_changed() -> None:
    record = made("1", _parsed(comment="a"), now=5)
    assert (record.created_on, record.modified_on, record.comment_modified_on, record.tags_modified_on) == (
        5,
        5,
        5,
        None,
    )
    assert changed(record, fields_of(record), now=9) is record
    other = changed(record, _parsed(comment="a", tags=("t",)), now=9)
    assert (other.created_on, other.modified_on, other.comment_modified_on, other.tags_modified_on) == (5, 9, 5, 9)
    bare = changed(other, _parsed(), now=10)
    assert (bare.comment_modified_on, bare.tags_modified_on, bare.id) == (None, None, "1")
    assert msgspec.structs.replace(bare, modified_on=5) == DnsRecord(
        id="1", name="www.example.com", type="A", content="192.0.2.1", created_on=5, modified_on=5
    )
