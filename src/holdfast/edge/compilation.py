"""Documents compiled as they come, of all kinds: what compiles, with its bytes, and what does not, with the reason.

Law 1: a document that does not compile costs itself alone.
Law 2: compiling lets requests in between: it pauses every SLICE documents, and within a long one, so that the policy thread
gets the GIL.
Law 3: what reads documents of a kind is loaded with the first of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from holdfast.edge.link_frames import RawDelta, RawSnapshot, document_in, documents_of, identity_in, raw_of
from holdfast.model.rule_documents import AccountDocument, ListDocument, ManagedDocument
from holdfast.model.zone_document import KINDS, Document, Kind, ZoneDocument
from holdfast.sealing import SealingKey

# Zones compiled without a pause: about 0.3 ms, where a thread that waits for the GIL may wait 5 ms for one that computes.
SLICE = 8

Pause = Callable[[], None]
# Makes what is served of a document's id and bytes, or of its bytes alone. Both raise ValueError, a sentence.
Compile = Callable[[str, bytes], Any]
CompileAlone = Callable[[bytes, Pause], Any]


class Refusal(msgspec.Struct, frozen=True):
    """A document that is not served as it is written, and why."""

    kind: Kind
    id: str
    reason: str


class Compiled(msgspec.Struct, frozen=True):
    """What came of documents: `values` by kind and id, their bytes in `raws` likewise; and what does not compile."""

    values: dict[Kind, dict[str, Any]]
    raws: dict[Kind, dict[str, bytes]]
    refusals: tuple[Refusal, ...] = ()

    def ids(self) -> frozenset[str]:
        """Of all that compiled."""
        return frozenset(ident for raws in self.raws.values() for ident in raws)

    def has_sources(self) -> bool:
        """Whether there is anything but zones in it."""
        return any(raws for kind, raws in self.raws.items() if kind != "zone")


def compile_all(news: RawSnapshot | RawDelta, compilers: Mapping[Kind, Compile], *, pause: Pause) -> Compiled:
    """The documents of `news`, each compiled by the one of its kind. Raises LinkError for one without an id."""
    found = Compiled({kind: {} for kind in KINDS}, {kind: {} for kind in KINDS})
    refusals: list[Refusal] = []
    documents = ((kind, bytes(raw)) for kind in KINDS for raw in documents_of(news, kind))
    for number, (kind, raw) in enumerate(documents, 1):
        ident, _ = identity_in(raw)
        try:
            found.values[kind][ident] = compilers[kind](ident, raw)
        except ValueError as error:
            refusals.append(Refusal(kind, ident, str(error)))
        except Exception as error:  # noqa: BLE001  a mistake of ours about one document must not cost all others
            refusals.append(Refusal(kind, ident, f"{type(error).__name__}: {error}"))
        else:
            found.raws[kind][ident] = raw
        if number % SLICE == 0:
            pause()
    return msgspec.structs.replace(found, refusals=tuple(refusals))


def _account(raw: bytes, pause: Pause) -> object:
    from holdfast.edge.firewall.account import compile_account  # noqa: PLC0415  law 3

    return compile_account(document_in(raw, AccountDocument), pause=pause)


def _list(raw: bytes, pause: Pause) -> object:
    from holdfast.edge.rule_sources import compile_list  # noqa: PLC0415  law 3

    return compile_list(document_in(raw, ListDocument), pause=pause)


def _managed(raw: bytes, _: Pause) -> object:
    from holdfast.edge.rule_sources import compile_managed  # noqa: PLC0415  law 3

    return compile_managed(document_in(raw, ManagedDocument))


# What rules draw on besides their zone.
SOURCES: Final[Mapping[Kind, CompileAlone]] = {"account": _account, "list": _list, "managed": _managed}


def check_document(document: Document, key: SealingKey | None) -> Any:  # noqa: ANN401  what it is depends on the kind
    """What an edge that has `key` makes of `document`, read from its bytes as there; of a zone nothing that is kept.

    For control, before it publishes one. Raises ValueError, a sentence, where an edge would refuse it.
    """
    raw = bytes(raw_of(document))
    for type_, compile_alone in _COMPILED_ALONE:
        if isinstance(document, type_):
            return compile_alone(raw, lambda: None)
    from holdfast.edge.compile import check_zone  # noqa: PLC0415  law 3

    check_zone(document_in(raw, ZoneDocument), key)
    return None


_COMPILED_ALONE = ((AccountDocument, _account), (ListDocument, _list), (ManagedDocument, _managed))
