"""Namespaces of Durable Objects: one for each class that a script of the account has.

Source: Cloudflare API v4, "Durable Objects: namespaces".
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from pydantic import Field

from holdfast.api.access import Access, account_access
from holdfast.api.envelope import PageEnvelope, View, page_of
from holdfast.api.paging import paged
from holdfast.store import worker_scripts as store
from holdfast.store.worker_scripts import Script

router = APIRouter(prefix="/accounts/{account_id}/workers/durable_objects/namespaces", tags=["Durable Objects"])

ReadAccess = Annotated[Access, Depends(account_access("Workers Scripts Read"))]
NamespacePage = paged(largest=1000, default=20)


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


def _views(script: Script) -> list[dict[str, Any]]:
    return [
        {
            "id": hashlib.sha256(f"{script.key}/{one.namespace}".encode()).hexdigest()[:32],
            "name": f"{script.name}_{name}",
            "script": script.name,
            "class": name,
            "use_sqlite": one.storage == "sqlite",
        }
        for name, one in sorted(script.classes.items())
    ]
