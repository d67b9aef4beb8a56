"""Texts that a request fills in: `%{tx.0}`, `%{MATCHED_VAR}`, `%{REQUEST_HEADERS.User-Agent}`.

Law 1: what is no variable stays as it is written; what has no value is empty.
Law 2: what is known before the request comes is filled in before (`bound`), so that most of them are constants then.

Source: ModSecurity Reference Manual, "Macro Expansion".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from holdfast.rules.seclang.transaction import Transaction
from holdfast.rules.seclang.vocabulary import ENGINE_VARIABLES, VARIABLES, WRITABLE_COLLECTIONS

Expand = Callable[[Transaction], bytes]

_MACRO: Final = re.compile(r"%\{([A-Za-z_]+)(?:[.:]([^}]*))?\}")


@dataclass(frozen=True, slots=True)
class Reference:
    """A variable in a text, `member` in small letters (b"": the variable has none)."""

    collection: str
    member: bytes


Part = bytes | Reference


@dataclass(frozen=True, slots=True)
class Text:
    """A text with its references."""

    parts: tuple[Part, ...]

    @property
    def constant(self) -> bytes | None:
        """The text, if no request can change it."""
        if not self.parts:
            return b""
        first = self.parts[0]
        return first if len(self.parts) == 1 and isinstance(first, bytes) else None

    @property
    def prefix(self) -> bytes:
        """How it begins in any case."""
        first = self.parts[0] if self.parts else b""
        return first if isinstance(first, bytes) else b""

    @property
    def references(self) -> tuple[Reference, ...]:
        """What a request has to fill in."""
        return tuple(part for part in self.parts if isinstance(part, Reference))

    def bound(self, known: Callable[[Reference], bytes | None]) -> Text:
        """With everything filled in that `known` knows."""
        values = [part if isinstance(part, bytes) else known(part) for part in self.parts]
        return Text(_joined([part if value is None else value for part, value in zip(self.parts, values, strict=True)]))

    def expand(self, transaction: Transaction) -> bytes:
        """The text for this request, now."""
        return b"".join(part if isinstance(part, bytes) else value_of(part, transaction) for part in self.parts)

    def compiled(self) -> Expand:
        """`expand` as a function that does nothing but this."""
        constant = self.constant
        if constant is not None:
            return lambda _: constant
        pieces = [_constantly(part) if isinstance(part, bytes) else _compiled(part) for part in self.parts]
        if len(pieces) == 1:
            return pieces[0]
        if len(pieces) == 2:
            first, second = pieces
            return lambda transaction: first(transaction) + second(transaction)
        return lambda transaction: b"".join([piece(transaction) for piece in pieces])


def parse_text(text: str) -> Text:
    """Find the references in a text."""
    parts: list[Part] = []
    end = 0
    for found in _MACRO.finditer(text):
        if found[1].upper() in VARIABLES:
            parts += [
                text[end : found.start()].encode(),
                Reference(found[1].upper(), (found[2] or "").lower().encode()),
            ]
            end = found.end()
    return Text(_joined([*parts, text[end:].encode()]))


def value_of(reference: Reference, transaction: Transaction) -> bytes:
    """The first value that is meant, b"" if there is none."""
    collection, member = reference.collection, reference.member
    if collection in WRITABLE_COLLECTIONS:
        return transaction.collections.get(collection, {}).get(member, b"")
    if collection in ENGINE_VARIABLES:
        if member:
            return transaction.engine_members(collection).get(member, b"")
        pairs = transaction.engine_pairs(collection)
    elif member:
        pairs = transaction.variables.named(collection, member)
    else:
        pairs = transaction.variables.pairs(collection)
    return pairs[0][1] if pairs else b""


def _constantly(value: bytes) -> Expand:
    return lambda _: value


def _compiled(reference: Reference) -> Expand:
    member = reference.member
    if reference.collection == "TX":
        return lambda transaction: transaction.tx.get(member, b"")
    if reference.collection == "MATCHED_VAR_NAME":
        return lambda transaction: transaction.matched_name
    return lambda transaction: value_of(reference, transaction)


def _joined(parts: Sequence[Part]) -> tuple[Part, ...]:
    joined: list[Part] = []
    for part in parts:
        if isinstance(part, bytes) and joined and isinstance(joined[-1], bytes):
            joined[-1] += part
        elif part:
            joined.append(part)
    return tuple(joined)
