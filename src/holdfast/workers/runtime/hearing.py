"""Gives the events of one WebSocket to its listeners: the standard API's half of `incoming.py`.

Law 1: listeners are called in a task of whoever accepted the socket: an object's gate holds each step, and the object stays in memory for it.
Law 2: messages are acknowledged when their listeners were called, those that are `async` have begun, and what they wrote is durable; beyond
MAX_AT_WORK_BYTES in listeners that still run, when enough of them have ended. What a listener raises is told, and the others are called.
Law 3: the close event is the last one; what is `async` has begun before it: a socket is not closed to who hears a message of before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Protocol

from holdfast.workers.durable import current
from holdfast.workers.runtime import events
from holdfast.workers.runtime.services import services
from holdfast.workers.sdk.buffers import ArrayBuffer

# Messages of a socket whose listeners still run: beyond them nothing more of it is taken in. Precedent: what an edge sends ahead of one socket.
MAX_AT_WORK_BYTES = 4 * 1024 * 1024
# What a listener that runs counts for beside its message: a task, its context and its frame, about.
LISTENER_BYTES = 1024

# Tasks are kept here, for the loop itself keeps none.
_tasks: set[asyncio.Task[Any]] = set()


class Heard(Protocol):
    """The socket (`incoming.Incoming`)."""

    def next_given(self) -> tuple[Any, ...] | None:
        """The next event for the listeners; None while there is none."""

    def listeners_of(self, event_type: str) -> list[events.Listener]:
        """Whom to call."""

    def done(self, seq: int) -> None:
        """Everything up to this event is done with."""

    def closes(self, code: int, reason: str, *, was_clean: bool) -> None:
        """The close event begins."""


class Hearing:
    """See above. `wake` it when there is something."""

    __slots__ = ("_at_work_bytes", "_has_begun", "_heard_seq", "_owed_seq", "_socket", "_waker")

    def __init__(self, socket: Heard) -> None:
        self._socket = socket
        # In listeners that run; and up to which event is acknowledged when that is little enough.
        self._at_work_bytes = self._owed_seq = 0
        # Whether there are `async` listeners whose first step is to come; and the last event that can be acknowledged, once for all of a turn.
        self._has_begun, self._heard_seq = False, 0
        self._waker: asyncio.Future[None] | None = None

    def start(self) -> asyncio.Task[None]:
        """Give listeners what comes from now on; the task ends with the socket."""
        return _kept(self._listen(), name="a WebSocket of the standard API")

    def wake(self) -> None:
        """There is an event."""
        if self._waker is not None and not self._waker.done():
            self._waker.set_result(None)

    async def _listen(self) -> None:
        while True:
            while (item := self._socket.next_given()) is not None:
                if self._has_begun and item[0] != "message":
                    await self._begin()
                if self._fire(item):
                    return
            if self._has_begun:
                await self._begin()
                continue
            if self._heard_seq:
                self._done_with_heard()
            self._waker = asyncio.get_running_loop().create_future()
            await self._waker
            self._waker = None

    async def _begin(self) -> None:
        """Let listeners take their first step, all that were called at once; in JavaScript each has when it was called."""
        self._has_begun = False
        await asyncio.sleep(0)
        self._done_with_heard()

    def _done_with_heard(self) -> None:
        seq, self._heard_seq = self._heard_seq, 0
        self._done(seq)

    def _fire(self, item: tuple[Any, ...]) -> bool:
        """Call the listeners of an event; whether it was the last one."""
        seq = size = 0
        event: events.Event
        match item:
            case ("message", data, seq):
                size = len(data) + LISTENER_BYTES
                event = events.MessageEvent(self._socket, data if isinstance(data, str) else ArrayBuffer(data))
            case ("close", code, reason, was_clean, seq):
                self._socket.closes(code, reason, was_clean=was_clean)
                event = events.CloseEvent(self._socket, code, reason, was_clean)
            case ("error", error, seq):
                event = events.ErrorEvent(self._socket, error)
            case _:
                event = events.OpenEvent(self._socket)
        for listener in self._socket.listeners_of(event.type):
            self._call(listener, event, size)
        if event.type == "close":
            self._done(seq)
            return True
        if size and self._at_work_bytes > MAX_AT_WORK_BYTES:
            self._owed_seq = seq
        else:
            self._heard_seq = seq
        return False

    def _done(self, seq: int) -> None:
        """Behind what the listeners have let out, which may wait for what they wrote."""
        current.emit(partial(self._socket.done, seq))

    def _call(self, listener: Callable[[events.Event], Any], event: events.Event, size: int) -> None:
        try:
            result = listener(event)
            if isinstance(result, Coroutine):
                task = _kept(result)
                self._has_begun = True
                self._at_work_bytes += size
                task.add_done_callback(partial(self._heard, event.type, size))
        except Exception as error:  # noqa: BLE001 - user code's: told, and the other listeners are called
            services.report(error, f"a listener of '{event.type}'")

    def _heard(self, event_type: str, size: int, task: asyncio.Task[Any]) -> None:
        self._at_work_bytes -= size
        if self._owed_seq and self._at_work_bytes <= MAX_AT_WORK_BYTES:
            seq, self._owed_seq = self._owed_seq, 0
            self._done(seq)
        if not task.cancelled() and (error := task.exception()) is not None:
            services.report(error, f"a listener of '{event_type}'")


def _kept(coroutine: Coroutine[Any, Any, Any], *, name: str | None = None) -> asyncio.Task[Any]:
    task = asyncio.get_running_loop().create_task(coroutine, name=name)
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)
    return task
