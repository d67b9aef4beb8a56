"""Namespaces of Durable Objects: one for each class that a script of the account has.

Source: Cloudflare API v4, "Durable Objects: namespaces".
"""

from __future__ import annotations

import hashlib
import re
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Query, Response
from pydantic import Field

from holdfast.api.access import Access, account_access
from holdfast.api.context import WorkersUnavailable
from holdfast.api.cursors import cursor_of, place_of
from holdfast.api.envelope import Envelope, PageEnvelope, View, cursor_page_of, page_of, success
from holdfast.api.faults import ApiFault, Complaint, not_found
from holdfast.api.identifiers import path_id
from holdfast.api.paging import paged
from holdfast.api.worker_found import NOT_REACHED
from holdfast.model.data_dir import worker_key
from holdfast.model.object_names import unique_key
from holdfast.model.worker_messages import BusyObject
from holdfast.model.worker_migrations import DurableClass
from holdfast.store import worker_scripts as store
from holdfast.store.worker_scripts import Script

router = APIRouter(prefix="/accounts/{account_id}/workers/durable_objects/namespaces", tags=["Durable Objects"])

ReadAccess = Annotated[Access, Depends(account_access("Workers Scripts Read"))]
NamespacePage = paged(largest=1000, default=20)
NamespaceId = path_id("namespace_id")
# Cloudflare's code.
NO_NAMESPACE = 10066
_PLACE = re.compile(r"[0-9a-f]{64}")


class ObjectView(View):
    """One object."""

    id: str
    has_stored_data: bool = Field(alias="hasStoredData")


class ObjectCursors(View):
    """The cursor of the next page, null on the last."""

    after: str | None


class BusyObjectView(View):
    """One object that is in memory."""

    id: str
    name: str | None
    sockets: int
    events: int
    errors: int
    waiting: int
    stored_bytes: int


class ObjectsInfo(View):
    """Where a page is."""

    count: int
    cursors: ObjectCursors


class ObjectsEnvelope(Envelope[list[ObjectView]]):
    """A page of objects."""

    result_info: ObjectsInfo


class NamespaceView(View):
    """The objects of one class."""

    id: str
    name: str
    script: str
    class_: str = Field(alias="class")
    use_sqlite: bool


@router.get("", response_model=PageEnvelope[list[NamespaceView]])
async def list_namespaces(
    access: ReadAccess,
    page: NamespacePage,  # type: ignore[valid-type]  # made by a function
) -> Response:
    """The namespaces of the account's scripts, by script and class."""
    async with access.context.database.read() as connection:
        scripts = await store.of_account(connection, access.account_id)
    found = [view for script, _ in scripts for view in _views(script)]
    return page_of(found[page.offset : page.offset + page.size], page, len(found))  # type: ignore[attr-defined]


@router.get("/{namespace_id}/objects", response_model=ObjectsEnvelope)
async def list_objects(
    access: ReadAccess,
    namespace_id: NamespaceId,  # type: ignore[valid-type]  # made by a function
    limit: Annotated[int, Query(ge=10, le=10_000)] = 1000,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """The objects of a namespace that have stored something, by id."""
    after = place_of(cursor, _PLACE)[0] if cursor else ""
    script, _, one = await _found(access, namespace_id)
    # One more than are shown: that tells whether there is a next page.
    found = await access.context.workers.stored_objects(
        script.key, unique_key(script.name, one.namespace), after=after, limit=limit + 1
    )
    shown = [{"id": ident, "hasStoredData": True} for ident in found[:limit]]
    return cursor_page_of(shown, cursor_of(found[limit - 1]) if len(found) > limit else None)


@router.get("/{namespace_id}/busiest", response_model=Envelope[list[BusyObjectView]])
async def list_busiest(
    access: ReadAccess,
    namespace_id: NamespaceId,  # type: ignore[valid-type]  # made by a function
) -> Response:
    """Ours alone: of the objects in memory those that have handled most events since they are there, up to 20 of a script; 5 s old at most."""
    script, name, _ = await _found(access, namespace_id)
    try:
        found = await access.context.workers.busiest(script.key, name)
    except WorkersUnavailable as error:
        complaint = Complaint(NOT_REACHED, f"The objects cannot be asked for: {error}")
        raise ApiFault(503, (complaint,)) from error
    return success([_busy(one) for one in found])


async def _found(access: Access, namespace_id: str) -> tuple[Script, str, DurableClass]:
    """The script whose namespace it is, with the class: its name, and what is kept of it."""
    async with access.context.database.read() as connection:
        scripts = await store.of_account(connection, access.account_id)
    for script, _ in scripts:
        for name, one in script.classes.items():
            if _id(script, one) == namespace_id:
                return script, name, one
    raise not_found("namespace", code=NO_NAMESPACE)


def _busy(one: BusyObject) -> dict[str, Any]:
    told = msgspec.structs.asdict(one)
    del told["class_name"]
    return {**told, "name": one.name or None}


def _id(script: Script, one: DurableClass) -> str:
    """The same wherever the class is: made of where it was made."""
    origin, _, name = unique_key(script.name, one.namespace).rpartition("-")
    return hashlib.sha256(f"{worker_key(script.account_id, origin)}/{name}".encode()).hexdigest()[:32]


def _views(script: Script) -> list[dict[str, Any]]:
    return [
        {
            "id": _id(script, one),
            "name": f"{script.name}_{name}",
            "script": script.name,
            "class": name,
            "use_sqlite": one.storage == "sqlite",
        }
        for name, one in sorted(script.classes.items())
    ]
