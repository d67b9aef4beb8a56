"""Compile what stands in front of a zone's origins: routes of Workers, and host names whose origin is one.

Law 1: a document's routes compile as a whole or raise CompileError, which names zone, pattern and what was expected.
Law 2: the path of a route is one as requests are compared with it: in the spelling that the zone's rules see. What a `*` stands for is the
rest of a path, so its last segment is never taken for a whole one: `/.*` is of names that begin with a dot.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from holdfast.edge.compile_error import CompileError
from holdfast.edge.snapshot import Snapshot, catch_all_of
from holdfast.edge.worker_scripts import Script, ZoneWorkers
from holdfast.edge.zone import Target
from holdfast.model.hostname import is_within, parse_hostname
from holdfast.model.worker_route import EXPECTED, RoutePattern, RouteTable, parse_pattern
from holdfast.model.zone_document import CATCH_ALL, WorkerDomainDocument, WorkerRouteDocument

if TYPE_CHECKING:
    from holdfast.edge.worker_processes import Processes
    from holdfast.rules.url_normalization import UrlForm

_KEY = re.compile(r"[0-9a-f]{12}")


def workers_of(
    zone: str, routes: Sequence[WorkerRouteDocument], domains: Sequence[WorkerDomainDocument], form: UrlForm
) -> ZoneWorkers | None:
    """The routes and domains of a zone, whose rules see paths in `form`; None where it has none. Raises CompileError."""
    if not routes and not domains:
        return None
    return ZoneWorkers(
        RouteTable((_as_compared(_pattern(zone, one), form), _script(zone, one.key, one.name)) for one in routes),
        {_host(zone, one): _script(zone, one.key, one.name, needed=True) for one in domains},
    )


def with_domains(targets: dict[str, Target], domains: Sequence[WorkerDomainDocument]) -> dict[str, Target]:
    """`targets`, with one for each host whose origin is a script, which leads nowhere else."""
    if not domains:
        return targets
    return {**targets, **{one.host: Target(name=one.host, is_prohibited=True) for one in domains}}


def snapshot_of_worker(script: Script, snapshot: Snapshot, processes: Processes) -> Snapshot:
    """`snapshot` with `script` in front of every host name: what `holdfast up --worker` serves.

    Where `snapshot` is of one origin (`compile_snapshot`), that is what the Worker reaches by `fetch(request)`; where it is empty, the
    Worker reaches whatever host the request names.
    """
    catch_all = snapshot.zones.get(CATCH_ALL) or catch_all_of(Target(name=CATCH_ALL, is_prohibited=True))
    workers = ZoneWorkers(RouteTable([(parse_pattern("*/*"), script)]), {})
    changed = snapshot.with_changes([msgspec.structs.replace(catch_all, workers=workers)])
    return replace(changed, processes=processes)


def _pattern(zone: str, document: WorkerRouteDocument) -> RoutePattern:
    try:
        pattern = parse_pattern(document.pattern)
    except ValueError:
        raise CompileError(zone, "worker_routes", document.pattern, EXPECTED) from None
    if zone != CATCH_ALL and not pattern.is_of_zone(zone):
        raise CompileError(zone, "worker_routes", document.pattern, f"a pattern of a host of {zone}")
    return pattern


def _as_compared(pattern: RoutePattern, form: UrlForm) -> RoutePattern:
    # Loaded with the first route: most edges have none.
    from holdfast.rules.url_normalization import normalized_path  # noqa: PLC0415

    # A letter that is no digit of an escape stands for whatever a `*` is.
    rest = "x" if pattern.is_path_open else ""
    path = normalized_path(pattern.path + rest, form)
    return msgspec.structs.replace(pattern, path=path.removesuffix(rest))


def _host(zone: str, document: WorkerDomainDocument) -> str:
    try:
        host = parse_hostname(document.host, single_label=True)
    except ValueError:
        host = ""
    if host != document.host or (zone != CATCH_ALL and not is_within(host, zone)):
        raise CompileError(zone, "worker_domains", document.host, f"a host name of {zone}, in lower case")
    return host


def _script(zone: str, key: str, name: str, *, needed: bool = False) -> Script:
    # It becomes part of a path.
    if (key or needed) and not _KEY.fullmatch(key):
        raise CompileError(zone, "worker_routes.key", key, "12 hexadecimal digits")
    return Script(key, name)
