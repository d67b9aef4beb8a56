"""Origin rules (`http_request_origin`, action `route`): checked when a zone is compiled, read when a request is forwarded.

Law 1: every rule that matches applies, in order; what a later one says stands.
Law 2: an expression that does not compile keeps its zone from compiling. It never fails while a request waits.

Source: Cloudflare, "Origin Rules": a Host header override is the server name too, unless the rule names another.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from holdfast.edge.compile_error import CompileError
from holdfast.edge.records import target_at
from holdfast.edge.zone import OriginRule
from holdfast.model.hostname import parse_hostname
from holdfast.model.zone_document import OriginRuleDocument
from holdfast.rules.errors import ParseError

# Fields that are looked up by the client's address, and their older names.

_HOST_AND_PORT = re.compile(r"([^:]+)(?::([0-9]{1,5}))?")


def origin_rules_of(zone: str, documents: Iterable[OriginRuleDocument]) -> tuple[OriginRule, ...]:
    """The rules that are enabled, in order. Raises CompileError, also for one that is not enabled."""
    compiled = [(document.enabled, _rule(zone, document)) for document in documents]
    return tuple(rule for enabled, rule in compiled if enabled)


def _rule(zone: str, document: OriginRuleDocument) -> OriginRule:
    # Loaded with the first rule: most zones have none.
    from holdfast.rules.known import KNOWN  # noqa: PLC0415

    field = f"origin_rules[{document.id}]"
    try:
        compiled = KNOWN.compiled(document.expression)
    except ParseError as error:
        expected = f"an expression ({error.sentence})"
        raise CompileError(zone, f"{field}.expression", document.expression, expected) from None
    host_header, host = _host_header(zone, f"{field}.host_header", document.host_header)
    place = document.origin_host
    return OriginRule(
        matches=compiled.matches,
        target=None if place is None else target_at(zone, f"{field}.origin_host", place),
        port=_port(zone, f"{field}.origin_port", document.origin_port),
        host_header=host_header,
        server_name=_name(zone, f"{field}.sni", document.sni) if document.sni is not None else host,
    )


def _host_header(zone: str, field: str, value: str | None) -> tuple[str, str]:
    """The field's value, and the host in it; both "" where there is none."""
    if value is None:
        return "", ""
    match = _HOST_AND_PORT.fullmatch(value)
    if match is None or (match[2] and not 1 <= int(match[2]) <= 65535):
        raise CompileError(zone, field, value, "a host name, or a host name and a port")
    return value, _name(zone, field, match[1])


def _name(zone: str, field: str, value: str) -> str:
    try:
        return parse_hostname(value, single_label=True)
    except ValueError:
        raise CompileError(zone, field, value, "a host name") from None


def _port(zone: str, field: str, value: int | None) -> int:
    if value is None:
        return 0
    if not 1 <= value <= 65535:
        raise CompileError(zone, field, value, "a port from 1 to 65535")
    return value
