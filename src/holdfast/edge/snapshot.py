"""All that `decide` knows, in one immutable value.

Law 1: a snapshot never changes. News is a new snapshot, published as a whole (`policy.Policy`).
Law 2: whatever can fail, fails here, when a snapshot is compiled, and not while a request waits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from holdfast.edge.headers import loop_member
from holdfast.model.origin_url import OriginUrl

if TYPE_CHECKING:
    from holdfast._native import Origin

# The zone for every host name that has none of its own.
CATCH_ALL = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """One host name, or `CATCH_ALL`, and the origin its requests go to."""

    name: str
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """`zones` by host name (lower case, as `Request.host`), and this instance's member of `CDN-Loop`."""

    zones: Mapping[str, Zone]
    loop_member: str

    def zone_of(self, host: str) -> Zone | None:
        """The zone that answers for `host`: its own, else the catch-all, else none."""
        return self.zones.get(host) or self.zones.get(CATCH_ALL)


def compile_snapshot(
    origin_url: OriginUrl, *, instance: str, verify_origin: bool = True, origin_ca_pem: bytes | None = None
) -> Snapshot:
    """One catch-all zone in front of `origin_url`.

    `instance` names this edge in `CDN-Loop`; it must differ between edges and be the same in all threads of one.
    Raises ValueError, with a sentence, where the core cannot use the origin (say, no certificate in `origin_ca_pem`).
    """
    # Loaded here and not with this module: the values above, and all phases, do without the core.
    from holdfast._native import Origin  # noqa: PLC0415

    origin = Origin(
        label=str(origin_url),
        scheme=origin_url.scheme,
        host=origin_url.host,
        port=origin_url.port,
        unix_path=origin_url.unix_path,
        base_path=origin_url.base_path,
        verify=verify_origin,
        ca_pem=origin_ca_pem,
    )
    return snapshot_of([Zone(name=CATCH_ALL, origin=origin)], instance=instance)


def snapshot_of(zones: list[Zone], *, instance: str) -> Snapshot:
    """A snapshot of `zones`, by their names."""
    return Snapshot(zones=MappingProxyType({zone.name: zone for zone in zones}), loop_member=loop_member(instance))
