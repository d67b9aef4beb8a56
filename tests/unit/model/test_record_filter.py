"""`holdfast.model.record_filter`: which records, in which order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.dns_record import DnsRecord
from holdfast.model.record_filter import ORDERS, RecordFilter, TextTest, select


def _record(number: int, name: str, content: str, **members: object) -> DnsRecord:
    facts = {"type": "A", "created_on": number, "modified_on": number, **members}
    return DnsRecord(id=str(number), name=name, content=content, **facts)  # type: ignore[arg-type]


RECORDS = [
    _record(1, "www.z.example", "10.0.0.1", proxied=True, comment="Front", tags=("team:web", "env:prod"), ttl=300),
    _record(2, "api.z.example", "10.0.0.2", tags=("team:api",)),
    _record(3, "*.dev.z.example", "o.example.net", type="CNAME", comment="front"),
]


def _ids(**asked: object) -> str:
    return "".join(record.id for record in select(RECORDS, RecordFilter(**asked)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("operator", "text", "ids"),
    [
        ("exact", "API.z.example", "2"),
        ("contains", "DEV", "3"),
        ("startswith", "w", "1"),
        ("endswith", ".z.example", "123"),
        ("contains", "%", ""),
    ],
)
def test_texts_are_compared_without_case(operator: str, text: str, ids: str) -> None:
    assert _ids(names=(TextTest(operator, text),)) == ids


def test_filters_hold_all_or_any() -> None:
    both = {"comments": (TextTest("exact", "front"),), "type": "CNAME"}
    assert _ids(**both) == "3"
    assert _ids(**both, is_all=False) == "13"
    assert _ids(proxied=False, contents=(TextTest("startswith", "10."),)) == "2"
    assert _ids() == "123"


def test_comments_and_tags_are_there_or_not() -> None:
    assert _ids(comments=(TextTest("present"),)) == "13"
    assert _ids(comments=(TextTest("absent"),)) == "2"
    assert _ids(tags=(TextTest("present", "TEAM"),)) == "12"
    assert _ids(tags=(TextTest("absent", "team"),)) == "3"
    assert _ids(tags=(TextTest("exact", "team:web"),)) == "1"
    assert _ids(tags=(TextTest("endswith", "team:i"),)) == "2"
    assert _ids(tags=(TextTest("exact", "team:web"), TextTest("exact", "team:api"))) == ""
    assert _ids(tags=(TextTest("exact", "team:web"), TextTest("exact", "team:api")), is_all_tags=False) == "12"


def test_a_search_looks_everywhere_and_narrows_what_any_filter_finds() -> None:
    assert [_ids(search=text) for text in ("FRONT", "10.0.0.2", "dev", "prod", "nothing")] == ["13", "2", "3", "1", ""]
    assert _ids(search="front", type="A", proxied=False, is_all=False) == "13"


@given(st.sampled_from([None, *ORDERS]), st.booleans())
def test_an_order_keeps_all_and_is_the_same_each_time(order: str | None, is_descending: bool) -> None:
    asked = RecordFilter(order=order, is_descending=is_descending)
    found = select(RECORDS, asked)
    assert sorted(record.id for record in found) == ["1", "2", "3"]
    assert select(RECORDS, asked) == found
    if order:
        values = [getattr(record, order) for record in found]
        assert values == sorted(values, reverse=is_descending)
