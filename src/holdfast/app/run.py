"""`holdfast run`: a supervisor, an edge, control, and the host of scripts. And `holdfast edge` and `holdfast control`: one of them, alone.

Law 1: what they listen on is bound here, before anything is started, so a port in use leaves nothing behind.
Law 2: the edge ends before control does, so that its last figures find somebody.
Law 3: a role that runs alone is the same code as a supervised one; what it lacks is somebody who starts it again.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from holdfast.app.activation import Activation
from holdfast.app.announce import announce
from holdfast.app.child_process import NO_SPARES, ChildSpec, role_spec
from holdfast.app.descriptors import hold_standard_descriptors, log_descriptor
from holdfast.app.egress_socket import egress_listener
from holdfast.app.family import ChildLimits
from holdfast.app.inheritance import inheritance_for
from holdfast.app.kept_pair import kept_pair
from holdfast.app.supervisor import supervise
from holdfast.app.surroundings import Surroundings
from holdfast.app.up import EDGE_LIMITS, WORKERS_LIMITS, release_plan
from holdfast.config.run import Config
from holdfast.config.sources import Effective
from holdfast.event_log import EventLog
from holdfast.listeners import Listeners
from holdfast.spare import Spare

_RUN, _EDGE, _CONTROL = "holdfast run", "holdfast edge", "holdfast control"
# Its start may bring a large database up to date. Its stop: 5 s for requests in flight, 3 s for the service, and some for
# Python's end.
CONTROL_LIMITS = ChildLimits(name="control", start_limit_s=600.0, stop_limit_s=10.0)


def run_run(effective: Effective, *, spares: Mapping[str, Spare] = NO_SPARES) -> int:
    """Serve until asked to end; then the exit status, 0. For the main thread of a process of its own. Its first children are `spares`, by role.

    Raises HoldfastError, a sentence, when it cannot start.
    """
    config = effective.config
    hold_standard_descriptors()
    activation = Activation.of(os.environ)
    with (
        log_descriptor(config.log_file) as log_fd,
        _edge_listeners(config, activation) as edge_listeners,
        _control_listeners(config, activation) as control_listeners,
        egress_listener(config.data_dir) as egress,
        kept_pair() as kept,
    ):
        log = EventLog(log_fd)
        _warn([*effective.warnings, *activation.close()], log)
        held = {EDGE_LIMITS.name: edge_listeners, CONTROL_LIMITS.name: control_listeners}
        return supervise(
            [
                _spec(limits, config, held, (egress, kept), spares)
                for limits in (EDGE_LIMITS, CONTROL_LIMITS, WORKERS_LIMITS)
            ],
            close_listeners=lambda role: held[role].close() if role in held else None,
            announce=lambda lines: announce(lines, command=_RUN),
            log=log,
            plan=release_plan(config),
            data_dir=config.data_dir,
        )


def _spec(
    limits: ChildLimits,
    config: Config,
    held: Mapping[str, Listeners],
    of_workers: tuple[int, tuple[int, int]],
    spares: Mapping[str, Spare],
) -> ChildSpec:
    listeners = held[limits.name].addresses if limits.name in held else ()
    egress, kept = of_workers
    given = inheritance_for(
        config,
        command=_RUN,
        listeners=listeners,
        egress=egress if limits is EDGE_LIMITS else -1,
        kept=kept if limits is WORKERS_LIMITS else (),
    )
    return role_spec(limits, given, spares)


def run_edge(effective: Effective) -> int:
    """The edge alone: as `run_run`."""
    from holdfast.app.edge_role import serve_edge  # noqa: PLC0415  the supervisor does without the core

    hold_standard_descriptors()
    activation = Activation.of(os.environ)
    listeners = _edge_listeners(effective.config, activation)
    _warn_in_log(effective, activation)
    return serve_edge(effective.config, listeners.let_go(), Surroundings(_EDGE))


def run_control(effective: Effective) -> int:
    """Control alone: as `run_run`."""
    from holdfast.app.control_service import serve_control  # noqa: PLC0415  the supervisor does without a web framework

    hold_standard_descriptors()
    activation = Activation.of(os.environ)
    listeners = _control_listeners(effective.config, activation)
    _warn_in_log(effective, activation)
    return serve_control(effective.config, listeners.let_go(), Surroundings(_CONTROL))


def _edge_listeners(config: Config, activation: Activation) -> Listeners:
    return Listeners.bound(config.listen, config.tls_listen, sockets_each=config.threads, given=activation.take)


def _control_listeners(config: Config, activation: Activation) -> Listeners:
    addresses = [config.control_listen]
    plain, tls = ([], addresses) if config.control_cert else (addresses, [])
    return Listeners.bound(plain, tls, sockets_each=1, given=activation.take)


def _warn_in_log(effective: Effective, activation: Activation) -> None:
    with log_descriptor(effective.config.log_file) as log_fd:
        _warn([*effective.warnings, *activation.close()], EventLog(log_fd))


def _warn(warnings: Sequence[str], log: EventLog) -> None:
    for warning in warnings:
        log.write("configuration_warning", {"reason": warning})
