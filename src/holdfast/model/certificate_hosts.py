"""Which hosts of a zone a certificate is for.

Law: a certificate in one zone is never shown for a host of another, whatever names it holds.
"""

from __future__ import annotations

from collections.abc import Iterable

from holdfast.model.hostname import is_within


def hosts_within(hosts: Iterable[str], zone: str) -> tuple[str, ...]:
    """Those of `hosts` that are within `zone`, each once. A wildcard one label above the zone's name is for the zone's
    own name alone (RFC 9525 §6.3: "*" stands for one label)."""
    found: dict[str, None] = {}
    for host in hosts:
        if is_within(host, zone):
            found[host] = None
        elif host.startswith("*.") and zone.partition(".")[2] == host.removeprefix("*."):
            found[zone] = None
    return tuple(found)
