"""Holdfast, as its users start it: metering and the connection log are on."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.errors import MissingError
from bench.process import Child
from bench.proxies.proxy import Setting


class Holdfast:
    """The command of this environment. Build it with optimisation (`make setup`) before it is measured."""

    name = "holdfast"

    def command(self, setting: Setting) -> Sequence[str]:
        """`holdfast up`."""
        return [
            _program(),
            *("up", f"http://127.0.0.1:{setting.origin_port}"),
            *("--listen", f"127.0.0.1:{setting.plain_port}"),
            *("--tls-listen", f"127.0.0.1:{setting.tls_port}"),
            *("--cert", str(setting.chain), "--key", str(setting.key)),
            *("--threads", str(setting.threads)),
            *("--data", str(setting.directory / "data")),
            *("--log", str(setting.directory / "records.jsonl")),
        ]

    def is_ready(self, child: Child, _setting: Setting) -> bool:
        """It says so, once for each listener."""
        lines = child.stdout.read_text(encoding="utf-8").splitlines()
        return sum(line.startswith("ready: ") for line in lines) == 2

    def version(self) -> str:
        """That of the installed package."""
        _program()
        script = "import importlib.metadata as m; print(m.version('holdfast'))"
        told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
        return f"holdfast/{told.stdout.strip() or 'unknown'}"


def _program() -> str:
    path = Path(sys.prefix) / "bin" / "holdfast"
    if not path.exists():
        raise MissingError("holdfast is not built (make setup); it is left out")
    return str(path)
