"""`holdfast.api.complaints`: where something is wrong, and what came, if that may be said."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, BaseModel, Field, ValidationError

from holdfast.api.complaints import complaints_of
from holdfast.api.faults import MAX_COMPLAINTS


def detail(*place: str | int, kind: str = "string_type", given: Any = None) -> dict[str, Any]:
    """A finding of pydantic's."""
    return {"loc": place, "type": kind, "msg": "Input should be wrong", "input": given}


@pytest.mark.parametrize(
    ("place", "kind", "body", "pointer"),
    [
        (("body", "a", 0, "b"), "string_type", {"a": [{"b": 1}]}, "/a/0/b"),
        (("body", "list[X]", 0, "id"), "missing", [{}], "/0/id"),
        (("body", "X", "items", 0, "id"), "missing", {"items": [{}]}, "/items/0/id"),
        (("body", "r", "x/y~", "str"), "string_type", {"r": {"x/y~": 1}}, "/r/x~1y~0"),
        (("body", "r", "dict[str,str]", "k", "[key]"), "string_type", {"r": {"k": 1}}, "/r/k"),
        (("body",), "missing", None, ""),
        (("query", "page"), "int_parsing", None, "/page"),
        (("body", "k" * 600), "extra_forbidden", {"k" * 600: 1}, None),
    ],
)
def test_a_pointer_leads_into_the_request(place: tuple[str, ...], kind: str, body: Any, pointer: str | None) -> None:
    (complaint,) = complaints_of([detail(*place, kind=kind)], body)
    assert complaint.pointer == pointer
    assert len(complaint.message) < 300


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (5, "got 5"),
        ("odd", "got 'odd'"),
        (["secret"], "got an array of 1"),
        ({"a": "secret"}, "got an object"),
        ("secret" * 9, "got a text of 54 characters"),
    ],
)
def test_what_came_is_said_where_it_is_short_and_plain(given: Any, said: str) -> None:
    (complaint,) = complaints_of([detail("body", "a", given=given)], {"a": given})
    assert complaint.message == f"a: input should be wrong, {said}"
    (secret,) = complaints_of([detail("body", "private_key", given=given)], {"private_key": given})
    assert secret.message == "private_key: input should be wrong"


def test_a_text_that_is_too_long_is_measured_in_characters() -> None:
    class Asked(BaseModel):
        text: Annotated[str, AfterValidator(str.strip), Field(max_length=3)]
        texts: Annotated[list[str], Field(max_length=1)]

    body = {"text": "long", "texts": ["a", "b"]}
    with pytest.raises(ValidationError) as error:
        Asked.model_validate(body)
    findings = [{**one, "loc": ("body", *one["loc"])} for one in error.value.errors()]
    assert [one.message for one in complaints_of(findings, body)] == [
        "text: string should have at most 3 characters, got 'long'",
        "texts: list should have at most 1 item after validation, not 2, got an array of 2",
    ]


def test_complaints_are_few_and_each_comes_once() -> None:
    body = {"a": list(range(100))}
    assert len(complaints_of([detail("body", "a", place) for place in range(100)], body)) == MAX_COMPLAINTS
    assert len(complaints_of([detail("body", "a", "str"), detail("body", "a", "int")], body)) == 1


def test_what_is_no_json_is_said_as_such() -> None:
    assert [one.code for one in complaints_of([detail("body", 3, kind="json_invalid")], None)] == [6007]
