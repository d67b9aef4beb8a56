"""What the objects of a script are given from outside: code, files, channels, a clock, a way to report.

Law: nothing in this folder opens a file, starts a thread, reads a clock or writes a log line but through here, so that a test gives
fakes of all of it.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from contextvars import Context
from dataclasses import dataclass, field
from typing import Any, Protocol

from holdfast.workers.durable.commits import Threads
from holdfast.workers.durable.ids import IdSpace
from holdfast.workers.durable.tally import Tally

Done = Callable[[Any, BaseException | None], None]


class Running(Protocol):
    """A handler that runs."""

    def cancel(self) -> object:
        """Throw CancelledError into it where it is suspended."""


class Start(Protocol):
    """Runs user code (`runtime.pump.start`): handlers begin in the order of their calls, and `done` hears how each ended."""

    def __call__(
        self, function: Callable[..., Any], args: tuple[Any, ...], context: Context, done: Done
    ) -> Running: ...


class Socket(Protocol):
    """A hibernatable WebSocket (`runtime.sockets.WebSocket`), as far as an object's life is concerned with it."""

    owner: Any
    readyState: int  # noqa: N815  the web platform's name

    @property
    def tags(self) -> tuple[str, ...]: ...
    @property
    def session(self) -> Any: ...  # noqa: ANN401  a `channel.session.Session`
    @property
    def auto_answered_ms(self) -> int | None: ...
    @property
    def accepted_ms(self) -> int: ...
    def abort(self, code: int, reason: str) -> None: ...
    def closes(
        self, code: int, reason: str, *, was_clean: bool, emit: Callable[[Callable[[], None]], None] = ...
    ) -> None: ...


class Channels(Protocol):
    """The links to the edges (`channel.hub.Channels`)."""

    def set_auto(self, group: int, request: str | None, response: str | None) -> None: ...
    def broadcast(
        self,
        sessions: Iterable[Any],
        data: str | bytes,
        *,
        drop: bool = False,
        max_backlog_bytes: int = 0,
        number: int = 0,
    ) -> None: ...
    def in_turn(self, act: Callable[[], object]) -> None: ...
    def soon(self, act: Callable[[], object]) -> None: ...
    def forget(self, group: int) -> None: ...
    def settle(self) -> object: ...
    def mark(self) -> Any: ...  # noqa: ANN401  `ledger_rows.Mark`


class AlarmRow(Protocol):
    """An object's alarm: when it was set for, when it is run next, and how often it has failed (Unix milliseconds)."""

    @property
    def scheduled_ms(self) -> int: ...
    @property
    def next_ms(self) -> int: ...
    @property
    def retry_count(self) -> int: ...


class FileAlarm(Protocol):
    """The alarm in an object's own file; each change is a write of its transaction."""

    def stored(self) -> AlarmRow | None: ...
    def settle(self) -> None: ...
    def begin(self) -> object: ...
    def succeed(self) -> None: ...
    def fail(self, next_ms: int) -> None: ...


class Ledger(Protocol):
    """Which events of sockets an object has handled, and what waits for its commits (`ledger.Ledger`)."""

    def was_handled(self, sid: int, seq: int) -> bool: ...
    def acknowledged(self, sid: int, seq: int) -> None: ...
    def closed(self, sid: int) -> None: ...
    def write_down(self, waiting: Iterable[Any]) -> None: ...
    def left(self) -> None: ...


class File(Protocol):
    """An object's file (`store.objects.ObjectFile`)."""

    @property
    def alarm(self) -> FileAlarm: ...
    def commit(self) -> None: ...
    def rollback(self) -> None: ...
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True, eq=False)
class ObjectClass:
    """A class of user code whose objects are here.

    `namespace` is the first name that it had, and what is kept goes by: files, alarms, sockets at their edges. `unique_key` is what ids
    are made with, `<script>-<namespace>`.
    """

    name: str
    namespace: str
    unique_key: str
    code: type
    ids: IdSpace
    tally: Tally = field(default_factory=Tally)


@dataclass(slots=True, kw_only=True)
class Services:
    """See above. `report(level, text, error)` tells the log; `open_file(object class, id)` blocks, for a moment."""

    start: Start
    disk: Threads
    open_file: Callable[[ObjectClass, str], Any]
    make_storage: Callable[[Any, Any], Any]
    report: Callable[[str, str, BaseException | None], None]
    wall_ms: Callable[[], int]
    channels: Channels = field(init=False)
    # Made with each file that is opened, and given the sessions of the object's sockets. None: events that are sent again are handled again,
    # and what was not sent is lost with the process.
    open_ledger: Callable[[ObjectClass, str, Any, Callable[[], Collection[Any]]], Ledger | None] | None = None
    env: Any = None
    exports: Any = None
    # Set into the context of every handler: what the SDK and the ledger ask there.
    context: Callable[[Any], None] | None = None
    event_seen: Callable[[int, int], object] | None = None
    # Told that user code makes an object for an event; what it returns, when that has been done.
    wakes: Callable[[int, int], Callable[[], None]] | None = None
    # Called in the context of each run of an alarm.
    run_seen: Callable[[], object] | None = None
    # Set whenever something has ended, while somebody waits for that.
    rested: asyncio.Event | None = None
    statistics: Counter[str] = field(default_factory=Counter)

    def count(self, what: str) -> None:
        """One more of it."""
        self.statistics[what] += 1
