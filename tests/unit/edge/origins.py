"""A stand-in for the core's handle: what decides only passes it on."""

from typing import TYPE_CHECKING, cast

from holdfast.edge.snapshot import CATCH_ALL, Snapshot, Zone, snapshot_of

if TYPE_CHECKING:
    from holdfast._native import Origin


class FakeOrigin:
    """An origin that cannot be dialled."""

    label = "http://origin.test"


ORIGIN = cast("Origin", FakeOrigin())


def a_snapshot(*names: str, instance: str = "00ff") -> Snapshot:
    """A snapshot with a zone of each name, by default the catch-all, all in front of ORIGIN."""
    return snapshot_of([Zone(name=name, origin=ORIGIN) for name in names or (CATCH_ALL,)], instance=instance)
