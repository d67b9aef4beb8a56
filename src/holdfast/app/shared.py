"""What the first processes of `up` and `run` load before they part, so that they have it in common.

A page of memory stays one page of all of them until one writes there. Reading a module writes in many: each name in it is an object that is there
already, in a page of many such, whose references are counted. So all that any of them is going to load is loaded by the one that they are forked
from (`stem`), also what only one of them needs: there it costs the others nothing.

Law 1: of what is loaded here nothing is begun: no thread, no file, no socket.
Law 2: what cannot be loaded is left out. Who needs it says so.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module

import msgspec

# All of them.
_ALWAYS = (
    "asyncio",
    "encodings.ascii",
    "encodings.idna",
    "holdfast.app.child",
    "holdfast.app.inheritance",
    "holdfast.app.surroundings",
)
# The supervisor of `run`, of `up`, and of `up --worker` with what a project is read with.
RUN = ("holdfast.app.run",)
UP = ("holdfast.app.up",)
UP_WITH_WORKERS = (*UP, "encodings.utf_8_sig", "holdfast.app.egress_socket", "holdfast.app.local_project", "tomllib")
_EDGE = (
    "holdfast.app.edge_role",
    "holdfast.app.egress_socket",
    "holdfast.edge.worker_routes",
    "holdfast.model.connection",
    "holdfast.workers.host.versions",
)
# The host of scripts, and a script's process.
_WORKERS = (
    "holdfast.app.workers_role",
    "holdfast.workers.host.launch",
    "holdfast.workers.runtime.__main__",
    # What user code imports, as `workers`, `js` and `pyodide`.
    *(f"holdfast.workers.sdk.{name}" for name in ("contexts", "modules", "rpc", "type_names")),
    *(
        f"holdfast.workers.sdk.web.{name}"
        for name in ("crypto", "dates", "globals", "pipes", "texts", "timing", "urls")
    ),
)
ROLES = {"edge": _EDGE, "workers": _WORKERS}
# What they tell each other, and read of the disk: what is known of a type's fields is found out when it is first read.
TYPES = (
    ("holdfast.app.inheritance", "Inheritance"),
    ("holdfast.edge.worker_bindings", "Deployed"),
    ("holdfast.model.worker_messages", "HostMessage"),
    ("holdfast.model.worker_messages", "ProcessMessage"),
    ("holdfast.model.worker_script", "ScriptVersion"),
    ("holdfast.spare", "Becoming"),
)


def load(supervisor: Sequence[str], roles: Sequence[str]) -> None:
    """Load the modules `supervisor` and those of these roles' processes, and have nothing look at them again that need not."""
    for name in (*_ALWAYS, *supervisor, *(name for role in roles for name in ROLES[role])):
        with suppress(Exception):
            import_module(name)
    for module, name in TYPES:
        if module in sys.modules:
            msgspec.json.Decoder(getattr(sys.modules[module], name))
    # It counts references to names of before, one by one while others take their places.
    sys._clear_type_cache()  # noqa: SLF001  documented so
    gc.collect()
    gc.freeze()
