"""Functions that a call takes from one script to another: each stays where it lives, and is called over the two streams of that call.

In a message a function is a text that nobody can have written, for it begins with what the session drew by lot. What the other side has of
it is a `FarFunction`; while one of those is kept, the streams stay open. Frames, beside those of `messages.py`:

    invoke  {"invoke": function, "as": number, "args": […], "kwargs": {…}}    release {"release": function}: nobody has it any more
    answer  {"answered": number, "done": value} or {"answered": number, "failed": record of an exception}

Law 1: a function runs as code of whoever gave it: of its object, behind that one's gates.
Law 2: what is called over streams that have ended, or end before the answer, fails: the other side is gone, and what it was asked may have been done.
Law 3: at most MAX_ASKED calls are under way in a session, each way.
"""

from __future__ import annotations

import asyncio
import secrets
import weakref
from collections.abc import Callable
from contextvars import Context, copy_context
from functools import partial
from itertools import count
from typing import Any

from holdfast.workers.durable import current
from holdfast.workers.durable.calls import Promise, RemoteFunction
from holdfast.workers.durable.errors import TOO_MANY_QUEUED, ObjectError, Overloaded, marked
from holdfast.workers.durable.transfer import copied
from holdfast.workers.remote.errors import error_of, record_of
from holdfast.workers.remote.messages import Message, frame
from holdfast.workers.sdk.threads import wherever

# Precedent: how many calls may wait for an object.
MAX_ASKED = 1_000
# The original's text.
LOST = "Network connection lost."
_LOT_BYTES = 16


class Session:
    """See above: one end. `write` sends a frame, as long as the session is open; `rested` hears that nothing holds it open any more."""

    def __init__(self, write: Callable[[bytes], None], rested: Callable[[], None]) -> None:
        self._write, self._rested = write, rested
        self._lot = secrets.token_hex(_LOT_BYTES)
        self._numbers = count(1)
        self._given: dict[str, RemoteFunction | FarFunction] = {}
        self._kept = 0
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._answering = 0
        self._loop = asyncio.get_running_loop()
        self.is_open = True

    @property
    def is_needed(self) -> bool:
        """Whether either side has a function of the other, or one runs."""
        return bool(self._given or self._kept or self._answering)

    def taken(self, value: Any) -> Any:  # noqa: ANN401  whatever user code sends
        """A copy of what is sent, functions in it given away. Raises DOMException "DataCloneError"."""
        return replaced(copied(value, partial(self.give, copy_context())), self.passed_on)

    def give(self, context: Context, function: Callable[..., Any]) -> str:
        """What stands for a function of this side that lives in `context`."""
        return self._given_away(RemoteFunction(function, context))

    def passed_on(self, part: Any) -> Any:  # noqa: ANN401  whatever user code sends
        """The same for a function that another object, or another script, gave to who sends; anything else as it is."""
        return self._given_away(part) if is_given(part) else part

    def sent(self, message: Message) -> bytes:
        """A message with functions in it, as it goes out. Raises as `frame`."""
        return frame({**message, "functions": self._lot})

    def found(self, value: Any, message: Message) -> Any:  # noqa: ANN401  whatever user code sent
        """A part of a message that came, with its functions in it."""
        lot = message.get("functions")
        if not isinstance(lot, str) or len(lot) != 2 * _LOT_BYTES:
            return value
        kept: dict[str, FarFunction] = {}

        def far(part: Any) -> Any:  # noqa: ANN401  as above
            if type(part) is not str or not part.startswith(lot):
                return part
            if part not in kept:
                kept[part] = self._keep(part)
            return kept[part]

        return replaced(value, far)

    def hear(self, message: Message) -> bool:
        """Whether the other side says something of functions; then it is done."""
        if "invoke" in message:
            self._invoked(message)
        elif "answered" in message:
            self._answered(message)
        elif "release" in message:
            self._given.pop(str(message["release"]), None)
            self._rest()
        else:
            return False
        return True

    def close(self) -> None:
        """The streams have ended."""
        if not self.is_open:
            return
        self.is_open = False
        self._given.clear()
        asked, self._asked = self._asked, {}
        for future in asked.values():
            if not future.done():
                future.set_exception(ObjectError(LOST, retryable=True))

    def call(self, function: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Promise:
        """Call a function of the other side."""
        future: asyncio.Future[Any] = self._loop.create_future()
        if not self.is_open:
            future.set_exception(ObjectError(LOST, retryable=True))
        elif len(self._asked) >= MAX_ASKED:
            future.set_exception(Overloaded(TOO_MANY_QUEUED))
        else:
            number = next(self._numbers)
            said = {"invoke": function, "as": number, "args": self.taken(args), "kwargs": self.taken(kwargs)}
            data = self.sent(said)
            self._asked[number] = future
            current.emit(partial(self._say, data))
        return Promise(future)

    def _say(self, data: bytes) -> None:
        if self.is_open:
            self._write(data)

    def _given_away(self, function: RemoteFunction | FarFunction) -> str:
        name = f"{self._lot}{next(self._numbers)}"
        self._given[name] = function
        return name

    def _keep(self, name: str) -> FarFunction:
        far = FarFunction(self, name)
        self._kept += 1
        weakref.finalize(far, self._forgotten, name).atexit = False
        return far

    def _forgotten(self, name: str) -> None:
        # From any thread, wherever the last of it was dropped.
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._released, name, context=Context())

    def _released(self, name: str) -> None:
        self._kept -= 1
        self._say(frame({"release": name}))
        self._rest()

    def _rest(self) -> None:
        if not self.is_needed:
            self._rested()

    def _invoked(self, message: Message) -> None:
        function, number = self._given.get(str(message.get("invoke"))), message.get("as")
        # Taken out of the message, which somebody may keep: nobody but the function is to have what is in them.
        args, kwargs = message.pop("args", None), message.pop("kwargs", None)
        if function is None or not isinstance(args, list) or not isinstance(kwargs, dict):
            self._say(
                frame({"answered": number, "failed": record_of(ObjectError("The function is not there any more."))})
            )
            return
        if self._answering >= MAX_ASKED:
            # Who asks keeps to it as well, but for user code in its name.
            self._say(frame({"answered": number, "failed": record_of(Overloaded(TOO_MANY_QUEUED))}))
            return
        self._answering += 1
        given: list[Any] = self.found(args, message)
        named: dict[str, Any] = self.found(kwargs, message)
        task = asyncio.Task(self._run(function, number, given, named), loop=self._loop, context=Context())
        _running.add(task)
        task.add_done_callback(_running.discard)

    async def _run(
        self, function: RemoteFunction | FarFunction, number: object, args: list[Any], kwargs: dict[str, Any]
    ) -> None:
        try:
            result = await function(*args, **kwargs)
            said = self.sent({"answered": number, "done": self.taken(result)})
        except Exception as error:  # noqa: BLE001  whoever called it is told
            said = frame({"answered": number, "failed": record_of(marked(error, remote=True))})
        finally:
            self._answering -= 1
        self._say(said)
        self._rest()

    def _answered(self, message: Message) -> None:
        number = message.get("answered")
        future = self._asked.pop(number, None) if isinstance(number, int) else None
        if future is None or future.done():
            return
        if "failed" in message:
            future.set_exception(error_of(message["failed"]))
        else:
            future.set_result(self.found(message.pop("done", None), message))


class FarFunction:
    """A function of another script: calling it there runs it where it lives."""

    __slots__ = ("__weakref__", "_name", "_session")

    def __init__(self, session: Session, name: str) -> None:
        self._session = session
        self._name = name

    @wherever
    def __call__(self, *args: Any, **kwargs: Any) -> Promise:  # noqa: ANN401  whatever the function takes
        """Call it; the arguments are copied now. DOMException "DataCloneError" for what cannot be sent."""
        return self._session.call(self._name, args, kwargs)

    def destroy(self) -> None:
        """As a proxy's; it is let go of when nobody has it."""

    def dup(self) -> FarFunction:
        """As a stub's: the same function."""
        return self


def is_given(part: object) -> bool:
    """Whether this is a function that somebody else gave away."""
    return isinstance(part, RemoteFunction | FarFunction)


# The loop itself holds no task.
_running: set[asyncio.Task[None]] = set()


def replaced(value: Any, of_leaf: Callable[[Any], Any]) -> Any:  # noqa: ANN401  whatever user code sent
    """The value, which is nobody else's, with `of_leaf` of whatever in it is no container. Shared parts and circles are seen once."""
    left: list[Any] = []
    seen: set[int] = set()

    def of(part: Any) -> Any:  # noqa: ANN401  as above
        if not isinstance(part, dict | list | set):
            return of_leaf(part)
        if id(part) not in seen:
            seen.add(id(part))
            left.append(part)
        return part

    whole = of(value)
    while left:
        part = left.pop()
        if isinstance(part, set):
            members = [of(item) for item in part]
            part.clear()
            part.update(members)
            continue
        for key, item in list(part.items() if isinstance(part, dict) else enumerate(part)):
            if (new := of(item)) is not item:
                (dict if isinstance(part, dict) else list).__setitem__(part, key, new)
    return whole
