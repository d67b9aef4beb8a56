"""DNS records as targets: one for each host name, whatever number of records it has.

Law 1: a host name has addresses or one alias, never both (RFC 1034 §3.6.2).
Law 2: one proxied record makes its whole name proxied, as with Cloudflare ("Proxy status").
Law 3: a target that has not changed is taken over from the zone's last version, with the origins made of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from holdfast.edge.compile_error import CompileError
from holdfast.edge.zone import Target
from holdfast.model.hostname import is_within, parse_hostname
from holdfast.model.origin_address import Address, is_nowhere, parse_address
from holdfast.model.zone_document import CATCH_ALL, RecordDocument

# Addresses that one name is spread over. Precedent: BIND answers with at most what fits 64 KiB; nobody means more.
MAX_ADDRESSES = 64


def targets_of(
    zone: str, records: Iterable[RecordDocument], *, before: Mapping[str, Target] | None = None
) -> dict[str, Target]:
    """The targets of a zone's records by host name. `before` are those of its last version. Raises CompileError."""
    by_name: dict[str, list[RecordDocument]] = {}
    for record in records:
        by_name.setdefault(record.name, []).append(record)
    targets = {name: _target(zone, name, group) for name, group in by_name.items()}
    for name, old in (before or {}).items():
        new = targets.get(name)
        if new is not None and new.is_same_as(old):
            targets[name] = old
    return targets


def target_at(zone: str, field: str, place: str) -> Target:
    """The target that is a name or an address by itself. Raises CompileError."""
    address = parse_address(place)
    if address is not None:
        return Target(name=place, addresses=(str(address),), is_prohibited=is_nowhere(address))
    return Target(name=place, alias=_hostname(zone, field, place))


def _target(zone: str, name: str, records: list[RecordDocument]) -> Target:
    _check_name(zone, name)
    field = f"records[{name}].content"
    is_proxied = any(record.proxied for record in records)
    aliases = [record for record in records if record.type == "CNAME"]
    if not aliases:
        return _target_of_addresses(zone, name, records, is_proxied=is_proxied)
    if len(records) > 1:
        raise CompileError(zone, field, aliases[0].content, "one CNAME and nothing beside it")
    alias = aliases[0].content
    if parse_address(alias) is not None:
        raise CompileError(zone, field, alias, "a host name, as the record is a CNAME")
    return Target(name=name, alias=_hostname(zone, field, alias), is_proxied=is_proxied)


def _target_of_addresses(zone: str, name: str, records: list[RecordDocument], *, is_proxied: bool) -> Target:
    field = f"records[{name}].content"
    addresses = [_typed_address(zone, field, record) for record in records]
    if len(addresses) > MAX_ADDRESSES:
        raise CompileError(zone, field, f"{len(addresses)} addresses", f"at most {MAX_ADDRESSES} addresses")
    return Target(
        name=name,
        addresses=tuple(dict.fromkeys(str(address) for address in addresses)),
        is_proxied=is_proxied,
        is_prohibited=any(is_nowhere(address) for address in addresses),
    )


def _check_name(zone: str, name: str) -> None:
    field = f"records[{name[:80]}].name"
    if zone == CATCH_ALL and name == CATCH_ALL:
        return
    try:
        is_well_spelled = parse_hostname(name, wildcard=True, single_label=True) == name
    except ValueError:
        is_well_spelled = False
    if not is_well_spelled:
        raise CompileError(zone, field, name, "a host name in lower case")
    if zone != CATCH_ALL and not is_within(name.removeprefix("*."), zone):
        raise CompileError(zone, field, name, f"a name within {zone}")


def _hostname(zone: str, field: str, name: str) -> str:
    try:
        return parse_hostname(name, single_label=True)
    except ValueError:
        raise CompileError(zone, field, name, "a host name or an IP address") from None


def _typed_address(zone: str, field: str, record: RecordDocument) -> Address:
    address = parse_address(record.content)
    if address is None or address.version != (4 if record.type == "A" else 6):
        expected = "an IPv4 address" if record.type == "A" else "an IPv6 address"
        raise CompileError(zone, field, record.content, f"{expected}, as the record is {record.type}")
    return address
