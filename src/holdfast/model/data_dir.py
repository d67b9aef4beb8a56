"""Where Holdfast keeps its files, and what they are called.

Law: this names paths and touches none.
"""

from __future__ import annotations

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


def supervisor_socket(data_dir: Path) -> Path:
    """The Unix socket by which people ask a supervisor (`holdfast.app.front_desk`)."""
    return data_dir / "supervisor.sock"


def has_room_for_the_socket(data_dir: Path) -> bool:
    """Whether the path of the control socket is as short as the system wants it."""
    return len(str(control_socket(data_dir)).encode(errors="surrogateescape")) <= MAX_SOCKET_PATH_BYTES


def edge_journal(data_dir: Path) -> Path:
    """The zones that the edge served last (`holdfast.edge.journal`)."""
    return data_dir / "edge" / "snapshot.bin"
