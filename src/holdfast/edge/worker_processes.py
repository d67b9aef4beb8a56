"""How the core reaches the processes of scripts, and hosts that scripts ask.

Law 1: a script has one handle in the core, whoever asks for it, so that all share its connections.
Law 2: what is kept has a bound: MAX_KEPT scripts, and as many hosts; who was asked for longest ago is forgotten, and made again.
Law 3: `Processes` is asked by the policy thread alone.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from holdfast.edge.worker_bindings import WorkerBindings
from holdfast.edge.worker_scripts import Script
from holdfast.model.data_dir import worker_channel_socket, worker_http_socket

if TYPE_CHECKING:
    from holdfast._native import Origin, WorkerTarget

# Handles cost about 1 KB each, and the connections that they keep are bounded by themselves.
MAX_KEPT = 1_024
# How long a script may be silent before its answer begins; then it is 1102. Precedent: that of origins.
ANSWER_TIMEOUT_S = 125.0

_K = TypeVar("_K")
_V = TypeVar("_V")


class Processes:
    """The core's handles of the processes of scripts, and of hosts that they ask."""

    def __init__(self, data_dir: Path) -> None:
        """`data_dir` is absolute."""
        self._data_dir = data_dir
        self.bindings = WorkerBindings(data_dir)
        self._scripts: dict[str, tuple[Origin, WorkerTarget]] = {}
        self._hosts: dict[tuple[str, str, int], Origin] = {}

    def statistics(self) -> dict[str, int]:
        """How many handles are kept, and whose deployments are remembered."""
        return {"scripts": len(self._scripts), "hosts": len(self._hosts), **self.bindings.statistics()}

    def of(self, script: Script) -> tuple[Origin, WorkerTarget]:
        """The way to the process of `script`."""
        return _kept(self._scripts, script.key, lambda: self._made(script))

    def target(self, key: str) -> WorkerTarget:
        """The process with this key, for what waits for it."""
        return self.of(Script(key, key))[1]

    def host(self, scheme: str, host: str, port: int) -> Origin:
        """The way to a host that is none of ours. Raises ValueError for one that cannot be dialled."""
        # Loaded here and not with this module: the values, and all phases, do without the core.
        from holdfast._native import Origin  # noqa: PLC0415

        def make() -> Origin:
            bare = host.removeprefix("[").removesuffix("]")
            return Origin(label=f"{scheme}://{host}:{port}", scheme=scheme, host=bare, port=port)

        return _kept(self._hosts, (scheme, host, port), make)

    def _made(self, script: Script) -> tuple[Origin, WorkerTarget]:
        from holdfast._native import Origin, WorkerTarget  # noqa: PLC0415  as above

        origin = Origin(
            label=f"worker:{script.name}",
            scheme="http",
            unix_path=str(worker_http_socket(self._data_dir, script.key)),
            answer_timeout_s=ANSWER_TIMEOUT_S,
        )
        channel = str(worker_channel_socket(self._data_dir, script.key))
        return origin, WorkerTarget(script=script.key, channel=channel)


def _kept(kept: dict[_K, _V], key: _K, make: Callable[[], _V]) -> _V:
    found = kept.pop(key, None)
    if found is None:
        found = make()
        if len(kept) >= MAX_KEPT:
            del kept[next(iter(kept))]
    # Behind all others: a dictionary keeps the order of entries.
    kept[key] = found
    return found
