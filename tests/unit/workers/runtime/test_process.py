"""A script's process as its host sees it: loaded or refused, retired or left alone."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.model.data_dir import worker_objects_dir
from holdfast.model.worker_messages import Counters, DurableObjectBinding, Loaded, LoadFailed, Log, Retired, Serving
from holdfast.workers.durable.owner import LOCK_NAME
from tests.integration.runtime_process import LIMIT_S, ScriptUnderTest, script

WORKER = """
import os
from workers import DurableObject, Response, WorkerEntrypoint
print("loading", sorted(os.environ))
class Room(DurableObject):
    pass
class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return Response("hello")
"""


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[ScriptUnderTest]:
    with script(tmp_path, WORKER) as under_test:
        yield under_test


def test_a_script_is_loaded_then_serves_then_retires(worker: ScriptUnderTest) -> None:
    process = worker.start()
    process.load(secrets={"KEY": "hush"})
    printed = process.hear(Log, containing="loading")
    assert "SECRET_OF_THE_HOST" not in printed.message
    loaded = process.hear(Loaded)
    assert (loaded.handlers, set(loaded.classes)) == (("fetch",), {"Default", "Room"})
    from holdfast.model.worker_messages import Serve

    process.say(Serve())
    process.hear(Serving)
    assert worker.client.ask().body == b"hello"
    assert process.hear(Counters, containing="'requests': 1") if process.retire() == 0 else False
    process.hear(Retired)


def test_a_script_that_does_not_load_is_refused_and_can_be_retired(worker: ScriptUnderTest) -> None:
    worker.write("def broken(:\n")
    process = worker.start()
    process.load()
    refused = process.hear(LoadFailed)
    assert "SyntaxError" in refused.error
    assert "main.py" in refused.traceback
    assert process.retire() == 0


def test_what_cannot_be_loaded_is_said_whatever_characters_its_text_has(worker: ScriptUnderTest) -> None:
    worker.write("raise ValueError('half \\ud800')\n")
    process = worker.start()
    process.load()
    assert process.hear(LoadFailed).error == "ValueError: half ?"
    assert process.retire() == 0


def test_a_class_that_the_next_version_will_have_must_be_exported(worker: ScriptUnderTest) -> None:
    process = worker.start()
    process.load(awaited=("Hall",))
    assert "the class 'Hall' is not exported by main.py" in process.hear(LoadFailed).error
    assert process.retire() == 0


def test_a_class_that_has_moved_may_be_bound_and_need_not_be_exported(worker: ScriptUnderTest) -> None:
    process = worker.start()
    # As it lies in a data directory: it proves to edges which script's process it is.
    objects = worker_objects_dir(worker.directory / "data", "0123456789ab")
    objects.mkdir(parents=True)
    process.load(
        durable_objects=(DurableObjectBinding(name="HALLS", class_name="Hall"),),
        moved={"Hall": "chat-Hall"},
        objects_dir=str(objects),
    )
    process.hear(Loaded)
    assert process.retire() == 0


@pytest.mark.parametrize("how", ["SIGTERM", "the host is gone"])
def test_a_process_that_nobody_wants_any_more_retires(worker: ScriptUnderTest, how: str) -> None:
    process = worker.serving()
    if how == "SIGTERM":
        process.process.send_signal(signal.SIGTERM)
    else:
        process.leave()
    assert process.process.wait(LIMIT_S) == 0


def test_a_process_without_a_host_says_so(worker: ScriptUnderTest) -> None:
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "-P", "-m", "holdfast.workers.runtime"], env={}, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert b"HOLDFAST_WORKER_FD: expected the number of a descriptor, got ''" in done.stderr


def test_a_process_whose_objects_were_taken_says_so_and_ends_and_the_next_one_has_them(worker: ScriptUnderTest) -> None:
    process = worker.serving()
    record = worker.directory / "objects" / LOCK_NAME
    record.rename(record.with_name("moved"))
    assert process.hear(Log, containing="not its own any more").level == "error"
    assert process.process.wait(LIMIT_S) == 1
    assert worker.serving().retire() == 0


STUBBORN = """
import asyncio, sys, threading, time
from workers import Response, WorkerEntrypoint
async def stays():
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            pass
async def leaves():
    sys.exit("enough")
class Default(WorkerEntrypoint):
    async def fetch(self, request):
        if request.url.endswith("/stay"):
            asyncio.create_task(stays())
            threading.Thread(target=threading.Event().wait).start()
            asyncio.get_running_loop().run_in_executor(None, threading.Event().wait)
        if request.url.endswith("/leave"):
            asyncio.create_task(leaves())
        return Response("hello")
"""


def test_a_module_may_read_its_variables_when_it_is_loaded(worker: ScriptUnderTest) -> None:
    worker.write("from workers import env\nprint('loaded with', env.GREETING, env.KEY, env.VERSION.id)\n" + WORKER)
    process = worker.start()
    process.load(vars={"GREETING": "hello", "VERSION": {"id": "v1"}}, secrets={"KEY": "hush"})
    process.hear(Log, containing="loaded with hello hush v1")
    process.hear(Loaded)


def test_tasks_and_threads_that_do_not_end_keep_no_process(worker: ScriptUnderTest) -> None:
    worker.write(STUBBORN)
    process = worker.serving()
    assert worker.client.ask("/stay").status == 200
    assert process.retire() == 0


def test_user_code_that_ends_the_loop_ends_the_process_as_a_crash(worker: ScriptUnderTest) -> None:
    worker.write(STUBBORN)
    process = worker.serving()
    assert worker.client.ask("/leave").status == 200
    assert process.process.wait(LIMIT_S) == 1
