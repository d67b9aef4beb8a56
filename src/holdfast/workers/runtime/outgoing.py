"""`new WebSocket(url)`: a connection of our own, opened by an edge and then held by it as a client's is.

Law: the constructor raises for what can never be a connection; all else becomes events of the socket.
"""

from __future__ import annotations

import asyncio
from typing import Any

from holdfast.workers.runtime.half import Half, pair
from holdfast.workers.runtime.handshake import checked_protocols, open_websocket, websocket_url
from holdfast.workers.runtime.incoming import Acceptance
from holdfast.workers.runtime.services import services
from holdfast.workers.sdk.web.url_parsing import UrlRecord

_opening: set[asyncio.Task[Any]] = set()


def connecting(socket: Half, far: Half, url: object, protocols: object) -> None:
    """Open `url` for `socket`, whose peer is to be `far`. Raises JsSyntaxError as the constructor does."""
    record, offered = websocket_url(url), checked_protocols(protocols)
    pair(socket, far)
    socket.url = str(url)
    # A task of whoever opens it: an object's outgoing socket is that object's.
    task = asyncio.get_running_loop().create_task(_connect(socket, far, record, offered))
    _opening.add(task)
    task.add_done_callback(_opening.discard)


async def _connect(socket: Half, far: Half, url: UrlRecord, protocols: list[str]) -> None:
    try:
        parked = await open_websocket(url, protocols)
    except Exception as error:  # noqa: BLE001 - whatever it was, the socket's listeners are told
        socket.failed_to_connect(error)
        return
    if socket.is_over:
        # User code has closed it meanwhile.
        parked.close()
        return
    socket.protocol, socket.extensions = parked.protocol, parked.extensions
    far.acceptance = Acceptance.USED
    services.adopt(far, parked.token)
