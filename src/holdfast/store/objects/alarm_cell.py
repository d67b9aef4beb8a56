"""The alarm of one object: a row in the object's own file, and so a part of the transaction that sets it.

Law 1: the row is the truth. The table of all alarms (`alarms.py`) only says which files to look into, and when.
Law 2: the table never says later than the row: an earlier time goes there, durably, before the object's commit; a later one, or none,
       after it. So a process that dies between the two leaves a row in the table that is too early at worst; whoever looks then finds
       the truth here, and corrects the table (`settle`). No alarm is lost, none runs that was not set.
Law 3: an alarm that runs keeps its row until it has ended well, in the transaction of what its handler wrote: at least once. `get` says
       None meanwhile. One that is set while it runs takes its place, and its failure then brings no retry.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from holdfast.store.objects.errors import StorageError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from holdfast.store.objects.identity import Identity


@dataclass(frozen=True, slots=True)
class Alarm:
    """When an object asked to be woken, when it is to be tried next (both ms of Unix time), and how many tries have failed.

    `number` tells alarms of one object apart that were set for the same time.
    """

    scheduled_ms: int
    next_ms: int
    retry_count: int = 0
    number: int = 0


class Transacted(Protocol):
    """What an alarm needs of its object's file (`file.ObjectFile`)."""

    identity: Identity | None

    @property
    def exists(self) -> bool:
        """Whether there is anything to read."""

    def read(self, sql: str, parameters: Sequence[str] = ()) -> sqlite3.Cursor:
        """Run a statement that reads."""

    def write(self, sql: str, parameters: Sequence[str] = ()) -> sqlite3.Cursor:
        """Run a statement that writes, within the transaction."""


class AlarmIndex(Protocol):
    """What an alarm needs of the table of all alarms (`alarms.AlarmTable`)."""

    def put(self, identity: Identity, alarm: Alarm | None, *, is_durable: bool = True) -> None:
        """What the table says of an object from now on; `is_durable`: it is on the disk when this returns."""


class AlarmCell:
    """The alarm of an open file, `file.alarm`. All of it writes within the file's transaction; only `commit` makes it last."""

    def __init__(self, file: Transacted, table: AlarmIndex | None) -> None:
        self._file, self._table = file, table
        self._stored: Alarm | None = None
        self._running: Alarm | None = None
        self._is_loaded = self._is_changed = False
        self._last_number = 0
        # What the table says, as far as this process knows. False: not known.
        self._tabled: int | bool | None = False

    def stored(self) -> Alarm | None:
        """The alarm in the file, one that runs included."""
        if not self._is_loaded:
            self._stored = self._load()
            self._is_loaded = True
            self._last_number = max(self._last_number, self._stored.number if self._stored else 0)
        return self._stored

    def get(self) -> int | None:
        """When the object will be woken, in ms of Unix time, as `getAlarm()` has it: during a back-off the time it was set for."""
        stored = self.stored()
        return None if stored is None or stored == self._running else stored.scheduled_ms

    def set(self, at_ms: int | None) -> None:
        """Set the alarm, or delete it (None), in place of any other, one that runs included. Raises StorageError."""
        if at_ms is None:
            self._store(None)
            return
        self.stored()
        self._last_number += 1
        self._store(Alarm(at_ms, at_ms, number=self._last_number))

    def due(self) -> Alarm | None:
        """The alarm in the file, by its truth: whether it is due yet is the caller's clock to say."""
        return self.stored()

    def begin(self) -> Alarm:
        """The alarm's handler is about to run. Raises StorageError if there is no alarm."""
        if (alarm := self.stored()) is None:
            raise StorageError("no alarm is set: none can begin")
        self._running = alarm
        return alarm

    def succeed(self) -> None:
        """The handler ended well: the alarm is done with, unless it was set again meanwhile. Commit afterwards."""
        running, self._running = self._running, None
        if running is not None and self.stored() == running:
            self._store(None)

    def fail(self, next_ms: int) -> None:
        """The handler failed: it is due again at `next_ms`, unless it was set again or deleted meanwhile. Commit afterwards."""
        running, self._running = self._running, None
        if running is not None and self.stored() == running:
            self._store(Alarm(running.scheduled_ms, next_ms, running.retry_count + 1, running.number))

    def abandon(self) -> None:
        """The handler has failed too often: the alarm is given up, unless it was set again meanwhile. Commit afterwards."""
        self.succeed()

    def settle(self) -> None:
        """Correct what the table says of this object, where the two may have parted. Raises StorageError.

        What is not committed is not the truth yet; the commit will tell.
        """
        alarm = self.stored()
        if not self._is_changed:
            self._tell_table(alarm, is_durable=False)

    def before_commit(self) -> None:
        """The file is about to commit: an alarm that is earlier than the table says goes there first."""
        if not self._is_changed or (alarm := self.stored()) is None:
            return
        if self._tabled is False or self._tabled is None or alarm.next_ms < self._tabled:
            self._tell_table(alarm, is_durable=True)

    def after_commit(self) -> None:
        """The file has committed: the table may say less now."""
        if self._is_changed:
            self._is_changed = False
            alarm = self.stored()
            if self._tabled is False or self._tabled != (alarm.next_ms if alarm else None):
                self._tell_table(alarm, is_durable=False)

    def rolled_back(self) -> None:
        """The file has forgotten writes: what is in it must be read again."""
        self._is_loaded = False

    def _tell_table(self, alarm: Alarm | None, *, is_durable: bool) -> None:
        if self._table is None or self._file.identity is None:
            return
        self._table.put(self._file.identity, alarm, is_durable=is_durable)
        self._tabled = alarm.next_ms if alarm else None

    def _load(self) -> Alarm | None:
        if not self._file.exists:
            return None
        row = self._file.read(" SELECT value FROM _cf_METADATA WHERE key = 'alarm'").fetchone()
        return Alarm(*json.loads(row[0])) if row else None

    def _store(self, alarm: Alarm | None) -> None:
        if alarm is None:
            if self.stored() is None:
                return
            self._file.write(" DELETE FROM _cf_METADATA WHERE key = 'alarm'")
        else:
            values = json.dumps([alarm.scheduled_ms, alarm.next_ms, alarm.retry_count, alarm.number])
            self._file.write(" INSERT OR REPLACE INTO _cf_METADATA VALUES ('alarm', ?)", (values,))
        self._stored, self._is_loaded, self._is_changed = alarm, True, True
