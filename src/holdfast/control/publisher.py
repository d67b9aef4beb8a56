"""Publishing: from a write in the database to the edges that serve by it.

Law 1: what is published compiles. A zone that does not keeps its last version that did; `refused` says why.
Law 2: publications are numbered in one order, each is sent to every edge once, and edges that miss one get everything.
Law 3: a write that this process did not make (another control, a person with SQL) is found within POLL_S.
Law 4: a certificate that becomes valid or expires is news of its zone, found in the same way.
Law 5: zones are checked in a thread, one publication after the other: whatever a zone says, control goes on answering.
Law 6: whoever wrote waits for the edges, APPLY_LIMIT_S at most: then the write is in force when its answer arrives.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Protocol

from holdfast.control.pacing import Pacing
from holdfast.model.control_link import Delta, FullSnapshot
from holdfast.model.moment import Moment
from holdfast.model.zone_document import SnapshotDocument, ZoneDocument
from holdfast.store import certificates, installation, zones
from holdfast.store.database import Database, StorageFault, StoreUnavailable
from holdfast.store.documents import all_documents, documents_of

APPLY_LIMIT_S = 0.25
POLL_S = 1.0

Log = Callable[[str, Mapping[str, str | int]], None]
Clock = Callable[[], Moment]
# Raises ValueError, a sentence, for a zone that no edge could serve. Called in a thread.
Check = Callable[[ZoneDocument], None]


def wall_clock() -> Moment:
    """The time in microseconds."""
    return time.time_ns() // 1000


class Subscriber(Protocol):
    """An edge that takes what is published."""

    def send(self, message: Delta | FullSnapshot) -> None:
        """Pass it on, without waiting."""

    async def applied(self, revision: int) -> None:
        """Return when the edge serves by `revision`, or is gone."""


class Publisher:
    """All zones as published. One for each control process; `source` names its publications."""

    def __init__(self, database: Database, *, check: Check, log: Log, clock: Clock = wall_clock) -> None:
        self._database = database
        self._clock = clock
        # Up to when it is known which certificates are valid.
        self._looked = clock()
        self._check = check
        self._log = log
        self._documents: dict[str, ZoneDocument] = {}
        self._versions: dict[str, int] = {}
        self._subscribers: set[Subscriber] = set()
        self._publishing = asyncio.Lock()
        self._polled = 0
        self.source = secrets.token_hex(16)
        self.revision = 0
        self.refused: dict[str, str] = {}

    async def load(self) -> None:
        """Read everything, the first publication. Raises StoreUnavailable."""
        async with self._publishing, self._database.read() as connection:
            _, self._polled = await installation.source_and_revision(connection)
            self._looked = self._clock()
            documents = await all_documents(connection, now=self._looked)
            reasons = await self._reasons(documents)
            for document in documents:
                self._take(document, reasons.get(document.id))
            self.revision += 1

    def snapshot(self) -> SnapshotDocument:
        """All that is published."""
        return SnapshotDocument(source=self.source, revision=self.revision, zones=tuple(self._documents.values()))

    def zone_name(self, zone_id: str) -> str:
        """The name of a published zone; its id where there is none (any more)."""
        document = self._documents.get(zone_id)
        return zone_id if document is None else document.name

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

    async def on_change(self, zone_ids: Collection[str]) -> None:
        """Publish these zones, a removed one too, and wait a moment for the edges. Never raises: what the database does
        not give now is found by `poll`."""
        try:
            revision = await self._publish(zone_ids)
        except StoreUnavailable as error:
            self._log("publish_failed", {"reason": str(error)})
            return
        waiting = [subscriber.applied(revision) for subscriber in self._subscribers]
        if waiting:
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.gather(*waiting), APPLY_LIMIT_S)

    async def poll(self) -> None:
        """Find and publish what others wrote, and what time changed. Raises StoreUnavailable."""
        now = self._clock()
        async with self._database.read() as connection:
            _, revision = await installation.source_and_revision(connection)
            turned = await certificates.zones_turned(connection, since=self._looked, until=now)
            if revision == self._polled and not turned:
                self._looked = now
                return
            versions = await zones.versions(connection)
        turned = versions.keys() & turned
        changed = {zone_id for zone_id, version in versions.items() if self._versions.get(zone_id) != version}
        gone = self._versions.keys() - versions.keys()
        if changed or turned or gone:
            await self._publish(changed | turned | gone, turned=turned)
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

    async def _publish(self, zone_ids: Collection[str], *, turned: Collection[str] = ()) -> int:
        """Publish what of these zones is news; `turned` is also where the version is the same. The revision then."""
        async with self._publishing:
            async with self._database.read() as connection:
                found = {
                    document.id: document for document in await documents_of(connection, zone_ids, now=self._clock())
                }
            news = [one for one in found.values() if one.id in turned or self._versions.get(one.id) != one.version]
            reasons = await self._reasons(news)
            # From here on nothing waits: who goes away while we check has changed nothing, and `poll` finds it.
            removed = [zone_id for zone_id in zone_ids if zone_id not in found and self._forget(zone_id)]
            taken = [document for document in news if self._take(document, reasons.get(document.id))]
            if not taken and not removed:
                return self.revision
            base, self.revision = self.revision, self.revision + 1
            delta = Delta(
                source=self.source, base=base, revision=self.revision, zones=tuple(taken), removed=tuple(removed)
            )
            for subscriber in tuple(self._subscribers):
                subscriber.send(delta)
            return self.revision

    async def _reasons(self, documents: Sequence[ZoneDocument]) -> dict[str, str]:
        """Why those of `documents` that do not compile do not, by id. In a thread: a zone may have many rules."""
        return await asyncio.to_thread(_reasons_of, documents, self._check) if documents else {}

    def _take(self, document: ZoneDocument, reason: str | None) -> bool:
        """Keep `document` for publication, unless it does not compile, for `reason`."""
        self._versions[document.id] = document.version
        if reason is not None:
            self.refused[document.id] = reason
            self._log("snapshot_refused", {"zone": document.id, "name": document.name, "reason": reason})
            return False
        self.refused.pop(document.id, None)
        self._documents[document.id] = document
        return True

    def _forget(self, zone_id: str) -> bool:
        self._versions.pop(zone_id, None)
        self.refused.pop(zone_id, None)
        return self._documents.pop(zone_id, None) is not None


def _reasons_of(documents: Sequence[ZoneDocument], check: Check) -> dict[str, str]:
    reasons = {}
    for document in documents:
        try:
            check(document)
        except ValueError as error:
            reasons[document.id] = str(error)
    return reasons
