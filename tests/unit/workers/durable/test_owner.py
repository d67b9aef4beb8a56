"""Owning objects on one machine: one at a time, epochs that rise, and nothing done under an old one."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast.workers.durable import owner as module
from holdfast.workers.durable.owner import LOCK_NAME, Claim, Fenced, LocalOwner, NotOwned, ObjectKey, OwnerStore

KEY = ObjectKey("chat-Room", "0" * 64)


class Alarms:
    def due(self, now_ms: int, limit: int) -> list[tuple[int, int]]:
        return [(now_ms, limit)]


async def test_who_joins_owns_everything_and_each_time_has_a_higher_epoch(tmp_path: Path) -> None:
    for epoch in (1, 2, 3):
        store: OwnerStore = LocalOwner(tmp_path / "objects", Alarms())
        assert await store.join("node", "address") == epoch
        await store.renew()
        assert await store.claim(KEY) == Claim("node", "address", epoch, is_own=True)
        assert await store.lookup(KEY) == Claim("node", "address", epoch, is_own=True)
        await store.append(KEY, epoch, 1, b"frames")
        assert list(await store.load(KEY)) == []
        assert list(await store.due_alarms(5, 6)) == [(5, 6)]
        await store.release(KEY, epoch)
        await store.leave()


async def test_a_second_one_is_refused_by_the_name_of_the_first_and_learns_who_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "JOIN_LIMIT_S", 0.01)
    first, second = LocalOwner(tmp_path), LocalOwner(tmp_path)
    await first.join("first", "here")
    with pytest.raises(NotOwned, match="first"):
        await second.join("second", "there")
    assert await second.lookup(KEY) == Claim("first", "here", 1, is_own=False)
    await first.leave()
    assert await second.lookup(KEY) is None
    assert await second.join("second", "there") == 2


async def test_who_waits_gets_it_when_the_first_lets_go(tmp_path: Path) -> None:
    first, second = LocalOwner(tmp_path), LocalOwner(tmp_path)
    await first.join("first", "")
    waits = asyncio.ensure_future(second.join("second", ""))
    assert not second.take("second", "")
    await first.leave()
    assert await waits == 2


def test_a_process_that_dies_gives_back_what_it_owned(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from holdfast.workers.durable.owner import LocalOwner\n"
        "owner = LocalOwner(Path(sys.argv[1])); print(owner.take('other', ''), flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"
        mine = LocalOwner(tmp_path)
        assert not mine.take("mine", "")
        other.kill()
        other.wait(30)
    assert mine.take("mine", "")
    assert mine.epoch == 2


@pytest.mark.parametrize("record", [b"", b"{", b"[]", b"{}"])
async def test_a_record_that_was_torn_begins_anew(tmp_path: Path, record: bytes) -> None:
    (tmp_path / LOCK_NAME).write_bytes(record)
    owner = LocalOwner(tmp_path)
    assert await owner.lookup(KEY) is None
    assert await owner.join("node", "") == 1
    assert json.loads((tmp_path / LOCK_NAME).read_bytes()) == {"epoch": 1, "node": "node", "address": ""}


async def test_an_epoch_rises_though_the_process_was_killed_as_it_wrote_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A shorter record is written over a longer one, which is not cut off any more.
    monkeypatch.setattr(os, "ftruncate", lambda *_: None)
    owner = LocalOwner(tmp_path)
    for epoch, node in enumerate(["a node"] * 11 + ["a node with a long name", "a node", "another"], 1):
        assert await owner.join(node, "") == epoch
        await owner.leave()


async def test_nothing_is_done_under_an_epoch_that_is_over(tmp_path: Path) -> None:
    owner = LocalOwner(tmp_path)
    with pytest.raises(Fenced):
        await owner.claim(KEY)
    epoch = await owner.join("node", "")
    with pytest.raises(Fenced, match=f"epoch {epoch - 1}"):
        await owner.append(KEY, epoch - 1, 1, b"")
    await owner.leave()
    await owner.leave()
    with pytest.raises(Fenced):
        await owner.renew()


@pytest.mark.parametrize("put_back", [True, False])
async def test_a_lock_that_is_not_the_directorys_any_more_fences(tmp_path: Path, put_back: bool) -> None:
    owner = LocalOwner(tmp_path)
    await owner.join("node", "")
    (tmp_path / LOCK_NAME).rename(tmp_path / "moved")
    if put_back:
        (tmp_path / LOCK_NAME).write_bytes(b"{}")
    with pytest.raises(Fenced, match=r"is gone|another file"):
        await owner.renew()


async def test_nobody_owns_what_was_never_owned(tmp_path: Path) -> None:
    assert await LocalOwner(tmp_path).lookup(KEY) is None
