"""The load generator and the echo origin: built, started, and driven through their gate."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from bench.cases import PACED_PER_SECOND, Case, Kind
from bench.errors import MeasurementError, UnusableError
from bench.process import Child, free_port

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Programs:
    """The two binaries."""

    load: Path
    echo: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How long, or how often, a case is done in one measurement."""

    warm_up_s: float
    seconds: float
    upgrades: int


FULL = Effort(warm_up_s=1.0, seconds=3.0, upgrades=2_000)
QUICK = Effort(warm_up_s=0.3, seconds=1.0, upgrades=500)


def build() -> Programs:
    """Build both with optimisation. Raises UnusableError where that fails."""
    command = ["cargo", "build", "--release", "--quiet", "-p", "holdfast-load", "-p", "holdfast-echo"]
    try:
        subprocess.run(command, cwd=ROOT, check=True)
    except FileNotFoundError:
        raise UnusableError("cargo is not installed; the load generator cannot be built") from None
    except subprocess.CalledProcessError:
        raise UnusableError("the load generator does not build") from None
    release = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).absolute() / "release"
    return Programs(release / "holdfast-load", release / "holdfast-echo")


def echo(programs: Programs, directory: Path) -> tuple[Child, int]:
    """A started echo origin, and its port. The caller stops it."""
    port = free_port()
    child = Child("holdfast-echo", [str(programs.echo), "--listen", f"127.0.0.1:{port}"], directory)
    try:
        child.wait_until(lambda: "ready: " in child.stdout.read_text(encoding="utf-8"))
    except BaseException:
        child.stop()
        raise
    return child, port


def arguments(case: Case, url: str, effort: Effort) -> list[str]:
    """The generator's command line for `case`."""
    size = ["--size", str(case.message_bytes)]
    times = ["--warm-up", str(effort.warm_up_s), "--seconds", str(effort.seconds)]
    match case.kind:
        case Kind.RELAY:
            return ["relay", url, "--connections", str(case.connections), *size, *times]
        case Kind.PACED:
            pace = ["--rate", str(PACED_PER_SECOND)]
            return ["relay", url, "--connections", str(case.connections), *size, *times, *pace]
        case Kind.UPGRADE:
            return ["upgrade", url, "--total", str(effort.upgrades), *size, "--concurrency", "16"]
        case Kind.IDLE:
            return ["idle", url, "--connections", str(case.connections), *size]


class Generator:
    """One run of the generator, which stands still at its gates until told to go on."""

    def __init__(self, programs: Programs, command: Sequence[str], directory: Path) -> None:
        self._errors = directory / "holdfast-load.err"
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                [str(programs.load), *command, "--gate"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=directory,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def reach(self, event: str, *, limit_s: float = 120.0) -> Mapping[str, Any]:
        """Wait for `event` and return its line. Raises MeasurementError if another comes, or none."""
        line = self._line(time.monotonic() + limit_s)
        told: dict[str, Any] = json.loads(line)
        if told.get("event") != event:
            raise MeasurementError(f"the generator said {line!r}, not {event!r}")
        return told

    def go_on(self) -> None:
        """Open the gate it stands at."""
        pipe = self._process.stdin
        assert pipe is not None, "stdin is a pipe"
        try:
            pipe.write(b"\n")
            pipe.flush()
        except BrokenPipeError:
            raise MeasurementError(self._last_words()) from None

    def _line(self, deadline: float) -> str:
        pipe: IO[bytes] | None = self._process.stdout
        assert pipe is not None, "stdout is a pipe"
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, selectors.EVENT_READ)
            # A line is written at once and is short, so what is readable is whole.
            if not selector.select(max(0.0, deadline - time.monotonic())):
                raise MeasurementError("the generator was silent for too long")
        line = pipe.readline().decode("utf-8").strip()
        if not line:
            self._process.wait()
            raise MeasurementError(self._last_words())
        return line

    def _last_words(self) -> str:
        text = self._errors.read_text(encoding="utf-8", errors="replace").strip()
        return text.splitlines()[-1] if text else "the generator ended without a word"
