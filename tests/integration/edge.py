"""`holdfast up` as a child process, and what can be seen of it from outside."""

import re
from collections.abc import Sequence
from pathlib import Path

from tests.integration import records
from tests.integration.command import PROGRAM as COMMAND
from tests.integration.command import START_LIMIT_S, STOP_LIMIT_S, Command, children_of, open_descriptors, run_to_end
from tests.integration.waiting import LIMIT_S
from tests.integration.wire import Address

__all__ = ["COMMAND", "READY", "START_LIMIT_S", "STOP_LIMIT_S", "Edge", "run_to_end"]

READY = re.compile(r"^ready: (?P<scheme>wss?)://(?P<host>\[[^]]+\]|[^:]+):(?P<port>\d+) -> (?P<origin>\S+)$")


class Edge(Command):
    """A running edge. `plain` and `tls` are the addresses of its first listener of each kind."""

    def __init__(
        self, origin: str, data: Path, *arguments: str, under: Sequence[str] = (), descriptors: Sequence[int] = ()
    ) -> None:
        """Start it and wait for its ready lines. `under` and `descriptors` are as in `Command`."""
        if "--tls-listen" in arguments and "--listen" not in arguments:
            # Else it would listen on a port that is not ours as well, and say so.
            arguments = ("--listen", "127.0.0.1:0", *arguments)
        listeners = sum(argument in {"--listen", "--tls-listen"} for argument in arguments)
        super().__init__(
            ["up", origin, "--data", data, *arguments],
            ready=lambda lines: len(lines) >= listeners,
            under=under,
            descriptors=descriptors,
        )

    @property
    def plain(self) -> Address:
        return self._address("ws")

    @property
    def tls(self) -> Address:
        return self._address("wss")

    @property
    def pid(self) -> int:
        """The process that holds the sockets: the supervisor's child."""
        return children_of(self.process.pid)[0]

    def _address(self, scheme: str) -> Address:
        for line in self.ready_lines:
            if (match := READY.match(line)) and match["scheme"] == scheme:
                return (match["host"].strip("[]"), int(match["port"]))
        raise AssertionError(f"no {scheme} address in {self.ready_lines}")

    def closed(self, ray: str, *, limit_s: float = LIMIT_S) -> records.Closed:
        """The record of the closed WebSocket with this CF-Ray, waiting for it."""
        found = self.record(
            lambda r: r.get("event") == records.CLOSED_EVENT and r.get("ray_id") == ray, limit_s=limit_s
        )
        return records.closed(found)

    def open_descriptors(self) -> int:
        """File descriptors of the process that serves."""
        return open_descriptors(self.pid)

    def anonymous_bytes(self) -> int:
        """Memory that is this process's own (/proc/PID/smaps_rollup). Its share of files that others map too, the libraries, is
        left out: that rises when one of the others ends."""
        rollup = Path(f"/proc/{self.pid}/smaps_rollup").read_text()
        match = re.search(r"^Pss_Anon:\s+(\d+) kB", rollup, re.MULTILINE)
        assert match is not None, rollup
        return int(match[1]) * 1024
