"""Who keeps sockets is known to the next process, whatever the file has been through."""

import os
from pathlib import Path

import pytest

from holdfast.workers.channel import keepers
from holdfast.workers.channel.keepers import Keepers

ENDED_PID = 1 << 30


def missed(path: Path) -> dict[tuple[str, int], int]:
    return {key: pid for key, (pid, _) in Keepers(path, _never).missed.items()}


def _never(text: str) -> None:
    raise AssertionError(text)


def test_the_next_process_reads_who_keeps_something(tmp_path: Path) -> None:
    path = tmp_path / "objects" / ".keepers"
    one = Keepers(path, _never)
    assert (one.missed, path.exists()) == ({}, False), "nobody keeps anything, and nothing is written"
    one.add(("0badcafe", 0), 7)
    one.add(("0badcafe", 0), 7)
    one.add(("0badcafe", 1), 7)
    one.discard(("0badcafe", 0))
    one.discard(("0badcafe", 5))
    assert missed(path) == {("0badcafe", 1): 7}
    next_one = Keepers(path, _never)
    next_one.add(("cafe0bad", 0), 8)
    assert missed(path) == {("0badcafe", 1): 7, ("cafe0bad", 0): 8}
    next_one.close()
    next_one.discard(("cafe0bad", 0))
    assert missed(path) == {("0badcafe", 1): 7, ("cafe0bad", 0): 8}, "it has gone"


def test_a_file_that_has_grown_is_written_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keepers, "SPARE_LINES", 8)
    path = tmp_path / ".keepers"
    one = Keepers(path, _never)
    one.add(("0badcafe", 1), 7)
    for _ in range(20):
        one.add(("0badcafe", 0), 7)
        one.discard(("0badcafe", 0))
    assert len(path.read_bytes().splitlines()) < 16
    assert missed(path) == {("0badcafe", 1): 7}


def test_who_has_ended_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / ".keepers"
    one = Keepers(path, _never)
    for edge, pid in (("lives", os.getpid()), ("ended", ENDED_PID), ("unknown", 0)):
        one.add((edge, 0), pid)
    one = Keepers(path, _never)
    assert one.still_missed()
    assert (list(one.missed), list(missed(path))) == ([("lives", 0)], [("lives", 0)])
    one.came(("lives", 0))
    assert not one.still_missed()
    assert list(missed(path)) == [("lives", 0)], "it keeps them still"


def test_another_process_of_the_same_number_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / ".keepers"
    Keepers(path, _never).add(("edge", 0), os.getpid())
    assert Keepers(path, _never).still_missed()
    path.write_text(path.read_text().strip() + "1\n")
    assert not Keepers(path, _never).still_missed()


@pytest.mark.parametrize("written", [b"\xff\xfe\n\n+ a\n+ a b c\n- a\n* a 1 2\n", b"+ 0badcafe 1", b"+ 0badcafe 1 7\n"])
def test_what_nobody_wrote_is_passed_over(tmp_path: Path, written: bytes) -> None:
    path = tmp_path / ".keepers"
    path.write_bytes(written)
    assert missed(path) == {}


def test_a_file_that_cannot_be_written_is_reported_once(tmp_path: Path) -> None:
    (tmp_path / "objects").write_bytes(b"a file where a directory should be")
    told: list[str] = []
    one = Keepers(tmp_path / "objects" / ".keepers", told.append)
    one.add(("0badcafe", 0), 7)
    one.add(("0badcafe", 1), 7)
    assert len(told) == 1
    assert "which edges keep sockets" in told[0]
