"""`js.Promise`: asyncio's futures by JavaScript's names.

Law: what is given to `all` and the others may be promises, coroutines, futures or plain values; all of them begin at once.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, cast

from holdfast.workers.sdk.errors import JsException
from holdfast.workers.sdk.values import JsDict, JsList
from holdfast.workers.sdk.web.callbacks import settled, started

Result = TypeVar("Result")


class Promise(asyncio.Future[Result]):
    """A future with `then`, `catch` and `finally_`."""

    @classmethod
    def new(cls, executor: Callable[[Callable[..., None], Callable[..., None]], object]) -> Promise[Any]:
        """As `Promise.new(lambda resolve, reject: ...)`."""
        promise, is_resolved = cls(loop=asyncio.get_running_loop()), False

        def once(settle: Callable[[object], None], outcome: object) -> None:
            nonlocal is_resolved
            if not is_resolved:
                is_resolved = True
                settle(outcome)

        def resolve(value: object = None) -> None:
            once(promise._follow, value)

        def reject(reason: object = None) -> None:
            once(promise._fail, reason)

        try:
            executor(resolve, reject)
        except Exception as error:  # noqa: BLE001 - whatever it raises rejects
            reject(error)
        return promise

    @classmethod
    def withResolvers(cls) -> JsDict:  # noqa: N802 - JavaScript's name
        """`{promise, resolve, reject}`."""
        made = JsDict()
        made.promise = cls.new(lambda resolve, reject: made.update(resolve=resolve, reject=reject))
        return made

    @classmethod
    def of(cls, work: object) -> Promise[Any]:
        """A promise of what `work` becomes."""
        promise = cls(loop=asyncio.get_running_loop())
        promise._follow(work)
        return promise

    @classmethod
    def resolve(cls, value: object = None) -> Promise[Any]:
        """A promise of a value, or of what it becomes."""
        return cls.of(value)

    @classmethod
    def reject(cls, reason: object = None) -> Promise[Any]:
        """A promise that has failed."""
        promise = cls(loop=asyncio.get_running_loop())
        promise._fail(reason)
        return promise

    @classmethod
    def all(cls, values: Iterable[object]) -> Promise[Any]:
        """A promise of all values; fails with the first that does."""
        return cls.of(_all([cls.of(value) for value in values]))

    @classmethod
    def allSettled(cls, values: Iterable[object]) -> Promise[Any]:  # noqa: N802 - JavaScript's name
        """A promise of `{status, value}` or `{status, reason}` of each."""
        return cls.of(_all_settled([cls.of(value) for value in values]))

    @classmethod
    def race(cls, values: Iterable[object]) -> Promise[Any]:
        """A promise of what is settled first."""
        return cls.of(_race([cls.of(value) for value in values]))

    @classmethod
    def any(cls, values: Iterable[object]) -> Promise[Any]:
        """A promise of what succeeds first."""
        return cls.of(_any([cls.of(value) for value in values]))

    def then(
        self, succeeded: Callable[[Any], object] | None = None, failed: Callable[[Any], object] | None = None
    ) -> Promise[Any]:
        """A promise of what the one or the other makes of this one's outcome."""
        return Promise.of(self._then(succeeded, failed))

    def catch(self, failed: Callable[[Any], object]) -> Promise[Any]:
        """As `then`, for failures."""
        return self.then(None, failed)

    def finally_(self, ended: Callable[[], object]) -> Promise[Any]:
        """A promise of the same outcome, after `ended` was called."""
        return Promise.of(self._finally(ended))

    async def _then(self, succeeded: Callable[[Any], object] | None, failed: Callable[[Any], object] | None) -> object:
        try:
            value = await self
        except Exception as error:
            if failed is None:
                raise
            return await settled(failed(error))
        return value if succeeded is None else await settled(succeeded(value))

    async def _finally(self, ended: Callable[[], object]) -> object:
        try:
            return await self
        finally:
            await settled(ended())

    def _follow(self, work: object) -> None:
        if inspect.isawaitable(work):
            future = started(work)
            future.add_done_callback(self._copy)
            # Who gives the promise up gives the work up.
            self.add_done_callback(lambda promise: future.cancel() if promise.cancelled() else None)
        else:
            self.set_result(cast("Result", work))

    def _copy(self, done: asyncio.Future[Any]) -> None:
        if self.done():
            return
        if done.cancelled():
            self.cancel()
        elif (error := done.exception()) is not None:
            self._fail(error)
        else:
            self.set_result(done.result())

    def _fail(self, reason: object) -> None:
        self.set_exception(reason if isinstance(reason, Exception) else JsException(str(reason)))
        # JavaScript warns of rejections that nobody handles; here they are the awaiter's, and nobody's without one.
        self.exception()


# `finally` is a word of Python's: `promise.finally_`, as Pyodide spells it, or `getattr(promise, "finally")`.
setattr(Promise, "finally", Promise.finally_)


async def _all(promises: list[Promise[Any]]) -> JsList[Any]:
    return JsList(await asyncio.gather(*promises))


async def _all_settled(promises: list[Promise[Any]]) -> JsList[JsDict]:
    outcomes = await asyncio.gather(*promises, return_exceptions=True)
    return JsList(
        JsDict(status="rejected", reason=outcome)
        if isinstance(outcome, BaseException)
        else JsDict(status="fulfilled", value=outcome)
        for outcome in outcomes
    )


async def _race(promises: list[Promise[Any]]) -> object:
    if not promises:
        return await asyncio.get_running_loop().create_future()
    done, _ = await asyncio.wait(promises, return_when=asyncio.FIRST_COMPLETED)
    return next(promise for promise in promises if promise in done).result()


async def _any(promises: list[Promise[Any]]) -> object:
    pending = set(promises)
    while pending:
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        for promise in promises:
            if promise in done and not promise.cancelled() and promise.exception() is None:
                return promise.result()
    raise JsException("All promises were rejected", name="AggregateError")
