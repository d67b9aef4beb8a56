"""ASGI's lifespan: an application is started once a process, before its first request, and shut down when the process retires.

(The original starts and shuts it down for each request.)

Law 1: an application that knows no lifespan, which it says by raising, is served without; one whose startup failed is not, and is
       started again for the next request.
Law 2: the state that startup left is each request's, as a shallow copy.
Law 3: an application belongs to no request: it runs in a context of its own.
"""

from __future__ import annotations

import asyncio
import logging
from contextvars import Context
from typing import Any

from holdfast.workers.sdk.asgi_types import Application, Message

logger = logging.getLogger("asgi")

# Time for an application to start. Precedent: the platform gives a Worker's start-up one second of CPU; this is wall time.
STARTUP_TIMEOUT_S = 60.0

_lives: dict[int, Lifespan] = {}


class Lifespan:
    """One application from its startup to its shutdown."""

    def __init__(self, app: Application) -> None:
        self.app = app
        self.state: dict[str, Any] = {}
        self._to_app: asyncio.Queue[Message] = asyncio.Queue()
        self._is_up = asyncio.get_running_loop().create_future()
        self._is_down = asyncio.Event()
        self._task = asyncio.get_running_loop().create_task(self._run(), context=Context())
        self._to_app.put_nowait({"type": "lifespan.startup"})

    async def ready(self) -> dict[str, Any]:
        """Wait until it is up; its state. RuntimeError if it failed, TimeoutError if it takes too long."""
        async with asyncio.timeout(STARTUP_TIMEOUT_S):
            await asyncio.shield(self._is_up)
        return dict(self.state)

    async def shut_down(self) -> None:
        """Tell it to end, and wait until it has."""
        if not self._task.done():
            self._to_app.put_nowait({"type": "lifespan.shutdown"})
            await self._is_down.wait()

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        try:
            await self.app(scope, self._to_app.get, self._send)
        except Exception as error:
            if self._is_up.done():
                logger.exception("Exception in ASGI lifespan application")
            else:
                logger.debug("The ASGI application knows no lifespan", exc_info=error)
        finally:
            self._up()
            self._is_down.set()

    async def _send(self, message: Message) -> None:
        match message["type"]:
            case "lifespan.startup.complete":
                self._up()
            case "lifespan.startup.failed":
                self._failed(RuntimeError(message.get("message") or "ASGI lifespan startup failed"))
            case "lifespan.shutdown.complete":
                self._is_down.set()
            case "lifespan.shutdown.failed":
                logger.error(message.get("message") or "ASGI lifespan shutdown failed")
                self._is_down.set()
            case other:
                raise RuntimeError(f"Unexpected lifespan event {other}")

    def _up(self) -> None:
        if not self._is_up.done():
            self._is_up.set_result(None)

    def _failed(self, error: Exception) -> None:
        if not self._is_up.done():
            self._is_up.set_exception(error)
            # Whoever waits for it gets it; it is told once, and not again as nobody's.
            self._is_up.exception()


async def state_of(app: Application) -> dict[str, Any]:
    """Start the application if it is not; its state. RuntimeError if it failed to start."""
    life = _lives.get(id(app))
    if life is None or life.app is not app:
        life = _lives[id(app)] = Lifespan(app)
    try:
        return await life.ready()
    except (RuntimeError, TimeoutError):
        if _lives.get(id(app)) is life:
            del _lives[id(app)]
        raise


async def shut_down(limit_s: float) -> None:
    """Shut down every application, at once; those that take longer than the limit are left."""
    work = [asyncio.ensure_future(life.shut_down()) for life in _lives.values()]
    _lives.clear()
    if work:
        _, late = await asyncio.wait(work, timeout=limit_s)
        for task in late:
            task.cancel()
