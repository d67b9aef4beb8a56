"""Every route of the API as a table: method, path, and the permission that lets in."""

from __future__ import annotations

import re
from dataclasses import dataclass

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from holdfast.api.application import ROUTERS
from tests.api.harness import ABSENT


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path. `permission` is None where nothing guards it, "" where any valid token will do; `others` let in
    as well, and the handler looks which it is."""

    method: str
    path: str
    permission: str | None
    others: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def is_write(self) -> bool:
        """Whether it can change anything."""
        return self.method != "GET" and str(self) not in _ASKING

    def about(self, **ids: str) -> str:
        """The path with its parameters filled in: `ids`, and an id that nothing has."""
        return re.sub(r"\{(\w+)\}", lambda found: ids.get(found[1], _STANDINS.get(found[1], ABSENT)), self.path)


# What asks in a body, and tails, which hear and change nothing.
_SCRIPT = "/accounts/{account_id}/workers/scripts/{script_name}"
_ASKING = {
    "POST /zones/{zone_id}/security/trace",
    "POST /accounts/{account_id}/request-tracer/trace",
    f"POST {_SCRIPT}/domains/changeset",
    f"POST {_SCRIPT}/tails",
    f"DELETE {_SCRIPT}/tails/{{tail_id}}",
}
_STANDINS = {
    "setting_id": "websockets",
    "phase": "http_request_origin",
    "plan_identifier": ABSENT,
    "ruleset_version": "1",
}


def routes() -> list[Route]:
    """All routes below /client/v4 but the description of the API itself."""
    return [
        Route(method, route.path, permission_of(route.dependant), _others_of(route.dependant))
        for router in ROUTERS
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in sorted(route.methods or ())
    ]


def permission_of(dependant: Dependant) -> str | None:
    """What the route's dependencies ask for."""
    for one in dependant.dependencies:
        permission = getattr(one.call, "permission", None)
        if isinstance(permission, str):
            return permission
    return None


def _others_of(dependant: Dependant) -> tuple[str, ...]:
    return next((getattr(one.call, "others") for one in dependant.dependencies if hasattr(one.call, "others")), ())  # noqa: B009  from the dependency
