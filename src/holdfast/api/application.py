"""The ASGI application: every router, and what is done for each request before and after its handler.

Law 1: every answer is in the envelope, whatever went wrong; nothing that was raised tells a client more than its class.
Law 2: who may not ask is told so before what they ask is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response, Security
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute

from holdfast.api import (
    access,
    access_rules,
    account_tokens,
    accounts,
    audit_logs,
    audit_trail,
    connection_stream,
    connections,
    custom_certificates,
    dns_batch,
    dns_records,
    ips,
    list_items,
    lists,
    members,
    memberships,
    plans,
    ruleset_versions,
    rulesets,
    security_events,
    subscriptions,
    traces,
    url_normalization,
    user,
    user_tokens,
    worker_domains,
    worker_namespaces,
    worker_routes,
    worker_schedules,
    worker_script_settings,
    worker_scripts,
    worker_secrets,
    worker_services,
    worker_settings,
    worker_subdomains,
    worker_tail,
    worker_tails,
    worker_triggers,
    worker_versions,
    worker_whole,
    zone_settings,
    zones,
)
from holdfast.api.complaints import INVALID_REQUEST, complaints_of
from holdfast.api.context import ApiContext
from holdfast.api.envelope import FailureEnvelope, failure
from holdfast.api.faults import ApiFault, Complaint, fault, internal, method_not_allowed, no_route, unavailable
from holdfast.api.frame import Frame
from holdfast.api.json_body import MALFORMED_JSON, MALFORMED_TEXT
from holdfast.api.rate_limit import RateLimit
from holdfast.api.request_body import BodyBudget
from holdfast.store.database import StoreUnavailable

PREFIX = "/client/v4"

# Each of their handlers lets nobody in without a token.
GUARDED_ROUTERS = (
    accounts.router,
    account_tokens.router,
    members.router,
    memberships.router,
    user.router,
    user_tokens.router,
    audit_logs.router,
    audit_trail.router,
    zones.router,
    zone_settings.router,
    url_normalization.router,
    connections.router,
    dns_batch.router,
    dns_records.router,
    custom_certificates.router,
    rulesets.router,
    ruleset_versions.router,
    plans.router,
    security_events.router,
    subscriptions.router,
    traces.router,
    lists.router,
    list_items.router,
    access_rules.router,
    worker_secrets.router,
    worker_secrets.bulk_router,
    worker_settings.router,
    worker_schedules.router,
    worker_tails.router,
    worker_script_settings.router,
    worker_versions.router,
    worker_whole.router,
    worker_services.router,
    worker_services.storage_router,
    worker_subdomains.router,
    worker_triggers.router,
    worker_scripts.router,
    worker_routes.router,
    worker_domains.router,
    worker_namespaces.router,
)
OPEN_ROUTERS = (ips.router,)
ROUTERS = (*GUARDED_ROUTERS, *OPEN_ROUTERS)
_FAILURES: dict[int | str, dict[str, Any]] = {
    status: {"model": FailureEnvelope} for status in (400, 401, 403, 404, 405, 409, 413, 429, 500, 503)
}
# How the description of the API says that a token is wanted. What lets in is `holdfast.api.access`.
_BEARER = Security(HTTPBearer(auto_error=False, scheme_name="token", description="An API token."))
Log = Callable[[str, Mapping[str, str | int]], None]


def create_application(context: ApiContext, *, version: str, log: Log) -> FastAPI:
    """The API over `context`. `log` gets an event and its fields."""
    application = FastAPI(
        title="Holdfast API",
        version=version,
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        routes=list(_routes()),
    )
    application.state.context = context
    application.state.token_uses = {}
    application.state.rate_limit = RateLimit(context.limits, context.clock)
    application.state.log = log
    _add_handlers(application)
    application.add_middleware(
        Frame, rate_limit=application.state.rate_limit, admit=access.admit, bodies=BodyBudget(), log=log
    )
    return application


@cache
def _routes() -> tuple[BaseRoute, ...]:
    """The routes of every application: they hold nothing of one. FastAPI finds out what each takes and answers when it is first
    looked at, which takes a second for all of them, so it is done once a process."""
    table = APIRouter(prefix=PREFIX, responses=_FAILURES)
    for router in GUARDED_ROUTERS:
        table.include_router(router, dependencies=[_BEARER])
    for router in OPEN_ROUTERS:
        table.include_router(router)
    # They let nobody in without a token, either; every other WebSocket is refused.
    table.include_router(worker_tail.router)
    table.include_router(worker_tails.socket_router)
    table.include_router(connection_stream.router)
    return tuple(table.routes)


def _add_handlers(application: FastAPI) -> None:
    application.add_exception_handler(ApiFault, _on_fault)
    application.add_exception_handler(HTTPException, _on_http)
    application.add_exception_handler(RequestValidationError, _on_invalid)
    application.add_exception_handler(StoreUnavailable, _on_unavailable)
    application.add_exception_handler(RecursionError, _on_recursion)


async def _on_fault(_: Request, error: Exception) -> Response:
    return failure(error if isinstance(error, ApiFault) else internal())


async def _on_http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 404:
        return failure(no_route(request.url.path))
    if status == 405:
        return failure(method_not_allowed(", ".join(sorted(_methods_of(request)))))
    return failure(
        fault(status, MALFORMED_JSON if status == 400 else 10000 + status, str(getattr(error, "detail", error)))
    )


def _methods_of(request: Request) -> set[str]:
    """What may be done at this path. Each route of ours has one method; the first whose path fits names the resource."""
    path = request.url.path.removeprefix(PREFIX)
    routes = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    named = next((route.path for route in routes if route.path_regex.match(path)), None)
    methods = {method for route in routes if route.path == named for method in route.methods or ()}
    return methods | {"HEAD"} if "GET" in methods else methods


async def _on_invalid(_: Request, error: Exception) -> Response:
    found = complaints_of(error.errors(), error.body) if isinstance(error, RequestValidationError) else []
    return failure(ApiFault(400, found or [Complaint(INVALID_REQUEST, "invalid")]))


async def _on_unavailable(_: Request, error: Exception) -> Response:
    return failure(unavailable(str(error)))


async def _on_recursion(_: Request, __: Exception) -> Response:
    return failure(fault(400, MALFORMED_JSON, f"{MALFORMED_TEXT}: it is nested too deeply"))
