"""The edge role: the process that holds the sockets. From options and listening sockets to exit status.

Law 1: whatever can be wrong with the options is found before it says that it is ready, and is one sentence.
Law 2: the main thread owns signals, the files that are watched and the lifeline, and sleeps in the kernel between them.
Law 3: an edge that was started is stopped, whatever is raised: its threads call Python, and must end before it does.
Law 4: it says that it is ready when it knows its zones; where control does not tell it, after FIRST_ZONES_LIMIT_S.
Law 5: it ends when it is told to stop, or its supervisor is gone; either way with Close 1001 for open WebSockets. Told to
retire, it keeps them first (`retiring`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from holdfast.app.data_lock import DataLock
from holdfast.app.descriptors import connection_limit, log_descriptor, raise_descriptor_limit
from holdfast.app.edge_zones import StaticZones, Zones
from holdfast.app.memory import Tidying, give_back, moved
from holdfast.app.retiring import retire
from holdfast.app.surroundings import Surroundings
from holdfast.app.words import Retire, Word
from holdfast.config.run import Config
from holdfast.config.up import UpOptions
from holdfast.errors import SetupError
from holdfast.event_log import EventLog
from holdfast.listeners import BoundAddress
from holdfast.model.data_dir import local_home, worker_http_socket
from holdfast.model.local_worker import LocalWorker

if TYPE_CHECKING:
    from holdfast._native import Edge
    from holdfast.served_certificates import ServedCertificates

# How long requests in flight and the closing handshakes of tunnels may take when the edge stops.
STOP_GRACE_S = 5.0
# How long an edge that has never heard of any zones waits for control, which is started beside it, before it is ready all
# the same: what it answers until it has heard (503) is true. Precedent: control is there in about one second.
FIRST_ZONES_LIMIT_S = 2.0
FIRST_ZONES_POLL_S = 0.02
# The same for the Worker in front of everything, which has 30 s to be imported.
FIRST_WORKER_LIMIT_S = 40.0
# How often certificate files and the lifeline are looked at.
WATCH_INTERVAL_S = 1.0
# For how long a successor looks more often, for what the edge before it lets go.
TAKE_OVER_S = 2.0


def serve_edge(
    options: UpOptions | Config,
    bound: Sequence[BoundAddress],
    around: Surroundings,
    *,
    egress: int = -1,
    worker: LocalWorker | None = None,
) -> int:
    """Serve on the sockets of `bound` until told to end; then the exit status, 0. For the main thread of a process of its own.

    `egress` is a socket that listens for what scripts fetch, -1 for none. `worker` stands in front of the origin of `holdfast up`.
    Raises HoldfastError, a sentence, when it cannot start.
    """
    # Blocked before any thread is made, so that every thread inherits it and only `_wait` takes them.
    around.hold_signals()
    max_connections = connection_limit(raise_descriptor_limit())
    with log_descriptor(options.log_file) as log_fd:
        log = EventLog(log_fd)
        with _zones(options, bound, around, log, worker) as (zones, certificates):
            edge = _made(options, bound, zones, certificates, egress, log_fd=log_fd, max_connections=max_connections)
            _start(edge, zones)
            holds_nothing = False
            try:
                if not (_ended_before_zones(zones, around) or _ended_before_worker(options, worker, around)):
                    around.ready(ready_lines(bound, options, worker))
                    word = _wait(edge, zones, certificates, around, log)
                    if isinstance(word, Retire):
                        holds_nothing = retire(edge, zones, around, word)
            finally:
                around.let_the_next_signal_kill()
                zones.farewell(holds_nothing=holds_nothing)
                edge.stop(grace_s=STOP_GRACE_S)
                zones.stop()
    return 0


def ready_lines(
    bound: Sequence[BoundAddress], options: UpOptions | Config, worker: LocalWorker | None = None
) -> list[str]:
    """One `ready:` line for each address, with its real port, and the Worker and the origin where there is one only."""
    ways = [f"Worker {worker.name}"] if worker is not None else []
    ways += [str(options.origin)] if isinstance(options, UpOptions) and options.origin is not None else []
    suffix = "".join(f" -> {way}" for way in ways)
    return [f"ready: {'wss' if one.is_tls else 'ws'}://{one.address}{suffix}" for one in bound]


@contextmanager
def _zones(
    options: UpOptions | Config,
    bound: Sequence[BoundAddress],
    around: Surroundings,
    log: EventLog,
    worker: LocalWorker | None,
) -> Iterator[tuple[Zones, ServedCertificates | None]]:
    """The zones, and the edge's own certificates. A live edge has its data directory to itself, but for others of its
    supervisor's, which retire."""
    if isinstance(options, UpOptions):
        # The origin first: one that cannot be used must not leave a new authority behind.
        yield StaticZones(options, bound, worker), _certificates(options, log, around)
        return
    # Loaded here and not with this module: an edge of one origin or Worker needs nothing of it, and it takes megabytes.
    from holdfast.app.live_zones import LiveZones  # noqa: PLC0415

    with closing(DataLock(options.data_dir, "edge")) as lock:
        if not around.is_successor:
            lock.take()
        certificates = _certificates(options, log, around)
        yield LiveZones(options, bound, certificates, log, lock), certificates


def _certificates(options: UpOptions | Config, log: EventLog, around: Surroundings) -> ServedCertificates | None:
    if not (options.certificate_files or options.tls_listen):
        return None
    # Loaded here and not with this module: what reads and makes certificates takes megabytes.
    from holdfast.served_certificates import ServedCertificates  # noqa: PLC0415

    if options.certificate_files:
        return ServedCertificates.of_files(options.certificate_files, log)
    ips = [address.ip for address in options.tls_listen]
    return ServedCertificates.local(options.data_dir, ips, log, command=around.command)


def _made(
    options: UpOptions | Config,
    bound: Sequence[BoundAddress],
    zones: Zones,
    certificates: ServedCertificates | None,
    egress: int,
    *,
    log_fd: int,
    max_connections: int,
) -> Edge:
    try:
        # Loaded here and not with this module: the parts of it are tested without the core.
        from holdfast._native import Edge  # noqa: PLC0415

        return Edge(
            listeners=[(descriptor, one.is_tls) for one in bound for descriptor in one.descriptors],
            threads=options.threads,
            # The boundary says `object`; what Rust passes are the values that the two take.
            decide=zones.decide,
            answer=zones.policy.answer,
            certificates=certificates.native() if certificates else (),
            log_fd=log_fd,
            max_connections=max_connections,
            resolvers=[str(one) for one in options.resolvers] if isinstance(options, Config) else (),
            max_pending_connects=options.origin_max_pending_connects,
            egress_fd=egress if egress >= 0 else None,
        )
    except ImportError as error:
        raise SetupError(f"the core cannot be loaded; it is built by `make setup`: {error}") from error
    except (ValueError, OSError) as error:
        raise SetupError(f"the edge cannot start: {error}") from error


def _start(edge: Edge, zones: Zones) -> None:
    try:
        zones.start(edge)
        edge.start()
    except (ValueError, OSError) as error:
        raise SetupError(f"the edge cannot start: {error}") from error
    zones.started()


def _ended_before_zones(zones: Zones, around: Surroundings) -> bool:
    """Wait, for a moment, until it is known which zones there are; whether the edge was told to end meanwhile.

    An edge that runs alone does not wait: nobody has said that control will come.
    """
    deadline = time.monotonic() + FIRST_ZONES_LIMIT_S
    while around.is_supervised and not zones.policy.snapshot.is_published and time.monotonic() < deadline:
        if around.told(limit_s=FIRST_ZONES_POLL_S) is not None:
            return True
    return False


def _ended_before_worker(options: UpOptions | Config, worker: LocalWorker | None, around: Surroundings) -> bool:
    """Wait until the Worker of the command line serves, where it is to: one that cannot ends everything, and nobody shall have been
    told that it is ready. Whether the edge was told to end meanwhile."""
    if worker is None or not isinstance(options, UpOptions):
        return False
    # Loaded here and not with this module: in front of an origin none of it is needed.
    from holdfast.app.egress_socket import listens  # noqa: PLC0415
    from holdfast.workers.host.versions import active_version  # noqa: PLC0415

    home, deadline = local_home(options.data_dir), time.monotonic() + FIRST_WORKER_LIMIT_S
    # A project that is being edited need not be whole yet, and one that is released has served.
    is_new = not options.watch and not around.is_successor
    while time.monotonic() < deadline:
        is_there = listens(worker_http_socket(home, worker.key))
        if is_there and not (is_new and active_version(home, worker.key) != worker.version):
            break
        if around.told(limit_s=FIRST_ZONES_POLL_S) is not None:
            return True
    return False


def _wait(
    edge: Edge, zones: Zones, certificates: ServedCertificates | None, around: Surroundings, log: EventLog
) -> Word:
    """Sleep until told something; meanwhile pass on files that were replaced, and give back what a rush of connections has left."""
    tidying = Tidying()
    # The edge before lets go of the data directory when it has heard that this one is ready.
    soon = time.monotonic() + TAKE_OVER_S if around.is_successor else 0.0
    while True:
        interval_s = FIRST_ZONES_POLL_S if time.monotonic() < soon else WATCH_INTERVAL_S
        if (word := around.told(limit_s=interval_s)) is not None:
            break
        zones.poll()
        if certificates is not None:
            certificates.poll(zones.publish)
        if interval_s == WATCH_INTERVAL_S and tidying.look(moved(edge.statistics())):
            give_back()
    if around.is_abandoned():
        log.write("supervisor_gone", {"child": "edge"})
    return word
