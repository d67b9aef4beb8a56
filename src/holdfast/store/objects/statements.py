"""SQL text taken apart into statements, and each told by its kind: whether it reads or writes, explains another, or is a word about transactions.

Law 1: only as much of SQL is read as is needed to find where a statement ends and what it begins with; whether it is right is SQLite's
       to say. The rule of ends is SQLite's own (`sqlite3_complete`): a `;` ends a statement, but within a trigger only `; END ;`.
Law 2: in doubt a statement is a writer: a needless transaction costs a little, a missing one loses writes.
Law 3: the time is linear in the text, whatever is in it.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from holdfast.store.objects.regulation import is_own_name

if TYPE_CHECKING:
    from collections.abc import Iterator


class Kind(Enum):
    """What a statement does to the file."""

    READER = "reader"
    WRITER = "writer"
    TRANSACTION = "transaction"
    EXPLANATION = "explanation"


class Statement(NamedTuple):
    """One statement: its text without the `;` and the space around it, and its kind.

    `names_own`: it renames to a name of ours. `is_conditional`: it makes or drops something only if that is not done already.
    """

    text: str
    kind: Kind
    names_own: bool = False
    is_conditional: bool = False


_TOKEN = re.compile(
    r"""
      (?P<space> \s+ | --[^\n]* | /\*.*?(?:\*/|\Z) )
    | (?P<text> '[^']*(?:''[^']*)*(?:'|\Z) )
    | (?P<quoted> "[^"]*(?:""[^"]*)*(?:"|\Z) | `[^`]*(?:``[^`]*)*(?:`|\Z) | \[[^\]]*(?:\]|\Z) )
    | (?P<word> [^\W\d][\w$]* )
    | (?P<end> ; )
    | (?P<other> [\w$]+ | . )
    """,
    re.VERBOSE | re.DOTALL,
)
_TRANSACTION = frozenset({"BEGIN", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE"})
_READER = frozenset({"SELECT", "VALUES"})
_WRITES_AFTER_WITH = frozenset({"INSERT", "REPLACE", "UPDATE", "DELETE"})
_CONDITIONAL = frozenset({"CREATE", "DROP"})
_OPTIMIZE = "OPTIMIZE"


def split(query: str) -> list[Statement]:
    """The statements of `query` in order; what is empty (spaces, comments, a lone `;`) is none."""
    return list(_statements(query))


def _statements(query: str) -> Iterator[Statement]:
    start, words, own = 0, list[str](), False
    for token in _TOKEN.finditer(query):
        if token.lastgroup == "space":
            continue
        if token.lastgroup == "end":
            if _is_inside_trigger(words):
                words.append(";")
                continue
            if words:
                yield _statement(query[start : token.start()], words, own)
            start, words, own = token.end(), [], False
            continue
        word = token.group()
        own = own or is_own_name(word.strip("\"'`[")) or is_own_name(word)
        words.append(word.upper() if token.lastgroup == "word" else "?")
    if words:
        yield _statement(query[start:], words, own)


def _is_inside_trigger(words: list[str]) -> bool:
    """Whether a `;` here is one of a trigger's body: it begins CREATE [TEMP] TRIGGER, and the last word but a `;` is not END."""
    skipped = 3 if words[:3] == ["EXPLAIN", "QUERY", "PLAN"] else int(words[:1] == ["EXPLAIN"])
    head = words[skipped : skipped + 3]
    is_trigger = head[:1] == ["CREATE"] and "TRIGGER" in head[1:3]
    return is_trigger and words[-2:] != [";", "END"]


def _statement(text: str, words: list[str], names_own: bool) -> Statement:
    kind = _kind_of(words)
    is_conditional = words[0] in _CONDITIONAL and "IF" in words[2:5] and "EXISTS" in words[3:7]
    return Statement(text.strip(), kind, names_own and words[0] == "ALTER", is_conditional)


def _kind_of(words: list[str]) -> Kind:
    first = words[0]
    if first in _TRANSACTION:
        return Kind.TRANSACTION
    if first == "EXPLAIN":
        return Kind.EXPLANATION
    if first in _READER:
        return Kind.READER
    if first == "PRAGMA":
        return Kind.WRITER if _OPTIMIZE in words else Kind.READER
    if first == "WITH" and _WRITES_AFTER_WITH.isdisjoint(words):
        return Kind.READER
    return Kind.WRITER
