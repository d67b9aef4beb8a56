"""What a service manager is told, over the socket that it names in NOTIFY_SOCKET (sd_notify(3)).

Law: it is told without waiting, and nobody has to listen: where that cannot be, nothing happens.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress

VARIABLE = "NOTIFY_SOCKET"
_READY = "READY=1"


class ServiceManager:
    """The service manager that `environ` names, if any."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        named = environ.get(VARIABLE, "")
        # "@" stands for the zero byte of a name in the abstract namespace (unix(7)).
        self._address = f"\0{named[1:]}" if named.startswith("@") else named
        if not self._address.startswith(("/", "\0")):
            self._address = ""

    def notify(self, lines: Sequence[str]) -> None:
        """Say these assignments, as one message. With READY=1 goes whose they are: a shell may have started us."""
        if not self._address:
            return
        said = [*lines, f"MAINPID={os.getpid()}"] if _READY in lines else lines
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender:
            sender.sendto("\n".join(said).encode(), self._address)
