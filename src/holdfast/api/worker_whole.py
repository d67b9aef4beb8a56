"""Workers as newer clients look at them: a script with all that belongs to it, and its newest version changed by a merge patch.

Law: of a version its secrets alone are changed so. What a patch would change besides is refused, and not passed over: whoever asks believes that
it is done.

Source: Cloudflare API v4, "Workers (beta)"; wrangler 4, which looks for `subdomain` and sends secrets of `versions secret`.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.api.access import Access, account_access
from holdfast.api.envelope import Envelope, PageEnvelope, View, page_of, success
from holdfast.api.paging import Page, paged
from holdfast.api.text import Text
from holdfast.api.worker_deploying import Wanted, add_version
from holdfast.api.worker_domains import domain_view
from holdfast.api.worker_found import Before, find_script, look_up
from holdfast.api.worker_removing import references_to
from holdfast.api.worker_secrets import SecretPatch, check_names, checked_secrets
from holdfast.api.worker_shapes import ScriptName, WholeVersionView, kept_id, whole_version_view
from holdfast.api.worker_subdomains import SubdomainOfWorkerView, subdomain_of
from holdfast.model.moment import written
from holdfast.model.worker_script import MAX_VARIABLES
from holdfast.store import worker_routes
from holdfast.store import worker_scripts as store
from holdfast.store.worker_routes import Domain
from holdfast.store.worker_scripts import Script, Version

router = APIRouter(prefix="/accounts/{account_id}/workers/workers", tags=["Workers"])

ReadAccess = Annotated[Access, Depends(account_access("Workers Scripts Read"))]
WriteAccess = Annotated[Access, Depends(account_access("Workers Scripts Write"))]
WorkerPage = paged(largest=100, default=10)


class NamedWorkerView(View):
    """Another Worker."""

    id: str
    name: str


class ObjectsOfWorkerView(View):
    """A Worker that has a namespace of this one's Durable Objects."""

    namespace_id: str
    namespace_name: str
    worker_id: str
    worker_name: str


class DomainOfWorkerView(View):
    """A host name whose origin the Worker is. There is no certificate of it by itself."""

    id: str
    certificate_id: str
    hostname: str
    zone_id: str
    zone_name: str


class ReferencesOfWorkerView(View):
    """What leads to a Worker."""

    dispatch_namespace_outbounds: list[None]
    domains: list[DomainOfWorkerView]
    durable_objects: list[ObjectsOfWorkerView]
    queues: list[None]
    workers: list[NamedWorkerView]


class ObservabilityView(View):
    """Logs are heard by tails here, and kept by nobody."""

    enabled: bool


class WholeWorkerView(View):
    """A Worker."""

    id: str
    name: str
    tags: list[str]
    logpush: bool
    observability: ObservabilityView
    subdomain: SubdomainOfWorkerView
    tail_consumers: list[None]
    references: ReferencesOfWorkerView
    deployed_on: str
    created_on: str
    updated_on: str


class PatchAnnotations(BaseModel):
    """What is said about the version."""

    model_config = ConfigDict(extra="ignore")
    message: Text | None = Field(default=None, max_length=1000, alias="workers/message")
    tag: Text | None = Field(default=None, max_length=100, alias="workers/tag")


class VersionPatch(BaseModel):
    """What is to be other than in the newest version: secrets by name, `null` for one that is to go."""

    model_config = ConfigDict(extra="forbid")
    env: dict[Text, SecretPatch | None] = Field(max_length=MAX_VARIABLES)
    annotations: PatchAnnotations | None = None


@router.get("", response_model=PageEnvelope[list[WholeWorkerView]])
async def list_workers(access: ReadAccess, page: WorkerPage) -> Response:  # type: ignore[valid-type]  # made by a function
    """The Workers of the account, one page of them, by name."""
    return await _listed(access, page)


async def _listed(access: Access, page: Page) -> Response:
    async with access.context.database.read() as connection:
        known = await _known(access, connection)
        shown = known.scripts[page.offset : page.offset + page.size]
        views = [await _view(access, connection, script, known) for script, _ in shown]
    return page_of(views, page, len(known.scripts))


@router.get("/{script_name}", response_model=Envelope[WholeWorkerView])
async def show_worker(access: ReadAccess, script_name: ScriptName) -> Response:
    """One Worker."""
    async with access.context.database.read() as connection:
        found = await _found(access, connection, script_name)
        known = await _known(access, connection)
        return success(await _view(access, connection, found.script, known))


@router.patch("/{script_name}/versions/latest", response_model=Envelope[WholeVersionView])
async def patch_version(access: WriteAccess, script_name: ScriptName, body: VersionPatch) -> Response:
    """Make a version with other secrets than the newest one, of the same code, and do not deploy it."""
    given, gone = checked_secrets(body.env, "/env")

    def want(newest: Before | None) -> Wanted:
        if newest is None:
            raise AssertionError("a version is added to a script that there is")
        return _with_secrets(newest, given, gone, body.annotations or PatchAnnotations())

    async with access.context.database.read() as connection:
        found = await _found(access, connection, script_name)
    made = await add_version(access, found.script.name, want)
    return success(whole_version_view(made, made.version))


async def _found(access: Access, connection: AsyncConnection, name: str) -> Before:
    """The script of this name, or of this id. Raises ApiFault."""
    if (found := await look_up(connection, access.account_id, name)) is not None:
        return found
    ident = kept_id(name) or ""
    known = await store.of_account(connection, access.account_id)
    name = next((script.name for script, _ in known if script.id == ident), name)
    return await find_script(connection, access.account_id, name)


def _with_secrets(newest: Before, given: Mapping[str, str], gone: AbstractSet[str], said: PatchAnnotations) -> Wanted:
    # To take away what is not there is nothing; what is there, and no secret, would stay.
    check_names(newest, given, gone=gone, pointer="/env")
    return Wanted(
        settings=newest.version.settings,
        secrets=given,
        kept_secrets=frozenset(newest.version.secrets) - gone - given.keys(),
        message=said.message or "",
        tag=said.tag or "",
        source="secret",
    )


class _Known(msgspec.Struct, frozen=True):
    """What a Worker is looked at with: all scripts of its account, and all domains."""

    scripts: list[tuple[Script, Version]]
    domains: list[Domain]


async def _known(access: Access, connection: AsyncConnection) -> _Known:
    scripts = await store.of_account(connection, access.account_id)
    return _Known(scripts, await worker_routes.domains_of(connection, access.account_id))


async def _view(access: Access, connection: AsyncConnection, script: Script, known: _Known) -> dict[str, Any]:
    return {
        "id": script.id,
        "name": script.name,
        "tags": list(script.tags),
        "logpush": False,
        "observability": {"enabled": False},
        "subdomain": await subdomain_of(access, connection, script.name),
        "tail_consumers": [],
        "references": _references(script.name, known),
        "deployed_on": written(script.modified_on),
        "created_on": written(script.created_on),
        "updated_on": written(script.modified_on),
    }


def _references(name: str, known: _Known) -> dict[str, list[Any]]:
    users = references_to(name, known.scripts)
    ids = {script.name: script.id for script, _ in known.scripts}
    domains = (domain_view(one) for one in known.domains if one.script == name)
    return {
        "dispatch_namespace_outbounds": [],
        "domains": [{**one, "certificate_id": one["cert_id"]} for one in domains],
        "durable_objects": [
            {
                "namespace_id": "",
                "namespace_name": f"{name}_{one.class_name}",
                "worker_id": ids[one.script],
                "worker_name": one.script,
            }
            for one in users
            if one.class_name
        ],
        "queues": [],
        "workers": [{"id": ids[one.script], "name": one.script} for one in users if not one.class_name],
    }
