"""Where the bindings of scripts lead, as it was deployed: what a process says about that is only asked for by name.

Law 1: a script is who it proves to be (`data_dir.worker_caller_file`), and has the bindings of the version that is served. So user code
reaches another script by what its owner wrote down, and by nothing else.
Law 2: what was deployed is read from the data directory, and again when it has changed: it costs a call a few looks at files, no reading.
Law 3: whatever lies there, the answer is a target or a `NotBound`, a sentence; nothing else is raised.
Law 4: what is kept has a bound: MAX_KEPT scripts.
"""

from __future__ import annotations

import hmac
import re
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from holdfast.edge.worker_scripts import Script
from holdfast.model.data_dir import worker_active_file, worker_caller_file, worker_key, worker_version_dir
from holdfast.model.worker_egress import BoundCall, Outcome
from holdfast.model.worker_messages import DurableObjectBinding, ServiceBinding
from holdfast.model.worker_migrations import DurableClass, MovedClass

MAX_KEPT = 1_024
# How often a class may have been renamed or moved since a binding named it.
MAX_MOVES = 16
# Longest file that is read: the description of a version (`workers.host.versions`).
MAX_FILE_BYTES = 4 * 1024 * 1024
_VERSION = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}")
_DIGITS = re.compile(r"[0-9a-f]{64}")

_K = TypeVar("_K")


class Deployed(msgspec.Struct, frozen=True, gc=False):
    """What of a version (`model.worker_script.ScriptVersion`) is its neighbours' business."""

    name: str
    account: str = ""
    durable_objects: tuple[DurableObjectBinding, ...] = ()
    services: tuple[ServiceBinding, ...] = ()
    classes: dict[str, DurableClass] = {}
    moved: dict[str, MovedClass] = {}


class Target(msgspec.Struct, frozen=True, gc=False):
    """Whom a call is for: an entrypoint of `script` ("": the default one) with the binding's `props`, or an object of `class_name`. `caller` is
    a script's name."""

    script: Script
    caller: str
    entrypoint: str = ""
    class_name: str = ""
    props: dict[str, Any] = {}


class NotBound(Exception):
    """There is no way for a call. `str` is a sentence; `outcome` "unbound": there may be one in a moment, when a deployment is over."""

    def __init__(self, reason: str, outcome: Outcome = "refused") -> None:
        super().__init__(reason)
        self.outcome: Outcome = outcome


class WorkerBindings:
    """See above. It is asked by the policy thread alone."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        # Script key -> what `active` was when it was read, and the version that it named.
        self._deployed: dict[str, tuple[object, Deployed]] = {}
        self._proofs: dict[str, tuple[object, bytes]] = {}

    def statistics(self) -> dict[str, int]:
        """How many scripts are remembered."""
        return {"deployed": len(self._deployed)}

    def target(self, key: str, call: BoundCall) -> Target:
        """Whom the script with this key calls. Raises NotBound."""
        proof = self._proof(key)
        if proof is None or not hmac.compare_digest(call.proof.encode(errors="replace"), proof):
            raise NotBound("the process does not prove which Worker's it is", "unbound")
        caller = self._version(key)
        if caller is None:
            raise NotBound("the Worker that calls is not deployed", "unbound")
        if call.object_id:
            return self._object(caller, call)
        return self._service(caller, call)

    def _service(self, caller: Deployed, call: BoundCall) -> Target:
        binding = next((one for one in caller.services if one.name == call.binding), None)
        if binding is None:
            raise NotBound(f'the Worker "{caller.name}" has no service binding "{call.binding}"', "unbound")
        script = Script(worker_key(caller.account, binding.service), binding.service)
        if self._version(script.key) is None:
            raise NotBound(
                f'the Worker "{binding.service}" is not deployed, which the binding "{binding.name}" of the Worker '
                f'"{caller.name}" names'
            )
        return Target(script, caller.name, entrypoint=binding.entrypoint, props=binding.props)

    def _object(self, caller: Deployed, call: BoundCall) -> Target:
        if not _DIGITS.fullmatch(call.object_id):
            raise NotBound("the id of an object has 64 hexadecimal digits")
        binding = next((one for one in caller.durable_objects if one.name == call.binding), None)
        if binding is None:
            raise NotBound(f'the Worker "{caller.name}" has no Durable Object binding "{call.binding}"', "unbound")
        name = binding.script_name or caller.name
        script = Script(worker_key(caller.account, name), name)
        whose = f'which the binding "{binding.name}" of the Worker "{caller.name}" names'
        class_name = binding.class_name
        for _ in range(MAX_MOVES):
            if (owner := self._version(script.key)) is None:
                raise NotBound(f'the Worker "{script.name}" is not deployed, {whose}')
            if class_name in owner.classes:
                return Target(script, caller.name, class_name=class_name)
            if (moved := owner.moved.get(class_name)) is None:
                there = ", ".join(sorted(owner.classes)) or "none"
                raise NotBound(
                    f'the Worker "{script.name}" has no Durable Object class "{class_name}", {whose}; it has: {there}'
                )
            name, class_name = moved.script or script.name, moved.class_name
            script = Script(worker_key(caller.account, name), name)
        # While it moves each says that the other has it.
        raise NotBound(
            f'the Durable Object class "{binding.class_name}" is on the move, or has moved too often, {whose}',
            "unbound",
        )

    def _version(self, key: str) -> Deployed | None:
        """What is served of a script; None where nothing is."""
        file = worker_active_file(self._data_dir, key)
        if (mark := _mark(file)) is None:
            self._deployed.pop(key, None)
            return None
        known = self._deployed.get(key)
        if known is None or known[0] != mark:
            found = self._read(key, file)
            if found is None:
                return None
            known = (mark, found)
            _keep(self._deployed, key, known)
        return known[1]

    def _read(self, key: str, active: Path) -> Deployed | None:
        version = (_content(active) or b"").decode("ascii", "replace").strip()
        if not _VERSION.fullmatch(version):
            return None
        text = _content(worker_version_dir(self._data_dir, key, version) / "script.json")
        try:
            return None if text is None else msgspec.json.decode(text, type=Deployed)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None

    def _proof(self, key: str) -> bytes | None:
        file = worker_caller_file(self._data_dir, key)
        mark = _mark(file)
        known = self._proofs.get(key)
        if mark is None or known is None or known[0] != mark:
            content = None if mark is None else _content(file)
            if not content or not content.strip():
                return None
            known = (mark, content.strip())
            _keep(self._proofs, key, known)
        return known[1]


def _mark(file: Path) -> object | None:
    """What differs where the file was replaced; None where there is none."""
    try:
        found = file.stat()
    except (OSError, ValueError):
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _content(file: Path) -> bytes | None:
    try:
        with file.open("rb") as opened:
            text = opened.read(MAX_FILE_BYTES + 1)
    except OSError:
        return None
    return text if len(text) <= MAX_FILE_BYTES else None


def _keep(kept: dict[str, _K], key: str, value: _K) -> None:
    kept.pop(key, None)
    if len(kept) >= MAX_KEPT:
        del kept[next(iter(kept))]
    kept[key] = value
