"""The API behind a real server, and the official SDK as its client.

Law: the server listens on a port of the system's choice on this machine, and is gone when the block ends.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from cloudflare import AsyncCloudflare

from tests.api.harness import Api

_STOP_LIMIT_S = 30.0


@asynccontextmanager
async def sdk(api: Api, secret: str | None = None) -> AsyncIterator[AsyncCloudflare]:
    """The SDK, asking with `secret` (the owner's if None), without its own retries."""
    async with (
        served(api) as base_url,
        AsyncCloudflare(api_token=secret or api.secret, base_url=base_url, max_retries=0) as client,
    ):
        yield client


@asynccontextmanager
async def served(api: Api) -> AsyncIterator[str]:
    """The base URL of a server of the API."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(api.control.application, log_config=None, lifespan="off", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        # The test process keeps its own signal handlers: only `_serve` is the server.
        task = asyncio.create_task(server._serve([listener]))
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/client/v4"
        finally:
            server.should_exit = True
            await asyncio.wait_for(task, _STOP_LIMIT_S)
