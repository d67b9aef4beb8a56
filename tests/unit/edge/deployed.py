"""Scripts as they lie in a data directory, for tests of what edges make of them."""

from pathlib import Path
from typing import Any

import msgspec

from holdfast.model.data_dir import worker_active_file, worker_caller_file, worker_key, worker_version_dir
from holdfast.model.worker_script import ScriptVersion

ACCOUNT = "a" * 32
PROOF = "c0ffee" * 8


def deployed(data_dir: Path, name: str, *, version: str = "v1", proof: str = PROOF, **more: Any) -> str:
    """Have this version of a script be the one that is served; its key."""
    key = worker_key(ACCOUNT, name)
    described = ScriptVersion(key=key, name=name, account=ACCOUNT, version=version, main="main.py", **more)
    directory = worker_version_dir(data_dir, key, version)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "script.json").write_bytes(msgspec.json.encode(described))
    active = worker_active_file(data_dir, key)
    beside = active.with_name("beside")
    beside.write_text(f"{version}\n", encoding="ascii")
    beside.replace(active)
    worker_caller_file(data_dir, key).write_text(f"{proof}\n", encoding="ascii")
    return key
