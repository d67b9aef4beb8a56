"""What lies on the disk of each script: its versions, and which of them is served.

Law 1: a version's directory is written before anybody names it, and never changed. `active` is replaced as a whole.
Law 2: what cannot be read is a sentence, of one script; others are not concerned.
"""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec

from holdfast import removal
from holdfast.errors import SetupError, reason_of
from holdfast.model.data_dir import (
    worker_active_file,
    worker_begun_file,
    worker_dir,
    worker_http_socket,
    worker_version_dir,
    workers_dir,
)
from holdfast.model.worker_script import ScriptVersion

DESCRIPTION = "script.json"
# Where processes have directories of their own, which begin with the number of their host.
RUN = "run"
CODE = "code"
# How the directory of a script that was removed is called until it is gone.
_REMOVED = ".removed-"
# Longest description: 128 variables and secrets of 5 KB, sealed and in JSON.
MAX_DESCRIPTION_BYTES = 4 * 1024 * 1024
_KEY = re.compile(r"[0-9a-f]{12}")
_VERSION = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}")


class VersionError(SetupError):
    """A version that cannot be used. `str` is a sentence."""


def is_key(text: str) -> bool:
    """Whether this can name a script's directory."""
    return _KEY.fullmatch(text) is not None


def is_version(text: str) -> bool:
    """Whether this can name a version's directory."""
    return _VERSION.fullmatch(text) is not None


def keys(data_dir: Path) -> Iterator[str]:
    """The scripts that have a directory."""
    try:
        names = sorted(one.name for one in workers_dir(data_dir).iterdir())
    except OSError:
        return
    yield from (name for name in names if is_key(name))


def active_version(data_dir: Path, key: str) -> str:
    """The version that is served, "" where none has been."""
    try:
        text = worker_active_file(data_dir, key).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
    return text if is_version(text) else ""


def activate(data_dir: Path, key: str, version: str) -> None:
    """Serve this version after the next start too. Raises OSError."""
    file = worker_active_file(data_dir, key)
    beside = file.with_name(f".active-{secrets.token_hex(4)}")
    try:
        beside.write_text(f"{version}\n", encoding="ascii")
        beside.replace(file)
    finally:
        beside.unlink(missing_ok=True)


def has_begun(data_dir: Path, key: str, run: str) -> bool:
    """Whether this `holdfast up` has served the script already (`begin`), and something is served: that may be newer than its command line."""
    try:
        text = worker_begun_file(data_dir, key).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return False
    return bool(run) and text.strip() == run and bool(active_version(data_dir, key))


def begin(data_dir: Path, key: str, run: str) -> None:
    """This `holdfast up` has served the script as its command line says. Raises OSError."""
    worker_begun_file(data_dir, key).write_text(f"{run}\n", encoding="ascii")


def described(data_dir: Path, key: str, version: str) -> ScriptVersion:
    """One version, as it was written. Raises VersionError."""
    if not is_version(version):
        raise VersionError(f"{version!r} is no name of a version")
    file = worker_version_dir(data_dir, key, version) / DESCRIPTION
    try:
        with file.open("rb") as opened:
            text = opened.read(MAX_DESCRIPTION_BYTES + 1)
    except OSError as error:
        raise VersionError(f"version {version} cannot be read: {reason_of(error)}") from error
    if len(text) > MAX_DESCRIPTION_BYTES:
        raise VersionError(f"version {version} has a description of more than {MAX_DESCRIPTION_BYTES} bytes")
    try:
        found = msgspec.json.decode(text, type=ScriptVersion)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise VersionError(f"version {version} has a description that cannot be read: {error}") from error
    if (found.key, found.version) != (key, version):
        raise VersionError(f"version {version} describes version {found.version} of the script {found.key}")
    return found


def remove(data_dir: Path, key: str) -> None:
    """Remove the script, objects and all. What it had takes room until `clear`. Raises OSError."""
    directory = worker_dir(data_dir, key)
    if directory.exists():
        # Out of the way as a whole: one that is removed by half must not be taken for a script, and many files take their time.
        directory.rename(directory.with_name(f"{_REMOVED}{key}-{secrets.token_hex(4)}"))
    # Its sockets, where they are elsewhere.
    shutil.rmtree(worker_http_socket(data_dir, key).parent, ignore_errors=True)


def clear(data_dir: Path) -> None:
    """Give back the room of scripts that were removed, whoever did it, and what processes had for themselves whose host was killed; takes as long as
    there are files. What cannot be removed stays."""
    for directory in workers_dir(data_dir).glob(f"{_REMOVED}*"):
        removal.remove(directory)
    for directory in workers_dir(data_dir).glob(f"*/{RUN}/*-*"):
        host = directory.name.partition("-")[0]
        # One that lives may be another than that was; then it is removed after that.
        if not Path("/proc", host).exists():
            removal.remove(directory)
