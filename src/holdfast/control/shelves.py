"""What is published, kind by kind: where the documents are read from, which are known in which version, and which are refused.

Law 1: what is on a shelf compiles. A document that does not leaves the last one that did in its place.
Law 2: a version is known from the moment it was read, whatever came of it, so that nothing is read again in vain.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.model.moment import Moment
from holdfast.model.rule_documents import AccountDocument, ManagedDocument
from holdfast.model.zone_document import Document, Kind
from holdfast.store import managed, zones
from holdfast.store.documents import all_documents, documents_of
from holdfast.store.rule_documents import account_documents, account_versions, list_documents, list_versions


class Refused(msgspec.Struct, frozen=True):
    """A document whose newest version is not published, and why. `name` is what people call it, or its id."""

    kind: Kind
    name: str
    reason: str


class Checked(msgspec.Struct, frozen=True):
    """What came of checking a document: what it compiled to, or the `reason` why it does not."""

    document: Document
    compiled: Any = None
    reason: str | None = None


class Shelf:
    """The documents of one kind."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._versions: dict[str, int] = {}
        self.documents: dict[str, Document] = {}
        # What managed rules compiled to: the API shows and checks by it.
        self.compiled: dict[str, Any] = {}
        self.refused: dict[str, Refused] = {}

    def news(self, versions: Mapping[str, int]) -> set[str]:
        """Ids of what is in another version than is known, or gone."""
        changed = {ident for ident, version in versions.items() if self._versions.get(ident) != version}
        return changed | (self._versions.keys() - versions.keys())

    def is_news(self, document: Document) -> bool:
        """Whether it is in another version than is known."""
        return self._versions.get(document.id) != document.version

    def take(self, checked: Checked) -> bool:
        """Keep what was checked for publication, unless it does not compile."""
        document = checked.document
        self._versions[document.id] = document.version
        if checked.reason is not None:
            self.refused[document.id] = Refused(self._kind, name_of(document), checked.reason)
            return False
        self.refused.pop(document.id, None)
        self.documents[document.id] = document
        if checked.compiled is not None:
            self.compiled[document.id] = checked.compiled
        return True

    def withdraw(self, document: Document) -> bool:
        """Publish no more of it; its version is known. Whether it was published."""
        is_published = self.forget(document.id)
        self._versions[document.id] = document.version
        return is_published

    def forget(self, ident: str) -> bool:
        """What there was of it is gone. Whether it was published."""
        self._versions.pop(ident, None)
        self.refused.pop(ident, None)
        self.compiled.pop(ident, None)
        return self.documents.pop(ident, None) is not None


def name_of(document: Document) -> str:
    """What people call it; its id where it has no name."""
    match document:
        case AccountDocument():
            return document.id
        case ManagedDocument():
            return document.release
        case _:
            return document.name


def says_nothing(document: Document) -> bool:
    """Whether there is nothing to publish: an account without rules."""
    return isinstance(document, AccountDocument) and not (document.rulesets or document.access_rules)


# Documents of some ids (None: of all), and the version of each document, by id.
Read = Callable[[AsyncConnection, Collection[str] | None, Moment], Awaitable[Sequence[Document]]]
Versions = Callable[[AsyncConnection], Awaitable[dict[str, int]]]


async def _zones(connection: AsyncConnection, ids: Collection[str] | None, now: Moment) -> Sequence[Document]:
    return await (all_documents(connection, now=now) if ids is None else documents_of(connection, ids, now=now))


async def _accounts(connection: AsyncConnection, ids: Collection[str] | None, _: Moment) -> Sequence[Document]:
    return await account_documents(connection, ids)


async def _lists(connection: AsyncConnection, ids: Collection[str] | None, _: Moment) -> Sequence[Document]:
    return await list_documents(connection, ids)


async def _managed(connection: AsyncConnection, ids: Collection[str] | None, _: Moment) -> Sequence[Document]:
    # There are a handful.
    return [one for one in await managed.all_documents(connection) if ids is None or one.id in ids]


SOURCES: Final[Mapping[Kind, tuple[Read, Versions]]] = {
    "zone": (_zones, zones.versions),
    "account": (_accounts, account_versions),
    "list": (_lists, list_versions),
    "managed": (_managed, managed.versions),
}
