"""What leads to a Worker, made as its project says, once it serves: routes, and host names whose origin it is.

Law 1: as wrangler has it, what a project says of a kind is all that there is of it then: other routes (or domains) of the Worker are
removed, and those that are known to have been are told. A kind that it says nothing of stays; an empty list removes both.
Law 2: routes are made together or not at all. One that another script has is refused, and stays as it is; a domain changes hands.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from holdfast.client.api.answer import as_objects, text_of
from holdfast.client.api.paths import path_of
from holdfast.client.api.zones import Zone, find_zone, zone_of
from holdfast.errors import UsageError
from holdfast.model.hostname import parse_hostname
from holdfast.model.worker_route import parse_pattern
from holdfast.model.worker_script import RouteSetting

if TYPE_CHECKING:
    from holdfast.client.api.connection import Api

# How many of several a sentence about a failure names.
_MAX_NAMED = 5


def led_to(api: Api, account: str, name: str, routes: Sequence[RouteSetting] | None) -> Iterator[str]:
    """Have the Worker asked by its `routes`, and no others; a sentence for each that is done. Nothing for None. Raises HoldfastError."""
    if routes is None:
        return
    patterns = [one for one in routes if not one.custom_domain]
    hosts = [parse_hostname(one.pattern) for one in routes if one.custom_domain]
    if patterns or not routes:
        yield from _routed(api, account, name, patterns)
    if hosts or not routes:
        yield from _with_domains(api, account, name, hosts)


def _routed(api: Api, account: str, name: str, routes: Sequence[RouteSetting]) -> Iterator[str]:
    wanted = [(str(parse_pattern(one.pattern)), _zone_of(api, one)) for one in routes]
    there: list[str] = []
    for zone in {zone.id: zone for _, zone in wanted}.values():
        what = f"list the routes of {zone.name}"
        found = as_objects(api.get(zone.path("workers", "routes"), what=what), what=what)
        there += [text_of(one, "pattern") for one in found if text_of(one, "script") == name]
    patterns = [pattern for pattern, _ in wanted]
    body = [{"pattern": pattern, "zone_id": zone.id, "zone_name": zone.name} for pattern, zone in wanted]
    path = path_of("accounts", account, "workers", "scripts", name, "routes")
    api.send("PUT", path, what=f"route {_listed(patterns)} to {name}", body=body)
    for pattern in dict.fromkeys(patterns):
        yield f"{pattern} goes to {name}{', as before' if pattern in there else ''}"
    for pattern in there:
        if pattern not in patterns:
            yield f"{pattern} goes to {name} no more"
    if not wanted:
        yield f"no route goes to {name}"


def _with_domains(api: Api, account: str, name: str, hosts: Sequence[str]) -> Iterator[str]:
    what = f"list the domains of {name}"
    domains = as_objects(api.get(path_of("accounts", account, "workers", "domains"), what=what), what=what)
    before = {text_of(one, "hostname"): text_of(one, "service") for one in domains}
    body = {"origins": [{"hostname": one} for one in hosts], "override_existing_origin": True}
    path = path_of("accounts", account, "workers", "scripts", name, "domains", "records")
    api.send("PUT", path, what=f"make {name} the origin of {_listed(hosts)}", body=body)
    for host in dict.fromkeys(hosts):
        had = before.get(host, name)
        yield f"{host} has {name} for its origin{'' if had == name else f' (before: {had})'}"
    for host, service in before.items():
        if service == name and host not in hosts:
            yield f"{host} has {name} for its origin no more"


def _listed(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - _MAX_NAMED} more" if len(texts) > _MAX_NAMED else ""
    return (", ".join(texts[:_MAX_NAMED]) or "nothing") + more


def _zone_of(api: Api, route: RouteSetting) -> Zone:
    """The zone that a route is of. Raises UsageError, which says where in the project."""
    for member, named in (("zone_id", route.zone_id), ("zone_name", route.zone_name)):
        if named:
            try:
                return find_zone(api, named)
            except UsageError as error:
                raise UsageError(f"{route.key}.{member}" if route.key else member, named, error.expected) from None
    host = parse_pattern(route.pattern).host.removeprefix(".")
    labels = host.split(".")
    for at in range(len(labels) - 1):
        what = f"find the zone of {host}"
        found = as_objects(api.get("/zones", what=what, query={"name": ".".join(labels[at:])}), what=what)
        if found:
            return zone_of(found[0], what=what)
    raise UsageError(
        route.key or "routes",
        route.pattern,
        "a pattern of a zone that this token may see, or zone_name, which names it",
    )
