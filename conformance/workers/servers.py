"""The two sides: workerd with the JavaScript twin, and `holdfast up --worker` with the Python one.

Law 1: workerd is installed from a pinned, hashed lock into a directory of its own, and only once.
Law 2: each gets a free port, an empty data directory, and ends with the block.
"""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from conformance.missing import MissingError
from conformance.workers.conversation import Address

HERE = Path(__file__).parent
PROJECT, NEIGHBOUR, ORACLE = HERE / "project", HERE / "neighbour", HERE / "oracle"
INSTALLED = HERE.parents[1] / ".cache" / "conformance"
HOLDFAST = Path(sys.executable).with_name("holdfast")
STOP_LIMIT_S = 30


def workerd_program() -> Path:
    """The reference, installed if it is not yet. Raises MissingError where npm fails."""
    digest = hashlib.sha256((ORACLE / "package-lock.json").read_bytes()).hexdigest()[:12]
    place = INSTALLED / f"workerd-{digest}"
    program = place / "node_modules" / ".bin" / "workerd"
    if program.exists():
        return program
    npm = shutil.which("npm")
    if npm is None:
        raise MissingError("workerd comes by npm: apt-get install npm")
    print(f"conformance: installing workerd into {place.relative_to(HERE.parents[1])}", flush=True)
    unfinished = INSTALLED / "installing-workerd"
    shutil.rmtree(unfinished, ignore_errors=True)
    shutil.copytree(ORACLE, unfinished)
    command = [npm, "ci", "--silent", "--no-fund", "--no-audit"]
    done = subprocess.run(command, cwd=unfinished, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise MissingError(f"npm could not install workerd:\n{done.stderr[-2000:]}")
    shutil.rmtree(place, ignore_errors=True)
    unfinished.rename(place)
    return program


@contextmanager
def workerd() -> Iterator[Address]:
    """The reference. Where it listens."""
    program = workerd_program()
    with TemporaryDirectory(prefix="hf") as data:
        command: list[str | Path] = [program, "serve", PROJECT / "config.capnp", f"--directory-path=disk={data}"]
        with (
            Path(data, "log").open("wb") as log,
            subprocess.Popen(
                [*command, "--control-fd=1"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log
            ) as process,
        ):
            assert process.stdout is not None
            try:
                line = process.stdout.readline()
                if not line:
                    raise MissingError(f"workerd did not start: {Path(data, 'log').read_text()[-2000:]}")
                yield "127.0.0.1", int(json.loads(line)["port"])
            finally:
                # It waits for connections that are open when it is asked to end.
                process.kill()


@contextmanager
def ours() -> Iterator[Address]:
    """Holdfast. Where it listens."""
    if not HOLDFAST.exists():
        raise MissingError(f"there is no {HOLDFAST.name} beside this Python: make setup")
    with TemporaryDirectory(prefix="hf") as data:
        command: list[str | Path] = [HOLDFAST, "up", "--worker", PROJECT, "--worker", NEIGHBOUR]
        command += ["--data", data, "--log", f"{data}/log", "--listen", "127.0.0.1:0", "--threads", "1"]
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, env=environment
        ) as process:
            assert process.stdout is not None
            try:
                line = process.stdout.readline()
                if not line.startswith("ready: "):
                    raise MissingError(f"the edge did not start: it said {line!r}")
                host, _, port = line.split()[1].removeprefix("ws://").rpartition(":")
                yield host, int(port)
            finally:
                process.send_signal(signal.SIGINT)
                process.stdout.close()
            if (status := process.wait(STOP_LIMIT_S)) != 0:
                raise MissingError(f"the edge ended with status {status}: {Path(data, 'log').read_text()[-2000:]}")
