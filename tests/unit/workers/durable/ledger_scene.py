"""One object's file with its ledger, the sessions of its sockets, and links whose kernel takes things when it is said so."""

from collections.abc import Callable
from contextvars import copy_context
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from types import SimpleNamespace

from holdfast.store.objects.file import ObjectFile
from holdfast.workers.channel.records import ToEdge
from holdfast.workers.channel.session import Session
from holdfast.workers.durable.ledger import Ledger
from holdfast.workers.durable.ledger_rows import rows_of
from holdfast.workers.durable.outbox import Outbox, entries_in
from holdfast.workers.runtime.turns import see_event

A, B = 7, 2**64 - 8
Note = Callable[[Outbox], object]


class Links:
    """How far the kernel is: a mark that was taken before it took everything is passed when it takes the rest."""

    def __init__(self) -> None:
        self.has_taken = False
        self.marks = 0

    def __call__(self) -> "_Mark":
        self.marks += 1
        return _Mark(self)


class _Mark:
    def __init__(self, links: Links) -> None:
        self._links = links
        self._is_passed = links.has_taken

    def is_passed(self) -> bool:
        self._is_passed = self._is_passed or self._links.has_taken
        return self._is_passed


class Scene:
    """See above. A handler `writes`; then it is committed, or the process is killed (`again`)."""

    def __init__(self, path: Path, *, has_taken: bool = False, has_all_sockets: bool = False) -> None:
        self.file = ObjectFile.open(path)
        self.links = Links()
        self.links.has_taken = has_taken
        self.has_all_sockets = has_all_sockets
        self.changes = 0
        self.sessions: dict[int, Session] = {}
        self.ledger = Ledger(
            self.file,
            mark=self.links,
            sessions=lambda: list(self.sessions.values()),
            has_all_sockets=lambda: self.has_all_sockets,
            changed=self._changed,
        )

    def again(self, **how: bool) -> "Scene":
        """The next process: what was not committed is gone."""
        self.file.close()
        return Scene(self.file.path, **how)

    def session(self, sid: int, acknowledged: int = 0) -> Session:
        """The session of a socket of the object."""
        made = self.sessions[sid] = Session(sid, None, received=acknowledged)
        return made

    def writes(self, event: tuple[int, int] | None = None, key: str = "key") -> None:
        """What a handler of that event does."""

        def handle() -> None:
            if event is not None:
                see_event(*event)
            self.file.write(" INSERT OR REPLACE INTO _cf_KV VALUES (?, 'value')", (key,))

        copy_context().run(handle)

    def writes_down(self, *notes: Note) -> None:
        """A commit begins, for which outputs wait that note themselves so."""
        self.ledger.write_down([SimpleNamespace(note=note) for note in notes])

    def commits(self, *notes: Note) -> None:
        """A commit, after which what waited for it leaves."""
        self.writes_down(*notes)
        self.file.commit()
        self.ledger.left()

    def says(self, *texts: str) -> None:
        """A handler wrote and sent these."""
        self.writes()
        self.commits(*map(text, texts))

    def acknowledges(self, sid: int, seq: int) -> None:
        """The edge is told that the socket's events are done with."""
        if sid in self.sessions:
            self.sessions[sid].acknowledged = seq
        self.ledger.acknowledged(sid, seq)

    def handled(self, sid: int, seqs: range) -> list[int]:
        """Those of them that have left a trace."""
        return [seq for seq in seqs if self.ledger.was_handled(sid, seq)]

    @property
    def said(self) -> list[list[str]]:
        """What each commit wrote down of outputs."""
        return [
            [entry.data for entry in entries_in(rows)] for _, rows in groupby(rows_of(self.file), key=itemgetter(0, 1))
        ]

    @property
    def rows(self) -> int:
        """How many rows the table has."""
        count: int = self.file.read(" SELECT count(*) FROM _cf_OWED").fetchone()[0]
        return count

    def _changed(self) -> None:
        self.changes += 1


def text(data: str | bytes) -> Note:
    """A message to a socket."""
    return lambda outbox: outbox.add(ToEdge.TEXT, [A], data)
