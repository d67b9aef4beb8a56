"""What an edge would do with a request, told in control's process from what is published (`control.tracing.Tracer`).

Law 1: documents become what an edge has of them by the edge's own compilers, and requests are traced by its own phases.
Law 2: of the zones, the one that is asked about is compiled, and those that its aliases lead into.
Law 3: places are looked up where this process can read the same database of addresses as the edge; rate limits are looked up in
a private view of the edge's counters, so that nothing is counted.
"""

from __future__ import annotations

import mmap
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from holdfast.control.tracing import Published
from holdfast.edge.compile import compile_zone
from holdfast.edge.features import url_form_of
from holdfast.edge.firewall.account import compile_account
from holdfast.edge.firewall.counters_file import counters_file
from holdfast.edge.rule_sources import CompiledList, compile_list
from holdfast.edge.snapshot import Snapshot, empty_snapshot
from holdfast.edge.trace import trace_request
from holdfast.edge.zone import CompiledZone
from holdfast.errors import SetupError
from holdfast.limits.counters import RateCounters
from holdfast.model.request_text import GivenRequest
from holdfast.model.request_trace import Trace
from holdfast.model.zone_document import ZoneDocument, ZoneSettings
from holdfast.rules.context import NOWHERE, Facts, Place
from holdfast.sealing import SealingKey

if TYPE_CHECKING:
    from holdfast.edge.geoip import GeoIp

Log = Callable[[str, Mapping[str, str | int]], None]

# Zones that aliases are followed into. The edge follows more; who has more has a loop.
MAX_ZONES = 16


class PublishedTraces:
    """`Tracer` over the edge's code. `data_dir` is where the edge of this machine keeps its counters."""

    def __init__(
        self,
        *,
        key: SealingKey | None,
        data_dir: Path,
        geoip_database: Path | None,
        log: Log,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._key, self._data_dir, self._geoip_database = key, data_dir, geoip_database
        self._log, self._clock = log, clock
        self._geoip: GeoIp | None = None
        self._opening = threading.Lock()

    def traces(
        self, published: Published, zone_id: str, requests: Sequence[GivenRequest], *, until: Callable[[], bool]
    ) -> list[Trace] | None:
        """What becomes of each request, as far as there is time; None for a zone that is not published."""
        snapshot = self._snapshot(published, zone_id)
        if snapshot is None:
            return None
        counters = _private_counters(counters_file(self._data_dir))
        found: list[Trace] = []
        for given in requests:
            if found and until():
                break
            place_of = _always(self._place(given))
            found.append(
                trace_request(given.request, snapshot, now=self._clock(), place_of=place_of, counters=counters)
            )
        return found

    def facts(self, published: Published, zone_id: str, given: GivenRequest) -> Facts:
        """What is known beside a request of a zone."""
        zone = _zone_in(published, zone_id)
        account_id = "" if zone is None else zone.account_id
        return Facts(
            zone_name="" if zone is None else zone.name,
            zone_plan="" if zone is None else compile_zone(_bare(zone), key=self._key).plan,
            now_ms=int(self._clock() * 1000),
            place=self._place(given),
            lists={one.name: one.items for one in _lists(published, account_id)},
            url_form=url_form_of(ZoneSettings() if zone is None else zone.settings),
        )

    def _place(self, given: GivenRequest) -> Place:
        """What is said of the place counts; else the address is looked up."""
        if given.country or given.asn:
            return Place(country=given.country or None, asn=given.asn or None)
        geoip = self._places()
        return NOWHERE if geoip is None else geoip.place_of(given.request.client_ip)

    def _places(self) -> GeoIp | None:
        if self._geoip_database is None:
            return None
        # Opened by the first who asks: it is read into memory, and most never ask.
        from holdfast.edge.geoip import GeoIp  # noqa: PLC0415

        with self._opening:
            try:
                self._geoip = self._geoip or GeoIp.open(self._geoip_database, log=self._log)
            except SetupError as error:
                self._log("geoip_warning", {"reason": str(error)})
                return None
            self._geoip.poll()
            return self._geoip

    def _snapshot(self, published: Published, zone_id: str) -> Snapshot | None:
        zone = _zone_in(published, zone_id)
        if zone is None:
            return None
        zones = [self._compiled(one) for one in _with_aliases(zone, published.documents.zones)]
        accounts: dict[str, Any] = {}
        for document in published.documents.accounts:
            if document.id == zone.account_id:
                known = published.compiled["account"].get(document.id)
                accounts[document.id] = known if known is not None else compile_account(document)
        snapshot = empty_snapshot(instance=secrets.token_hex(8)).with_changes(zones)
        # The managed ones are compiled already, those that come with the edge too.
        return snapshot.with_sources(
            accounts=accounts, lists=_lists(published, zone.account_id), managed=published.managed
        )

    def _compiled(self, zone: ZoneDocument) -> CompiledZone:
        # Of certificates, no rule knows anything.
        return compile_zone(msgspec.structs.replace(zone, certificates=()), key=self._key)


def _always(place: Place) -> Callable[[str], Place]:
    return lambda _: place


def _bare(zone: ZoneDocument) -> ZoneDocument:
    """The zone without all that takes time to compile."""
    return ZoneDocument(
        id=zone.id, name=zone.name, version=zone.version, account_id=zone.account_id, plan=zone.plan, paused=zone.paused
    )


def _zone_in(published: Published, zone_id: str) -> ZoneDocument | None:
    return next((one for one in published.documents.zones if one.id == zone_id), None)


def _with_aliases(zone: ZoneDocument, zones: Sequence[ZoneDocument]) -> list[ZoneDocument]:
    """The zone, and those whose names its aliases, and theirs, end in."""
    by_name = {one.name: one for one in zones}
    found, waiting = {zone.id: zone}, [zone]
    while waiting and len(found) < MAX_ZONES:
        for record in waiting.pop().records:
            owner = _owner_of(record.content, by_name) if record.type == "CNAME" else None
            if owner is not None and owner.id not in found:
                found[owner.id] = owner
                waiting.append(owner)
    return list(found.values())


def _owner_of(host: str, by_name: Mapping[str, ZoneDocument]) -> ZoneDocument | None:
    suffix = host
    while suffix:
        if (zone := by_name.get(suffix)) is not None:
            return zone
        suffix = suffix.partition(".")[2]
    return None


def _lists(published: Published, account_id: str) -> list[CompiledList]:
    known = published.compiled["list"]
    return [
        found if (found := known.get(one.id)) is not None else compile_list(one)
        for one in published.documents.lists
        if one.account_id == account_id
    ]


def _private_counters(file: Path) -> RateCounters | None:
    """The edge's counters as they are now, in pages that are ours as soon as they are written to; None where there are none."""
    try:
        with file.open("rb") as opened:
            memory = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_COPY)
        return RateCounters(memory, secret=secrets.token_bytes(32))
    except (OSError, ValueError):
        return None
