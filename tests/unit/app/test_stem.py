"""What a supervisor, a host and a script's process load: what they do not need would be a burden to each of them, all the time."""

import json
import subprocess
import sys

import pytest

# Of megabytes each, and of no use to those processes.
HEAVY = (
    "typer",
    "rich",
    "click",
    "pydantic",
    "httpx",
    "sqlalchemy",
    "fastapi",
    "uvicorn",
    "cryptography",
    "alembic",
    "structlog",
)
CORE = "holdfast._native"


@pytest.mark.parametrize(
    ("modules", "never"),
    [
        # The supervisor of `up`, and with what its children are forked from.
        (("holdfast.app.stem", "asyncio", "holdfast.app.up", "holdfast.app.surroundings"), (*HEAVY, CORE, "holdfast.edge", "holdfast.api")),
        (("holdfast.app.stem", "holdfast.app.run"), (*HEAVY, CORE, "holdfast.edge", "holdfast.api", "holdfast.control")),
        # The edge of one origin or Worker: without certificates, and without what control says.
        (("holdfast.app.edge_role",), (*HEAVY, "holdfast.certificates", "holdfast.edge.live", "holdfast.edge.control_link")),
        (("holdfast.app.child", "holdfast.app.workers_role"), (*HEAVY, CORE, "holdfast.edge", "holdfast.api", "holdfast.workers.runtime")),
        (("holdfast.workers.runtime.process",), (*HEAVY, CORE, "holdfast.app", "holdfast.edge", "holdfast.api", "holdfast.workers.host")),
    ],
    ids=["up", "run", "edge", "workers", "script"],
)  # fmt: skip
def test_a_process_loads_nothing_heavy_that_it_does_not_need(modules: tuple[str, ...], never: tuple[str, ...]) -> None:
    program = f"import json, sys\nfor name in {modules!r}: __import__(name)\nprint(json.dumps(sorted(sys.modules)))"
    result = subprocess.run([sys.executable, "-P", "-c", program], check=True, capture_output=True, timeout=60)
    loaded = json.loads(result.stdout)
    assert [name for name in loaded if any(f"{name}.".startswith(f"{one}.") for one in never)] == []
