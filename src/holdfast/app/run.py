"""`holdfast run`: a supervisor, an edge and control. And `holdfast edge` and `holdfast control`: one of them, alone.

Law 1: what they listen on is bound here, before anything is started, so a port in use leaves nothing behind.
Law 2: the edge ends before control does, so that its last figures find somebody.
Law 3: a role that runs alone is the same code as a supervised one; what it lacks is somebody who starts it again.
"""

from __future__ import annotations

from holdfast.app.announce import announce
from holdfast.app.child_process import ChildSpec, role_argv
from holdfast.app.descriptors import hold_standard_descriptors, log_descriptor
from holdfast.app.inheritance import inheritance_for
from holdfast.app.supervision import ChildLimits
from holdfast.app.supervisor import supervise
from holdfast.app.surroundings import Surroundings
from holdfast.app.up import EDGE_LIMITS
from holdfast.config.run import Config
from holdfast.config.sources import Effective
from holdfast.event_log import EventLog
from holdfast.listeners import Listeners

_RUN, _EDGE, _CONTROL = "holdfast run", "holdfast edge", "holdfast control"
# Its start may bring a large database up to date. Its stop: 5 s for requests in flight, 3 s for the service, and some for
# Python's end.
CONTROL_LIMITS = ChildLimits(name="control", start_limit_s=600.0, stop_limit_s=10.0)


def run_run(effective: Effective) -> int:
    """Serve until SIGTERM or SIGINT; then the exit status, 0. For the main thread of a process of its own.

    Raises HoldfastError, a sentence, when it cannot start.
    """
    config = effective.config
    hold_standard_descriptors()
    with (
        log_descriptor(config.log_file) as log_fd,
        _edge_listeners(config) as edge_listeners,
        _control_listeners(config) as control_listeners,
    ):
        log = EventLog(log_fd)
        _warn(effective, log)

        def close_listeners() -> None:
            edge_listeners.close()
            control_listeners.close()

        return supervise(
            [
                ChildSpec(
                    limits=limits,
                    argv=role_argv(limits.name),
                    inheritance=inheritance_for(config, command=_RUN, listeners=listeners.addresses),
                )
                for limits, listeners in ((EDGE_LIMITS, edge_listeners), (CONTROL_LIMITS, control_listeners))
            ],
            close_listeners=close_listeners,
            announce=lambda lines: announce(lines, command=_RUN),
            log=log,
        )


def run_edge(effective: Effective) -> int:
    """The edge alone: as `run_run`."""
    from holdfast.app.edge_role import serve_edge  # noqa: PLC0415  the supervisor does without the core

    hold_standard_descriptors()
    _warn_in_log(effective)
    return serve_edge(effective.config, _edge_listeners(effective.config).let_go(), Surroundings(_EDGE))


def run_control(effective: Effective) -> int:
    """Control alone: as `run_run`."""
    from holdfast.app.control_service import serve_control  # noqa: PLC0415  the supervisor does without a web framework

    hold_standard_descriptors()
    _warn_in_log(effective)
    return serve_control(effective.config, _control_listeners(effective.config).let_go(), Surroundings(_CONTROL))


def _edge_listeners(config: Config) -> Listeners:
    return Listeners.bound(config.listen, config.tls_listen, sockets_each=config.threads)


def _control_listeners(config: Config) -> Listeners:
    addresses = [config.control_listen]
    plain, tls = ([], addresses) if config.control_cert else (addresses, [])
    return Listeners.bound(plain, tls, sockets_each=1)


def _warn_in_log(effective: Effective) -> None:
    with log_descriptor(effective.config.log_file) as log_fd:
        _warn(effective, EventLog(log_fd))


def _warn(effective: Effective, log: EventLog) -> None:
    for warning in effective.warnings:
        log.write("configuration_warning", {"reason": warning})
