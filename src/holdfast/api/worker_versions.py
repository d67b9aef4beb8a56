"""Versions of scripts, and which of them is deployed.

Law 1: one version gets all requests. To deploy an earlier one is to run its code and its secrets again; what its Durable Objects stored
stays as it is.
Law 2: a version that is only uploaded is not run: whether it can be is found out when it is deployed, before the one before it goes.

Source: Cloudflare API v4, "Workers scripts: versions", "deployments"; codes and sentences as its clients know them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.api.access import Access, account_access
from holdfast.api.envelope import Envelope, PageEnvelope, json_answer, page_info, success
from holdfast.api.faults import ApiFault, fault, invalid
from holdfast.api.paging import Page, paged
from holdfast.api.text import Text
from holdfast.api.worker_deploying import Wanted, add_version, redeploy
from holdfast.api.worker_found import Before, find_script, no_such_version
from holdfast.api.worker_shapes import (
    DeploymentId,
    DeploymentListView,
    DeploymentView,
    MadeVersionView,
    ScriptName,
    VersionId,
    VersionListView,
    WholeVersionView,
    deployment_view,
    kept_id,
    whole_version_view,
)
from holdfast.api.worker_upload import read_upload
from holdfast.api.worker_wanting import UPLOAD_BODY, wanted_by
from holdfast.store import worker_scripts as store

router = APIRouter(prefix="/accounts/{account_id}/workers/scripts/{script_name}", tags=["Workers versions"])

ReadAccess = Annotated[Access, Depends(account_access("Workers Scripts Read"))]
WriteAccess = Annotated[Access, Depends(account_access("Workers Scripts Write"))]
ListPage = paged(largest=100, default=25)
# Cloudflare's code.
NO_DEPLOYMENT = 10336
# Ours.
DEPLOYMENT_SERVES = 10406
DEPLOYMENT_RESOURCE = "worker_deployment"


class DeployedVersion(BaseModel):
    """A version, and how many of the requests it is to get."""

    model_config = ConfigDict(extra="ignore")
    version_id: Text = Field(min_length=32, max_length=36)
    percentage: float = Field(ge=0, le=100)


class Annotations(BaseModel):
    """What is said about a deployment."""

    model_config = ConfigDict(extra="ignore")
    message: Text | None = Field(default=None, max_length=1000, alias="workers/message")


class DeploymentCreate(BaseModel):
    """A deployment: of one version, which gets all requests."""

    model_config = ConfigDict(extra="ignore")
    strategy: Literal["percentage"]
    versions: list[DeployedVersion] = Field(min_length=1, max_length=2)
    annotations: Annotations | None = None


@router.get("/versions", response_model=PageEnvelope[VersionListView])
async def list_versions(
    access: ReadAccess,
    script_name: ScriptName,
    page: ListPage,  # type: ignore[valid-type]  # made by a function
) -> Response:
    """The versions of a script that are kept, the newest first."""
    async with access.context.database.read() as connection:
        found = await find_script(connection, access.account_id, script_name)
        versions = await store.versions(connection, found.script.id)
    return _page("items", [whole_version_view(found, one) for one in versions], page)


@router.post("/versions", response_model=Envelope[MadeVersionView], openapi_extra=UPLOAD_BODY)
async def upload_version(
    request: Request,
    access: WriteAccess,
    script_name: ScriptName,
    bindings_inherit: Annotated[Literal["strict"] | None, Query()] = None,
) -> Response:
    """Upload a version of a script that there is, and do not deploy it."""
    upload = await read_upload(request)

    def want(newest: Before | None) -> Wanted:
        return wanted_by(upload, newest, is_strict=bindings_inherit == "strict")

    made = await add_version(access, script_name, want)
    # It has not been started.
    return success(whole_version_view(made, made.version) | {"startup_time_ms": 0}, messages=upload.notes)


@router.get("/versions/{version_id}", response_model=Envelope[WholeVersionView])
async def show_version(access: ReadAccess, script_name: ScriptName, version_id: VersionId) -> Response:
    """One version."""
    async with access.context.database.read() as connection:
        found = await find_script(connection, access.account_id, script_name)
        version = await store.find_version(connection, found.script.id, version_id)
    if version is None:
        raise no_such_version()
    return success(whole_version_view(found, version))


@router.get("/deployments", response_model=PageEnvelope[DeploymentListView])
async def list_deployments(
    access: ReadAccess,
    script_name: ScriptName,
    page: ListPage,  # type: ignore[valid-type]  # made by a function
) -> Response:
    """The deployments of a script that are remembered, the newest first."""
    async with access.context.database.read() as connection:
        found = await _deployments(connection, access, script_name)
    return _page("deployments", found, page)


@router.get("/deployments/{deployment_id}", response_model=Envelope[DeploymentView])
async def show_deployment(access: ReadAccess, script_name: ScriptName, deployment_id: DeploymentId) -> Response:
    """One deployment."""
    async with access.context.database.read() as connection:
        for found in await _deployments(connection, access, script_name):
            if kept_id(found["id"]) == deployment_id:
                return success(found)
    raise _no_such_deployment()


@router.delete("/deployments/{deployment_id}", response_model=Envelope[None])
async def delete_deployment(access: WriteAccess, script_name: ScriptName, deployment_id: DeploymentId) -> Response:
    """Forget a deployment. The newest one serves, and is not forgotten."""
    async with access.context.database.write() as connection:
        known = {kept_id(one["id"]): one for one in await _deployments(connection, access, script_name)}
        if deployment_id not in known:
            raise _no_such_deployment()
        if deployment_id == next(iter(known)):
            raise fault(
                400,
                DEPLOYMENT_SERVES,
                "The newest deployment serves, and cannot be deleted: deploy another version first",
            )
        await store.delete_deployment(connection, deployment_id)
        await access.record(connection, "delete", DEPLOYMENT_RESOURCE, deployment_id, old=known[deployment_id])
    return success(None)


@router.post("/deployments", response_model=Envelope[DeploymentView])
async def create_deployment(
    access: WriteAccess,
    script_name: ScriptName,
    body: DeploymentCreate,
    force: Annotated[bool, Query()] = False,
) -> Response:
    """Deploy a version that there is. An earlier one with other secrets needs `force`: it gets its own."""
    wanted = [one for one in body.versions if one.percentage > 0]
    if len(wanted) != 1 or wanted[0].percentage != 100:
        raise invalid(
            "/versions",
            "versions: expected one with the percentage 100: a Worker has one process, and that runs one version at a time here",
        )
    version_id = kept_id(wanted[0].version_id)
    if version_id is None:
        raise no_such_version()
    message = (body.annotations and body.annotations.message) or ""
    _, deployment = await redeploy(access, script_name, version_id, message=message, is_forced=force)
    return success(deployment_view(deployment))


def _no_such_deployment() -> ApiFault:
    return fault(404, NO_DEPLOYMENT, "There is no such deployment of this Worker, or it is not remembered any more")


async def _deployments(connection: AsyncConnection, access: Access, name: str) -> list[dict[str, Any]]:
    found = await find_script(connection, access.account_id, name)
    return [deployment_view(one) for one in await store.deployments(connection, found.script.id)]


def _page(name: str, found: list[dict[str, Any]], page: Page) -> Response:
    """One page of a list that is a member of the result."""
    shown = found[page.offset : page.offset + page.size]
    info = page_info(len(shown), page, len(found))
    return json_answer(
        {"result": {name: shown}, "result_info": info, "success": True, "errors": [], "messages": []}, 200
    )
