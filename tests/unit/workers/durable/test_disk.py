"""Jobs that wait for the disk, in threads."""

import threading
from collections.abc import Iterator

import pytest

from holdfast.workers.durable.disk import Disk, Job

LIMIT_S = 10.0


@pytest.fixture
def disk() -> Iterator[Disk]:
    made = Disk(2)
    yield made
    made.shutdown()


def test_a_job_is_done_by_a_thread_which_tells_of_its_end(disk: Disk) -> None:
    told, over = list[tuple[Job, str]](), threading.Event()

    def ended(job: Job) -> None:
        told.append((job, threading.current_thread().name))
        over.set()

    job = disk.submit(lambda: None, ended)
    assert over.wait(LIMIT_S)
    assert (told, job.error, job.has_ended) == ([(job, "commit")], None, True)


def test_what_it_raises_is_kept_and_harms_no_other(disk: Disk) -> None:
    error = SystemExit("of a job")

    def fails() -> None:
        raise error

    job, other = disk.submit(fails), disk.submit(lambda: None)
    job.wait()
    other.wait()
    assert (job.error, other.error) == (error, None)


def test_who_asks_later_is_told_at_once_and_who_waits_when_it_ends(disk: Disk) -> None:
    go, told = threading.Event(), list[str]()
    job = disk.submit(lambda: go.wait(LIMIT_S))
    job.then(lambda _: told.append("by the thread"))
    assert (job.has_ended, told) == (False, [])
    go.set()
    job.wait()
    job.then(lambda _: told.append("at once"))
    assert told == ["by the thread", "at once"]


def test_as_many_threads_as_jobs_at_a_time_up_to_the_limit(disk: Disk) -> None:
    for _ in range(5):
        disk.submit(lambda: None).wait()
    go, began = threading.Event(), threading.Semaphore(0)

    def waits() -> None:
        began.release()
        go.wait(LIMIT_S)

    jobs = [disk.submit(waits) for _ in range(5)]
    assert began.acquire(timeout=LIMIT_S)
    assert began.acquire(timeout=LIMIT_S)
    assert disk.statistics() == {"disk_threads": 2, "disk_waiting": 3}
    go.set()
    for job in jobs:
        job.wait()


def test_what_was_submitted_is_done_before_the_end_and_what_is_later_at_once() -> None:
    disk, done = Disk(2), list[int]()
    for number in range(10):
        disk.submit(lambda number=number: done.append(number))  # type: ignore[misc]
    disk.shutdown()
    assert sorted(done) == list(range(10))
    assert disk.submit(lambda: done.append(10)).has_ended
    assert done[-1] == 10
    disk.shutdown()
