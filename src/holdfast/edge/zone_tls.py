"""What the edge shows and demands in handshakes, of all zones together.

Law 1: a zone speaks for its own names. What it says of a name that a zone below it has is left out, and that zone gets
the edge's defaults where a wildcard of the upper one would reach it.
Law 2: of two certificates for one name, the edge's own goes first, then the zone's whose name is longer.
Law 3: TLS is worth touching only where something here has changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from holdfast.edge.snapshot import Snapshot
from holdfast.edge.zone import CompiledZone, TlsSettings

if TYPE_CHECKING:
    from holdfast._native import Certificate, TlsRule


def certificates_shown(own: Sequence[Certificate], snapshot: Snapshot) -> list[Certificate]:
    """The edge's own certificates, the first for clients whose name fits none, and those of all zones."""
    return [*own, *(one.native for zone in _deepest_first(snapshot) for one in zone.certificates)]


def tls_demanded(snapshot: Snapshot) -> list[TlsSettings]:
    """What is demanded in handshakes, by names. Names that are not here get all that the edge has."""
    if not any(zone.tls is not None for zone in snapshot.zones.values()):
        return []
    return [tls for zone in _deepest_first(snapshot) if (tls := _demanded_for(zone, snapshot)) is not None]


def tls_rules(snapshot: Snapshot) -> list[TlsRule]:
    """The same in the core's hands. Raises ValueError, which compiling has ruled out."""
    # Loaded here and not with this module: zones are compared without the core.
    from holdfast._native import TlsRule  # noqa: PLC0415

    return [
        TlsRule(
            names=tls.names,
            min_version=tls.min_version,
            max_version=tls.max_version,
            ciphers=tls.ciphers,
            http2=tls.http2,
        )
        for tls in tls_demanded(snapshot)
    ]


def has_other_tls(before: Iterable[CompiledZone], after: Iterable[CompiledZone], snapshot: Snapshot) -> bool:
    """Whether TLS changes where zones `before` are followed by `after`, which makes `snapshot`."""
    old, new = list(before), list(after)
    if _tls_of(old) != _tls_of(new):
        return True
    # A zone may take names from another, or give them back, by being there.
    names_differ = {zone.name for zone in old} != {zone.name for zone in new}
    return names_differ and any(zone.tls is not None for zone in snapshot.zones.values())


def _demanded_for(zone: CompiledZone, snapshot: Snapshot) -> TlsSettings | None:
    if zone.tls is not None:
        names = tuple(name for name in zone.tls.names if snapshot.own_zone_of(name.removeprefix("*.")) is zone)
        return msgspec.structs.replace(zone.tls, names=names)
    if any(upper.tls is not None for upper in _zones_above(zone, snapshot)):
        return TlsSettings((zone.name,), "1.2", "1.3", ())
    return None


def _zones_above(zone: CompiledZone, snapshot: Snapshot) -> Iterator[CompiledZone]:
    upper = snapshot.own_zone_of(zone.name.partition(".")[2])
    while upper is not None:
        yield upper
        upper = snapshot.own_zone_of(upper.name.partition(".")[2])


def _deepest_first(snapshot: Snapshot) -> list[CompiledZone]:
    return sorted(snapshot.zones.values(), key=lambda zone: -zone.name.count("."))


def _tls_of(zones: Iterable[CompiledZone]) -> list[object]:
    """All that TLS is made of, to compare."""
    return [
        (zone.name, zone.tls, [one.digest for one in zone.certificates])
        for zone in zones
        if zone.tls is not None or zone.certificates
    ]
