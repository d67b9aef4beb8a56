"""Publishing: from a write in the database to the edges that serve by it.

Law 1: what is published compiles. A document that does not keeps its last version that did; `refused` says why.
Law 2: publications are numbered in one order, each is sent to every edge once, and edges that miss one get everything.
Law 3: a write that this process did not make (another control, a person with SQL) is found within POLL_S.
Law 4: a certificate that becomes valid or expires is news of its zone, found in the same way.
Law 5: documents are read and checked kind by kind, in a thread, one publication after the other: whatever one says, control
goes on answering, and a long list keeps no zone waiting.
Law 6: whoever wrote waits for the edges, APPLY_LIMIT_S at most, or longer for what takes them long: then the write is in force
when its answer arrives. An edge that was too late is waited for no longer than BEHIND_LIMIT_S until it has caught up.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol

import msgspec

from holdfast.control.pacing import Pacing
from holdfast.control.shelves import SOURCES, Checked, Refused, Shelf, name_of, says_nothing
from holdfast.model.control_link import Delta, FullSnapshot
from holdfast.model.moment import Moment
from holdfast.model.zone_document import KINDS, Document, Kind, SnapshotDocument
from holdfast.store import certificates, installation
from holdfast.store.database import Database, StorageFault, StoreUnavailable

# An edge takes milliseconds; on a machine that has much else to do, that may be seconds.
APPLY_LIMIT_S = 5.0
# An edge that stands still must not hold each write up for that long.
BEHIND_LIMIT_S = 0.25
POLL_S = 1.0

Log = Callable[[str, Mapping[str, str | int]], None]
Clock = Callable[[], Moment]
# What an edge makes of a document. Raises ValueError, a sentence, for one that no edge could serve. Called in a thread.
Check = Callable[[Document], Any]
# What is named is published before what names it.
_ORDER: tuple[Kind, ...] = ("managed", "list", "account", "zone")


def wall_clock() -> Moment:
    """The time in microseconds."""
    return time.time_ns() // 1000


class Subscriber(Protocol):
    """An edge that takes what is published, and serves by `revision`."""

    @property
    def revision(self) -> int: ...

    def send(self, message: Delta | FullSnapshot) -> None:
        """Pass it on, without waiting."""

    async def applied(self, revision: int) -> None:
        """Return when the edge serves by `revision`, or is gone."""


class Publisher:
    """All documents as published. One for each control process; `source` names its publications."""

    def __init__(self, database: Database, *, check: Check, log: Log, clock: Clock = wall_clock) -> None:
        self._database = database
        self._clock = clock
        # Up to when it is known which certificates are valid.
        self._looked = clock()
        self._check = check
        self._log = log
        self._shelves: dict[Kind, Shelf] = {kind: Shelf(kind) for kind in KINDS}
        self._subscribers: set[Subscriber] = set()
        # What edges were waited for, and did not take in time.
        self._missed: dict[Subscriber, int] = {}
        self._publishing: dict[Kind, asyncio.Lock] = {kind: asyncio.Lock() for kind in KINDS}
        self._polled = 0
        self.source = secrets.token_hex(16)
        self.revision = 0

    async def load(self) -> None:
        """Read everything, the first publication. Raises StoreUnavailable."""
        async with self._database.read() as connection:
            _, self._polled = await installation.source_and_revision(connection)
            self._looked = self._clock()
            for kind, (read, _) in SOURCES.items():
                documents = await read(connection, None, self._looked)
                for checked in await self._checked(documents):
                    self._take(kind, checked)
                for one in documents:
                    if says_nothing(one):
                        self._shelves[kind].withdraw(one)
            self.revision += 1

    def snapshot(self) -> SnapshotDocument:
        """All that is published."""
        everything = {name: tuple(self._shelves[kind].documents.values()) for kind, name in KINDS.items()}
        empty = SnapshotDocument(source=self.source, revision=self.revision)
        return msgspec.structs.replace(empty, **everything)

    def zone_name(self, zone_id: str) -> str:
        """The name of a published zone; its id where there is none (any more)."""
        document = self._shelves["zone"].documents.get(zone_id)
        return zone_id if document is None else name_of(document)

    def is_published(self, zone_id: str) -> bool:
        """Whether there is such a zone."""
        return zone_id in self._shelves["zone"].documents

    @property
    def refused(self) -> Mapping[str, Refused]:
        """What is not published in its newest version, by id."""
        return {ident: one for shelf in self._shelves.values() for ident, one in shelf.refused.items()}

    @property
    def managed(self) -> Mapping[str, Any]:
        """What the published managed rules compiled to, by id."""
        return MappingProxyType(self._shelves["managed"].compiled)

    def compiled(self, kind: Kind) -> Mapping[str, Any]:
        """What the published documents of a kind compiled to, by id, where that is kept: not of zones."""
        return MappingProxyType(self._shelves[kind].compiled)

    def counts(self) -> dict[Kind, tuple[int, int]]:
        """How many documents of each kind are published, and how many refused."""
        return {kind: (len(shelf.documents), len(shelf.refused)) for kind, shelf in self._shelves.items()}

    @property
    def subscribers(self) -> int:
        """How many edges take what is published."""
        return len(self._subscribers)

    def subscribe(self, subscriber: Subscriber) -> None:
        """Send everything to `subscriber`, and each publication from now on."""
        subscriber.send(FullSnapshot(snapshot=self.snapshot()))
        self._subscribers.add(subscriber)

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Send it nothing more."""
        self._subscribers.discard(subscriber)
        self._missed.pop(subscriber, None)

    async def on_change(
        self,
        zones: Collection[str] = (),
        *,
        accounts: Collection[str] = (),
        lists: Collection[str] = (),
        managed: Collection[str] = (),
        limit_s: float = APPLY_LIMIT_S,
    ) -> None:
        """Publish what has these ids, also what is gone, and wait for the edges, `limit_s` at most. Never raises: what the
        database does not give now is found by `poll`."""
        ids: Mapping[Kind, Collection[str]] = {"zone": zones, "account": accounts, "list": lists, "managed": managed}
        try:
            revision = await self._publish_all(ids)
        except StoreUnavailable as error:
            self._log("publish_failed", {"reason": str(error)})
            return
        await asyncio.gather(*(self._until_served(one, revision, limit_s) for one in self._subscribers))

    async def _until_served(self, subscriber: Subscriber, revision: int, limit_s: float) -> None:
        is_behind = subscriber.revision < self._missed.get(subscriber, 0)
        try:
            await asyncio.wait_for(subscriber.applied(revision), min(limit_s, BEHIND_LIMIT_S) if is_behind else limit_s)
        except TimeoutError:
            if subscriber in self._subscribers:
                self._missed[subscriber] = revision

    async def poll(self) -> None:
        """Find and publish what others wrote, and what time changed. Raises StoreUnavailable."""
        now = self._clock()
        async with self._database.read() as connection:
            _, revision = await installation.source_and_revision(connection)
            turned = await certificates.zones_turned(connection, since=self._looked, until=now)
            if revision == self._polled and not turned:
                self._looked = now
                return
            news = {
                kind: self._shelves[kind].news(await versions(connection)) for kind, (_, versions) in SOURCES.items()
            }
        news["zone"] |= turned
        await self._publish_all(news, turned=turned)
        # Also after a write of ours: the one that was announced may not have been the only one since.
        self._polled, self._looked = revision, now

    async def keep_polling(self, pacing: Pacing) -> None:
        """Poll until it is time to stop."""
        is_away = False
        while await pacing.pause(POLL_S):
            try:
                await self.poll()
                is_away = False
            except StoreUnavailable as error:
                # What is wrong with the storage, the database has said itself.
                if not is_away and not isinstance(error, StorageFault):
                    self._log("store_unavailable", {"reason": str(error)})
                is_away = True

    async def _publish_all(self, ids: Mapping[Kind, Collection[str]], *, turned: Collection[str] = ()) -> int:
        """Publish what of `ids` is news; `turned` are zones that are news in the same version. The revision then."""
        for kind in _ORDER:
            if ids[kind]:
                await self._publish(kind, ids[kind], turned)
        return self.revision

    async def _publish(self, kind: Kind, ids: Collection[str], turned: Collection[str]) -> None:
        shelf, (read, _) = self._shelves[kind], SOURCES[kind]
        async with self._publishing[kind]:
            async with self._database.read() as connection:
                found = {one.id: one for one in await read(connection, ids, self._clock())}
            news = [one for one in found.values() if one.id in turned or shelf.is_news(one)]
            checked = await self._checked(news)
            # From here on nothing waits: who goes away while we check has changed nothing, and `poll` finds it.
            empty = {one.id for one in news if says_nothing(one) and shelf.withdraw(one)}
            removed = tuple(ident for ident in ids if ident in empty or (ident not in found and shelf.forget(ident)))
            taken = tuple(one.document for one in checked if self._take(kind, one))
            if not taken and not removed:
                return
            base, self.revision = self.revision, self.revision + 1
            delta = Delta(source=self.source, base=base, revision=self.revision, removed=removed)
            for subscriber in tuple(self._subscribers):
                subscriber.send(msgspec.structs.replace(delta, **{KINDS[kind]: taken}))

    async def _checked(self, documents: Sequence[Document]) -> list[Checked]:
        """What comes of each that says something. In a thread: a zone may have many rules, and a list many items."""
        spoken = [one for one in documents if not says_nothing(one)]
        return await asyncio.to_thread(_checked_all, spoken, self._check) if spoken else []

    def _take(self, kind: Kind, checked: Checked) -> bool:
        """Keep what was checked for publication, unless it does not compile."""
        if checked.reason is not None:
            said = {kind: checked.document.id, "name": name_of(checked.document), "reason": checked.reason}
            self._log("snapshot_refused", said)
        return self._shelves[kind].take(checked)


def _checked_all(documents: Sequence[Document], check: Check) -> list[Checked]:
    return [_checked_one(document, check) for document in documents]


def _checked_one(document: Document, check: Check) -> Checked:
    try:
        return Checked(document, check(document))
    except ValueError as error:
        return Checked(document, reason=str(error))
    except Exception as error:  # noqa: BLE001  a mistake of ours about one document must not end all publishing
        return Checked(document, reason=f"{type(error).__name__}: {error}")
