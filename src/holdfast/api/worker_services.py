"""Scripts by another name: services with one environment, as wrangler asks for them before it deploys or removes one, and as they are searched.

Source: wrangler, `deploy`, `delete`, `versions`: what it asks of Cloudflare's API v4 beside what is documented; "Workers scripts: search".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response

from holdfast.api.access import Access, account_access
from holdfast.api.envelope import Envelope, PageEnvelope, View, page_of, success
from holdfast.api.paging import Page, paged
from holdfast.api.text import Text
from holdfast.api.worker_found import find_script
from holdfast.api.worker_removing import references_to, remove_script
from holdfast.api.worker_shapes import ScriptName, ScriptView, script_view
from holdfast.model.moment import written
from holdfast.store import worker_scripts as store
from holdfast.store.worker_scripts import Script

router = APIRouter(prefix="/accounts/{account_id}/workers", tags=["Workers services"])

storage_router = APIRouter(prefix="/accounts/{account_id}/storage/kv", tags=["Workers services"])

ReadAccess = Annotated[Access, Depends(account_access("Workers Scripts Read"))]
WriteAccess = Annotated[Access, Depends(account_access("Workers Scripts Write"))]
SearchPage = paged(largest=100, default=20)
# The one environment of each service.
ENVIRONMENT = "production"


class EnvironmentView(View):
    """The environment of a service."""

    environment: str
    created_on: str
    modified_on: str
    script: ScriptView


class ServiceView(View):
    """A script as a service."""

    id: str
    created_on: str
    modified_on: str
    default_environment: EnvironmentView
    environments: list[EnvironmentView]


class FoundView(View):
    """A script that was searched."""

    id: str
    script_name: str
    service_name: str
    environment_name: str
    environment_is_default: bool
    created_on: str
    modified_on: str


class ServiceReferenceView(View):
    """A script that has another as a service."""

    service: str
    environment: str
    name: str


class ServiceReferencesView(View):
    """Who has a script as a service."""

    incoming: list[ServiceReferenceView]
    outgoing: list[ServiceReferenceView]
    pages_function: bool


class ObjectsReferenceView(View):
    """A script that has a namespace of another's Durable Objects."""

    service: str
    environment: str
    name: str
    durable_object_namespace_id: str
    durable_object_namespace_name: str


class ReferencesView(View):
    """Who is bound to a script."""

    services: ServiceReferencesView
    durable_objects: list[ObjectsReferenceView]
    dispatch_outbounds: list[None]


@router.get("/scripts-search", response_model=PageEnvelope[list[FoundView]])
async def search_scripts(
    access: ReadAccess,
    page: SearchPage,  # type: ignore[valid-type]  # made by a function
    name: Annotated[Text, Query(max_length=255)] = "",
    tag: Annotated[Text, Query(alias="id", max_length=64)] = "",
    order_by: Annotated[Literal["name", "created_on", "modified_on"], Query()] = "name",
) -> Response:
    """The account's scripts whose name has `name` in it and whose tag is `id`, where those are given."""
    async with access.context.database.read() as connection:
        scripts = [script for script, _ in await store.of_account(connection, access.account_id)]
    found = [one for one in scripts if name in one.name and tag in {"", one.id}]
    if order_by != "name":
        found.sort(key=lambda one: one.created_on if order_by == "created_on" else one.modified_on)
    return _shown(found, page)


def _shown(found: Sequence[Script], page: Page) -> Response:
    views = [
        {
            "id": one.id,
            "script_name": one.name,
            "service_name": one.name,
            "environment_name": ENVIRONMENT,
            "environment_is_default": True,
            "created_on": written(one.created_on),
            "modified_on": written(one.modified_on),
        }
        for one in found[page.offset : page.offset + page.size]
    ]
    return page_of(views, page, len(found))


@router.get("/services/{script_name}", response_model=Envelope[ServiceView])
async def show_service(access: ReadAccess, script_name: ScriptName) -> Response:
    """A script as a service."""
    async with access.context.database.read() as connection:
        found = await find_script(connection, access.account_id, script_name)
    times = {"created_on": written(found.script.created_on), "modified_on": written(found.script.modified_on)}
    environment = {"environment": ENVIRONMENT, "script": script_view(found), **times}
    return success(
        {"id": found.script.name, **times, "default_environment": environment, "environments": [environment]}
    )


@router.delete("/services/{script_name}", response_model=Envelope[None])
async def delete_service(
    access: WriteAccess, script_name: ScriptName, force: Annotated[bool, Query()] = False
) -> Response:
    """Remove a script, its routes and domains, and all that its Durable Objects stored. What it has of these needs `force`."""
    await remove_script(access, script_name, is_forced=force)
    return success(None)


@router.get("/scripts/{script_name}/references", response_model=Envelope[ReferencesView])
async def show_references(access: ReadAccess, script_name: ScriptName) -> Response:
    """Which other scripts are bound to a script."""
    async with access.context.database.read() as connection:
        await find_script(connection, access.account_id, script_name)
        found = references_to(script_name, await store.of_account(connection, access.account_id))
    users: list[dict[str, Any]] = [
        {"service": one.script, "environment": ENVIRONMENT, "name": one.name} for one in found if not one.class_name
    ]
    objects = [
        {
            "service": one.script,
            "environment": ENVIRONMENT,
            "name": one.name,
            "durable_object_namespace_id": "",
            "durable_object_namespace_name": f"{script_name}_{one.class_name}",
        }
        for one in found
        if one.class_name
    ]
    services = {"incoming": users, "outgoing": [], "pages_function": False}
    return success({"services": services, "durable_objects": objects, "dispatch_outbounds": []})


@router.get("/tails/by-consumer/{script_name}", response_model=Envelope[list[None]])
async def list_producers(access: ReadAccess, script_name: ScriptName) -> Response:
    """Which scripts have their logs sent to a script: none, here."""
    async with access.context.database.read() as connection:
        await find_script(connection, access.account_id, script_name)
    return success([])


@storage_router.get("/namespaces", response_model=Envelope[list[None]])
async def list_key_value_namespaces(_: ReadAccess) -> Response:
    """The account's KV namespaces: there are none here. wrangler looks for those that a script leaves behind."""
    return success([])
