"""Where an edge has its zones from: one origin or Worker of the command line (here), or control (`live_zones`).

Law: both are used alike: a policy to decide with, then `start` with the running core, `poll` about once a second, `stop`.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from holdfast.config.spellings import SslMode
from holdfast.config.up import UpOptions
from holdfast.edge.policy import Policy
from holdfast.edge.ports import Ports
from holdfast.edge.snapshot import Snapshot, compile_snapshot, empty_snapshot
from holdfast.edge.worker_processes import Processes
from holdfast.edge.worker_scripts import Script
from holdfast.errors import CertificateError, SetupError
from holdfast.listeners import BoundAddress
from holdfast.model.data_dir import local_home
from holdfast.model.local_worker import LocalWorker
from holdfast.model.origin_url import OriginUrl

if TYPE_CHECKING:
    from holdfast._native import Certificate, Edge
    from holdfast.edge.recording import Decide


class Zones(Protocol):
    """What differs between a static and a live edge."""

    @property
    def policy(self) -> Policy:
        """What answers faults, and has the snapshot."""
        ...

    @property
    def decide(self) -> Decide:
        """What the core asks."""
        ...

    def start(self, edge: Edge) -> None:
        """`edge` is there; it starts to accept next."""
        ...

    def started(self) -> None:
        """`edge` accepts."""
        ...

    def publish(self, certificates: Sequence[Certificate]) -> None:
        """The edge's own certificates have changed. Raises ValueError where the core cannot use them."""
        ...

    def poll(self) -> None:
        """Look at what may have changed on the disk."""
        ...

    def retire(self) -> None:
        """Another edge is in the place of this one, which keeps what is open."""
        ...

    def farewell(self, *, holds_nothing: bool) -> None:
        """The core is about to stop; `holds_nothing`: it has retired, and what it kept has ended. Raises nothing."""
        ...

    def stop(self) -> None:
        """The core has stopped."""
        ...


class StaticZones:
    """One zone for every host name: `holdfast up`."""

    def __init__(self, options: UpOptions, bound: Sequence[BoundAddress], worker: LocalWorker | None = None) -> None:
        """`worker` stands in front of the origin. Raises SetupError where that cannot be used."""
        self.policy = Policy(_static_snapshot(options, ports_of(bound), worker))
        self.decide = self.policy.decide
        self._edge: Edge | None = None

    def start(self, edge: Edge) -> None:
        """Remember it."""
        self._edge = edge

    def started(self) -> None:
        """Nothing more is to be done."""

    def publish(self, certificates: Sequence[Certificate]) -> None:
        """Show them to new clients."""
        if self._edge is not None:
            self._edge.set_certificates(certificates)

    def poll(self) -> None:
        """There is nothing to look at."""

    def retire(self) -> None:
        """There is nothing to hand over."""

    def farewell(self, *, holds_nothing: bool) -> None:
        """There is nobody to tell."""

    def stop(self) -> None:
        """There is nothing to end."""


def ports_of(bound: Sequence[BoundAddress]) -> Ports:
    """The ports that redirects name."""
    return Ports(
        plain=tuple(one.address.port for one in bound if not one.is_tls),
        tls=tuple(one.address.port for one in bound if one.is_tls),
    )


def _static_snapshot(options: UpOptions, ports: Ports, worker: LocalWorker | None) -> Snapshot:
    if options.origin is None:
        behind = empty_snapshot(instance=secrets.token_hex(8), ports=ports)
    else:
        behind = _snapshot_of_origin(options, options.origin, ports)
    if worker is None:
        return behind
    # Loaded here and not with this module: in front of an origin none of it is needed.
    from holdfast.edge.worker_routes import snapshot_of_worker  # noqa: PLC0415

    processes = Processes(local_home(options.data_dir).absolute())
    return snapshot_of_worker(Script(worker.key, worker.name), behind, processes)


def _snapshot_of_origin(options: UpOptions, origin: OriginUrl, ports: Ports) -> Snapshot:
    try:
        return compile_snapshot(
            origin,
            # Of this process, not of the data directory: two edges in a row on one machine may share that.
            instance=secrets.token_hex(8),
            verify_origin=options.ssl is SslMode.STRICT,
            origin_ca_pem=_authorities(options.origin_ca),
            ports=ports,
        )
    except ValueError as error:
        raise SetupError(f"the origin {origin} cannot be used: {error}") from error


def _authorities(file: Path | None) -> bytes | None:
    if file is None:
        return None
    # Loaded here and not with this module: what reads certificates takes megabytes.
    from holdfast.certificates.pair import read_authorities  # noqa: PLC0415

    try:
        return read_authorities(file)
    except CertificateError as error:
        raise SetupError(f"--origin-ca: {error}") from error
