"""What user code reaches of its surroundings, and what it does not; and what becomes of others while it takes all that it can get.

What is not prevented (`docs/workers.md`) is here too, as far as it can be tried: it is code of one's own, and who looks for it finds it.
"""

import asyncio
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from tests.integration.command import Command
from tests.integration.hostile import CODE, client, code_of, heard
from tests.integration.waiting import poll
from tests.integration.worker_up import READY, ServedWorker, worker_up

LIMIT_S = 30.0


@pytest.fixture(scope="module")
def served() -> Iterator[ServedWorker]:
    """One that does as it is told."""
    with worker_up(code=CODE, more="[limits]\ncpu_ms = 5000\nmemory_mb = 300") as one:
        yield one


def did(served: ServedWorker, code: str) -> str:
    """What this gives in `fetch`, or the name of the exception that it raises. `DATA` is the directory of the command's data."""
    lines = code_of(code.replace("DATA", str(served.data))).splitlines()
    tried = "\n".join(["try:", *(f"    {one}" for one in lines), "except BaseException as error:"])
    tried += "\n    return Response(type(error).__name__)"
    answer = httpx.post(f"http://{served.address}/entry", content=tried, timeout=LIMIT_S, trust_env=False)
    assert answer.status_code == 200, answer.text
    return answer.text


# What is Holdfast's, and other scripts', on the disk.
FILES = [
    "return os.listdir('DATA/up')",
    "return list(os.scandir('DATA/up/workers'))",
    "return open('DATA/up/workers.lock').read()",
    "return open('/proc/self/root' + 'DATA/up/workers.lock').read()",
    "os.chdir(os.path.dirname('DATA'))\nreturn open(os.path.basename('DATA') + '/up/workers.lock').read()",
    "import pathlib\nreturn pathlib.Path('DATA/up/../up/workers.lock').read_bytes()",
    "import sqlite3\nreturn sqlite3.connect('DATA/up/holdfast.db')",
    "import sqlite3\nreturn sqlite3.connect('file:DATA/up/holdfast.db?mode=ro', uri=True)",
    "import sqlite3\nreturn sqlite3.connect('file://localhost' + 'DATA/up/holdfast.db', uri=True)",
    "os.chdir('DATA/up')\nreturn os.listdir()",
    "return open('DATA/tls/ca-key.pem').read()",
    "open('DATA/mine', 'w')",
    "parent = os.open(os.path.dirname('DATA'), os.O_RDONLY)\nreturn os.open(os.path.basename('DATA') + '/up', os.O_RDONLY, dir_fd=parent)",
    "os.mkfifo('DATA/up/pipe')",
    "os.mknod('DATA/up/node')",
    "import posix\nposix.mkfifo('DATA/up/pipe')",
    "import shutil\nshutil.rmtree('DATA/up')",
    "import shutil\nshutil.rmtree('DATA')",
    "os.rename('DATA/up', 'DATA/elsewhere')",
    "os.rename('DATA', 'DATA-elsewhere')",
    "os.symlink('DATA/up/workers.lock', 'DATA/up/another')",
    "os.mkdir('DATA/up/mine')",
    "os.truncate('DATA/up/workers.lock', 0)",
    "import socket\nsocket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).connect('DATA/supervisor.sock')",
    "import socket\nsocket.socket(socket.AF_UNIX).connect('DATA/up/workers/host.sock')",
]


@pytest.mark.parametrize("code", FILES)
def test_what_is_holdfasts_on_the_disk_is_refused(served: ServedWorker, code: str) -> None:
    assert did(served, code) == "PermissionError"


@pytest.mark.parametrize(
    "code",
    [
        "import sqlite3\nsqlite3.connect(':memory:').execute('ATTACH ? AS x', ('DATA/up/x.db',))",
        "import sqlite3\nsqlite3.Connection(':memory:').execute('ATTACH ? AS x', ('DATA/up/x.db',))",
        "import sqlite3\nsqlite3.connect(':memory:').execute('VACUUM INTO ?', ('DATA/up/x.db',))",
    ],
)
def test_no_database_is_a_way_to_another_file(served: ServedWorker, code: str) -> None:
    assert did(served, code) == "OperationalError"
    assert not (served.data / "up" / "x.db").exists()


@pytest.mark.parametrize(
    "code",
    [
        "import holdfast",
        "import holdfast.control",
        "from holdfast.store import schema",
        "import holdfast._native",
        "import importlib\nimportlib.import_module('holdfast.app')",
        "__import__('holdfast.model')",
        "import importlib\nimportlib.__import__('holdfast.store')",
    ],
)
def test_no_module_of_holdfasts_is_imported(served: ServedWorker, code: str) -> None:
    assert did(served, code) == "ModuleNotFoundError"


def test_nothing_of_the_environment_is_a_secret_of_who_started_it(
    served: ServedWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOLDFAST_TOKEN", "secret-of-mine")
    with worker_up(code=CODE) as another:
        assert "secret" not in did(another, "return Response(repr(os.environ))")
        parent = did(another, "return Response(open(f'/proc/{os.getpid()}/environ').read())")
        assert "secret" not in parent
    assert did(served, "return Response(str('HOME' in os.environ or 'PATH' in os.environ))") == "True"


# What who looks for it does find, or do: without harm to others, at least.
NOT_PREVENTED = [
    pytest.param("return Response(str(len([m for m in sys.modules if m.startswith('holdfast')]) > 10))", "True", id="sys.modules"),
    pytest.param("import gc\nreturn Response(str(len(gc.get_objects()) > 10))", "True", id="gc"),
    pytest.param("return Response(str(len(open(f'/proc/{os.getppid()}/environ').read()) >= 0))", "True", id="environ of its parent"),
    pytest.param("open('/proc/1/mem')\nreturn Response('opened')", None, id="memory of another process"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "said"), NOT_PREVENTED)
def test_what_is_not_prevented_harms_nobody_by_itself(served: ServedWorker, code: str, said: str | None) -> None:
    assert did(served, code) in ({said} if said else {"opened", "PermissionError"})
    assert did(served, "return Response('alive')") == "alive"


# Tricks with what the runtime stands on: for good, in the process of whoever does so.
TRICKS = (
    "import gc\ngc.disable()\ngc.freeze()",
    "sys.setswitchinterval(1e-9)",
    "import logging\nlogging.disable()\nlogging.Logger.manager = None",
    "sys.stdout = sys.stderr = None",
    "sys.modules.clear()",
    "sys.setrecursionlimit(80)",
    "sys.settrace(lambda *_: 1 / 0)",
)


def test_a_process_goes_on_after_every_trick_with_what_it_stands_on() -> None:
    async def scenario(served: ServedWorker) -> None:
        async with client(served, "before") as one:
            for number, trick in enumerate(TRICKS):
                with suppress(AssertionError):  # where the trick spoils its own answer
                    await asyncio.to_thread(did, served, trick)
                await one.send(f"echo {number}")
                assert await heard(one, limit_s=LIMIT_S) == f"echo {number}", trick
                assert await asyncio.to_thread(did, served, "return Response('alive')") == "alive", trick

    with worker_up(code=CODE) as served:
        asyncio.run(scenario(served))


def test_who_kills_its_parent_is_served_again() -> None:
    with worker_up(code=CODE) as served:

        def alive() -> bool:
            try:
                return did(served, "return Response('alive')") == "alive" and served.status().pid != 0
            except (AssertionError, OSError, httpx.HTTPError):
                return False

        with httpx.Client(timeout=LIMIT_S, trust_env=False) as asking, suppress(httpx.HTTPError):
            asking.post(f"http://{served.address}/entry", content="os.kill(os.getppid(), 9)")
        poll(alive, what="a script that is served again", limit_s=LIMIT_S)


GREEDY = """
import os
from workers import Response, WorkerEntrypoint

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        what = request.url.rpartition("/")[2]
        if what == "memory":
            self.kept = [os.urandom(1024 * 1024) * 50 for _ in range(100)]
        while True:
            pass
"""
NEIGHBOUR = """
from workers import Response, WorkerEntrypoint

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        what = request.url.rpartition("/")[2]
        return Response("pong") if what == "ping" else await self.env.GREEDY.fetch(request)
"""


@contextmanager
def beside_a_greedy_one() -> Iterator[str]:
    """Two scripts; what is asked for below `/memory` and `/time` goes to the greedy one. The address."""
    with tempfile.TemporaryDirectory(prefix="hf") as directory:
        data = Path(directory)
        services = 'services = [{ binding = "GREEDY", service = "greedy" }]'
        limits = "[limits]\ncpu_ms = 500\nmemory_mb = 200"
        for name, code, more in (("neighbour", NEIGHBOUR, services), ("greedy", GREEDY, limits)):
            (data / name).mkdir()
            (data / name / "wrangler.toml").write_text(f'name = "{name}"\nmain = "worker.py"\n{more}\n')
            (data / name / "worker.py").write_text(code)
        projects: list[str | Path] = ["--worker", data / "neighbour", "--worker", data / "greedy"]
        command = Command(
            ["up", *projects, "--data", data, "--listen", "127.0.0.1:0", "--threads", "1"],
            ready=lambda lines: any(map(READY.match, lines)),
        )
        with command:
            yield next(filter(None, map(READY.match, command.ready_lines)))["address"]


@pytest.mark.parametrize("what", ["time", "memory"])
def test_a_script_that_takes_all_it_gets_keeps_no_other_from_answering(what: str) -> None:
    with beside_a_greedy_one() as address, ThreadPoolExecutor() as others:
        is_answered, over = threading.Event(), threading.Event()

        def greed() -> int:
            return httpx.get(f"http://{address}/{what}", timeout=LIMIT_S, trust_env=False).status_code

        def neighbour() -> int:
            answered = 0
            with httpx.Client(timeout=LIMIT_S, trust_env=False) as asking:
                while not over.is_set():
                    assert asking.get(f"http://{address}/ping").text == "pong"
                    answered += 1
                    is_answered.set()
            return answered

        answers = others.submit(neighbour)
        try:
            # On a busy machine the greedy one may be ended before the neighbour has come to ask.
            assert is_answered.wait(LIMIT_S)
            assert others.submit(greed).result(2 * LIMIT_S) == 500
        finally:
            over.set()
        # Not more, for the same reason.
        assert answers.result(LIMIT_S) > 3
