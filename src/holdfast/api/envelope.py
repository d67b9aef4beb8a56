"""The envelope around every answer: `success`, `errors`, `messages`, `result`, `result_info`.

Law 1: `success` agrees with the status, `result` is null where it is false.
Law 2: what was read is encoded once, by msgspec; the pydantic models here describe it, for OpenAPI.

Source: Cloudflare API v4, "Responses".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, Literal, TypeVar

import msgspec
from fastapi import Response
from pydantic import BaseModel, ConfigDict, Field

from holdfast.api.faults import MAX_COMPLAINTS, ApiFault, Complaint
from holdfast.api.paging import Page

ResultT = TypeVar("ResultT")


class View(BaseModel):
    """Base of every model that describes a result."""

    model_config = ConfigDict(extra="forbid")


class Source(View):
    """Where in the request an error is."""

    pointer: str


class ChainLink(View):
    """What is behind an error."""

    code: int
    message: str


class Item(View):
    """One error or message."""

    code: int = Field(ge=1000)
    message: str
    documentation_url: str | None = None
    source: Source | None = None
    error_chain: list[ChainLink] | None = None
    type: None = None


class PageInfo(View):
    """Where a page is in its list."""

    page: int
    per_page: int
    count: int
    total_count: int
    total_pages: int


class Envelope(View, Generic[ResultT]):
    """A success."""

    success: Literal[True]
    errors: list[Item] = Field(max_length=0)
    messages: list[Item]
    result: ResultT


class PageEnvelope(Envelope[ResultT], Generic[ResultT]):
    """A page of a list."""

    result_info: PageInfo


class FailureEnvelope(View):
    """A failure."""

    success: Literal[False]
    errors: list[Item] = Field(min_length=1)
    messages: list[Item] = Field(max_length=0)
    result: None


class Identifier(View):
    """What a DELETE leaves: the id of what is gone."""

    id: str


def success(result: Any, *, messages: Sequence[tuple[int, str]] = (), status: int = 200) -> Response:  # noqa: ANN401  JSON
    """`result` in the envelope."""
    return json_answer({"result": result, "success": True, "errors": [], "messages": _notes(messages)}, status)


def page_of(results: Sequence[Any], page: Page, total: int, *, messages: Sequence[tuple[int, str]] = ()) -> Response:
    """One page of a list of `total`."""
    info = page_info(len(results), page, total)
    notes = _notes(messages)
    return json_answer({"result": results, "result_info": info, "success": True, "errors": [], "messages": notes}, 200)


def page_info(count: int, page: Page, total: int) -> dict[str, int]:
    """Where a page of `count` results is in its list of `total`."""
    return {
        "page": page.number,
        "per_page": page.size,
        "count": count,
        "total_count": total,
        "total_pages": -(-total // page.size),
    }


def cursor_page_of(results: Sequence[Any], after: str | None) -> Response:
    """One page of a list whose next page is named by a cursor, None after the last."""
    info = {"count": len(results), "cursors": {"after": after}}
    return json_answer({"result": results, "result_info": info, "success": True, "errors": [], "messages": []}, 200)


def failure(fault: ApiFault) -> Response:
    """`fault` in the envelope."""
    errors = [_item(complaint) for complaint in fault.complaints[:MAX_COMPLAINTS]]
    answer = json_answer({"result": None, "success": False, "errors": errors, "messages": []}, fault.status)
    answer.headers.update(fault.headers)
    return answer


def json_answer(value: Any, status: int) -> Response:  # noqa: ANN401  JSON
    """`value` as JSON."""
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def _notes(messages: Sequence[tuple[int, str]]) -> list[dict[str, Any]]:
    return [{"code": code, "message": message, "type": None} for code, message in messages]


def _item(complaint: Complaint) -> dict[str, Any]:
    item: dict[str, Any] = {"code": complaint.code, "message": complaint.message}
    if complaint.pointer is not None:
        item["source"] = {"pointer": complaint.pointer}
    if complaint.chain:
        item["error_chain"] = [{"code": code, "message": message} for code, message in complaint.chain]
    return item
