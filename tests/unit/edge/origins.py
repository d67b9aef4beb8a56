"""Zones to decide by, and a stand-in for the core's handle: what decides only passes it on."""

from typing import TYPE_CHECKING, Any, cast

from holdfast.edge.compile import compile_zone
from holdfast.edge.ports import Ports
from holdfast.edge.snapshot import Snapshot, catch_all_of, empty_snapshot
from holdfast.edge.zone import CompiledZone, Target
from holdfast.model.zone_document import CATCH_ALL, RecordDocument, ZoneDocument, ZoneSettings

if TYPE_CHECKING:
    from holdfast._native import Origin


class FakeOrigin:
    """An origin that cannot be dialled."""

    label = "http://origin.test"


ORIGIN = cast("Origin", FakeOrigin())
PORTS = Ports(plain=(80, 8080), tls=(443, 8443))


def a_record(name: str, content: str = "192.0.2.1", *, proxied: bool = True) -> RecordDocument:
    """A record of the type that `content` has."""
    kind: Any = "AAAA" if ":" in content else "A" if content.replace(".", "").isdigit() else "CNAME"
    return RecordDocument(name=name, type=kind, content=content, proxied=proxied)


def zone_id(name: str) -> str:
    """An id for each name."""
    return f"{int.from_bytes(name.encode()[-15:]):032x}"


def a_document(name: str = "example.com", *records: RecordDocument, **fields: Any) -> ZoneDocument:
    """A zone with these records, by default one of its own name; `fields` are the document's, or settings."""
    settings = {key: fields.pop(key) for key in list(fields) if key in ZoneSettings.__struct_fields__}
    if not records and name != CATCH_ALL:
        records = (a_record(name), a_record(f"*.{name}"))
    fields.setdefault("id", zone_id(name))
    return ZoneDocument(name=name, records=records, settings=ZoneSettings(**settings), **fields)


def a_zone(name: str = "example.com", *records: RecordDocument, **fields: Any) -> CompiledZone:
    """The same, compiled."""
    return compile_zone(a_document(name, *records, **fields), key=None)


def snapshot_of(*zones: CompiledZone, instance: str = "00ff", ports: Ports = PORTS) -> Snapshot:
    """A snapshot of these zones."""
    return empty_snapshot(instance=instance, ports=ports).with_changes(zones)


def a_snapshot(*names: str, instance: str = "00ff") -> Snapshot:
    """A snapshot with a zone of each name; by default the catch-all in front of ORIGIN."""
    catch_all = catch_all_of(Target(name=CATCH_ALL, ready=ORIGIN))
    return snapshot_of(*(a_zone(name) for name in names) if names else (catch_all,), instance=instance)
