"""`holdfast up`: a supervisor and one edge, in front of one origin; with `--worker`, a host for those Workers too.

Law 1: what it listens on is bound here, before anything is started, so a port in use leaves nothing behind.
Law 2: this process uses neither the core nor certificates; the edge finds what is wrong with those and says it.
Law 3: the project of a Worker is read here, once: its files may change, and processes are started again.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from holdfast.app.activation import Activation
from holdfast.app.announce import announce
from holdfast.app.child_process import NO_SPARES, role_spec
from holdfast.app.descriptors import hold_standard_descriptors, log_descriptor
from holdfast.app.family import ChildLimits
from holdfast.app.inheritance import inheritance_for
from holdfast.app.releasing import ReleasePlan
from holdfast.app.supervisor import supervise
from holdfast.config.run import Config
from holdfast.config.spellings import ReleaseOrder
from holdfast.config.up import UpOptions
from holdfast.event_log import EventLog
from holdfast.listeners import Listeners
from holdfast.model.data_dir import local_home
from holdfast.model.local_worker import LocalWorker
from holdfast.spare import Spare

_COMMAND = "holdfast up"
# Its start imports Python packages, on a machine that starts everything else too. Its stop is bounded by itself: 5 s of
# grace, and 1 s each for a log or a policy that hangs (ARCHITECTURE.md, "Bounds").
EDGE_LIMITS = ChildLimits(name="edge", start_limit_s=60.0, stop_limit_s=10.0, keeps_clients=True)

# Its start loads a script, which has 30 s to be imported; its stop has scripts end what runs, which is bounded by 16 s.
WORKERS_LIMITS = ChildLimits(name="workers", start_limit_s=60.0, stop_limit_s=20.0)


def run_up(options: UpOptions, *, spares: Mapping[str, Spare] = NO_SPARES) -> int:
    """Serve until asked to end; then the exit status, 0. For the main thread of a process of its own. Its first children are `spares`, by role.

    Raises HoldfastError, a sentence, when it cannot start.
    """
    hold_standard_descriptors()
    activation = Activation.of(os.environ)
    with (
        log_descriptor(options.log_file) as log_fd,
        Listeners.bound(
            options.listen, options.tls_listen, sockets_each=options.threads, given=activation.take
        ) as listeners,
        _worker(options) as (worker, egress, kept),
    ):
        log = EventLog(log_fd)
        for warning in activation.close():
            log.write("configuration_warning", {"reason": warning})
        given = inheritance_for(options, command=_COMMAND, listeners=listeners.addresses, egress=egress, worker=worker)
        specs = [role_spec(EDGE_LIMITS, given, spares)]
        if worker is not None:
            # It listens on nothing of ours.
            hosting = inheritance_for(options, command=_COMMAND, listeners=(), kept=kept, worker=worker)
            specs.append(role_spec(WORKERS_LIMITS, hosting, spares))
        return supervise(
            specs,
            close_listeners=lambda role: listeners.close() if role == EDGE_LIMITS.name else None,
            announce=lambda lines: announce(lines, command=_COMMAND),
            log=log,
            plan=release_plan(options),
            data_dir=options.data_dir,
        )


@contextmanager
def _worker(options: UpOptions) -> Iterator[tuple[LocalWorker | None, int, tuple[int, ...]]]:
    """The Worker of `--worker`, the descriptor of the socket for what it fetches, and those of what its host keeps its sockets in."""
    if not options.worker:
        yield None, -1, ()
        return
    # Loaded here and not with this module: in front of an origin none of it is needed.
    from holdfast.app.egress_socket import egress_listener  # noqa: PLC0415
    from holdfast.app.kept_pair import kept_pair  # noqa: PLC0415
    from holdfast.app.local_project import placed_all  # noqa: PLC0415

    worker, warnings = placed_all(options.worker, options.data_dir, options.env)
    for warning in warnings:
        sys.stderr.write(f"{_COMMAND}: {warning}\n")
    with egress_listener(local_home(options.data_dir)) as egress, kept_pair() as kept:
        yield worker, egress, kept


def release_plan(options: UpOptions | Config) -> ReleasePlan:
    """How connections end that an edge keeps at a release or a drain."""
    return ReleasePlan(
        deadline_s=float(options.release_deadline),
        spread_s=float(options.release_spread),
        order="oldest" if options.release_order is ReleaseOrder.OLDEST else "idlest",
    )
