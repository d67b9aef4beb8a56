"""The file of one instance, once something has asked for it: with its ledger, its storage, and what was counted of it.

Law 1: it is opened once, and let go of once, with the instance; the ledger comes and goes with it.
Law 2: what is committed is this file, from when it is open until it is let go of (`commits.Commits`).
"""

import asyncio
from typing import Any, Protocol

from holdfast.workers.durable.commits import Commits
from holdfast.workers.durable.ids import DurableObjectId
from holdfast.workers.durable.services import Ledger, ObjectClass, Services, Socket


class Owner(Protocol):
    """Whose file it is (`actor.Actor`)."""

    id: DurableObjectId
    kind: ObjectClass

    @property
    def sockets(self) -> dict[Socket, None]: ...


class OwnFile:
    """See above. `file` is `services.File`, None while it is not open; `storage` is put here by who makes it of the file."""

    __slots__ = ("_commits", "_counted_rows", "_owner", "_services", "file", "ledger", "storage")

    def __init__(self, owner: Owner, services: Services, commits: Commits) -> None:
        self._owner, self._services, self._commits = owner, services, commits
        self._counted_rows = 0
        self.file: Any = None
        self.ledger: Ledger | None = None
        self.storage: Any = None

    def open(self) -> None:
        """Open it. Raises StorageError."""
        kind, digits, services = self._owner.kind, str(self._owner.id), self._services
        self.file = self._commits.file = services.open_file(kind, digits)
        if services.open_ledger is not None:
            self.ledger = self._commits.ledger = services.open_ledger(kind, digits, self.file, self._sessions)

    def rows_changed(self) -> int:
        """How many rows were written since this was asked before; 0 where no file is open."""
        if self.file is None:
            return 0
        changed: int = self.file.changed_rows
        before, self._counted_rows = self._counted_rows, changed
        # A file that was emptied begins anew.
        return changed - before if changed >= before else changed

    def let_go(self) -> "asyncio.Future[None] | None":
        """It is this instance's no more: what is not committed is undone. A future where a commit must end first (`Commits.let_go`)."""
        self.file = self.storage = self.ledger = None
        return self._commits.let_go()

    def _sessions(self) -> list[Any]:
        return [ws.session for ws in self._owner.sockets if ws.session is not None]
