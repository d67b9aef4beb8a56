"""The phases this edge runs rules of, and what a rule of each may do. A table: a phase more is an entry more.

Law: what an action's parser returns is what the edge acts on, in the API's shape and nothing besides; whatever JSON came,
it returns that or raises RuleError.

Source: Cloudflare, "Phases list" and "Origin Rules".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from holdfast.model.hostname import parse_hostname
from holdfast.model.origin_address import is_nowhere, parse_address
from holdfast.model.ruleset import INVALID_VALUE, RuleError, not_valid

ParseParameters = Callable[[Mapping[str, Any]], dict[str, Any]]

ORIGIN = "http_request_origin"
_HOST_AND_PORT = re.compile(r"([^:]+)(?::([0-9]{1,5}))?")
_MAX_PORT = 65_535


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase. `actions` maps what a rule of it may do to the parser of its parameters."""

    name: str
    actions: Mapping[str, ParseParameters]


def parse_route(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of `route`: at least one of host_header, origin (host, port) and sni. Raises RuleError."""
    route: dict[str, Any] = {}
    if (host_header := parameters.get("host_header")) is not None:
        route["host_header"] = _host_header(host_header)
    origin = _members(parameters, "origin")
    where: dict[str, Any] = {}
    if origin.get("host") is not None:
        where["host"] = _origin_host(origin["host"])
    if origin.get("port") is not None:
        where["port"] = _port(origin["port"], "origin.port")
    if where:
        route["origin"] = where
    sni = _members(parameters, "sni")
    if sni.get("value") is not None:
        route["sni"] = {"value": _hostname(sni["value"], "sni.value")}
    if not route:
        raise RuleError(
            INVALID_VALUE, "route needs at least one of host_header, origin.host, origin.port and sni.value"
        )
    return route


PHASES: Mapping[str, Phase] = {phase.name: phase for phase in (Phase(ORIGIN, {"route": parse_route}),)}


def phase_of(name: str) -> Phase:
    """The phase with this name. Raises RuleError."""
    phase = PHASES.get(name)
    if phase is None:
        known = ", ".join(PHASES)
        raise not_valid(name[:80], "phase", f"this edge runs no rules of the phase {name[:80]}: it runs {known}")
    return phase


def parse_action(phase: Phase, action: str, parameters: Mapping[str, Any] | None) -> dict[str, Any]:
    """The parameters of `action` in a rule of `phase`. Raises RuleError."""
    parse = phase.actions.get(action)
    if parse is None:
        reason = (
            f"it is not possible to use the {action[:80]} action in a ruleset with phase {phase.name} and kind zone"
        )
        raise not_valid(action[:80], "action", f"{reason}: expected {' or '.join(phase.actions)}")
    try:
        return parse(parameters or {})
    except RuleError as error:
        raise error.below("/action_parameters") from None


def _members(parameters: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = parameters.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise not_valid(_shown(value), name, "it is no object")
    return value


def _host_header(value: Any) -> str:  # noqa: ANN401  JSON
    match = _HOST_AND_PORT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise not_valid(_shown(value), "host_header", "it is no host name, or host name and port")
    host = _hostname(match[1], "host_header")
    if match[2] is None:
        return host
    return f"{host}:{_port(int(match[2]), 'host_header')}"


def _origin_host(value: Any) -> str:  # noqa: ANN401  JSON
    address = parse_address(value) if isinstance(value, str) else None
    if address is None:
        return _hostname(value, "origin.host")
    if is_nowhere(address):
        raise not_valid(_shown(value), "origin.host", "no origin can be at that address")
    return str(address)


def _hostname(value: Any, field: str) -> str:  # noqa: ANN401  JSON
    try:
        if isinstance(value, str):
            return parse_hostname(value, single_label=True)
    except ValueError:
        pass
    raise not_valid(_shown(value), field, "it is no host name")


def _port(value: Any, field: str) -> int:  # noqa: ANN401  JSON
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _MAX_PORT:
        return value
    raise not_valid(_shown(value), field, f"it is no port from 1 to {_MAX_PORT}")


def _shown(value: Any) -> str:  # noqa: ANN401  JSON
    """`value` as a message can hold it: short, and without what is no Unicode."""
    text = value if isinstance(value, str) else repr(value)
    return text[:80].encode("utf-8", "backslashreplace").decode()
