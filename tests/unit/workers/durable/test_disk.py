"""Jobs that wait for the disk, in threads, and how the loop hears of their ends."""

import asyncio
import errno
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from holdfast.workers.durable.disk import Disk, Job
from tests.unit.workers.durable.stage import until

LIMIT_S = 30.0


@pytest.fixture
def disk() -> Iterator[Disk]:
    made = Disk(2)
    yield made
    assert not made._threads


async def test_a_job_is_done_by_a_thread_and_the_loop_tells_of_its_end(disk: Disk) -> None:
    told = list[tuple[Job, str]]()
    threads = list[str]()
    job = disk.submit(
        lambda: threads.append(threading.current_thread().name),
        lambda job: told.append((job, threading.current_thread().name)),
    )
    await until(lambda: told)
    assert (told, threads) == ([(job, threading.current_thread().name)], ["commit"])
    assert (job.error, job.has_ended) == (None, True)
    disk.shutdown()


async def test_what_has_ended_is_told_in_one_turn_and_in_its_order() -> None:
    turns, told = list[int](), list[int]()

    def around(tell: Callable[[], object]) -> None:
        before = len(told)
        tell()
        turns.append(len(told) - before)

    disk = Disk(1, around=around)
    jobs = [disk.submit(lambda: None, lambda _, number=number: told.append(number)) for number in range(5)]  # type: ignore[misc]
    # The loop does not come round meanwhile.
    jobs[-1].wait()
    await until(lambda: len(told) == 5)
    assert told == [0, 1, 2, 3, 4]
    # The last one may end just when the others are told.
    assert sum(turns) == 5
    assert len([one for one in turns if one]) <= 2
    disk.shutdown()


async def test_what_it_raises_is_kept_and_harms_no_other(disk: Disk) -> None:
    error, told = SystemExit("of a job"), list[Job]()

    def fails() -> None:
        raise error

    jobs = [disk.submit(fails, told.append), disk.submit(lambda: None, told.append)]
    await until(lambda: len(told) == 2)
    assert [job.error for job in jobs] == [error, None]
    disk.shutdown()


async def test_who_fails_to_be_told_is_reported_and_the_others_are_told(disk: Disk) -> None:
    reports, told = list[dict[str, Any]](), list[Job]()
    asyncio.get_running_loop().set_exception_handler(lambda _, report: reports.append(report))

    def fails(_: Job) -> None:
        raise LookupError("no")

    disk.submit(lambda: None, fails)
    disk.submit(lambda: None, told.append)
    await until(lambda: told and reports)
    assert str(reports[0]["exception"]) == "no"
    disk.shutdown()


async def test_who_asks_later_is_told_at_once_and_who_waits_when_it_ends(disk: Disk) -> None:
    go, told = threading.Event(), list[str]()
    job = disk.submit(lambda: go.wait(LIMIT_S))
    job.then(lambda _: told.append("by the thread"))
    assert (job.has_ended, told) == (False, [])
    go.set()
    await until(lambda: told)
    job.wait()
    job.then(lambda _: told.append("at once"))
    assert told == ["by the thread", "at once"]
    disk.shutdown()


async def test_as_many_threads_as_jobs_at_a_time_up_to_the_limit(disk: Disk) -> None:
    disk.submit(lambda: None).wait()
    await until(lambda: disk._done == [1])
    disk.submit(lambda: None).wait()
    assert len(disk._threads) == 1
    go, began = threading.Event(), threading.Semaphore(0)

    def waits() -> None:
        began.release()
        go.wait(LIMIT_S)

    jobs = [disk.submit(waits) for _ in range(5)]
    assert began.acquire(timeout=LIMIT_S)
    assert began.acquire(timeout=LIMIT_S)
    assert (len(disk._threads), began.acquire(blocking=False)) == (2, False)
    go.set()
    for job in jobs:
        job.wait()
    disk.shutdown()


async def test_what_was_submitted_is_done_and_told_before_the_end_and_what_is_later_at_once() -> None:
    disk, done, told = Disk(2), list[int](), list[Job]()
    jobs = [disk.submit(lambda number=number: done.append(number), told.append) for number in range(10)]  # type: ignore[misc]
    disk.shutdown()
    assert sorted(done) == list(range(10))
    assert set(told) == set(jobs)
    later = disk.submit(lambda: done.append(10), told.append)
    assert (later.has_ended, done[-1], told[-1]) == (True, 10, later)
    disk.shutdown()


async def test_who_fails_to_be_told_by_the_thread_does_not_end_it() -> None:
    disk = Disk(1)

    def fails(_: Job) -> None:
        raise OSError("no disk")

    open_gate = threading.Event()
    failing = disk.submit(open_gate.wait)
    failing.then(fails)
    open_gate.set()
    failing.wait()
    done = list[int]()
    told = list[Job]()
    disk.submit(lambda: done.append(1), told.append)
    await until(lambda: told)
    assert done == [1]
    assert isinstance(failing.error, OSError)
    disk.shutdown()


def _no_thread(_: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


def _no_number(*_: int) -> int:
    raise OSError(errno.EMFILE, "Too many open files")


@pytest.mark.parametrize(
    ("where", "name", "refusal"), [(threading.Thread, "start", _no_thread), (os, "eventfd", _no_number)]
)
async def test_where_no_thread_can_be_begun_it_is_done_all_the_same_and_told_later(
    disk: Disk, monkeypatch: pytest.MonkeyPatch, where: object, name: str, refusal: Callable[..., object]
) -> None:
    done, told = list[int](), list[Job]()
    with monkeypatch.context() as full:
        full.setattr(where, name, refusal)
        job = disk.submit(lambda: done.append(1), told.append)
        assert (done, told) == ([1], [])
        await until(lambda: told == [job])
    # There is room again.
    second = disk.submit(lambda: done.append(2), told.append)
    await until(lambda: told == [job, second])
    assert len(disk._threads) == 1
    disk.shutdown()


async def test_where_no_further_thread_can_be_begun_those_there_are_do_it(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, done = threading.Event(), list[int]()
    first = disk.submit(lambda: go.wait(LIMIT_S))
    monkeypatch.setattr(threading.Thread, "start", _no_thread)
    second = disk.submit(lambda: done.append(1))
    assert not done
    go.set()
    first.wait()
    second.wait()
    assert (done, len(disk._threads)) == ([1], 1)
    disk.shutdown()
