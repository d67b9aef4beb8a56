"""A process that writes to one object's storage until it is killed, and says on its standard output what is durable.

`python -m tests.integration.object_writer DIRECTORY FIRST [BYTES]`: from number FIRST on, each a transaction of many parts (`write`), then
a line with the number. With BYTES no file may become longer, as if the disk were full.
"""

import os
import resource
import signal
import sys
from contextlib import suppress
from contextvars import copy_context
from pathlib import Path

from holdfast.store.objects import sql
from holdfast.store.objects.alarms import FILE_NAME, AlarmTable
from holdfast.store.objects.file import ObjectFile
from holdfast.store.objects.identity import Identity
from holdfast.store.objects.kv import KeyValues
from holdfast.workers.durable.ledger import Ledger
from holdfast.workers.durable.storage_keys import whole
from holdfast.workers.runtime.turns import see_event

ROOM = Identity("Room", "ab" * 32, "lobby")
SID = 2**63 + 5
KEYS = 20


class NothingWaits:
    """How far the links are, of which there are none."""

    def is_passed(self) -> bool:
        return True


class Opened:
    """The object's file, its traces, and the table of alarms."""

    def __init__(self, directory: Path) -> None:
        self.table = AlarmTable.open(directory / FILE_NAME)
        self.file = ObjectFile.open(directory / "Room" / f"{ROOM.object_id}.sqlite", identity=ROOM, alarms=self.table)
        self.keys = KeyValues(self.file)
        self.ledger = Ledger(
            self.file, mark=NothingWaits, sessions=list, has_all_sockets=lambda: False, changed=lambda: None
        )

    def commit(self) -> None:
        self.ledger.write_down([])
        self.file.commit()
        self.ledger.left()

    def close(self) -> None:
        self.file.close()
        self.table.close()

    @property
    def number(self) -> int:
        """The last transaction that is in the file."""
        return int(self.keys.get("number") or b"0")


def alarm_of(number: int) -> int | None:
    """When transaction `number` sets the alarm for: earlier and later than the one before, and sometimes not at all."""
    return None if number % 7 == 0 else 10_000 + number * 7919 % 1000


def write(opened: Opened, number: int) -> None:
    """All of one transaction, and of one that is taken back within it."""
    if number == 1:
        sql.run(opened.file, "CREATE TABLE log (number INTEGER PRIMARY KEY, text)")
    opened.keys.put("number", b"%d" % number)
    opened.keys.put(f"key {number % KEYS}", b"%d" % number * (1 + number % 300))
    sql.run(opened.file, "INSERT INTO log VALUES (?, ?)", (number, "x" * (number % 1000)))
    with suppress(LookupError), whole(opened.file):
        opened.keys.put("never", b"x" * 10_000)
        sql.run(opened.file, "DELETE FROM log")
        raise LookupError
    opened.file.alarm.set(alarm_of(number))


def main() -> None:
    """See above."""
    directory, first = Path(sys.argv[1]), int(sys.argv[2])
    if sys.argv[3:]:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))
    opened = Opened(directory)
    for number in range(first, sys.maxsize):
        context = copy_context()
        context.run(see_event, SID, number)
        context.run(write, opened, number)
        opened.commit()
        os.write(1, b"%d\n" % number)
        opened.ledger.acknowledged(SID, number - 1)


if __name__ == "__main__":
    main()
