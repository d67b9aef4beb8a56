"""`holdfast run` as a process, and `holdfast zone …` beside it, as somebody on another machine would use it.

Law 1: what the verbs know of the installation is two variables of the environment; they see none of its files.
Law 2: it is started by its command line and stopped by SIGINT, and each stop must end with status 0.
"""

import os
import re
import signal
import subprocess
import threading
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

from tests.integration.edge import COMMAND, START_LIMIT_S, STOP_LIMIT_S
from tests.integration.waiting import Changes
from tests.integration.wire import Address

_PLAIN = re.compile(r"^ready: (?P<scheme>ws)://(?P<host>[\d.]+):(?P<port>\d+)")
_TLS = re.compile(r"^ready: (?P<scheme>wss)://(?P<host>[\d.]+):(?P<port>\d+)")
_API = re.compile(r"^ready: (?P<url>https?://\S+) \(API\)$")
_TOKEN = re.compile(r"^token: (?P<token>\S+)$")
COMMAND_LIMIT_S = 60.0

Ended = subprocess.CompletedProcess[str]


class Installation:
    """A running installation. `plain` and `tls` are the edge's addresses, `api` the base URL, `token` the first token."""

    def __init__(self, data: Path, *arguments: str) -> None:
        """Start it on free ports and wait until edge and API are ready."""
        self.changes = Changes()
        self.lines: list[str] = []
        self.log_lines: list[str] = []
        listen = ("--listen", "127.0.0.1:0", "--tls-listen", "127.0.0.1:0", "--control-listen", "127.0.0.1:0")
        self.process = subprocess.Popen(
            [COMMAND, "run", "--data", data, "--threads", "1", *listen, *arguments],
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        self._readers = [
            threading.Thread(target=self._read, args=(self.process.stdout, self.lines), daemon=True),
            threading.Thread(target=self._read, args=(self.process.stderr, self.log_lines), daemon=True),
        ]
        for reader in self._readers:
            reader.start()
        try:
            self.token = self._said(_TOKEN)["token"]
            self.plain, self.tls = self._address(_PLAIN), self._address(_TLS)
            self.api = f"{self._said(_API)['url']}/client/v4"
        except BaseException:
            self._end()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if self.process.poll() is None:
                self.process.send_signal(signal.SIGINT)
                status = self.process.wait(STOP_LIMIT_S)
                assert kind is not None or status == 0, f"status {status} after SIGINT: {self.log_lines[-5:]}"
        finally:
            self._end()

    def run(self, *arguments: str, token: str | None = None, api: str | None = None) -> Ended:
        """`holdfast` with these arguments, to its end."""
        return command(*arguments, api=api or self.api, token=token or self.token)

    def did(self, *arguments: str, token: str | None = None) -> str:
        """What a command that must succeed printed."""
        ended = self.run(*arguments, token=token)
        assert ended.returncode == 0, ended
        return ended.stdout

    def refused(self, *arguments: str, token: str | None = None, status: int = 2) -> str:
        """What a command that must fail with `status` said: one sentence, what is shown below it, and nothing on stdout."""
        ended = self.run(*arguments, token=token)
        assert (ended.returncode, ended.stdout) == (status, ""), ended
        assert all(line.startswith("  ") for line in ended.stderr.splitlines()[1:]), ended.stderr
        return ended.stderr

    def _address(self, pattern: re.Pattern[str]) -> Address:
        match = self._said(pattern)
        return (match["host"], int(match["port"]))

    def _said(self, pattern: re.Pattern[str]) -> re.Match[str]:
        def look() -> re.Match[str] | str | None:
            if self.process.poll() is not None:
                return "ended"
            return next((match for line in list(self.lines) if (match := pattern.match(line))), None)

        with suppress(AssertionError):
            found = self.changes.until(look, what=pattern.pattern, limit_s=START_LIMIT_S)
            if isinstance(found, re.Match):
                return found
        raise AssertionError(f"it did not say {pattern.pattern}; it said {self.lines}, {self.log_lines[-5:]}")

    def _end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(STOP_LIMIT_S)
        for reader in self._readers:
            reader.join(STOP_LIMIT_S)
        for pipe in (self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()

    def _read(self, pipe: Any, into: list[str]) -> None:
        for line in pipe:
            into.append(line.rstrip("\n"))
            self.changes.announce()
        # Its pipes end before it does, and what is looked for may be its end.
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(STOP_LIMIT_S)
        self.changes.announce()


def command(*arguments: str, api: str, token: str) -> Ended:
    """`holdfast` with these arguments, from a place that has nothing of an installation, to its end."""
    with TemporaryDirectory() as elsewhere:
        more = {"HOLDFAST_API": api, "HOLDFAST_TOKEN": token, "HOME": elsewhere}
        return subprocess.run(
            [COMMAND, *arguments],
            env=environment() | more,
            cwd=elsewhere,
            capture_output=True,
            text=True,
            timeout=COMMAND_LIMIT_S,
            check=False,
        )


def environment() -> dict[str, str]:
    """This process's, without a variable that would configure Holdfast or colour its words."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("HOLDFAST_", "COLUMNS"))}
