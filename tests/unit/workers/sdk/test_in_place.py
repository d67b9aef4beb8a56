"""What it takes to wait in place, where a script wants to and where it does not."""

import asyncio
import gc
import subprocess
import sys
from collections.abc import Iterator

import pytest

from holdfast.workers.durable.tasks import task_factory
from holdfast.workers.sdk import ffi, in_place, stacks


@pytest.fixture
def wanted() -> Iterator[None]:
    in_place.want()
    yield
    in_place.Wanted.on_stacks = None


async def value() -> int:
    return 5


async def test_user_code_is_called_and_awaited() -> None:
    assert (await in_place.called(value), await in_place.called(max, 1, 2)) == (5, 2)
    with in_place.held("anything"):
        assert await in_place.called(value) == 5


@pytest.mark.usefixtures("wanted")
async def test_a_script_that_wants_to_waits_in_place_but_for_where_it_may_not() -> None:
    def handler() -> int:
        with in_place.held("a transaction"), pytest.raises(RuntimeError, match="in a transaction"):
            ffi.run_sync(value())
        return ffi.run_sync(value())

    assert await in_place.called(handler) == 5


async def test_an_application_on_a_stack_may_not_either_though_no_script_has_asked() -> None:
    def application() -> None:
        with in_place.held("a transaction"):
            stacks.wait(asyncio.get_running_loop().create_future())

    assert in_place.Wanted.on_stacks is None
    with pytest.raises(RuntimeError, match="in a transaction"):
        await stacks.on_stacks(application, ())


def test_only_who_asks_for_run_sync_pays_for_it() -> None:
    code = (
        "import sys\nfrom holdfast.workers.sdk import importing, in_place\nimporting.install()\n"
        "import pyodide.ffi\nfrom pyodide.ffi import to_js\n"
        "print('greenlet' in sys.modules, in_place.Wanted.on_stacks)\n"
        "from pyodide.ffi import run_sync\nprint('greenlet' in sys.modules, in_place.Wanted.on_stacks is None)\n"
        "try:\n    pyodide.ffi.nothing\nexcept AttributeError as error:\n    print(error)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=False)
    assert ran.stdout == "False None\nTrue False\nmodule 'pyodide.ffi' has no attribute 'nothing'\n", ran.stderr


ASK = {
    "of the module": "import pyodide.ffi\ndef handler():\n    return pyodide.ffi.run_sync(work())\n",
    "of the module, imported from its package": "from pyodide import ffi\nclass A:\n    def f(self):\n        return ffi.run_sync(1)\n",
    "in a handler": "async def handler():\n    def inner():\n        from pyodide.ffi import run_sync\n        return run_sync\n",
    "whether it can": "from pyodide.ffi import can_run_sync\n",
    "by a string": "import importlib\nwait = getattr(importlib.import_module('pyodide.ffi'), 'run_sync')\n",
    "of a module handed on": "from parts import ffi\nffi.run_sync(1)\n",
}
DO_NOT = {
    "something else of it": "from pyodide.ffi import to_js\n",
    "another's": "import anyio.to_thread\nasync def f():\n    await anyio.to_thread.run_sync(f)\n",
    "in words": "'run_sync of pyodide.ffi'\nimport pyodide.ffi\n",
}


@pytest.mark.parametrize("how", [*ASK, *DO_NOT])
def test_code_that_asks_for_run_sync_is_known_before_it_runs(how: str) -> None:
    assert in_place.is_named_in(compile((ASK | DO_NOT)[how], "worker.py", "exec")) == (how in ASK)


async def test_a_task_cancelled_before_its_first_step_leaves_nothing_that_was_never_awaited(
    wanted: None, recwarn: pytest.WarningsRecorder
) -> None:
    loop = asyncio.get_running_loop()
    loop.set_task_factory(task_factory)
    try:
        task = loop.create_task(value())
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await loop.create_task(value()) == 5
    finally:
        loop.set_task_factory(None)
    del task
    gc.collect()
    assert [str(warning.message) for warning in recwarn] == []
