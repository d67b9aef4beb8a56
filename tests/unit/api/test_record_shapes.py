"""`holdfast.api.record_shapes`: what clients send of a record, and what they are shown."""

from typing import Any

import pytest
from pydantic import ValidationError

from holdfast.api.record_shapes import RecordEdit, RecordView, RecordWrite, record_view, refused
from holdfast.model.dns_record import DnsRecord, RecordError, fields_of
from holdfast.model.record_book import ABSENT

RECORD = DnsRecord(
    id="1",
    name="www.z.example",
    type="A",
    content="192.0.2.1",
    comment="c",
    tags=("t",),
    settings={"ipv4_only": True},
    created_on=1,
    modified_on=2,
    comment_modified_on=1,
    tags_modified_on=1,
)


@pytest.mark.parametrize(
    ("body", "changed"),
    [
        ({}, {}),
        ({"unknown": 1, "id": "2", "created_on": "x"}, {}),
        ({"name": None, "type": None, "content": None, "ttl": None, "proxied": None}, {}),
        ({"comment": None, "tags": None, "settings": None}, {"comment": None, "tags": (), "settings": {}}),
        ({"settings": {"ipv6_only": False, "ipv4_only": None}}, {"settings": {"ipv6_only": False}}),
        ({"ttl": "60", "proxied": True, "tags": ["a"]}, {"ttl": 60, "proxied": True, "tags": ("a",)}),
    ],
)
def test_an_edit_says_what_a_record_would_be(body: dict[str, Any], changed: dict[str, Any]) -> None:
    after = RecordEdit(**body).over(RECORD)
    before = fields_of(RECORD)
    assert {name: getattr(after, name) for name in changed} == changed
    assert all(
        getattr(after, name) == getattr(before, name) for name in before.__struct_fields__ if name not in changed
    )


def test_a_whole_record_needs_its_name_type_and_content() -> None:
    assert RecordWrite(name="a", type="A", content="1.1.1.1").whole().ttl == 1
    for name in ("name", "type", "content"):
        body: dict[str, Any] = {"name": "a", "type": "A", "content": "1.1.1.1"}
        for value in ({}, {name: None}, {name: 1}):
            with pytest.raises(ValidationError):
                RecordWrite(**{**{key: given for key, given in body.items() if key != name}, **value})


def test_private_routing_is_refused() -> None:
    assert RecordEdit(private_routing=False).over(RECORD) == fields_of(RECORD)
    with pytest.raises(RecordError, match="private network"):
        RecordEdit(private_routing=True).over(RECORD)


def test_what_is_shown_is_what_is_described() -> None:
    shown = RecordView(**record_view(RECORD))
    assert (shown.comment_modified_on, shown.tags_modified_on) == ("1970-01-01T00:00:00.000001Z",) * 2
    assert shown.proxiable


def test_an_error_points_at_its_member() -> None:
    fault = refused(RecordError(9005, "no.", field="content", detail="got 'x'"), pointer="/posts/3")
    (complaint,) = fault.complaints
    assert (fault.status, complaint.pointer, complaint.chain) == (
        400,
        "/posts/3/content",
        ((9005, "content: got 'x'"),),
    )
    assert refused(RecordError(ABSENT, "gone", field="id")).status == 404
    assert refused(RecordError(81058, "same")).complaints[0].pointer is None
