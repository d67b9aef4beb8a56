"""What a script's process knows of itself and of other scripts, read from the data directory before user code can read there.

Law 1: the proof of whose process this is is made once a script, and is read by its processes and by edges (`edge.worker_bindings`).
Law 2: a script that is not deployed is no fault here: its objects' names are what its bindings say, and a call will tell.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from holdfast.model.data_dir import worker_caller_file, worker_key
from holdfast.model.worker_messages import Load

_PROOF_BYTES = 32


@dataclass(frozen=True, slots=True)
class Neighbours:
    """`proof` of whose process this is; `namespaces`: (script, class) -> the name that the class's objects are kept under there."""

    proof: str = ""
    namespaces: dict[tuple[str, str], str] = field(default_factory=dict)

    def namespace(self, script: str, class_name: str) -> str:
        """What ids of objects of another script's class are made with, beside that script's name."""
        return self.namespaces.get((script, class_name), class_name)


def neighbours_of(message: Load) -> Neighbours:
    """What there is to know for a script that is loaded. Raises OSError where its directory cannot be used."""
    # DATA/workers/<key>/objects.
    data_dir = Path(message.objects_dir).parents[2]
    wanted = {
        (one.script_name, one.class_name) for one in message.durable_objects if is_foreign(one.script_name, message)
    }
    caller = worker_caller_file(data_dir, message.key)
    if not wanted and not message.services and not message.moved:
        # Only for a request that outlives its version and calls an object of its own then: none is refused for want of that.
        with contextlib.suppress(OSError):
            return Neighbours(_proof(caller)) if message.durable_objects else Neighbours()
        return Neighbours()
    found = {
        (script, name): known
        for script, name in wanted
        if (known := _namespace(data_dir, worker_key(message.account, script), name))
    }
    return Neighbours(_proof(caller), found)


def is_foreign(script_name: str, message: Load) -> bool:
    """Whether a binding that names this script names another one."""
    return script_name not in {"", message.name}


def _namespace(data_dir: Path, key: str, class_name: str) -> str:
    # Loaded with the first of them: most scripts name no other.
    from holdfast.workers.host import versions  # noqa: PLC0415

    try:
        described = versions.described(data_dir, key, versions.active_version(data_dir, key))
    except versions.VersionError:
        return ""
    if class_name in described.classes:
        return described.classes[class_name].namespace
    # It was renamed, or went to another script: its ids stay.
    return described.moved[class_name].unique_key if class_name in described.moved else ""


def _proof(file: Path) -> str:
    with contextlib.suppress(FileNotFoundError):
        if text := file.read_text(encoding="ascii").strip():
            return text
    beside = file.with_name(f".caller-{secrets.token_hex(4)}")
    try:
        beside.touch(mode=0o600)
        beside.write_text(f"{secrets.token_hex(_PROOF_BYTES)}\n", encoding="ascii")
        # Not in the place of another's: an edge may know that already.
        with contextlib.suppress(FileExistsError):
            os.link(beside, file)
    finally:
        beside.unlink(missing_ok=True)
    return file.read_text(encoding="ascii").strip()
