"""What is loaded before the first processes part: all that they need, nothing heavy, and nothing is begun by it."""

import json
import subprocess
import sys
from importlib import import_module

import pytest

from holdfast.app import shared
from tests.unit.app.test_stem import HEAVY

# Loads, and tells what there is then: modules, threads, and descriptors more than before.
PROGRAM = """
import json, os, sys
from holdfast.app import shared
before = os.listdir("/proc/self/fd")
shared.load(shared.{supervisor}, {roles!r})
print(json.dumps([sorted(sys.modules), len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd")) - len(before)]))
"""


@pytest.mark.parametrize(
    ("supervisor", "roles", "expected"),
    [
        ("UP", ("edge",), {"holdfast.app.up", "holdfast.app.edge_role"}),
        ("UP_WITH_WORKERS", ("edge", "workers"), {"holdfast.app.local_project", "holdfast.app.workers_role", "holdfast.workers.runtime.process"}),
        ("RUN", ("edge", "workers"), {"holdfast.app.run", "holdfast.app.edge_role", "holdfast.workers.host.launch"}),
    ],
)  # fmt: skip
def test_what_is_loaded_is_what_the_processes_need_and_nothing_is_begun(
    supervisor: str, roles: tuple[str, ...], expected: set[str]
) -> None:
    program = PROGRAM.format(supervisor=supervisor, roles=roles)
    result = subprocess.run([sys.executable, "-P", "-c", program], check=True, capture_output=True, timeout=60)
    loaded, threads, descriptors = json.loads(result.stdout)
    assert expected <= set(loaded)
    assert [name for name in loaded if any(f"{name}.".startswith(f"{one}.") for one in HEAVY)] == []
    assert (threads, descriptors) == (1, 0)


def test_each_module_and_type_that_is_named_is_there() -> None:
    for name in (*shared.UP_WITH_WORKERS, *shared.RUN, *(name for names in shared.ROLES.values() for name in names)):
        import_module(name)
    for module, name in shared.TYPES:
        assert hasattr(import_module(module), name)
