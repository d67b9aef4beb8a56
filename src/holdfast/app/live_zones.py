"""The zones that control publishes, with their certificates: `holdfast run` and `holdfast edge`. Beside the static ones (`edge_zones`), for
an edge of those need not load it.

Law 1: whatever control does, or does not, it serves: from the journal, else 503 until control says more.
Law 2: of several edges on one data directory, the one that has its lock writes there. A successor takes the lock when the
edge before it retires.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.app.data_lock import DataLock
from holdfast.app.edge_zones import ports_of
from holdfast.certificates.local_zones import LocalZoneCertificates
from holdfast.certificates.pair import read_authorities
from holdfast.config.run import Config
from holdfast.edge.control_link import ControlLink
from holdfast.edge.journal import Journal
from holdfast.edge.live import LiveEdge
from holdfast.edge.policy import Policy
from holdfast.edge.recording import Recorder
from holdfast.edge.snapshot import Snapshot, empty_snapshot
from holdfast.edge.worker_processes import Processes
from holdfast.errors import CertificateError, SetupError
from holdfast.event_log import EventLog, utc_now
from holdfast.listeners import BoundAddress
from holdfast.model.data_dir import control_socket, edge_journal, tls_dir
from holdfast.model.zone_document import CATCH_ALL
from holdfast.sealing import key_when_there
from holdfast.served_certificates import ServedCertificates, native_certificates

if TYPE_CHECKING:
    from holdfast._native import Certificate, Edge
    from holdfast.edge.geoip import GeoIp
    from holdfast.limits.counters import RateCounters

# How long an edge makes the local certificates of zones before it serves, about a millisecond each; nearly always they were
# kept. The rest are made while it serves, and clients of those zones meanwhile see the edge's own.
SIGNING_LIMIT_S = 2.0
# Below the time that a successor has to become ready, in which it has more to do.
SUCCESSOR_SIGNING_LIMIT_S = 30.0


class LiveZones:
    """The zones that control publishes: `holdfast run` and `holdfast edge`."""

    def __init__(
        self,
        config: Config,
        bound: Sequence[BoundAddress],
        certificates: ServedCertificates | None,
        log: EventLog,
        lock: DataLock,
    ) -> None:
        """Serve what the journal has. Raises SetupError where a file that is named cannot be used."""
        self._config, self._log, self._lock = config, log, lock
        self._is_retired = False
        # Where the operator brought certificates, clients trust who made those, and not this machine.
        is_local = certificates is not None and not config.certificate_files
        self._local = LocalZoneCertificates(tls_dir(config.data_dir), warn=self._warn) if is_local else None
        self._own = certificates
        if config.origin_ca is not None:
            _trust_only(config.origin_ca)
        self._geoip = _geoip(config, log)
        self._recorder = Recorder(log=log.write)
        self.policy = Policy(
            # Of this process: two edges in a row may share all that they keep.
            empty_snapshot(
                instance=secrets.token_hex(8),
                ports=ports_of(bound),
                is_published=False,
                processes=Processes(config.data_dir.absolute()),
            ),
            place_of=self._geoip.place_of if self._geoip else None,
            open_counters=self._counters,
            record=self._recorder.record,
        )
        self.decide = self._recorder.deciding(self.policy.decide)
        self._live = LiveEdge(
            self.policy,
            key=key_when_there(config.data_dir, os.environ),
            log=log.write,
            own_certificates=self._own_certificates,
            journal=Journal(edge_journal(config.data_dir), log=log.write),
        )
        self._live.load()
        self._link: ControlLink | None = None

    def start(self, edge: Edge) -> None:
        """Show `edge` the zones' certificates, all of them from its first connection on."""
        self._begin_local()
        self._live.start(edge, owns_journal=self._lock.is_held)
        path = control_socket(self._config.data_dir)
        self._link = ControlLink(
            path, self._live, edge, edge_id=socket.gethostname(), log=self._log.write, recorder=self._recorder
        )

    def started(self) -> None:
        """Hear what control says, and tell it what becomes of requests."""
        self._recorder.start()
        if self._link is not None:
            self._link.start()

    def publish(self, certificates: Sequence[Certificate]) -> None:
        """Show them, beside those of the zones, to new clients."""
        self._live.refresh_tls()

    def poll(self) -> None:
        """Take up a new database of countries, zones that have no certificate yet, and what the edge before let go."""
        if self._is_retired:
            return
        if not self._lock.is_held and self._lock.try_to_take():
            self._live.take_journal()
        if self._geoip is not None:
            self._geoip.poll()
        if self._local is not None:
            self._keep_up(self._local)

    def retire(self) -> None:
        """Leave the data directory to the next, and tell control."""
        if self._is_retired:
            return
        self._is_retired = True
        self._live.end_journal()
        if self._lock.is_held:
            self._lock.let_go()
        if self._link is not None:
            self._link.retire()

    def farewell(self, *, holds_nothing: bool) -> None:
        """Tell control what has happened to WebSockets: a core that has stopped says nothing of them."""
        if self._link is not None:
            self._link.farewell(holds_nothing=holds_nothing)

    def stop(self) -> None:
        """Tell control the last, let it go, and write what is left to the journal."""
        self._recorder.stop()
        if self._link is not None:
            self._link.stop()
        self._live.stop()

    def _counters(self) -> RateCounters:
        # Loaded here and not with this module: most edges limit nothing.
        from holdfast.edge.firewall.counters_file import counters_file, open_counters  # noqa: PLC0415

        return open_counters(counters_file(self._config.data_dir), log=self._log.write)

    def _own_certificates(self) -> Sequence[Certificate]:
        """The edge's own, and those it made for zones that brought none."""
        made = self._local.pairs(zones_without_certificate(self.policy.snapshot)) if self._local else []
        return [*(self._own.native() if self._own else ()), *(native_certificates(made) if made else ())]

    def _begin_local(self) -> None:
        if self._local is None:
            return
        # While a successor signs, the edge before it serves; while one that is started again does, clients wait.
        deadline = time.monotonic() + (SIGNING_LIMIT_S if self._lock.is_held else SUCCESSOR_SIGNING_LIMIT_S)
        zones = zones_without_certificate(self.policy.snapshot)
        try:
            self._local.begin(zones, utc_now(), goes_on=lambda: time.monotonic() < deadline)
        except CertificateError as error:
            self._give_up_local(error)

    def _keep_up(self, local: LocalZoneCertificates) -> None:
        try:
            has_news = local.keep_up(zones_without_certificate(self.policy.snapshot), utc_now())
        except CertificateError as error:
            self._give_up_local(error)
            return
        if has_news:
            self._live.refresh_tls()

    def _give_up_local(self, error: CertificateError) -> None:
        self._local = None
        self._warn(f"zones get no local certificates: {error}")

    def _warn(self, reason: str) -> None:
        self._log.write("certificate_warning", {"reason": reason})


def zones_without_certificate(snapshot: Snapshot) -> list[str]:
    """The names of the zones that brought no certificate."""
    return [zone.name for zone in snapshot.zones.values() if not zone.certificates and zone.name != CATCH_ALL]


def _geoip(config: Config, log: EventLog) -> GeoIp | None:
    if config.geoip_database is None:
        return None
    # Loaded here and not with this module: an edge that is started again has clients waiting, and most need no places.
    from holdfast.edge.geoip import GeoIp  # noqa: PLC0415

    return GeoIp.open(config.geoip_database, log=log.write)


def check_origin_ca(file: Path) -> None:
    """Raise SetupError where the authorities in `file` cannot be read."""
    try:
        read_authorities(file)
    except CertificateError as error:
        raise SetupError(f"origin_ca: {error}") from error


def _trust_only(file: Path) -> None:
    """Have the core verify origins by the authorities in `file`. For a process whose core has not begun to work.

    The core reads the system's authorities once, from where OpenSSL's two variables say; a zone's origins have none of
    their own to give. Raises SetupError.
    """
    check_origin_ca(file)
    os.environ["SSL_CERT_FILE"] = str(file.absolute())
    os.environ.pop("SSL_CERT_DIR", None)
