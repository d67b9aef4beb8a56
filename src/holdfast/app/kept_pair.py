"""The pair of sockets in which a host of scripts keeps its listening sockets (`workers.host.kept_sockets`): held by the supervisor, which never reads it.

Law: what is on its way in the pair lives for as long as one process holds the pair, and the supervisor does.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def kept_pair() -> Iterator[tuple[int, int]]:
    """The descriptors of its two ends: to send by, and to receive by."""
    sending, receiving = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with sending, receiving:
        yield sending.fileno(), receiving.fileno()
