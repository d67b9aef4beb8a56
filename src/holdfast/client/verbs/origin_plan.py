"""What `--origin URL` means for a new zone: its records, its origin rule, its `ssl` setting. Pure.

Law 1: a plan is data, the bodies of the API's calls; nothing is asked.
Law 2: what a zone cannot say (a base path, a Unix socket, an origin inside the zone itself) is refused, never left out.
"""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.client.api.answer import JsonObject
from holdfast.errors import UsageError
from holdfast.model.dns_record import AUTOMATIC_TTL
from holdfast.model.origin_address import parse_address
from holdfast.model.origin_url import OriginUrl

_FIELD = "--origin"


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginPlan:
    """The bodies to send: one of POST dns_records each, the rules of the phase http_request_origin, the value of `ssl`."""

    records: tuple[JsonObject, ...]
    rules: tuple[JsonObject, ...]
    ssl: str


def origin_plan(
    name: str,
    origin: OriginUrl,
    *,
    is_insecure: bool = False,
    has_wildcard: bool = True,
    host_header: str | None = None,
) -> OriginPlan:
    """How the zone `name` reaches `origin`. `host_header`: the Host the origin sees instead of the client's.

    Raises UsageError for an origin that no record and rule can describe.
    """
    _check(name, origin, is_insecure=is_insecure)
    kind, content = _target(origin.host)
    names = [name, *([f"*.{name}"] if has_wildcard else [])]
    return OriginPlan(
        records=tuple(
            {"type": kind, "name": one, "content": content, "proxied": True, "ttl": AUTOMATIC_TTL} for one in names
        ),
        rules=(
            {
                "action": "route",
                "expression": "true",
                "description": f"origin {origin}",
                "enabled": True,
                "action_parameters": _route(origin, host_header),
            },
        ),
        ssl="flexible" if origin.scheme == "http" else "full" if is_insecure else "strict",
    )


def _check(name: str, origin: OriginUrl, *, is_insecure: bool) -> None:
    if origin.unix_path is not None:
        raise UsageError(_FIELD, str(origin), "http:// or https:// (a record cannot name a Unix socket)")
    if origin.base_path:
        raise UsageError(_FIELD, str(origin), "a URL without a path (a record names a host)")
    if origin.host == name or origin.host.endswith(f".{name}"):
        raise UsageError(_FIELD, str(origin), f"a host outside the zone {name}: inside it, the edge would ask itself")
    if is_insecure and origin.scheme == "http":
        raise UsageError("--insecure", "--insecure", f"an https origin, since {origin} has no certificate to take")


def _target(host: str) -> tuple[str, str]:
    """The type and content of the record that points to a host."""
    if host == "localhost":
        # RFC 6761 §6.3: a name that no resolver is asked for.
        return "A", "127.0.0.1"
    address = parse_address(host)
    if address is None:
        return "CNAME", host.removesuffix(".")
    return ("A" if address.version == 4 else "AAAA"), str(address)


def _route(origin: OriginUrl, host_header: str | None) -> JsonObject:
    # The port always: without a rule it is the one the client came to, which is the edge's affair.
    parameters: dict[str, object] = {"origin": {"port": origin.port}}
    if host_header is not None:
        parameters["host_header"] = host_header
    if origin.scheme == "https" and _target(origin.host)[0] == "CNAME":
        # Its certificate is for its own name, not for the zone's: that is the name to ask for, and to verify.
        parameters["sni"] = {"value": origin.host.removesuffix(".")}
    return parameters
