"""Which script a request goes to: the routes and custom domains of one zone, as `decide` reads them.

Law: finding it costs two searches, whatever the number of routes (`model.worker_route`).
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from holdfast.model.worker_route import RouteTable


class Script(msgspec.Struct, frozen=True, gc=False):
    """A script: the key of its directory, and its name, for people. The key "" is no script: the origin."""

    key: str
    name: str


class ZoneWorkers(msgspec.Struct, frozen=True, gc=False):
    """What stands in front of a zone's origins: `routes`, and `domains`, whose origin is a script."""

    routes: RouteTable[Script]
    domains: Mapping[str, Script]

    def script_of(self, scheme: str, host: str, target: str) -> Script | None:
        """Which script a request goes to; None for the origin. `target` is the path, and "?" and the query, if there is one."""
        script = self.routes.find(scheme, host, target)
        return script if script is not None and script.key else self.domains.get(host)
