"""The called end: what another script asks of an entrypoint of this one, or of one of its objects.

Law 1: every answer says in CALLED_FIELD what it is; user code writes nothing there.
Law 2: the head of an answer to a call of a method goes out as soon as the call has reached its object, so that the next one may be sent;
how it ended follows, and signs of life until then.
Law 3: an exception of user code is logged here, with its traceback; who called gets what `remote.errors` makes of it.
Law 4: a process whose objects go to the next one says so of what it has not begun, and begins nothing.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, cast

from holdfast.model.worker_egress import CALLED_FIELD, Called, Outcome
from holdfast.workers.durable.calls import Call, Fetch, Read, method_of
from holdfast.workers.durable.errors import ObjectError, ObjectReset, marked
from holdfast.workers.durable.namespace import Namespace
from holdfast.workers.remote.conversations import Asked, plain
from holdfast.workers.remote.errors import record_of
from holdfast.workers.remote.functions import Session
from holdfast.workers.remote.messages import ALIVE, LENGTH_BYTES, MAX_FRAME_BYTES, BadFrame, Frames, Message, frame
from holdfast.workers.runtime.http_server import Exchange
from holdfast.workers.runtime.loading import DEFAULT, Script
from holdfast.workers.sdk import in_place
from holdfast.workers.sdk.cancellation import is_cancelled
from holdfast.workers.sdk.context import ExecutionContext
from holdfast.workers.sdk.entrypoints import fetch_arguments, fetch_of
from holdfast.workers.sdk.errors import JsTypeError
from holdfast.workers.sdk.request import Request

# How often a call that takes long says that it goes on; edges take 10 min of silence for the end.
ALIVE_EVERY_S = 60.0
_FRAMES = b"application/octet-stream"

Report = Callable[[BaseException, str], None]


class Objects(Protocol):
    """Who has the Durable Objects: `durable.objects.Objects`."""

    is_retiring: bool

    def namespace(self, class_name: str) -> Namespace:
        """The namespace of a class. Raises KeyError."""


@dataclass(slots=True)
class Serving:
    """Has `script` answer calls of others. `report(error, where)` logs what user code raises."""

    script: Script
    env: Any
    objects: Objects | None
    report: Report
    wait_until: Callable[[Any], None]

    @property
    def is_leaving(self) -> bool:
        """Whether the objects go to the next process."""
        return self.objects is not None and self.objects.is_retiring

    async def fetched(self, request: Request, called: Called) -> object:
        """What the called one's `fetch` answers. Raises Unbegun, and what it raises."""
        if not called.class_name:
            made = self._entrypoint(called)
            if (handler := fetch_of(made)) is None:
                raise JsTypeError("Handler does not export a fetch() function.")
            return await in_place.called(
                handler, *fetch_arguments(handler, request, self.env, getattr(made, "ctx", None))
            )
        return await self._of_object(called, Fetch("fetch", (request,)))

    async def rpc(self, exchange: Exchange, called: Called) -> None:
        """Answer a call of a method. Raises Gone, BadFrame, Unbegun."""
        frames, chunks = Frames(), exchange.body()
        message = await _message(chunks, frames)
        if called.class_name and self.is_leaving:
            raise Unbegun
        if "functions" not in message:
            await self._answer(exchange, self._begun(message, called, None), None)
            return
        asked = Asked(chunks, frames)
        try:
            # Nothing here keeps what is found in it: the streams end when nobody has the functions any more.
            work = self._begun(_with_functions(message, asked.session), called, asked.session)
            await self._answer(exchange, work, asked)
        finally:
            asked.end()

    def _begun(self, message: Message, called: Called, session: Session | None) -> asyncio.Future[bytes]:
        """How a call ends, from when it has been begun."""
        if called.class_name:
            call = Read(str(message["read"])) if "read" in message else _call(message)
            broken: list[BaseException] = []
            call.lost = broken.append
            self._deliver(called, call)
            return asyncio.ensure_future(self._object_said(call, called, broken, session))
        return asyncio.ensure_future(self._entrypoint_said(message, called, session))

    async def _answer(self, exchange: Exchange, work: asyncio.Future[bytes], asked: Asked | None) -> None:
        if asked is not None:
            work.add_done_callback(partial(_tell, exchange, asked))
        pieces = _ending(work) if asked is None else asked.pieces()
        try:
            await exchange.answer(200, [mark("answer"), (b"content-type", _FRAMES)], pieces)
        finally:
            work.cancel()

    async def _object_said(
        self, call: Call, called: Called, broken: list[BaseException], session: Session | None
    ) -> bytes:
        """How a call ended; `broken` is filled where the object breaks."""
        try:
            return _done(await call.future, session)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001  whoever called is told
            if not call.has_begun and _is_leave(error):
                return frame({"unbegun": True})
            if not broken and not isinstance(error, ObjectError):
                # Where it happened is in its note; the way through the runtime tells nobody anything.
                self.report(error.with_traceback(None), f"{called.class_name} (called by {called.caller})")
            return frame({"failed": record_of(error), "lost": bool(broken)})

    async def _entrypoint_said(self, message: Message, called: Called, session: Session | None) -> bytes:
        try:
            made = self._entrypoint(called)
            if "read" in message:
                return _done(await _settled(method_of(made, str(message["read"]))), session)
            name, args, kwargs = _parts(message)
            return _done(await in_place.called(partial(_method(made, name), *args, **kwargs)), session)
        except BaseException as error:
            if is_cancelled(error):
                raise
            # Whoever called is told; what ends a loop, as SystemExit does, ends only the call.
            # `isinstance` would ask the error itself, which may refuse.
            if not issubclass(type(error), ObjectError):
                self.report(error, f"{called.entrypoint or DEFAULT} (called by {called.caller})")
            return frame({"failed": record_of(marked(error, remote=True))})

    async def _of_object(self, called: Called, call: Call) -> object:
        if self.is_leaving:
            raise Unbegun
        self._deliver(called, call)
        try:
            return await call.future
        except ObjectReset as error:
            if not call.has_begun and _is_leave(error):
                raise Unbegun from error
            raise

    def _deliver(self, called: Called, call: Call) -> None:
        if self.objects is None:
            raise JsTypeError("this Worker has no Durable Objects")
        try:
            namespace = self.objects.namespace(called.class_name)
        except KeyError:
            raise JsTypeError(f'this Worker has no Durable Object class "{called.class_name}"') from None
        namespace.deliver(called.object_id, called.object_name, call)

    def _entrypoint(self, called: Called) -> Any:  # noqa: ANN401  user code's
        name = called.entrypoint or DEFAULT
        if (kind := self.script.entrypoints.get(name)) is None:
            there = ", ".join(sorted(self.script.entrypoints)) or "none"
            raise JsTypeError(f'This Worker has no entrypoint "{name}"; expected one of: {there}')
        return kind(ExecutionContext(self.wait_until, called.props), self.env)


class Unbegun(Exception):
    """The call has not been begun, and is the next process's."""


def mark(outcome: Outcome) -> tuple[bytes, bytes]:
    """The field that says what an answer is."""
    return CALLED_FIELD.encode(), outcome.encode()


def failure(error: BaseException) -> bytes:
    """An exception as the body of an answer."""
    return frame(record_of(error))


async def _message(chunks: AsyncIterator[bytes], frames: Frames) -> Message:
    """The call. What follows it stays in `frames`. Raises BadFrame, Gone."""
    read = 0
    async for data in chunks:
        read += len(data)
        if read > MAX_FRAME_BYTES + LENGTH_BYTES:
            raise BadFrame("a call is longer than it may be")
        for message in frames.feed(data):
            return message
    raise BadFrame("a call ended before its end")


def _tell(exchange: Exchange, asked: Asked, work: asyncio.Future[bytes]) -> None:
    asked.answer(b"" if work.cancelled() else work.result())
    # Functions may keep the streams open for as long as somebody has them.
    exchange.count_as_answered()


def _with_functions(message: Message, session: Session) -> Message:
    # Taken out of the message: whoever has that is not to have the functions.
    lot = {"functions": message.pop("functions")}
    return {name: session.found(message.pop(name), lot) for name in list(message)}


def _done(result: Any, session: Session | None) -> bytes:  # noqa: ANN401  user code's
    if session is None:
        return frame({"done": plain(result)})
    return session.sent({"done": session.taken(result)})


async def _ending(work: asyncio.Future[bytes]) -> AsyncIterator[bytes]:
    """What a call comes to, and signs of life until then."""
    while True:
        await asyncio.wait({work}, timeout=ALIVE_EVERY_S)
        if work.done():
            yield work.result()
            return
        yield ALIVE


def _call(message: Message) -> Call:
    name, args, kwargs = _parts(message)
    return Call(name, tuple(args), kwargs)


def _parts(message: Message) -> tuple[str, list[Any], dict[str, Any]]:
    """Raises BadFrame."""
    name, args, kwargs = message.get("call"), message.get("args"), message.get("kwargs")
    if not isinstance(name, str) or not isinstance(args, list) or not isinstance(kwargs, dict):
        raise BadFrame("a call has a name, arguments, and arguments by name")
    return name, args, kwargs


def _method(made: Any, name: str) -> Callable[..., Any]:  # noqa: ANN401  user code's
    found = method_of(made, name)
    if not callable(found):
        raise JsTypeError(f'"{name}" is not a function.')
    return cast("Callable[..., Any]", found)


def _is_leave(error: BaseException) -> bool:
    return isinstance(error, ObjectReset) and error.retryable


async def _settled(result: Any) -> Any:  # noqa: ANN401  user code's
    return await result if inspect.isawaitable(result) else result
