"""DNS records of a zone: where the requests of each of its host names go.

Law: a record is accepted as it will be compiled. What an edge could not serve is refused here, with the reason.
"""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from holdfast.api.access import Access, zone_access
from holdfast.api.envelope import Envelope, Identifier, PageEnvelope, page_of, success
from holdfast.api.identifiers import path_id
from holdfast.api.paging import Page, paged
from holdfast.api.record_changes import changing
from holdfast.api.record_shapes import RecordEdit, RecordView, RecordWrite, record_view, refused
from holdfast.api.text import Text
from holdfast.model.dns_record import DnsRecord, RecordError
from holdfast.model.hostname import parse_hostname
from holdfast.model.record_book import RecordBook
from holdfast.model.record_filter import PRESENCE_OPERATORS, TEXT_OPERATORS, RecordFilter, TextTest, select
from holdfast.store import records

router = APIRouter(prefix="/zones/{zone_id}/dns_records", tags=["DNS records"])

ReadAccess = Annotated[Access, Depends(zone_access("DNS Read"))]
WriteAccess = Annotated[Access, Depends(zone_access("DNS Write"))]
RecordPage = paged(largest=5_000_000, default=100)
RecordId = path_id("record_id")


class RecordQuery(BaseModel):
    """Which records, in which order. `name` is `name.exact`, and so with the others."""

    model_config = ConfigDict(extra="ignore")
    name: Text | None = Field(default=None, max_length=300)
    name_exact: Text | None = Field(default=None, alias="name.exact", max_length=300)
    name_contains: Text | None = Field(default=None, alias="name.contains", max_length=300)
    name_startswith: Text | None = Field(default=None, alias="name.startswith", max_length=300)
    name_endswith: Text | None = Field(default=None, alias="name.endswith", max_length=300)
    content: Text | None = Field(default=None, max_length=300)
    content_exact: Text | None = Field(default=None, alias="content.exact", max_length=300)
    content_contains: Text | None = Field(default=None, alias="content.contains", max_length=300)
    content_startswith: Text | None = Field(default=None, alias="content.startswith", max_length=300)
    content_endswith: Text | None = Field(default=None, alias="content.endswith", max_length=300)
    comment: Text | None = Field(default=None, max_length=500)
    comment_exact: Text | None = Field(default=None, alias="comment.exact", max_length=500)
    comment_contains: Text | None = Field(default=None, alias="comment.contains", max_length=500)
    comment_startswith: Text | None = Field(default=None, alias="comment.startswith", max_length=500)
    comment_endswith: Text | None = Field(default=None, alias="comment.endswith", max_length=500)
    comment_present: Text | None = Field(default=None, alias="comment.present")
    comment_absent: Text | None = Field(default=None, alias="comment.absent")
    tag: Text | None = Field(default=None, max_length=200)
    tag_exact: Text | None = Field(default=None, alias="tag.exact", max_length=200)
    tag_contains: Text | None = Field(default=None, alias="tag.contains", max_length=200)
    tag_startswith: Text | None = Field(default=None, alias="tag.startswith", max_length=200)
    tag_endswith: Text | None = Field(default=None, alias="tag.endswith", max_length=200)
    tag_present: Text | None = Field(default=None, alias="tag.present", max_length=200)
    tag_absent: Text | None = Field(default=None, alias="tag.absent", max_length=200)
    tag_match: Literal["any", "all"] = "all"
    type: Text | None = Field(default=None, max_length=40)
    proxied: bool | None = None
    search: Text | None = Field(default=None, max_length=300)
    match: Literal["any", "all"] = "all"
    order: Literal["type", "name", "content", "ttl", "proxied"] | None = None
    direction: Literal["asc", "desc"] = "asc"

    def as_filter(self) -> RecordFilter:
        """The same for `record_filter.select`."""
        return RecordFilter(
            names=tuple(_ascii(test) for test in self._tests("name")),
            contents=self._tests("content"),
            comments=self._tests("comment"),
            tags=self._tests("tag"),
            type=None if self.type is None else self.type.upper(),
            proxied=self.proxied,
            search=self.search,
            is_all=self.match == "all",
            is_all_tags=self.tag_match == "all",
            order=self.order,
            is_descending=self.direction == "desc",
        )

    def _tests(self, field: str) -> tuple[TextTest, ...]:
        bare: str | None = getattr(self, field)
        given = [("exact", bare)] if bare is not None else []
        operators = (*TEXT_OPERATORS, *PRESENCE_OPERATORS)
        given += [(one, value) for one in operators if (value := getattr(self, f"{field}_{one}", None)) is not None]
        return tuple(TextTest(operator, text or "") for operator, text in given)


def _ascii(test: TextTest) -> TextTest:
    """A whole name in the form in which names are kept; whatever is none is compared as it stands."""
    if test.operator != "exact":
        return test
    try:
        return TextTest("exact", parse_hostname(test.text, wildcard=True, single_label=True))
    except ValueError:
        return test


@router.get("", response_model=PageEnvelope[list[RecordView]])
async def list_records(
    access: ReadAccess,
    page: RecordPage,  # type: ignore[valid-type]  # made by a function
    query: Annotated[RecordQuery, Query()],
) -> Response:
    """The zone's records that fit, one page of them."""
    async with access.context.database.read() as connection:
        all_of_zone = await records.of_zone(connection, access.known_zone.id)
    return _page(select(all_of_zone, query.as_filter()), page)


def _page(found: list[DnsRecord], page: Page) -> Response:
    shown = found[page.offset : page.offset + page.size]
    return page_of([record_view(record) for record in shown], page, len(found))


@router.post("", response_model=Envelope[RecordView])
async def create_record(body: RecordWrite, access: WriteAccess) -> Response:
    """Add a record. Its name is served at once, if it is proxied."""
    try:
        async with changing(access) as changes:
            record = changes.insert(body.whole())
    except RecordError as error:
        raise refused(error) from None
    return success(record_view(record))


@router.get("/{record_id}", response_model=Envelope[RecordView])
async def show_record(
    access: ReadAccess,
    record_id: RecordId,  # type: ignore[valid-type]  # made by a function
) -> Response:
    """One record."""
    async with access.context.database.read() as connection:
        record = await records.find(connection, access.known_zone.id, record_id)
    try:
        return success(record_view(RecordBook([record] if record else []).find(record_id)))
    except RecordError as error:
        raise refused(error) from None


@router.put("/{record_id}", response_model=Envelope[RecordView])
async def replace_record(
    access: WriteAccess,
    record_id: RecordId,  # type: ignore[valid-type]  # made by a function
    body: RecordWrite,
) -> Response:
    """Put a whole record in place of another."""
    try:
        async with changing(access) as changes:
            record = changes.update(record_id, body.whole())
    except RecordError as error:
        raise refused(error) from None
    return success(record_view(record))


@router.patch("/{record_id}", response_model=Envelope[RecordView])
async def edit_record(
    access: WriteAccess,
    record_id: RecordId,  # type: ignore[valid-type]  # made by a function
    body: RecordEdit,
) -> Response:
    """Change some of a record."""
    try:
        async with changing(access) as changes:
            record = changes.update(record_id, body.over(changes.book.find(record_id)))
    except RecordError as error:
        raise refused(error) from None
    return success(record_view(record))


@router.delete("/{record_id}", response_model=Envelope[Identifier])
async def delete_record(
    access: WriteAccess,
    record_id: RecordId,  # type: ignore[valid-type]  # made by a function
) -> Response:
    """Remove a record."""
    try:
        async with changing(access) as changes:
            changes.delete(record_id)
    except RecordError as error:
        raise refused(error) from None
    return success({"id": record_id})
