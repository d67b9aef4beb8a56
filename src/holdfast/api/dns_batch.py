"""Many DNS records at once: a batch of changes, and a whole zone as BIND writes it.

Law: a batch is done in the order deletes, patches, puts, posts, whatever their order in the body; all of it or nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from holdfast.api.access import Access, zone_access
from holdfast.api.envelope import Envelope, View, success
from holdfast.api.faults import fault, invalid
from holdfast.api.form import read_form
from holdfast.api.record_changes import RecordChanges, changing
from holdfast.api.record_shapes import RecordEdit, RecordView, RecordWrite, record_view, refused
from holdfast.api.text import Text
from holdfast.model.bind_zone import MAX_CHARS, BindError, parse_bind, written_bind
from holdfast.model.dns_record import DnsRecord, RecordError, RecordFields
from holdfast.model.record_book import IDENTICAL, MAX_RECORDS
from holdfast.store import records

router = APIRouter(prefix="/zones/{zone_id}/dns_records", tags=["DNS records"])

ReadAccess = Annotated[Access, Depends(zone_access("DNS Read"))]
WriteAccess = Annotated[Access, Depends(zone_access("DNS Write"))]

# The form is read by `read_form`, so that FastAPI does not know of it.
_IMPORT_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "maxLength": MAX_CHARS},
                        "proxied": {"type": "string", "enum": ["true", "false", ""]},
                    },
                }
            }
        },
    }
}
EMPTY_BATCH = 9200
INVALID_IMPORT = 9201
ItemT = TypeVar("ItemT")


class RecordReference(BaseModel):
    """A record to remove."""

    model_config = ConfigDict(extra="ignore")
    id: Text = Field(max_length=64)


class RecordPatch(RecordEdit):
    """Changes to one record."""

    id: Text = Field(max_length=64)


class RecordPut(RecordWrite):
    """A whole record in place of another."""

    id: Text = Field(max_length=64)


class Batch(BaseModel):
    """Changes, done in the order in which they stand here."""

    model_config = ConfigDict(extra="ignore")
    deletes: list[RecordReference] | None = Field(default=None, max_length=MAX_RECORDS)
    patches: list[RecordPatch] | None = Field(default=None, max_length=MAX_RECORDS)
    puts: list[RecordPut] | None = Field(default=None, max_length=MAX_RECORDS)
    posts: list[RecordWrite] | None = Field(default=None, max_length=MAX_RECORDS)

    @property
    def size(self) -> int:
        """How many changes there are."""
        return sum(len(part or ()) for part in (self.deletes, self.patches, self.puts, self.posts))


class BatchView(View):
    """The records as they are after the batch; those removed as they were before it."""

    deletes: list[RecordView]
    patches: list[RecordView]
    puts: list[RecordView]
    posts: list[RecordView]


class ImportView(View):
    """How much of a file was records, and how much was added."""

    recs_added: int
    total_records_parsed: int


@router.post("/batch", response_model=Envelope[BatchView])
async def change_records(body: Batch, access: WriteAccess) -> Response:
    """Do many changes at once."""
    if not 0 < body.size <= MAX_RECORDS:
        message = f"A batch has 1 to {MAX_RECORDS} changes in deletes, patches, puts and posts, got {body.size}"
        raise fault(400, EMPTY_BATCH, message)
    async with changing(access) as changes:
        done = {
            "deletes": _each("deletes", body.deletes, lambda one: changes.delete(one.id)),
            "patches": _each(
                "patches", body.patches, lambda one: changes.update(one.id, one.over(changes.book.find(one.id)))
            ),
            "puts": _each("puts", body.puts, lambda one: changes.update(one.id, one.whole())),
            "posts": _each("posts", body.posts, lambda one: changes.insert(one.whole())),
        }
    return success({part: [record_view(record) for record in made] for part, made in done.items()})


def _each(part: str, items: Sequence[ItemT] | None, change: Callable[[ItemT], DnsRecord]) -> list[DnsRecord]:
    done = []
    for place, item in enumerate(items or ()):
        try:
            done.append(change(item))
        except RecordError as error:
            raise refused(error, pointer=f"/{part}/{place}") from None
    return done


@router.get("/export", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def export_records(access: ReadAccess) -> Response:
    """The zone's records as a zone file (RFC 1035 §5), without an envelope."""
    zone = access.known_zone
    async with access.context.database.read() as connection:
        found = await records.of_zone(connection, zone.id)
    return Response(written_bind(zone.name, found), media_type="text/plain")


@router.post("/import", response_model=Envelope[ImportView], openapi_extra=_IMPORT_BODY)
async def import_records(request: Request, access: WriteAccess) -> Response:
    """Add the records of a zone file: a form with the member `file`, and `proxied` (`true` or `false`). Records that are
    there already are left as they are; types this edge does not take are counted and not added."""
    form = await read_form(request)
    if "file" not in form:
        raise invalid("/file", "file: expected a zone file as a member of a form (multipart/form-data)")
    proxied = form.get("proxied", "")
    if proxied not in ("", "true", "false"):
        raise invalid("/proxied", f"proxied: expected true or false, got {proxied[:40]!r}")
    try:
        # In a thread: a file of nothing but empty lines takes a while.
        lines = await asyncio.to_thread(
            parse_bind, form["file"], zone=access.known_zone.name, proxied=proxied == "true"
        )
    except BindError as error:
        raise fault(400, INVALID_IMPORT, f"file: {error}", pointer="/file") from None
    async with changing(access) as changes:
        added = sum(_add(changes, number, fields) for number, fields in lines.fields)
    return success({"recs_added": added, "total_records_parsed": lines.total})


def _add(changes: RecordChanges, number: int, fields: RecordFields) -> bool:
    """Add the record of line `number`; False if it is there already. Raises ApiFault."""
    try:
        changes.insert(fields)
    except RecordError as error:
        if error.code == IDENTICAL:
            return False
        detail = f" ({error.detail})" if error.detail else ""
        raise fault(400, error.code, f"file: line {number}: {error}{detail}", pointer="/file") from None
    return True
