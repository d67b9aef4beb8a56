"""`holdfast run`, and its roles alone, as child processes.

Law: ports are free ones, and all files are in a directory of the test's.
"""

import http.client
import json
import os
import re
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.integration.command import START_LIMIT_S, Command, children_of
from tests.integration.waiting import LIMIT_S
from tests.integration.wire import Address

READY = re.compile(r"^ready: (?P<scheme>wss?|https?)://(?P<host>[^:]+):(?P<port>\d+)(?P<api> \(API\))?$")
EDGE, CONTROL, WORKERS = "edge", "control", "workers"


class Run(Command):
    """A running `holdfast run`, or `edge`, or `control`. `token` is the one it printed, if it did."""

    def __init__(
        self,
        data: Path,
        *arguments: str | Path,
        verb: str = "run",
        environment: Mapping[str, str] | None = None,
        roles: tuple[str, ...] = (EDGE, CONTROL),
        listen: str = "127.0.0.1:0",
        control_listen: str = "127.0.0.1:0",
    ) -> None:
        """Start it, and wait until the `roles` among those of its verb have said that they are ready."""
        wanted = [role for role in roles if verb in {"run", role}]
        edges = ["--listen", listen, "--threads", "1"] if verb != CONTROL else []
        controls = ["--control-listen", control_listen] if verb != EDGE else []
        listeners = sum(argument in {"--listen", "--tls-listen"} for argument in (*edges, *arguments))
        counts = {role: listeners if role == EDGE else 1 for role in wanted}
        super().__init__(
            [verb, "--data", data, *edges, *controls, *arguments],
            ready=lambda lines: all(
                len(_addresses(lines, is_api=role == CONTROL)) >= count for role, count in counts.items()
            ),
            environment=environment,
        )

    @property
    def plain(self) -> Address:
        """Where the edge serves."""
        return _addresses(self.ready_lines, is_api=False)[0]

    @property
    def api(self) -> Address:
        """Where the API is served."""
        return _addresses(self.ready_lines, is_api=True)[0]

    @property
    def token(self) -> str:
        """The token of the first start, waiting for it."""

        def look() -> str | None:
            return next((line.removeprefix("token: ") for line in self.ready_lines if line.startswith("token: ")), None)

        return self.changes.until(look, what="a token") or ""

    def child(self, name: str, *, restarts: int = 0) -> int:
        """The process of this child after so many restarts, waiting for it to be ready."""

        def is_it(record: dict[str, Any]) -> bool:
            return record["event"] == "child_started" and (record["child"], record["restarts"]) == (name, restarts)

        pid: int = self.record(is_it, limit_s=START_LIMIT_S)["pid"]
        return pid

    def signal(self, pid: int, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to one of its children."""
        assert pid in children_of(self.process.pid)
        os.kill(pid, number)

    def exit_of(self, pid: int) -> dict[str, Any]:
        """The record of the end of a child, waiting for it."""
        return self.record(lambda record: record["event"] == "child_exited" and record["pid"] == pid)

    def ask(self, method: str, path: str, *, token: str = "", body: object = None) -> tuple[int, Any]:
        """Ask the API: (status, answer)."""
        connection = http.client.HTTPConnection(*self.api, timeout=LIMIT_S)
        try:
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            answer = connection.getresponse()
            read = answer.read()
            is_json = "json" in (answer.getheader("Content-Type") or "")
            return answer.status, json.loads(read) if is_json else read.decode()
        finally:
            connection.close()


def _addresses(lines: Sequence[str], *, is_api: bool) -> list[Address]:
    matches = filter(None, map(READY.match, lines))
    return [(match["host"], int(match["port"])) for match in matches if bool(match["api"]) == is_api]
