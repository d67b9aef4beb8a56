"""Two transcripts: what differs, what of it is known, and what is only said to differ."""

from pathlib import Path

import pytest

from conformance.workers.compare import (
    Difference,
    Expected,
    differences,
    outdated,
    read_expected,
    read_transcripts,
    unexpected,
    write_expected,
    write_transcripts,
)

THEIRS = {"a": ["one", "two", "three"], "b": ["same"]}


@pytest.mark.parametrize(
    ("ours", "found"),
    [
        (["one", "two", "three"], []),
        (["one", "2", "three"], [(("two",), ("2",))]),
        (["1", "2", "three"], [(("one",), ("1",)), (("two",), ("2",))]),
        (["one", "three"], [(("two",), ())]),
        (["one", "two", "three", "four"], [((), ("four",))]),
        ([], [(("one", "two", "three"), ())]),
    ],
)
def test_lines_stand_for_lines_one_by_one_where_they_are_as_many(
    ours: list[str], found: list[tuple[tuple[str, ...], tuple[str, ...]]]
) -> None:
    expected = [Difference("a", *pair) for pair in found]
    assert differences(THEIRS, {"a": ours, "b": ["same"]}) == expected


def test_a_difference_is_known_by_its_reason_only() -> None:
    one = Difference("a", ("two",), ("2",))
    assert unexpected([one], Expected({"why": "Because."}, {one: "why"})) == []
    for reasons, reason in [({}, "why"), ({"why": ""}, "why"), ({"why": "Because."}, "")]:
        assert unexpected([one], Expected(reasons, {one: reason})) == ["not expected, a:\n  - two\n  + 2"]


def test_a_difference_that_is_gone_and_a_reason_of_nothing_are_told() -> None:
    one, two = Difference("a", ("two",), ("2",)), Difference("a", ("one",), ())
    expected = Expected({"why": "Because.", "other": "Once."}, {one: "why", two: "other"})
    assert outdated([one, two], expected) == []
    assert outdated([one], expected) == ["expected and not there, a:\n  - one", "a reason of nothing: other"]


def test_what_is_recorded_is_read_again(tmp_path: Path) -> None:
    write_transcripts(tmp_path / "said", THEIRS)
    assert read_transcripts(tmp_path / "said") == THEIRS
    one, new = Difference("a", ("größer",), ("2", "3")), Difference("b", (), ("x",))
    write_expected(tmp_path / "known", Expected({"why": "Because."}, {one: "why"}), [one, new])
    assert read_expected(tmp_path / "known") == Expected({"why": "Because."}, {one: "why", new: ""})
