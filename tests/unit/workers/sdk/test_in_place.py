"""What it takes to wait in place, where a script wants to and where it does not."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from holdfast.workers.sdk import ffi, in_place


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


def test_only_who_asks_for_run_sync_pays_for_it() -> None:
    code = (
        "import sys\nfrom holdfast.workers.sdk import importing, in_place\nimporting.install()\n"
        "import pyodide.ffi\nfrom pyodide.ffi import to_js\n"
        "print('greenlet' in sys.modules, in_place.Wanted.on_stacks)\n"
        "from pyodide.ffi import run_sync\nprint('greenlet' in sys.modules, in_place.Wanted.on_stacks is None)\n"
        "try:\n    pyodide.ffi.nothing\nexcept AttributeError as error:\n    print(error)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=False)
    assert ran.stdout == "False None\nTrue False\nmodule 'pyodide.ffi' has no attribute 'nothing'\n", ran.stderr
