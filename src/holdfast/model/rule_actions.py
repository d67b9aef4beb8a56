"""What rules may do, and the parameters of it. Pure.

Law 1: what a parser returns is what an edge acts on, in the API's shape and nothing besides; whatever JSON came, it returns
that or raises RuleError, which points into the parameters.
Law 2: what an edge cannot do is refused by name: it must not look as if it worked.
Law 3: whether the ids that are named are of something is not known here; `api.rule_references` looks.

Source: Cloudflare, "Origin Rules", "Create a custom rule", "Skip options", "Work with managed rulesets".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from holdfast.model.hostname import parse_hostname
from holdfast.model.origin_address import is_nowhere, parse_address
from holdfast.model.rule_error import INVALID_VALUE, MISSING, RuleError, not_valid, shown

ParseParameters = Callable[[Mapping[str, Any]], dict[str, Any]]

CONTENT_TYPES = ("application/json", "text/html", "text/plain", "text/xml")
# The original's documented size of a custom answer, in bytes.
MAX_CONTENT_BYTES = 30 * 1024
SKIPPED_PHASES = ("http_ratelimit", "http_request_firewall_managed", "http_request_sbfm")
SKIPPED_PRODUCTS = ("bic", "hot", "rateLimit", "securityLevel", "uaBlock", "waf", "zoneLockdown")
# Ids that one skip rule may name: of all managed rules there are, and more.
MAX_SKIPPED_IDS = 2_000
_HOST_AND_PORT = re.compile(r"([^:]+)(?::([0-9]{1,5}))?")
_ID = re.compile(r"[0-9a-f]{32}")
_MAX_PORT = 65_535


def parse_nothing(_: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of an action that takes none, as the challenges and `log`: what is sent is not kept."""
    return {}


def parse_block(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of `block`: nothing, or a whole `response`. Raises RuleError."""
    response = _members(parameters, "response")
    if not response:
        return {}
    for name in ("status_code", "content_type", "content"):
        if response.get(name) is None:
            message = f"response.{name} is missing: status_code, content_type and content belong together"
            raise RuleError(MISSING, message, f"/response/{name}")
    status, content_type = response["status_code"], response["content_type"]
    if isinstance(status, bool) or not isinstance(status, int) or not 400 <= status <= 499:
        raise not_valid(shown(status), "response.status_code", "expected a number from 400 to 499")
    if content_type not in CONTENT_TYPES:
        raise not_valid(shown(content_type), "response.content_type", f"expected one of {', '.join(CONTENT_TYPES)}")
    return {
        "response": {
            "status_code": status,
            "content_type": content_type,
            "content": _content(response["content"]),
        }
    }


def parse_execute(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of `execute`: the `id` of a ruleset, and `overrides`, which are read elsewhere. Raises RuleError."""
    if parameters.get("id") is None:
        raise RuleError(MISSING, "id is missing: expected the id of a ruleset", "/id")
    if parameters.get("version") not in (None, "latest"):
        raise not_valid(shown(parameters["version"]), "version", "rulesets are executed in their latest version here")
    if parameters.get("matched_data") is not None:
        reason = "events say what matched to whoever may read them, and encrypt it for nobody"
        raise not_valid("object", "matched_data", reason)
    execute: dict[str, Any] = {"id": _id(parameters["id"], "id"), "version": "latest"}
    if overrides := _members(parameters, "overrides"):
        execute["overrides"] = dict(overrides)
    return execute


def skip_parser(*allowed: str) -> ParseParameters:
    """A parser of the parameters of `skip` that takes the `allowed` of its members."""

    def parse_skip(parameters: Mapping[str, Any]) -> dict[str, Any]:
        given = {name: value for name, value in parameters.items() if value is not None and name in _SKIPS}
        for name in given:
            if name not in allowed:
                reason = f"what a rule may skip here is {' or '.join(allowed)}"
                raise not_valid(name, "action_parameters", reason, pointer=f"/{name}")
        for one, other in _APART:
            if one in given and other in given:
                raise not_valid(shown(given[other]), other, f"it cannot be used together with {one}")
        if not given:
            raise RuleError(INVALID_VALUE, f"skip needs at least one of {', '.join(allowed)}")
        return {name: _SKIPS[name](value) for name, value in given.items()}

    return parse_skip


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


def _members(parameters: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = parameters.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise not_valid(shown(value), name, "it is no object")
    return value


def _content(value: object) -> str:
    field = "response.content"
    if not isinstance(value, str):
        raise not_valid(shown(value), field, "it is no text")
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise not_valid(shown(value), field, "it has half a surrogate pair") from None
    if "\0" in value:
        raise not_valid(shown(value), field, "it has a NUL")
    if size > MAX_CONTENT_BYTES:
        raise not_valid(shown(value), field, f"it has {size} bytes, {MAX_CONTENT_BYTES} are allowed")
    return value


def _id(value: object, field: str, pointer: str = "") -> str:
    if isinstance(value, str) and _ID.fullmatch(value):
        return value
    raise not_valid(shown(value), field, "it is no id: expected 32 hexadecimal digits", pointer=pointer)


# What a rule may skip.


def _current(name: str) -> Callable[[object], object]:
    def parse(value: object) -> str:
        if value != "current":
            raise not_valid(shown(value), name, "expected current")
        return "current"

    return parse


def _names(name: str, allowed: Collection[str]) -> Callable[[object], object]:
    def parse(value: object) -> list[str]:
        found: list[str] = []
        for place, one in enumerate(_list(value, name)):
            if one not in allowed:
                reason = f"expected one of {', '.join(sorted(allowed))}"
                raise not_valid(shown(one), name, reason, pointer=f"/{name}/{place}")
            if one not in found:
                found.append(one)
        return found

    return parse


def _ids(value: object, name: str, pointer: str) -> list[str]:
    found = [_id(one, name, f"{pointer}/{place}") for place, one in enumerate(_list(value, name, pointer))]
    return list(dict.fromkeys(found))


def _rules(value: object) -> dict[str, list[str]]:
    if not isinstance(value, dict) or not value:
        raise not_valid(
            shown(value), "rules", "expected an object: ids of rulesets, and of each a list of ids of rules"
        )
    if len(value) > MAX_SKIPPED_IDS:
        raise not_valid(len(value), "rules", f"it names more than {MAX_SKIPPED_IDS} rulesets")
    found = {}
    for ruleset_id, rules in value.items():
        pointer = f"/rules/{ruleset_id if _ID.fullmatch(ruleset_id) else ''}"
        found[_id(ruleset_id, "rules", pointer)] = _ids(rules, "rules", pointer)
    if sum(map(len, found.values())) > MAX_SKIPPED_IDS:
        raise not_valid(sum(map(len, found.values())), "rules", f"it names more than {MAX_SKIPPED_IDS} rules")
    return found


def _list(value: object, name: str, pointer: str = "") -> Sequence[Any]:
    if not isinstance(value, list | tuple) or not value:
        raise not_valid(shown(value), name, "expected a list with something in it", pointer=pointer)
    if len(value) > MAX_SKIPPED_IDS:
        raise not_valid(len(value), name, f"it names more than {MAX_SKIPPED_IDS}", pointer=pointer)
    return value


_SKIPS: Mapping[str, Callable[[object], object]] = {
    "ruleset": _current("ruleset"),
    "phase": _current("phase"),
    "phases": _names("phases", SKIPPED_PHASES),
    "products": _names("products", SKIPPED_PRODUCTS),
    "rulesets": lambda value: _ids(value, "rulesets", "/rulesets"),
    "rules": _rules,
}
_APART = (
    ("ruleset", "rulesets"),
    ("ruleset", "rules"),
    ("phases", "rulesets"),
    ("phase", "ruleset"),
    ("phase", "phases"),
)


# Where a request goes.


def _host_header(value: object) -> str:
    match = _HOST_AND_PORT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise not_valid(shown(value), "host_header", "it is no host name, or host name and port")
    host = _hostname(match[1], "host_header")
    if match[2] is None:
        return host
    return f"{host}:{_port(int(match[2]), 'host_header')}"


def _origin_host(value: object) -> str:
    address = parse_address(value) if isinstance(value, str) else None
    if address is None:
        return _hostname(value, "origin.host")
    if is_nowhere(address):
        raise not_valid(shown(value), "origin.host", "no origin can be at that address")
    return str(address)


def _hostname(value: object, field: str) -> str:
    try:
        if isinstance(value, str):
            return parse_hostname(value, single_label=True)
    except ValueError:
        pass
    raise not_valid(shown(value), field, "it is no host name")


def _port(value: object, field: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _MAX_PORT:
        return value
    raise not_valid(shown(value), field, f"it is no port from 1 to {_MAX_PORT}")
