"""How the editor of `examples/workers` merges, in this process: thousands of turns, lost answers, restarts, a history made shorter."""

import importlib
import random
import sqlite3
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.integration.worker_examples import EXAMPLES

Edits = list[tuple[int, int, str]]


@pytest.fixture(scope="module", autouse=True)
def modules() -> Iterator[None]:
    """The example's own modules, by the names under which it imports them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(EXAMPLES / "editor"))
        yield
    for name in ("history", "replica"):
        sys.modules.pop(name, None)


def module(name: str) -> Any:
    return importlib.import_module(name)


class Rows(list[sqlite3.Row]):
    """What a query of an object's storage finds."""

    def toArray(self) -> "Rows":  # noqa: N802  its name in the storage
        return self

    def one(self) -> sqlite3.Row:
        (row,) = self
        return row


class Sql:
    """An object's storage, as far as the history of a document needs it."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect(":memory:")
        self._connection.row_factory = sqlite3.Row

    def exec(self, query: str, *bindings: object) -> Rows:
        return Rows(self._connection.execute(query, bindings))


class Document:
    """What the object does with the turns of pages. `replicas` are lost with its memory."""

    def __init__(self, sql: Sql) -> None:
        self.history = module("history").History(sql)
        self.doc = self.replica(self.history.newest).doc
        self.replicas: dict[str, Any] = {}

    def replica(self, number: int) -> Any:
        return module("replica").Replica(number, self.history.updates(number))

    def hear(self, client: str, base: int, edits: Edits) -> tuple[int, Edits]:
        replica = self.replicas.pop(client, None)
        if replica is None or replica.number != base:
            assert self.history.oldest <= base <= self.history.newest
            replica = self.replica(base)
        if edits and (update := self.history.update_of(client, base)):
            replica.done(update)
        elif edits and (update := replica.edit(edits)):
            self.doc.apply_update(update)
            self.history.append(update, client)
        others = replica.merge(self.history.newest, self.doc.get_update(replica.doc.get_state()))
        self.replicas[client] = replica
        return replica.number, others


def applied(text: str, edits: Edits) -> str:
    for at, delete, insert in edits:
        text = text[:at] + insert + text[at + delete :]
    return text


class Page:
    """One that types in turns, and says again what got no answer."""

    def __init__(self, client: str, base: int) -> None:
        self.client, self.base, self.text = client, base, ""
        self._asked: Edits | None = None

    def say(self, document: Document, typed: Iterator[Edits], *, is_lost: bool = False) -> None:
        if self._asked is None:
            self._asked = next(typed)
            self.text = applied(self.text, self._asked)
        base, others = document.hear(self.client, self.base, self._asked)
        if not is_lost:
            self.base, self.text, self._asked = base, applied(self.text, others), None

    @property
    def is_asked(self) -> bool:
        return self._asked is not None


def typing(page: Page, chance: random.Random, characters: Iterator[str], written: list[str]) -> Iterator[Edits]:
    """Edits at places far from each other. Only dashes are taken away: each other character is there once, and is to stay."""
    while True:
        edits, text = Edits(), page.text
        for _ in range(chance.randint(0, 4)):
            at, delete = chance.randint(0, len(text)), chance.randint(0, 3)
            if text[at : at + delete] != "-" * delete:
                delete = 0
            typed = [next(characters) for _ in range(chance.randint(0, 3))]
            written += typed
            edits.append((at, delete, "".join(typed) + "-" * chance.randint(0, 2)))
            text = applied(text, edits[-1:])
        yield edits


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32), max_updates=st.sampled_from([100, 10_000]))
def test_pages_end_with_the_same_text_and_each_character_once_whatever_was_lost(seed: int, max_updates: int) -> None:
    chance, written, characters = random.Random(seed), list[str](), map(chr, range(0x4E00, 0xD7FF))
    sql = Sql()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module("history"), "MAX_UPDATES", max_updates)
        document = Document(sql)
        pages = [Page(f"page-{number}", document.history.newest) for number in range(3)]
        typed = {page.client: typing(page, chance, characters, written) for page in pages}
        for _ in range(120):
            page = chance.choice(pages)
            page.say(document, typed[page.client], is_lost=chance.random() < 0.3)
            if chance.random() < 0.1:
                document = Document(sql)
        for page in pages:
            if page.is_asked:
                page.say(document, typed[page.client])
        for page in pages:
            page.say(document, iter([[]]))
    whole = str(document.replica(document.history.newest))
    assert [page.text for page in pages] == [whole] * 3
    assert sorted(whole.replace("-", "")) == sorted(written)


def test_a_history_that_is_too_long_forgets_its_older_half_and_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module("history"), "MAX_UPDATES", 10)
    sql = Sql()
    document = Document(sql)
    first = document.history.newest
    base, text = first, ""
    for number in range(25):
        base, others = document.hear("one", base, [(len(text), 0, f"{number} ")])
        text += f"{number} "
        assert (others, base - document.history.oldest < 10) == ([], True)
    assert first < document.history.oldest <= base - 4
    again = Document(sql)
    assert (again.history.oldest, again.history.newest) == (document.history.oldest, base)
    assert [str(again.replica(number)) for number in (base - 4, base)] == [
        "".join(f"{n} " for n in range(count)) for count in (21, 25)
    ]


def test_a_history_of_long_updates_is_bounded_by_their_bytes_and_full_where_the_text_itself_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module("history"), "MAX_BYTES", 10_000)
    document = Document(Sql())
    base = document.history.newest
    for _ in range(20):
        base, _ = document.hear("one", base, [(0, 0, "x" * 3_000)])
        base, _ = document.hear("one", base, [(0, 3_000, "")])
        assert document.history.size <= 10_000
    assert not document.history.is_full
    document.hear("one", base, [(0, 0, "x" * 11_000)])
    assert document.history.is_full
    assert str(document.replica(document.history.newest)) == "x" * 11_000
