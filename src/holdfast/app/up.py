"""`holdfast up`: a supervisor and one edge, in front of one origin.

Law 1: what it listens on is bound here, before anything is started, so a port in use leaves nothing behind.
Law 2: this process loads neither the core nor certificates; the edge finds what is wrong with those and says it.
"""

from __future__ import annotations

from holdfast.app.announce import announce
from holdfast.app.child_process import ChildSpec, role_argv
from holdfast.app.descriptors import hold_standard_descriptors, log_descriptor
from holdfast.app.inheritance import inheritance_for
from holdfast.app.supervision import ChildLimits
from holdfast.app.supervisor import supervise
from holdfast.config.up import UpOptions
from holdfast.event_log import EventLog
from holdfast.listeners import Listeners

_COMMAND = "holdfast up"
# Its start imports Python packages, on a machine that starts everything else too. Its stop is bounded by itself: 5 s of
# grace, and 1 s each for a log or a policy that hangs (ARCHITECTURE.md, "Bounds").
EDGE_LIMITS = ChildLimits(name="edge", start_limit_s=60.0, stop_limit_s=10.0)


def run_up(options: UpOptions) -> int:
    """Serve until SIGTERM or SIGINT; then the exit status, 0. For the main thread of a process of its own.

    Raises HoldfastError, a sentence, when it cannot start.
    """
    hold_standard_descriptors()
    with (
        log_descriptor(options.log_file) as log_fd,
        Listeners.bound(options.listen, options.tls_listen, sockets_each=options.threads) as listeners,
    ):
        edge = ChildSpec(
            limits=EDGE_LIMITS,
            argv=role_argv("edge"),
            inheritance=inheritance_for(options, command=_COMMAND, listeners=listeners.addresses),
        )
        return supervise(
            [edge],
            close_listeners=listeners.close,
            announce=lambda lines: announce(lines, command=_COMMAND),
            log=EventLog(log_fd),
        )
