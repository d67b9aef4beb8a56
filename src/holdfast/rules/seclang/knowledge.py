"""What is known of the variables that rules write (TX, IP …) before any request comes.

Law 1: a variable is known until a rule that only a request can decide may write it; from there on it is open.
Law 2: a variable that an undecided rule reads is not set by a later rule before the request comes: the reader would see it
too early.
Law 3: collections other than TX begin empty with each request, so what no rule has written there is known to be absent.
"""

from __future__ import annotations

from collections.abc import Iterable

from holdfast.rules.seclang.effects import Change, SetVar
from holdfast.rules.seclang.macros import Reference, Text
from holdfast.rules.seclang.readers import is_empty
from holdfast.rules.seclang.syntax_tree import Target
from holdfast.rules.seclang.transaction import CAPTURE_KEYS
from holdfast.rules.seclang.vocabulary import WRITABLE_COLLECTIONS


class Knowledge:
    """`values` are the members of TX that have a value; those that are neither open nor there are known to be absent.
    `given` are members of TX that are there, with a value that is not known."""

    def __init__(self, values: dict[bytes, bytes], given: Iterable[bytes] = ()) -> None:
        self.values = values
        self._given = frozenset(given)
        self._opened = {("TX", key) for key in self._given}
        self._opened_prefixes: set[tuple[str, bytes]] = set()
        self._read: set[bytes] = set()
        self._is_all_read = False

    def copy(self) -> Knowledge:
        """The same, to try something out."""
        copied = Knowledge(dict(self.values), self._given)
        copied._opened = set(self._opened)
        copied._opened_prefixes = set(self._opened_prefixes)
        copied._read, copied._is_all_read = set(self._read), self._is_all_read
        return copied

    def is_open(self, collection: str, key: bytes) -> bool:
        """Whether only a request can tell what this variable is."""
        return (collection, key) in self._opened or any(
            of == collection and key.startswith(prefix) for of, prefix in self._opened_prefixes
        )

    def value_of(self, reference: Reference) -> bytes | None:
        """What a reference comes to, None if only a request can tell."""
        collection, member = reference.collection, reference.member
        if collection not in WRITABLE_COLLECTIONS or self.is_open(collection, member):
            return None
        return self.values.get(member, b"") if collection == "TX" else b""

    def is_known(self, target: Target) -> bool:
        """Whether the values of a target are known: those of a closed variable, or none at all."""
        if target.is_excluded or is_empty(target):
            return True
        selector = target.selector
        if target.collection not in WRITABLE_COLLECTIONS or selector is None or selector.is_pattern:
            return False
        key = selector.text.lower().encode()
        if target.is_count and target.collection == "TX" and key in self._given:
            return True
        return not self.is_open(target.collection, key)

    def open(self, change: Change) -> None:
        """Take into account that this change may happen."""
        if isinstance(change, SetVar):
            key = change.key.constant
            if key is not None:
                self._opened.add((change.collection, key))
            else:
                self._opened_prefixes.add((change.collection, change.key.prefix))

    def open_captures(self) -> None:
        """Take into account that something may be captured."""
        self._opened.update(("TX", key) for key in CAPTURE_KEYS)

    def read(self, targets: Iterable[Target], texts: Iterable[Text] = ()) -> None:
        """Take into account that an undecided rule looks at these of TX."""
        for target in targets:
            if target.collection == "TX" and not target.is_excluded:
                selector = target.selector
                if selector is None or selector.is_pattern:
                    self._is_all_read = True
                else:
                    self._read.add(selector.text.lower().encode())
        self._read.update(one.member for text in texts for one in text.references if one.collection == "TX")

    def may_apply(self, change: Change) -> bool:
        """Whether a change can be made before: it sets a closed variable of TX to what is known, and nobody has read it."""
        return (
            isinstance(change, SetVar)
            and not self._is_all_read
            and change.collection == "TX"
            and change.key.constant is not None
            and change.value.constant is not None
            and change.key.constant not in self._read
            and not self.is_open("TX", change.key.constant)
        )
