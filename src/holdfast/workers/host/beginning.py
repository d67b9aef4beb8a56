"""What a process of a script begins with: its surroundings, and the message by which it loads its code. And what is the same for all scripts.

Law: whatever a process is to know of its version it is told here, and nowhere else. Secrets are in it as plain text, which no file has.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from holdfast.model.data_dir import worker_dir, worker_objects_dir, worker_version_dir, workers_egress_socket
from holdfast.model.worker_messages import Load
from holdfast.model.worker_script import ScriptVersion
from holdfast.workers.host import versions
from holdfast.workers.host.process import PROGRAM, Surroundings
from holdfast.workers.host.sockets import ScriptSockets

_OBJECTS_MODE = 0o700

# Gives the secrets of a version, in plain text, by name. Raises HoldfastError.
Unseal = Callable[[ScriptVersion], Mapping[str, str]]
# Takes a record for the log of Holdfast's own: its name, and fields.
Record = Callable[[str, Mapping[str, str | int]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What all scripts of a host have in common. `is_dev`: their code is being edited. `program` is what their processes run."""

    data_dir: Path
    unseal: Unseal
    record: Record
    is_dev: bool = False
    program: tuple[str, ...] = PROGRAM


def surroundings_of(number: int, version: ScriptVersion, sockets: ScriptSockets, setting: Setting) -> Surroundings:
    """What the process `number` of a version is started with; where its objects go is there then. Raises OSError."""
    directory = worker_dir(setting.data_dir, version.key)
    worker_objects_dir(setting.data_dir, version.key).mkdir(mode=_OBJECTS_MODE, exist_ok=True)
    return Surroundings(
        program=setting.program,
        descriptors=(sockets.http.fileno(), sockets.channel.fileno()),
        # Of this host: another may have processes of the same script, with the same numbers.
        run_dir=directory / versions.RUN / f"{os.getpid()}-{number}",
        limits=version.limits,
    )


def load_of(version: ScriptVersion, turn_path: Path, sockets: ScriptSockets, setting: Setting) -> Load:
    """How it is told to load; `turn_path` is in the directory that is its own. Raises HoldfastError where its secrets cannot be read."""
    data_dir = setting.data_dir
    return Load(
        key=version.key,
        name=version.name,
        account=version.account,
        version=version.version,
        code_dir=str(worker_version_dir(data_dir, version.key, version.version) / versions.CODE),
        main=version.main,
        http_fd=sockets.http.fileno(),
        channel_fd=sockets.channel.fileno(),
        egress_path=str(workers_egress_socket(data_dir)),
        objects_dir=str(worker_objects_dir(data_dir, version.key)),
        run_dir=str(turn_path.parent),
        turn_file=str(turn_path),
        compatibility_date=version.compatibility_date,
        compatibility_flags=version.compatibility_flags,
        vars=version.vars,
        secrets=dict(setting.unseal(version)),
        durable_objects=version.durable_objects,
        services=version.services,
        storages=version.storages,
        namespaces={name: one.namespace for name, one in version.classes.items() if one.namespace != name},
        moved={name: one.unique_key for name, one in version.moved.items() if name not in version.classes},
        awaited=version.awaited,
        limits=version.limits,
        is_dev=setting.is_dev,
    )
