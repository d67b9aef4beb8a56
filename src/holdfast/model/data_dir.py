"""Where Holdfast keeps its files, and what they are called.

Law: this names paths and touches none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

# sockaddr_un holds 108 bytes, the last of which is the terminating zero (unix(7)).
MAX_SOCKET_PATH_BYTES = 107


def default_data_dir(environ: Mapping[str, str], home: Path) -> Path:
    """The data directory when none is given: $XDG_DATA_HOME/holdfast, or ~/.local/share/holdfast.

    A relative $XDG_DATA_HOME is ignored, as the XDG base directory specification asks.
    """
    base = Path(environ.get("XDG_DATA_HOME", ""))
    return (base if base.is_absolute() else home / ".local" / "share") / "holdfast"


def tls_dir(data_dir: Path) -> Path:
    """Where the local certificate authority lives (`holdfast.certificates.local_ca`)."""
    return data_dir / "tls"


def local_ca_file(data_dir: Path) -> Path:
    """The certificate of the local authority (PEM): what a client on this machine may trust."""
    return tls_dir(data_dir) / "ca.pem"


def control_socket(data_dir: Path) -> Path:
    """The Unix socket of the control link (`holdfast.model.control_link`): control listens, edges connect."""
    return data_dir / "control.sock"


def figures_file(data_dir: Path) -> Path:
    """What edges counted that have ended (`holdfast.control.figures`)."""
    return data_dir / "figures.bin"


def supervisor_socket(data_dir: Path) -> Path:
    """The Unix socket by which people ask a supervisor (`holdfast.app.front_desk`)."""
    return data_dir / "supervisor.sock"


def has_room_for_the_socket(data_dir: Path) -> bool:
    """Whether the path of the control socket is as short as the system wants it."""
    return len(str(control_socket(data_dir)).encode(errors="surrogateescape")) <= MAX_SOCKET_PATH_BYTES


def edge_journal(data_dir: Path) -> Path:
    """The zones that the edge served last (`holdfast.edge.journal`)."""
    return data_dir / "edge" / "snapshot.bin"


# --- Scripts (`holdfast.workers`) ---

_KEY_DIGITS, _SHORT_DIGITS = 12, 16
# Every system has it, and nobody may rename what others have there.
SHORT_DIR = Path("/tmp")  # noqa: S108  the name is checked by whoever makes it


def local_home(data_dir: Path) -> Path:
    """What stands in the place of the data directory for the scripts of `holdfast up`: they are none of an installation's."""
    return data_dir / "up"


def workers_dir(data_dir: Path) -> Path:
    """What belongs to scripts: a directory for each, by its key."""
    return data_dir / "workers"


def worker_key(account_id: str, name: str) -> str:
    """What names the directory of the script `name`: 12 hex digits, so that its sockets' paths are short whatever it is called."""
    return hashlib.sha256(f"{account_id}/{name}".encode()).hexdigest()[:_KEY_DIGITS]


def worker_dir(data_dir: Path, key: str) -> Path:
    """The directory of one script."""
    return workers_dir(data_dir) / key


def worker_sockets_dir(data_dir: Path) -> Path:
    """Where the sockets of scripts are: beside their files, or, where that path is too long for sockets, in a directory that is named
    by a hash of it, below SHORT_DIR. Whoever makes that directory checks that it is nobody else's (`workers.host.sockets`)."""
    return workers_dir(data_dir) if _has_room_for_worker_sockets(data_dir) else _short_dir(data_dir)


def worker_http_socket(data_dir: Path, key: str) -> Path:
    """The Unix socket on which a script's process takes requests; an edge is the client."""
    return worker_sockets_dir(data_dir) / key / "http.sock"


def worker_channel_socket(data_dir: Path, key: str) -> Path:
    """The Unix socket of a script's session channel; an edge's loops connect."""
    return worker_sockets_dir(data_dir) / key / "channel.sock"


def worker_objects_dir(data_dir: Path, key: str) -> Path:
    """The files of a script's Durable Objects."""
    return worker_dir(data_dir, key) / "objects"


def worker_namespace_dir(data_dir: Path, key: str, unique_key: str) -> Path:
    """The files of the objects of one namespace, each by its id, of those that have stored something."""
    return worker_objects_dir(data_dir, key) / unique_key


def worker_version_dir(data_dir: Path, key: str, version: str) -> Path:
    """One version of a script: its code tree below `code/`, and `script.json` that describes it."""
    return worker_dir(data_dir, key) / "versions" / version


def worker_active_file(data_dir: Path, key: str) -> Path:
    """The file that says, as text, which version of a script is served."""
    return worker_dir(data_dir, key) / "active"


def worker_begun_file(data_dir: Path, key: str) -> Path:
    """The file that says, as text, which `holdfast up` has served the script as its command line says."""
    return worker_dir(data_dir, key) / "begun"


def worker_schedules_file(data_dir: Path, key: str) -> Path:
    """The file that says when a script runs by itself: cron expressions, a JSON array of texts."""
    return worker_dir(data_dir, key) / "schedules.json"


def workers_fired_file(data_dir: Path) -> Path:
    """The file that says up to which minute, counted from the Unix epoch, schedules have been looked at."""
    return workers_dir(data_dir) / "fired"


def worker_caller_file(data_dir: Path, key: str) -> Path:
    """The file with the text by which a script's process proves to an edge whose it is: that process and the edges read it, user code
    cannot."""
    return worker_dir(data_dir, key) / "caller"


def workers_egress_socket(data_dir: Path) -> Path:
    """The Unix socket where edges take what scripts fetch."""
    return worker_sockets_dir(data_dir) / "egress.sock"


def workers_host_socket(data_dir: Path) -> Path:
    """The Unix socket by which control and commands talk to the host of scripts (`holdfast.model.worker_host_messages`)."""
    return worker_sockets_dir(data_dir) / "host.sock"


def _has_room_for_worker_sockets(data_dir: Path) -> bool:
    longest = workers_dir(data_dir.absolute()) / ("0" * _KEY_DIGITS) / "channel.sock"
    return len(str(longest).encode(errors="surrogateescape")) <= MAX_SOCKET_PATH_BYTES


def _short_dir(data_dir: Path) -> Path:
    digest = hashlib.sha256(str(data_dir.absolute()).encode(errors="surrogateescape")).hexdigest()
    return SHORT_DIR / f"holdfast-{digest[:_SHORT_DIGITS]}"
