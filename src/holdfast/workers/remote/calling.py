"""The calling end: one call by a binding, from the process of who calls, with all that can come of it.

Law 1: a call is made once. It is made again only where nobody has begun it: the other script makes room for its next version, or a
deployment of ours is not known everywhere yet. That has an end (UNBEGUN_S, UNBOUND_S).
Law 2: calls of methods by one stub begin in the order in which they were made: the next one is sent when the other side has the one before.
Law 3: what fails on the way is an ObjectError, as of an object in this process, with `retryable` True: whether it was begun nobody knows.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any, cast

from holdfast.model.worker_egress import CALLED_FIELD, BoundCall, Outcome, RequestContext
from holdfast.workers.durable.errors import NO_LONGER_ACTIVE, QUEUED_TOO_LONG, ObjectError, ObjectReset, Overloaded
from holdfast.workers.remote.conversations import Asking
from holdfast.workers.remote.errors import error_of
from holdfast.workers.remote.functions import LOST
from holdfast.workers.remote.messages import MAX_FRAME_BYTES, BadFrame, Frames, Message
from holdfast.workers.runtime import egress
from holdfast.workers.runtime.egress import NoPlace
from holdfast.workers.runtime.egress_answer import AnswerBody, Incoming
from holdfast.workers.runtime.egress_request import Outgoing
from holdfast.workers.sdk.errors import NetworkError
from holdfast.workers.sdk.web import url_parsing

# How long a call that was not begun is made again. Precedent: how long one may wait for an object in this process.
UNBEGUN_S = 30.0
# How long after a deployment an edge may not know of it: it reads that when it is asked.
UNBOUND_S = 2.0
FIRST_PAUSE_S, MAX_PAUSE_S = 0.01, 0.25
# Whose bytes are not asked for: there is no such host, and nobody is to believe that there is.
_RPC_URL = url_parsing.parse("http://rpc.invalid/")
_MARK = CALLED_FIELD.lower().encode()


@dataclass(frozen=True, slots=True)
class Way:
    """By which binding, as whom, and for which object, "" for none."""

    binding: str
    proof: str
    object_id: str = ""
    object_name: str | None = None

    def call(self, context: RequestContext | None, *, is_rpc: bool) -> BoundCall:
        """What the edge is told."""
        return BoundCall(
            binding=self.binding,
            proof=self.proof,
            object_id=self.object_id,
            object_name=self.object_name,
            is_rpc=is_rpc,
            cf={} if context is None or is_rpc else context.cf,
        )


@dataclass(slots=True)
class Caller:
    """Makes the calls of one stub."""

    way: Way
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def fetch(self, outgoing: Outgoing, context: RequestContext | None) -> Incoming:
        """The answer to a request. Raises what the other side raised, and ObjectError."""
        can_be_repeated = outgoing.body is None or isinstance(outgoing.body, bytes)
        return await self._asked(outgoing, self.way.call(context, is_rpc=False), context, can_be_repeated)

    async def rpc(self, message: bytes, context: RequestContext | None, asking: Asking) -> Any:  # noqa: ANN401  user code's
        """The result of a call of a method, which `asking` has made the message of. Raises as `fetch`."""
        call, until = self.way.call(context, is_rpc=True), _Patience()
        session = asking.session
        while True:
            body = message if session is None else asking.body(message)
            outgoing = Outgoing("POST", _RPC_URL, [(b"Content-Type", b"application/octet-stream")], body)
            async with self._turn:
                answer = await self._asked(outgoing, call, context, session is None)
            said = await (_first(answer) if session is None else asking.result(_chunks(answer.body), session))
            if "unbegun" not in said:
                return _result(said)
            if session is not None:
                # Its streams have ended, and cannot be sent again.
                raise _unbegun()
            await until.again(UNBEGUN_S, _unbegun())

    async def _asked(
        self, outgoing: Outgoing, call: BoundCall, context: RequestContext | None, can_be_repeated: bool
    ) -> Incoming:
        patience = _Patience()
        while True:
            answer = await _sent(outgoing, call, context)
            outcome, told = _outcome(answer)
            match outcome:
                case "answer":
                    return told
                case "exception":
                    raise error_of(await _first(told))
                case "unbegun" if can_be_repeated:
                    _close(told)
                    await patience.again(UNBEGUN_S, _unbegun())
                case "unbegun":
                    raise _unbegun()
                case "unbound" if can_be_repeated:
                    await patience.again(UNBOUND_S, ObjectError(await _text(told)))
                case "unbound" | "refused":
                    raise ObjectError(await _text(told))
                case _:
                    raise lost(await _text(told))


class _Patience:
    """How often, and how long, something is tried again."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._since, self._pause_s = self._loop.time(), FIRST_PAUSE_S

    async def again(self, limit_s: float, error: Exception) -> None:
        """Wait a moment; raise `error` where it has been long enough."""
        if self._loop.time() - self._since > limit_s:
            raise error
        await asyncio.sleep(self._pause_s)
        self._pause_s = min(self._pause_s * 2, MAX_PAUSE_S)


def lost(why: object = "") -> ObjectError:
    """Nobody knows what became of a call. `why` is for people."""
    error = ObjectError(LOST, retryable=True)
    if text := str(why):
        error.add_note(text)
    return error


def _unbegun() -> ObjectReset:
    return ObjectReset(NO_LONGER_ACTIVE, retryable=True)


async def _sent(outgoing: Outgoing, call: BoundCall, context: RequestContext | None) -> Incoming:
    try:
        return await egress.call(outgoing, call, context)
    except NoPlace as error:
        raise Overloaded(QUEUED_TOO_LONG) from error
    except NetworkError as error:
        raise lost(error) from error


def _outcome(answer: Incoming) -> tuple[Outcome, Incoming]:
    """What an answer is, and the answer without the field that says it."""
    said = [value for name, value in answer.headers if name.lower() == _MARK]
    kept = replace(answer, headers=[one for one in answer.headers if one[0].lower() != _MARK])
    known = said[0].decode("latin-1") if len(said) == 1 else "lost"
    return cast("Outcome", known), kept


async def _first(answer: Incoming) -> Message:
    """What the other side says of a call, once that has ended there."""
    frames = Frames()
    said: list[Message] = []
    try:
        # To its end, which is there with what it says: so its connections can be used again.
        async for data in _chunks(answer.body):
            said += frames.feed(data)
    except (BadFrame, ObjectError) as error:
        if not said:
            raise lost(error) from error
    finally:
        _close(answer)
    if not said:
        raise lost("The answer ended before its end.")
    return said[0]


def _result(said: Message) -> Any:  # noqa: ANN401  user code's
    if "failed" not in said:
        return said.get("done")
    error = error_of(said["failed"])
    if said.get("lost"):
        raise StubBroken(error)
    raise error


class StubBroken(Exception):
    """The object broke before it had answered. `error` says by what; the stub is of no more use."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


async def _text(answer: Incoming) -> str:
    said = bytearray()
    async for data in _chunks(answer.body):
        said += data
        if len(said) > MAX_FRAME_BYTES:
            break
    _close(answer)
    return said.decode("utf-8", "replace")


async def _chunks(body: AnswerBody | None) -> AsyncIterator[bytes]:
    if body is None:
        return
    try:
        async for data in body:
            yield data
    except NetworkError as error:
        raise lost(error) from error


def _close(answer: Incoming) -> None:
    if answer.body is not None:
        answer.body.close()
