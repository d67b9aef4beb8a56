"""Secrets of scripts, opened with the installation's key for the process that may have them.

Law: a secret is in nothing that is written or said here; what goes wrong is a sentence with its name.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from holdfast.errors import SetupError
from holdfast.model.worker_script import ScriptVersion, secret_purpose
from holdfast.sealing import SealError, SealingKey, load_key


def unsealed(version: ScriptVersion, data_dir: Path, environ: Mapping[str, str] = os.environ) -> Mapping[str, str]:
    """The secrets of `version` by name, opened with the key of `data_dir`. Raises SetupError."""
    if not version.sealed_secrets:
        return {}
    key = load_key(data_dir, environ)
    if key is None:
        raise SetupError("its secrets cannot be read: there is no sealing key")
    return {name: _opened(key, version, name, sealed) for name, sealed in version.sealed_secrets.items()}


def _opened(key: SealingKey, version: ScriptVersion, name: str, sealed: bytes) -> str:
    try:
        return key.open_sealed(sealed, purpose=secret_purpose(version.key, name)).decode()
    except (SealError, UnicodeDecodeError) as error:
        raise SetupError(f"its secret {name} cannot be read: {error}") from error
