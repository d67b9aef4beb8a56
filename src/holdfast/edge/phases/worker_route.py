"""Send what a Worker stands in front of to its script's process, after everything that may refuse it.

The process is an origin like others, but for what it is told (`Holdfast-Context`) and what the core believes of it (a session, a
WebSocket passed on). `CDN-Loop` gets no member of ours: the request has not left this machine, and may go on from there.

Law: which script it is, and what that sees as the path, is decided by the spelling that the zone's rules see. A Worker that guards
`/admin` cannot be passed by as `/x/../admin`, neither by its route nor by what it compares: its `fetch` takes dots out of a path.
"""

from __future__ import annotations

from holdfast.edge.answers import refuse
from holdfast.edge.decision import Decision, Forward
from holdfast.edge.headers import origin_headers
from holdfast.edge.view import View
from holdfast.edge.worker_scripts import Script
from holdfast.edge.zone_headers import zone_headers
from holdfast.model.request import Request
from holdfast.model.worker_egress import CONTEXT_FIELD, MAX_DEPTH, PATH_FIELD, RequestContext, field_of
from holdfast.rules.context import NOWHERE

_USUAL_PORTS = {"http": 80, "https": 443}


def worker_route(request: Request, view: View) -> Decision | None:
    """A request that a route or a custom domain gives to a script goes to its process."""
    script = script_of(request, view)
    return None if script is None else to_script(request, view, script)


def to_script(request: Request, view: View, script: Script) -> Decision:
    """`request` goes to the process of `script`, unless too many Workers led here."""
    if view.depth >= MAX_DEPTH:
        reason = f"{MAX_DEPTH} Workers led here one after the other, by requests of their own."
        return refuse(request, status=508, code=1019, reason=reason, now=view.now)
    if view.snapshot.processes is None:
        return refuse(request, status=500, code=1101, reason="This edge runs no Workers.", now=view.now)
    zone, features = view.zone, view.zone.features
    set_headers, remove_headers = origin_headers(request, "")
    is_stripped = request.is_upgrade and features.strips_upgrades
    is_to_open = request.is_upgrade and not is_stripped
    origin, worker = view.snapshot.processes.of(script)
    context = (CONTEXT_FIELD, field_of(_context(request, view, script)))
    return Forward(
        origin,
        (*set_headers, *zone_headers(request, view), context, *_other_path(request, view)),
        remove_headers,
        zone.id,
        "",
        is_stripped,
        features.response_headers if request.scheme == "https" else (),
        (),
        features.tunnel.options() if is_to_open and features.tunnel is not None else None,
        worker,
    )


def script_of(request: Request, view: View) -> Script | None:
    """The script that `request` goes to; None where no Worker stands in front of its origin."""
    workers = view.zone.workers
    if workers is None:
        return None
    path = _path(request, view)
    target = f"{path}?{request.query}" if request.query else path
    return workers.script_of(request.scheme, request.host, target)


def named_port(request: Request, scheme: str) -> int:
    """The port of the authority that is asked for. Raises ValueError."""
    authority = next(iter(request.header_values("Host")), "")
    _, colon, digits = authority.rpartition("]")[2].rpartition(":")
    if not colon or not digits:
        return _USUAL_PORTS[scheme]
    if not (digits.isdecimal() and digits.isascii() and 1 <= int(digits[:6]) <= 65_535):
        raise ValueError(f"expected a port from 1 to 65535, got {digits[:8]!r}")
    return int(digits)


def _path(request: Request, view: View) -> str:
    """The path as the zone's rules see it. That of `OPTIONS *` is "/": no Worker can be asked for another."""
    # Loaded with the first Worker: most edges have none.
    from holdfast.rules.url_normalization import normalized_path  # noqa: PLC0415

    return "/" if request.path == "*" else normalized_path(request.path, view.zone.features.url_form)


def _other_path(request: Request, view: View) -> tuple[tuple[str, str], ...]:
    """What the process is told of the path, where that is not the one that was sent."""
    if view.zone.features.url_form == "none":
        return ()
    path = _path(request, view)
    return () if path == request.path else ((PATH_FIELD, path),)


def _context(request: Request, view: View, script: Script) -> RequestContext:
    return RequestContext(
        ray=request.ray,
        script=script.key,
        zone=view.zone.id,
        scheme="https" if request.scheme == "https" else "http",
        host=request.host,
        port=_named_port_if_any(request),
        client_ip=request.client_ip,
        tls_version="" if request.tls is None else request.tls.version,
        depth=view.depth,
        cf=_cf(request, view),
    )


def _named_port_if_any(request: Request) -> int:
    try:
        return named_port(request, request.scheme)
    except ValueError:  # the client's own: nothing is to be found there
        return 0


def _cf(request: Request, view: View) -> dict[str, str | int]:
    """What `request.cf` says, as far as it is known here (Cloudflare, "IncomingRequestCfProperties")."""
    found: dict[str, str | int] = {"httpProtocol": request.version, "colo": request.ray.rpartition("-")[2]}
    if request.tls is not None:
        found |= {"tlsVersion": request.tls.version, "tlsCipher": request.tls.cipher}
    place = NOWHERE if view.place_of is None else view.place_of(request.client_ip)
    known = {"country": place.country, "continent": place.continent, "city": place.city, "asn": place.asn}
    return found | {name: value for name, value in known.items() if value}
