"""Code that has the loop for too long, asked where it stands."""

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from holdfast.model.worker_messages import STACK_NAME, Log
from tests.integration.runtime_process import LIMIT_S, ScriptUnderTest, script
from tests.integration.waiting import poll

WORKER = """
import signal, sys, time
from workers import WorkerEntrypoint

def endless(how):
    print("held", end="", file=sys.stderr)
    print("begun now")
    while how == "loop":
        pass
    if how == "print":
        for _ in range(600):  # more than waits for a host that does not take it
            print("x" * 10_000)
        open(__file__ + ".printed", "w").close()
        while True:
            print("again")
    if how == "sleep":
        time.sleep(1000)
    # The signal comes when this has computed for a while.
    signal.setitimer(signal.ITIMER_PROF, 0.1)
    sum(iter(int, 1))

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        endless(request.url.rpartition("/")[2])
"""


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[ScriptUnderTest]:
    with script(tmp_path, WORKER) as under_test:
        yield under_test


@pytest.mark.parametrize("how", ["loop", "print", "sleep"])
def test_the_log_says_where_it_stood_by_ray_and_entrypoint_and_how_its_request_ended(
    worker: ScriptUnderTest, how: str
) -> None:
    process = worker.serving()
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(worker.client.ask, f"/{how}")
        process.hear(Log, containing="begun now")
        if how == "print":
            poll((worker.directory / "code" / "main.py.printed").exists, what="much that is printed")
        process.process.send_signal(signal.SIGPROF)
        told = process.hear(Log, containing="exceeded its time")
        assert (told.level, told.kind, told.ray, told.entrypoint) == (
            "error",
            "exception",
            "0123456789abcdef",
            "Default",
        )
        lines = told.message.splitlines()
        assert lines[0] == "Traceback (most recent call last):"
        assert ("main.py" in lines[1], lines[1].endswith("in fetch")) == (True, True)
        assert "in endless" in told.message
        request = process.hear(Log, containing="exceededCpu")
        assert (request.kind, request.ray) == ("request", "0123456789abcdef")
        assert (request.message, request.fields["status"]) == (f"GET https://example.com/{how} 500", 500)
        assert process.process.wait(LIMIT_S) == -signal.SIGPROF
        assert asked.exception(LIMIT_S) is not None
    assert (worker.directory / STACK_NAME).read_bytes() == b""


def test_a_module_that_does_not_come_to_its_end_is_told_with_its_own_frames(worker: ScriptUnderTest) -> None:
    worker.write(WORKER + '\nendless("loop")\n')
    process = worker.start()
    process.load()
    process.hear(Log, containing="begun now")
    process.process.send_signal(signal.SIGPROF)
    told = process.hear(Log, containing="was not loaded in time")
    lines = told.message.splitlines()
    assert (lines[1].startswith('  File "main.py", line '), lines[1].endswith("in <module>")) == (True, True)
    assert ("in endless" in told.message, told.fields) == (True, {"where": "time"})
    assert process.process.wait(LIMIT_S) == -signal.SIGPROF


def test_a_line_that_was_not_ended_is_told_before(worker: ScriptUnderTest) -> None:
    process = worker.serving()
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(worker.client.ask, "/loop")
        process.hear(Log, containing="begun now")
        process.process.send_signal(signal.SIGPROF)
        process.hear(Log, containing="held")
        process.hear(Log, containing="exceeded its time")
        assert asked.exception(LIMIT_S) is not None


def test_code_that_lets_no_signal_in_leaves_its_stack_in_a_file(worker: ScriptUnderTest) -> None:
    process = worker.serving()
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(worker.client.ask, "/library")
        process.hear(Log, containing="begun now")
        left = worker.directory / STACK_NAME
        poll(lambda: b"in endless" in left.read_bytes(), what="a stack")
        process.kill()
        assert asked.exception(LIMIT_S) is not None
    assert "in endless" in left.read_text()
