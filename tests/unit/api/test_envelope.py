"""`holdfast.api.envelope`: `success` agrees with the status, and every member is there."""

import json

from fastapi import Response

from holdfast.api.envelope import FailureEnvelope, cursor_page_of, failure, page_of, success
from holdfast.api.faults import ApiFault, Complaint
from holdfast.api.paging import Page


def body(answer: Response) -> dict[str, object]:
    found: dict[str, object] = json.loads(bytes(answer.body))
    return found


def test_a_success_has_a_result_and_notes() -> None:
    assert body(success({"id": "x"}, messages=[(1000, "note")])) == {
        "result": {"id": "x"},
        "success": True,
        "errors": [],
        "messages": [{"code": 1000, "message": "note", "type": None}],
    }


def test_a_page_says_how_many_there_are() -> None:
    info = body(page_of([1, 2], Page(3, 5), 12))["result_info"]
    assert info == {"page": 3, "per_page": 5, "count": 2, "total_count": 12, "total_pages": 3}
    empty = body(page_of([], Page(1, 5), 0))["result_info"]
    assert empty == {"page": 1, "per_page": 5, "count": 0, "total_count": 0, "total_pages": 0}
    assert body(cursor_page_of([1], None))["result_info"] == {"count": 1, "cursors": {"after": None}}


def test_a_failure_carries_its_complaints_places_and_headers() -> None:
    complaints = [Complaint(1004, "bad", "/a/0"), Complaint(6003, "worse", None, ((6111, "why"),))]
    answer = failure(ApiFault(429, complaints, {"Retry-After": "1"}))
    FailureEnvelope.model_validate(body(answer))
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    assert body(answer)["errors"] == [
        {"code": 1004, "message": "bad", "source": {"pointer": "/a/0"}},
        {"code": 6003, "message": "worse", "error_chain": [{"code": 6111, "message": "why"}]},
    ]
