# ruff: noqa: N802 - JavaScript's names
"""`ctx.storage`: what an object keeps, as user code has it.

Law 1: every method acts when it is called. What the asynchronous ones return is an answer that is there already: awaiting it lets nobody
       else run, so a `get` followed by a `put` is atomic; and a `put` that nobody awaits has happened, as in JavaScript.
       So it is where the answer is awaited by way of `gather` or a task (`gates.py`), unless `allowConcurrency`.
Law 2: writes without an await of something else between them are one transaction: the file begins it, the instance commits it.
Law 3: options are keywords or a dict as the last argument, in camelCase or snake_case; ones that are not known here (`noCache`) change nothing.
Law 4: what this product cannot do says so. There is no point-in-time recovery; a bookmark that restores nothing would be a lie.

The storage of a transaction (`txn`) is the object's own; all that is used while the closure runs belongs to it.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from holdfast.store.objects.errors import StorageError
from holdfast.workers.durable.storage_keys import Keys, StorageHost, translated, translating, whole
from holdfast.workers.durable.storage_sql import SqlStorage
from holdfast.workers.sdk.errors import JsException, JsTypeError
from holdfast.workers.sdk.in_place import held
from holdfast.workers.sdk.values import JsMap

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Iterator

    from holdfast.store.objects.file import ObjectFile

T = TypeVar("T")

NO_ALARM_HANDLER = "Your Durable Object class must have an alarm() handler in order to call setAlarm()"
NOT_BY_DATE = "setAlarm() cannot be called with an alarm time <= 0"
UNDEFINED = "put() called with undefined value."
NOT_A_PAIR = (
    "put() may only be called with a single key-value pair and optional options as put(key, value, options) or with multiple "
    "key-value pairs and optional options as put(entries, options)"
)
NO_BOOKMARKS = (
    "{}: Holdfast keeps no history of a database, so there is no point in time to go back to. Keep backups of its file."
)
# Later than any date of JavaScript's: 275760-09-13.
MAX_ALARM_MS = 8_640_000_000_000_000


class _Undefined:
    """No argument at all, where None is one."""


_UNDEFINED = _Undefined()


class Settled(Generic[T]):
    """An answer that is there already, to be awaited, any number of times, or not."""

    __slots__ = ("_value",)

    def __init__(self, value: T) -> None:
        self._value = value

    def __await__(self) -> Generator[Any, Any, T]:
        yield from ()
        return self._value


class SyncKv:
    """`ctx.storage.kv`: the same keys, without awaiting."""

    stays_as = "SyncKvStorage"

    __slots__ = ("_keys",)

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def get(self, key: str) -> Any:  # noqa: ANN401 - what was put
        """The value, None if there is none."""
        return self._keys.get(key)

    def put(self, key: str, value: object = _UNDEFINED) -> None:
        """Keep the value under the key."""
        if value is _UNDEFINED:
            raise JsTypeError(UNDEFINED)
        self._keys.put(key, value)

    def delete(self, key: str) -> bool:
        """Whether there was such a key."""
        return self._keys.delete(key)

    def list(self, options: Mapping[str, Any] | None = None, **keywords: object) -> Iterator[tuple[str, Any]]:
        """Keys and values of a range (`start, startAfter, end, prefix, reverse, limit`), as they are now."""
        return self._keys.list({**(options or {}), **keywords})


class _Operations:
    """What `ctx.storage` and `txn` have in common."""

    __slots__ = ("_file", "_has_alarm_handler", "_host", "_keys", "_now_ms")

    def __init__(
        self, file: ObjectFile, host: StorageHost, *, now_ms: Callable[[], int], has_alarm_handler: bool = True
    ) -> None:
        self._file, self._host, self._now_ms = file, host, now_ms
        self._has_alarm_handler = has_alarm_handler
        self._keys = Keys(file, host)

    def get(self, key: Any, options: Mapping[str, Any] | None = None, **keywords: object) -> Settled[Any]:  # noqa: ANN401 - text, or a list of texts
        """The value of a key, None if there is none; of a list of at most 128 keys a dict of those there are."""
        self._use("get()", options, keywords)
        if isinstance(key, (list, tuple, set, frozenset)):
            return Settled(self._keys.get_many(key))
        return Settled(self._keys.get(key))

    def put(
        self,
        key: Any,  # noqa: ANN401 - text, or a dict of entries
        value: object = _UNDEFINED,
        options: Mapping[str, Any] | None = None,
        **keywords: object,
    ) -> Settled[None]:
        """Keep a value under a key, or at most 128 of them (`put({"a": 1, "b": 2})`)."""
        self._use("put()", options, keywords)
        if isinstance(key, Mapping):
            if value is not _UNDEFINED and not (value is None or isinstance(value, Mapping)):
                raise JsTypeError(NOT_A_PAIR)
            given = value if isinstance(value, Mapping) else options
            self._keys.put_many(key, confirmed=_is_confirmed(given, keywords))
            return Settled(None)
        if value is _UNDEFINED:
            raise JsTypeError(UNDEFINED)
        self._keys.put(key, value, confirmed=_is_confirmed(options, keywords))
        return Settled(None)

    def delete(
        self,
        key: Any,  # noqa: ANN401 - text, or a list of texts
        options: Mapping[str, Any] | None = None,
        **keywords: object,
    ) -> Settled[Any]:
        """Delete a key: whether there was one; or at most 128: how many there were."""
        self._use("delete()", options, keywords)
        confirmed = _is_confirmed(options, keywords)
        if isinstance(key, (list, tuple, set, frozenset)):
            return Settled(self._keys.delete_many(key, confirmed=confirmed))
        return Settled(self._keys.delete(key, confirmed=confirmed))

    def list(self, options: Mapping[str, Any] | None = None, **keywords: object) -> Settled[JsMap]:
        """Keys and values of a range (`start, startAfter, end, prefix, reverse, limit`), in order of the keys' UTF-8."""
        self._use("list()", options, keywords)
        return Settled(JsMap(self._keys.list({**(options or {}), **keywords})))

    def getAlarm(self, options: Mapping[str, Any] | None = None, **keywords: object) -> Settled[int | None]:
        """When the object will be woken, in milliseconds of Unix time; None: it will not, or is being woken just now."""
        self._use("getAlarm()", options, keywords)
        self._host.check()
        with translating(self._host):
            return Settled(self._file.alarm.get())

    def setAlarm(self, at: Any, options: Mapping[str, Any] | None = None, **keywords: object) -> Settled[None]:  # noqa: ANN401 - ms or a date
        """Wake the object at a time: milliseconds of Unix time, a datetime, or a `Date`. One in the past is now."""
        self._use("setAlarm()", options, keywords)
        at_ms = max(_milliseconds(at), self._now_ms())
        if not self._has_alarm_handler:
            raise JsTypeError(NO_ALARM_HANDLER)
        self._set_alarm(at_ms, confirmed=_is_confirmed(options, keywords))
        return Settled(None)

    def deleteAlarm(self, options: Mapping[str, Any] | None = None, **keywords: object) -> Settled[None]:
        """Do not wake the object."""
        self._use("deleteAlarm()", options, keywords)
        self._set_alarm(None, confirmed=_is_confirmed(options, keywords))
        return Settled(None)

    get_alarm, set_alarm, delete_alarm = getAlarm, setAlarm, deleteAlarm

    def _set_alarm(self, at_ms: int | None, *, confirmed: bool) -> None:
        self._host.check()
        with translating(self._host):
            before = self._file.writes
            self._file.alarm.set(at_ms)
        if self._file.writes != before:
            self._host.wrote(confirmed=confirmed)

    def _use(self, operation: str, options: object, keywords: Mapping[str, object]) -> None:
        """Shut others out until this event has gone on, unless `allowConcurrency`. Raises as `_check`."""
        self._check(operation)
        if (not options and not keywords) or not _is_concurrent(options, keywords):
            self._host.used()

    def _check(self, operation: str) -> None:
        """Raise if this may not be used (any more)."""


class Storage(_Operations):
    """`ctx.storage`. `now_ms` is the clock, in milliseconds of Unix time."""

    stays_as = "DurableObjectStorage"

    __slots__ = ("kv", "sql")

    def __init__(
        self, file: ObjectFile, host: StorageHost, *, now_ms: Callable[[], int], has_alarm_handler: bool = True
    ) -> None:
        super().__init__(file, host, now_ms=now_ms, has_alarm_handler=has_alarm_handler)
        self.kv = SyncKv(self._keys)
        self.sql = SqlStorage(file, host)

    def deleteAll(self, options: Mapping[str, Any] | None = None, **keywords: object) -> Settled[None]:
        """Delete everything: keys, tables, and the alarm."""
        self._host.check()
        with translating(self._host):
            is_there = self._file.exists
            self._file.delete_all()
        if is_there:
            self._host.wrote()
            self._set_alarm(None, confirmed=True)
        return Settled(None)

    def sync(self) -> Awaitable[None]:
        """Wait until everything that was written is on the disk."""
        return self._host.confirmed()

    def transaction(self, closure: Callable[..., Any]) -> Awaitable[Any]:
        """Run `closure(txn)`, async or not: all it writes is kept, or, if it raises or calls `txn.rollback()`, none.

        No other event of the object runs meanwhile. Returns what the closure returns, raises what it raises.
        """
        return self._host.exclusive(lambda: self._transact(closure))

    def transactionSync(self, closure: Callable[[], T]) -> T:
        """Run `closure()`, which must not be async: all it writes is kept, or none if it raises. Returns what it returns."""
        self._host.check()
        with translating(self._host), whole(self._file), held("transactionSync()"):
            result = closure()
            if inspect.isawaitable(result):
                if inspect.iscoroutine(result):
                    result.close()
                raise JsTypeError("transactionSync() takes a function that is not async: use transaction()")
            return result

    def getCurrentBookmark(self) -> Awaitable[str]:
        """Not supported: raises JsException."""
        raise JsException(NO_BOOKMARKS.format("getCurrentBookmark()"))

    def getBookmarkForTime(self, timestamp: object) -> Awaitable[str]:
        """Not supported: raises JsException."""
        raise JsException(NO_BOOKMARKS.format("getBookmarkForTime()"))

    def onNextSessionRestoreBookmark(self, bookmark: str) -> Awaitable[str]:
        """Not supported: raises JsException."""
        raise JsException(NO_BOOKMARKS.format("onNextSessionRestoreBookmark()"))

    delete_all, transaction_sync = deleteAll, transactionSync
    get_current_bookmark, get_bookmark_for_time = getCurrentBookmark, getBookmarkForTime
    on_next_session_restore_bookmark = onNextSessionRestoreBookmark

    async def _transact(self, closure: Callable[..., Any]) -> Any:  # noqa: ANN401 - the closure's
        with translating(self._host):
            transaction = Transaction(self, self._file.begin_nested())
        try:
            result = closure(transaction) if _takes_argument(closure) else closure()
            if inspect.isawaitable(result):
                result = await result
        except BaseException:
            transaction.end(keep=False)
            raise
        transaction.end(keep=True)
        return result


class Transaction(_Operations):
    """`txn`: the object's storage while the closure runs, and `rollback`."""

    stays_as = "DurableObjectTransaction"

    __slots__ = ("_depth", "_is_rolled_back")

    def __init__(self, storage: _Operations, depth: int) -> None:
        super().__init__(
            storage._file,  # noqa: SLF001 - the same thing, within a transaction
            storage._host,  # noqa: SLF001
            now_ms=storage._now_ms,  # noqa: SLF001
            has_alarm_handler=storage._has_alarm_handler,  # noqa: SLF001
        )
        self._depth: int | None = depth
        self._is_rolled_back = False

    def rollback(self) -> None:
        """Forget what was written since the transaction began; nothing more can be done by it. Again is no error."""
        if not self._is_rolled_back:
            self._check("rollback()")
            self._end(keep=False)
            self._is_rolled_back = True

    def deleteAll(self, options: Mapping[str, Any] | None = None, **keywords: object) -> Settled[None]:
        """Not within a transaction: raises JsException."""
        raise JsException("Cannot call deleteAll() within a transaction")

    delete_all = deleteAll

    def end(self, *, keep: bool) -> None:
        """The closure has ended."""
        if self._depth is None:
            return
        if keep:
            self._end(keep=True)
        else:
            # The closure's own error says more than one of a file that is broken by now.
            with suppress(JsException):
                self._end(keep=False)

    def _end(self, *, keep: bool) -> None:
        depth, self._depth = self._depth, None
        if depth is not None:
            try:
                self._file.end_nested(depth, keep=keep)
            except StorageError as error:
                raise translated(error, self._host) from error

    def _check(self, operation: str) -> None:
        if self._is_rolled_back:
            raise JsException(f"Cannot {operation} on rolled back transaction")
        if self._depth is None:
            raise JsException(
                f"Cannot call {operation} on transaction that has already committed: did you move `txn` outside of the closure?"
            )


def _is_confirmed(options: Mapping[str, Any] | None, keywords: Mapping[str, object]) -> bool:
    if not options and not keywords:
        return True
    given = {**(options or {}), **keywords}
    return not (given.get("allowUnconfirmed") or given.get("allow_unconfirmed"))


def _is_concurrent(options: object, keywords: Mapping[str, object]) -> bool:
    given = {**(options if isinstance(options, Mapping) else {}), **keywords}
    return bool(given.get("allowConcurrency") or given.get("allow_concurrency"))


def _milliseconds(at: Any) -> int:  # noqa: ANN401 - as `setAlarm`
    if isinstance(at, datetime):
        value: Any = at.timestamp() * 1000
    else:
        value = at.getTime() if hasattr(at, "getTime") else at
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise JsTypeError(
            f"setAlarm(): expected milliseconds of Unix time, a datetime or a Date, got {type(at).__name__}"
        )
    if not 0 < value <= MAX_ALARM_MS:
        raise JsTypeError(
            NOT_BY_DATE if value <= 0 else f"setAlarm(): {value} is no time: expected milliseconds of Unix time"
        )
    return int(value)


def _takes_argument(closure: Callable[..., Any]) -> bool:
    """Whether it takes `txn`: JavaScript's functions may leave it out, and so may these."""
    try:
        inspect.signature(closure).bind(None)
    except TypeError:
        return False
    except ValueError:  # A builtin that says nothing of its arguments.
        return True
    return True
