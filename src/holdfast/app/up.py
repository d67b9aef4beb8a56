"""`holdfast up`: a supervisor and one edge, in front of one origin.

Law 1: what it listens on is bound here, before anything is started, so a port in use leaves nothing behind.
Law 2: this process loads neither the core nor certificates; the edge finds what is wrong with those and says it.
"""

from __future__ import annotations

import os

from holdfast.app.activation import Activation
from holdfast.app.announce import announce
from holdfast.app.child_process import role_spec
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

_COMMAND = "holdfast up"
# Its start imports Python packages, on a machine that starts everything else too. Its stop is bounded by itself: 5 s of
# grace, and 1 s each for a log or a policy that hangs (ARCHITECTURE.md, "Bounds").
EDGE_LIMITS = ChildLimits(name="edge", start_limit_s=60.0, stop_limit_s=10.0, keeps_clients=True)


def run_up(options: UpOptions) -> int:
    """Serve until asked to end; then the exit status, 0. For the main thread of a process of its own.

    Raises HoldfastError, a sentence, when it cannot start.
    """
    hold_standard_descriptors()
    activation = Activation.of(os.environ)
    with (
        log_descriptor(options.log_file) as log_fd,
        Listeners.bound(
            options.listen, options.tls_listen, sockets_each=options.threads, given=activation.take
        ) as listeners,
    ):
        log = EventLog(log_fd)
        for warning in activation.close():
            log.write("configuration_warning", {"reason": warning})
        return supervise(
            [role_spec(EDGE_LIMITS, inheritance_for(options, command=_COMMAND, listeners=listeners.addresses))],
            close_listeners=lambda _: listeners.close(),
            announce=lambda lines: announce(lines, command=_COMMAND),
            log=log,
            plan=release_plan(options),
            data_dir=options.data_dir,
        )


def release_plan(options: UpOptions | Config) -> ReleasePlan:
    """How connections end that an edge keeps at a release or a drain."""
    return ReleasePlan(
        deadline_s=float(options.release_deadline),
        spread_s=float(options.release_spread),
        order="oldest" if options.release_order is ReleaseOrder.OLDEST else "idlest",
    )
