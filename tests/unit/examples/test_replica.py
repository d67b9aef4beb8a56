"""The replica that the editor of `examples/workers` keeps for a page: what it tells the page leads to its own text."""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycrdt import Doc, Text

SOURCE = Path(__file__).parents[3] / "examples" / "workers" / "editor" / "replica.py"


def _loaded() -> ModuleType:
    """It is imported by its name where a Worker is, not here."""
    spec = importlib.util.spec_from_file_location("editor_replica", SOURCE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


editor_replica = _loaded()
Edit = tuple[int, int, str]
# Characters of one to four bytes, and one that is two in UTF-16.
INSERTED = st.text("aé中😀", max_size=4)
# Places are taken modulo what there is.
EDITS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 3), INSERTED), max_size=4)


def done(text: str, edits: list[Edit]) -> str:
    """The text with these edits."""
    for at, delete, insert in edits:
        assert 0 <= at <= at + delete <= len(text)
        text = text[:at] + insert + text[at + delete :]
    return text


def fitting(text: str, edits: list[Edit]) -> list[Edit]:
    """The edits, at places that there are."""
    found = list[Edit]()
    for at, delete, insert in edits:
        place = at % (len(text) + 1)
        found.append((place, min(delete, len(text) - place), insert))
        text = done(text, found[-1:])
    return found


@given(st.lists(st.tuples(st.integers(0, 2), EDITS), max_size=12))
def test_pages_that_do_as_they_are_told_have_the_text_of_all(turns: list[tuple[int, list[Edit]]]) -> None:
    document: Doc[Any] = Doc()
    text = document.get("text", type=Text)
    text += "begin é"
    replicas = [editor_replica.Replica(0, [document.get_update()]) for _ in range(3)]
    pages = [str(replica) for replica in replicas]
    everybody = [(who, list[Edit]()) for who in range(3)]
    for who, edits in [*turns, *everybody]:
        mine = fitting(pages[who], edits)
        replicas[who].edit(mine)
        document.apply_update(replicas[who].doc.get_update(document.get_state()))
        others = replicas[who].merge(0, document.get_update(replicas[who].doc.get_state()))
        pages[who] = done(done(pages[who], mine), others)
        assert pages[who] == str(replicas[who]) == str(text)
    assert pages == [str(text)] * 3


@pytest.mark.parametrize(
    "edits", [[(0, 6, "")], [(6, 0, "x")], [(0, 1, ""), (5, 0, "x")], [(-1, 0, "x")], [(0, 0, "x" * 50_000)]]
)
def test_what_does_not_fit_is_refused_and_nothing_of_it_done(edits: list[Edit]) -> None:
    document: Doc[Any] = Doc()
    text = document.get("text", type=Text)
    text += "héllo"
    replica = editor_replica.Replica(0, [document.get_update()])
    with pytest.raises(ValueError, match=r"no such place|at most"):
        replica.edit(edits)
    assert str(replica) == "héllo"
