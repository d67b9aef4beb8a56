"""One vocabulary of ends: Python's words are the core's, each has a sentence, and what is counted by them is bounded."""

import re
from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.close_reason import (
    CLOSED_BY,
    OTHER,
    WHYS,
    ClosedBy,
    OriginalReason,
    OriginalSource,
    Why,
    counted,
    is_sendable,
)
from tests.meta.tree import ROOT

REGISTRY = ROOT / "native/core/src"
# What the core cannot say yet: it runs no workers.
NOT_OF_THE_CORE = {ClosedBy.WORKER}


def words_of_the_core(name: str) -> set[str]:
    """What the `name()` of an enum of the core answers: the words that records have."""
    for path in sorted(REGISTRY.rglob("*.rs")):
        found = re.search(rf"^impl {name} \{{(.*?)^\}}", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
        if found:
            return set(re.findall(r'Self::\w+(?: \{[^}]*\})? => "(\w+)"', found[1]))
    raise AssertionError(f"the core has no {name} with a name()")


@pytest.mark.parametrize(("ours", "name"), [(ClosedBy, "ClosedBy"), (Why, "Why")])
def test_the_words_are_those_of_the_core(ours: type[StrEnum], name: str) -> None:
    assert {str(one) for one in ours if one not in NOT_OF_THE_CORE} == words_of_the_core(name) - NOT_OF_THE_CORE


def test_every_word_has_a_sentence_and_every_sentence_a_word() -> None:
    assert set(WHYS) == set(Why)
    assert set(CLOSED_BY) == set(ClosedBy)
    assert len(set(WHYS.values())) == len(Why)


def test_the_original_has_these_words() -> None:
    assert list(OriginalReason) == [
        "none", "unspecifiedError", "timedOut", "peerReset", "upstreamReset", "protocolViolation", "peerNoError",
    ]  # fmt: skip
    assert list(OriginalSource) == ["upstream", "downstream", "me", "both"]


@pytest.mark.parametrize(
    ("closed_by", "why", "as_what"),
    [
        ("client", "close_frame", ("client", "close_frame")),
        ("edge", "novelty", ("edge", OTHER)),
        ("CLIENT", "CLOSE_FRAME", (OTHER, OTHER)),
        ("", "", (OTHER, OTHER)),
    ],
)
def test_what_is_counted_is_of_the_vocabulary(closed_by: str, why: str, as_what: tuple[str, str]) -> None:
    assert counted(closed_by, why) == as_what


@given(st.text(), st.text())
def test_there_are_no_more_labels_than_words(closed_by: str, why: str) -> None:
    by, how = counted(closed_by, why)
    assert by in {*ClosedBy, OTHER}
    assert how in {*Why, OTHER}


@pytest.mark.parametrize(
    ("code", "is_good"),
    [(999, False), (1000, True), (1003, True), (1004, False), (1005, False), (1006, False), (1007, True), (1010, False),
     (1012, True), (1014, True), (1015, False), (2999, False), (3000, True), (4999, True), (5000, False)],
)  # fmt: skip
def test_only_what_a_server_may_send_is_sendable(code: int, is_good: bool) -> None:
    assert is_sendable(code) is is_good
