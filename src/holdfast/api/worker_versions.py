"""Versions of scripts, and which of them is deployed.

Law: one version gets all requests. To deploy an earlier one is to run its code and its secrets again; what its Durable Objects stored
stays as it is.

Source: Cloudflare API v4, "Workers scripts: versions", "deployments".
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field

from holdfast.api.access import Access, account_access
from holdfast.api.envelope import Envelope, PageEnvelope, json_answer, page_info, success
from holdfast.api.faults import fault, invalid
from holdfast.api.identifiers import path_id
from holdfast.api.paging import Page, paged
from holdfast.api.text import Text
from holdfast.api.worker_deploying import NO_VERSION, find_script, redeploy
from holdfast.api.worker_shapes import (
    DeploymentListView,
    DeploymentView,
    ScriptName,
    VersionListView,
    WholeVersionView,
    deployment_view,
    version_view,
    whole_version_view,
)
from holdfast.store import worker_scripts as store

router = APIRouter(prefix="/accounts/{account_id}/workers/scripts/{script_name}", tags=["Workers versions"])

ReadAccess = Annotated[Access, Depends(account_access("Workers Scripts Read"))]
WriteAccess = Annotated[Access, Depends(account_access("Workers Scripts Write"))]
VersionId = path_id("version_id")
ListPage = paged(largest=100, default=25)


class DeployedVersion(BaseModel):
    """A version, and how many of the requests it is to get."""

    model_config = ConfigDict(extra="ignore")
    version_id: Text = Field(min_length=32, max_length=36)
    percentage: float = Field(ge=0, le=100)


class Annotations(BaseModel):
    """What is said about a deployment."""

    model_config = ConfigDict(extra="ignore")
    message: Text = Field(default="", max_length=1000, alias="workers/message")


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
    return _page("items", [version_view(one) for one in versions], page)


@router.get("/versions/{version_id}", response_model=Envelope[WholeVersionView])
async def show_version(
    access: ReadAccess,
    script_name: ScriptName,
    version_id: VersionId,  # type: ignore[valid-type]  # made by a function
) -> Response:
    """One version."""
    async with access.context.database.read() as connection:
        found = await find_script(connection, access.account_id, script_name)
        version = await store.find_version(connection, found.script.id, version_id)
    if version is None:
        raise fault(404, NO_VERSION, "There is no such version of this Worker, or it is not kept any more")
    return success(whole_version_view(found, version))


@router.get("/deployments", response_model=PageEnvelope[DeploymentListView])
async def list_deployments(
    access: ReadAccess,
    script_name: ScriptName,
    page: ListPage,  # type: ignore[valid-type]  # made by a function
) -> Response:
    """The deployments of a script that are remembered, the newest first."""
    async with access.context.database.read() as connection:
        found = await find_script(connection, access.account_id, script_name)
        deployments = await store.deployments(connection, found.script.id)
    return _page("deployments", [deployment_view(one) for one in deployments], page)


@router.post("/deployments", response_model=Envelope[DeploymentView])
async def create_deployment(access: WriteAccess, script_name: ScriptName, body: DeploymentCreate) -> Response:
    """Deploy a version that there is."""
    wanted = [one for one in body.versions if one.percentage > 0]
    if len(wanted) != 1 or wanted[0].percentage != 100:
        raise invalid(
            "/versions", "versions: expected one with the percentage 100: a Worker runs one version at a time here"
        )
    message = body.annotations.message if body.annotations else ""
    _, deployment = await redeploy(access, script_name, wanted[0].version_id, message=message)
    return success(deployment_view(deployment))


def _page(name: str, found: list[dict[str, Any]], page: Page) -> Response:
    """One page of a list that is a member of the result."""
    shown = found[page.offset : page.offset + page.size]
    info = page_info(len(shown), page, len(found))
    return json_answer(
        {"result": {name: shown}, "result_info": info, "success": True, "errors": [], "messages": []}, 200
    )
