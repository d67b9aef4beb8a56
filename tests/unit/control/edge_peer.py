"""An edge as control meets it: a connection to its socket that has said its first bytes and been answered."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

LIMIT_S = 30.0


@asynccontextmanager
async def connected(path: Path, first: bytes) -> AsyncIterator[asyncio.StreamReader]:
    """Connect to `path`, send `first`, and wait for the first bytes of an answer."""
    async with asyncio.timeout(LIMIT_S):
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(first)
        await reader.readexactly(1)
    try:
        yield reader
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
