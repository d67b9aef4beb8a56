"""Items of lists: shown page by page, and changed many at once.

Law 1: a change of items is one transaction: all of it or nothing, whatever ends in between. Its operation is written with it,
and is `completed` when it is answered: then edges have the list, or take it within moments. What cannot be is refused at once.
Law 2: of two who change a list at once, each changes what the other left.
Law 3: one body of items is read and written at a time (`ApiContext.list_turn`), in a thread where that takes long: whatever
bodies come, memory is bounded, the API goes on answering, and other writers wait for one change at most.

The original answers first and works then, and refuses a second change meanwhile; a client that asks for its operation until
that is completed finds both the same.

Source: Cloudflare API v4, "Lists", "List items".
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from operator import itemgetter
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.api.access import Access
from holdfast.api.cursors import cursor_of, place_of
from holdfast.api.envelope import Envelope, View, cursor_page_of, success
from holdfast.api.faults import ApiFault, Complaint, fault, invalid, not_found
from holdfast.api.identifiers import path_id
from holdfast.api.lists import TOO_MANY, ListId, ReadAccess, WriteAccess, known
from holdfast.api.text import Text
from holdfast.api.undoing import Undone, writing
from holdfast.model.moment import written
from holdfast.model.rule_list import (
    MAX_ACCOUNT_ITEMS,
    MAX_COMMENT_CHARS,
    MAX_INSTALLATION_ITEMS,
    MAX_ITEMS,
    ItemError,
    Items,
    member_of,
    parse_items,
)
from holdfast.store import list_items, lists
from holdfast.store.list_items import Item
from holdfast.store.lists import Operation, RuleList

router = APIRouter(prefix="/accounts/{account_id}/rules/lists/{list_id}/items", tags=["Lists"])

ItemId = path_id("item_id")
RESOURCE = "list_items"
MAX_PAGE = 500
# Values as they are kept.
_PLACE = re.compile(r"[!-~]+")
# Cloudflare's code for a value that no item can have.
INVALID_ITEM = 10035
INVALID_BODY = 1004
BUSY = 10503
# How long a change of items waits for those before it; each takes two seconds at most.
TURN_LIMIT_S = 20.0
_RETRY_AFTER_S = 5
# Values of items that an audit entry shows.
_MAX_SHOWN_ITEMS = 20

_COMMENT = {"type": ["string", "null"], "maxLength": MAX_COMMENT_CHARS}


def _item_schema(name: str, member: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": [name], "properties": {name: member, "comment": _COMMENT}}


def _body_of(schema: dict[str, Any]) -> dict[str, Any]:
    """How the description of the API says it: bodies are read in a thread, and not by FastAPI."""
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


_NAMED = {"type": "object", "required": ["url_hostname"], "properties": {"url_hostname": {"type": "string"}}}
_ITEMS_BODY = _body_of(
    {
        "type": "array",
        "maxItems": MAX_ITEMS,
        "items": {
            "anyOf": [
                _item_schema("ip", {"type": "string", "description": "An address or a network."}),
                _item_schema("hostname", _NAMED),
                _item_schema("asn", {"type": "integer", "minimum": 0, "maximum": 2**32 - 1}),
            ]
        },
    }
)
_ID = {"type": "object", "required": ["id"], "properties": {"id": {"type": "string", "maxLength": 32}}}
_IDS_BODY = _body_of(
    {
        "type": "object",
        "required": ["items"],
        "properties": {"items": {"type": "array", "maxItems": MAX_ITEMS, "items": _ID}},
    }
)


class ItemQuery(BaseModel):
    """Which items."""

    model_config = ConfigDict(extra="ignore")
    cursor: Text | None = Field(default=None, max_length=600)
    per_page: int = Field(default=MAX_PAGE, ge=1, le=MAX_PAGE)
    search: Text | None = Field(
        default=None,
        max_length=300,
        description="What addresses begin with, what host names contain, or the number of a system.",
    )


class Name(View):
    """A host name."""

    url_hostname: str


class ItemView(View):
    """One item: one of `ip`, `hostname` and `asn`."""

    id: str
    ip: str | None = None
    hostname: Name | None = None
    asn: int | None = None
    comment: str | None = None
    created_on: str
    modified_on: str


class Cursors(View):
    """The cursor of the next page, null on the last."""

    after: str | None


class ItemsInfo(View):
    """Where a page is."""

    count: int
    cursors: Cursors


class ItemsPage(Envelope[list[ItemView]]):
    """A page of items."""

    result_info: ItemsInfo


class OperationReference(View):
    """The operation that a change is."""

    operation_id: str


@router.get("", response_model=ItemsPage)
async def list_items_of(
    access: ReadAccess,
    list_id: ListId,  # type: ignore[valid-type]  # made by a function
    query: Annotated[ItemQuery, Query()],
) -> Response:
    """The items of a list, by their values."""
    after = place_of(query.cursor, _PLACE)[0] if query.cursor else ""
    async with access.context.database.read() as connection:
        kind = known(await lists.find(connection, access.account_id, list_id)).kind
        found = await list_items.page(
            connection, list_id, kind, after=after, search=query.search, limit=query.per_page + 1
        )
    shown = found[: query.per_page]
    return cursor_page_of(
        [_view(kind, one) for one in shown], cursor_of(shown[-1].value) if len(found) > len(shown) else None
    )


@router.get("/{item_id}", response_model=Envelope[ItemView])
async def show_item(
    access: ReadAccess,
    list_id: ListId,  # type: ignore[valid-type]  # made by a function
    item_id: ItemId,  # type: ignore[valid-type]  # the same
) -> Response:
    """One item."""
    async with access.context.database.read() as connection:
        kind = known(await lists.find(connection, access.account_id, list_id)).kind
        found = await list_items.find(connection, list_id, item_id)
    if found is None:
        raise not_found("item")
    return success(_view(kind, found))


@router.post("", response_model=Envelope[OperationReference], openapi_extra=_ITEMS_BODY)
async def add_items(
    request: Request,
    access: WriteAccess,
    list_id: ListId,  # type: ignore[valid-type]  # made by a function
) -> Response:
    """Add items. One that is there already gets the comment that is given."""
    async with _turn(access):
        items = await _items(access, list_id, await request.body())

        async def change(connection: AsyncConnection, now: int) -> _Done:
            changed = await list_items.put(connection, list_id, items, now=now)
            return _Done(written=changed, first=list(items))

        made = await _changed(access, list_id, change)
    return await _answer(access, list_id, made)


@router.put("", response_model=Envelope[OperationReference], openapi_extra=_ITEMS_BODY)
async def replace_items(
    request: Request,
    access: WriteAccess,
    list_id: ListId,  # type: ignore[valid-type]  # made by a function
) -> Response:
    """Put items in place of all that are there. Those that stay keep their ids."""
    async with _turn(access):
        items = await _items(access, list_id, await request.body())

        async def change(connection: AsyncConnection, now: int) -> _Done:
            removed = await list_items.delete_others(connection, list_id, items)
            changed = await list_items.put(connection, list_id, items, now=now)
            return _Done(written=changed, removed=removed, first=list(items))

        made = await _changed(access, list_id, change)
    return await _answer(access, list_id, made)


@router.delete("", response_model=Envelope[OperationReference], openapi_extra=_IDS_BODY)
async def delete_items(
    request: Request,
    access: WriteAccess,
    list_id: ListId,  # type: ignore[valid-type]  # made by a function
) -> Response:
    """Remove the items with the ids that are given."""
    async with _turn(access):
        ids = await asyncio.to_thread(_read_ids, await request.body())

        async def change(connection: AsyncConnection, _: int) -> _Done:
            if unknown := await list_items.unknown_ids(connection, list_id, ids):
                place = next(place for place, one in enumerate(ids) if one in unknown)
                raise invalid(f"/items/{place}/id", f"items.{place}.id: the list has no item {ids[place][:40]!r}")
            return _Done(removed=await list_items.delete(connection, list_id, ids), first=ids)

        made = await _changed(access, list_id, change)
    return await _answer(access, list_id, made)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    """What a change did: how many items it wrote and removed, and the first values or ids that it was about."""

    written: int = 0
    removed: int = 0
    first: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class _Made:
    """The operation that a change was, and whether anything is otherwise since."""

    operation_id: str
    is_news: bool


_Change = Callable[[AsyncConnection, int], Awaitable[_Done]]


@asynccontextmanager
async def _turn(access: Access) -> AsyncIterator[None]:
    turn = access.context.list_turn
    try:
        await asyncio.wait_for(turn.acquire(), TURN_LIMIT_S)
    except TimeoutError:
        complaint = Complaint(BUSY, "Too many changes of lists at once. Please ask again")
        raise ApiFault(503, (complaint,), {"Retry-After": str(_RETRY_AFTER_S)}) from None
    try:
        yield
    finally:
        turn.release()


async def _items(access: Access, list_id: str, body: bytes) -> Items:
    """The items of a body, for the list as it is. A list's kind never changes."""
    async with access.context.database.look() as connection:
        kind = known(await lists.find(connection, access.account_id, list_id)).kind
    return await asyncio.to_thread(_read_items, kind, body)


def _read_items(kind: str, body: bytes) -> Items:
    """The items of a body, in the order in which they are written fastest."""
    try:
        return dict(sorted(parse_items(kind, _decoded(body)).items(), key=itemgetter(0)))
    except ItemError as error:
        code = INVALID_ITEM if error.pointer.count("/") > 1 else INVALID_BODY
        raise fault(400, code, str(error), pointer=error.pointer) from None


def _read_ids(body: bytes) -> list[str]:
    given = _decoded(body)
    items = given.get("items") if isinstance(given, dict) else None
    if not isinstance(items, list) or len(items) > MAX_ITEMS:
        raise invalid("/items", f"items: expected an array of at most {MAX_ITEMS} objects with an id")
    for place, item in enumerate(items):
        if not isinstance(item, dict) or not isinstance(item.get("id"), str):
            raise invalid(f"/items/{place}/id", f"items.{place}.id: expected the id of an item")
    return list(dict.fromkeys(item["id"] for item in items))


def _decoded(body: bytes) -> object:
    """The frame let through nothing but JSON, or nothing at all."""
    return msgspec.json.decode(body) if body else None


async def _changed(access: Access, list_id: str, change: _Change) -> _Made:
    """Change items, in one transaction. Raises ApiFault."""
    now = access.context.clock()
    operation = Operation(
        id=secrets.token_hex(16),
        account_id=access.account_id,
        status="completed",
        error=None,
        created_on=now,
        completed_on=now,
    )
    is_news = False
    async with writing(access.context.database) as connection:
        touched = known(await lists.touch(connection, access.account_id, list_id, now=now))
        done = await change(connection, now)
        if not done.written and not done.removed:
            raise Undone
        num_items = await _counted(connection, touched)
        await lists.insert_operation(connection, operation)
        counts = {"num_items": num_items, "written": done.written, "removed": done.removed}
        new = {"operation_id": operation.id, **counts, "first": list(done.first[:_MAX_SHOWN_ITEMS])}
        await access.record(connection, "update", RESOURCE, list_id, old={"num_items": touched.num_items}, new=new)
        is_news = True
    if not is_news:
        # It can be asked for all the same, and nothing else is written.
        async with access.context.database.note() as connection:
            await lists.insert_operation(connection, operation)
    return _Made(operation.id, is_news)


async def _counted(connection: AsyncConnection, touched: RuleList) -> int:
    """How many items the list has now, written down. Raises ApiFault where they, or all together, are too many."""
    num_items = await list_items.count(connection, touched.id)
    await lists.set_count(connection, touched.id, num_items)
    if num_items <= touched.num_items:
        return num_items
    mine, everybody_s = await lists.total_items(connection, touched.account_id)
    for counted, most, whose in (
        (num_items, MAX_ITEMS, "A list has"),
        (mine, MAX_ACCOUNT_ITEMS, "The lists of an account have"),
        (everybody_s, MAX_INSTALLATION_ITEMS, "All lists of this installation have"),
    ):
        if counted > most:
            raise fault(400, TOO_MANY, f"{whose} at most {most} items, and would have {counted}")
    return num_items


async def _answer(access: Access, list_id: str, made: _Made) -> Response:
    if made.is_news:
        await access.context.on_list_change([list_id])
    return success({"operation_id": made.operation_id})


def _view(kind: str, item: Item) -> dict[str, Any]:
    view = {"id": item.id, kind: member_of(kind, item.value)}
    if item.comment is not None:
        view["comment"] = item.comment
    return {**view, "created_on": written(item.created_on), "modified_on": written(item.modified_on)}
