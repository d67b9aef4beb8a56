"""A whole installation, `holdfast run`, for a suite to be run against."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from conformance.missing import MissingError

HOLDFAST = Path(sys.executable).with_name("holdfast")
NO_LIMITS = ("--control-rate-limit", "0", "--control-ip-rate-limit", "0")
STOP_LIMIT_S = 30


@contextmanager
def installation(data: Path) -> Iterator[tuple[str, str]]:
    """The API's base URL and the owner's token. It must end well. Raises MissingError where it does not start."""
    if not HOLDFAST.exists():
        raise MissingError(f"there is no {HOLDFAST.name} beside this Python: make setup")
    listen = ("--listen", "127.0.0.1:0", "--control-listen", "127.0.0.1:0")
    command: list[str | Path] = [HOLDFAST, "run", "--data", data, "--log", data.with_name("log"), *listen, *NO_LIMITS]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        api = token = ""
        try:
            for line in process.stdout:
                words = line.split()
                if words[-1:] == ["(API)"]:
                    api = f"{words[1]}/client/v4"
                elif words[:1] == ["token:"]:
                    token = words[1]
                if api and token:
                    break
            else:
                raise MissingError("the installation did not start; it said why above")
            yield api, token
        finally:
            process.send_signal(signal.SIGINT)
        if (status := process.wait(STOP_LIMIT_S)) != 0:
            raise MissingError(f"the installation ended with status {status}")
