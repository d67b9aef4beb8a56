"""Numbered clients and their origin as processes that a test or a measurement drives, stops and kills, and what both say together.

Law 1: a process is asked one thing at a time, and each answer has a limit.
Law 2: a verdict compares both ends: what one says it sent with what the other says it took.
"""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tests.integration.numbered import Account, cut_off
from tests.integration.wire import Address

ROOT = Path(__file__).parent.parent.parent
# Longer than clients take to settle.
ANSWER_LIMIT_S = 90.0
STOP_LIMIT_S = 30.0


class Asked:
    """A child process that answers each line with a line of JSON. Use as a context manager: inside, it runs."""

    def __init__(self, module: str, *arguments: str, under: Sequence[str] = ()) -> None:
        """`under` is a command that runs it, such as `ip netns exec NAME`."""
        self._process = subprocess.Popen(
            [*under, sys.executable, "-m", f"tests.integration.{module}", *arguments],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pid = self._process.pid
        self._answers: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        # Whoever stopped it may have left it so.
        self.signal(signal.SIGCONT)
        try:
            self._process.stdin.close()
            self._process.wait(STOP_LIMIT_S)
        except (OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait(STOP_LIMIT_S)
        self._reader.join(STOP_LIMIT_S)
        self._process.stdout.close()

    def ask(self, *words: object, limit_s: float = ANSWER_LIMIT_S) -> dict[str, Any]:
        """Say one line, and give what is answered."""
        self.begin(*words)
        return self.answer(limit_s=limit_s)

    def begin(self, *words: object) -> None:
        """Say one line; `answer` gives what is answered."""
        assert self._process.stdin is not None
        self._process.stdin.write(" ".join(map(str, words)) + "\n")
        self._process.stdin.flush()

    def answer(self, *, limit_s: float = ANSWER_LIMIT_S) -> dict[str, Any]:
        """The answer to the first line that has not had one. Raises AssertionError at the limit, or if the process has ended."""
        found: dict[str, Any] = json.loads(self.line(limit_s=limit_s))
        return found

    def line(self, *, limit_s: float = ANSWER_LIMIT_S) -> str:
        """The next line that it prints."""
        try:
            line = self._answers.get(timeout=limit_s)
        except queue.Empty:
            raise AssertionError(f"no answer within {limit_s} s") from None
        assert line, f"the process has ended with status {self._process.wait(STOP_LIMIT_S)}"
        return line

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to it, if it still runs."""
        if self._process.poll() is None:
            os.kill(self.pid, number)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._answers.put(line)
        self._answers.put("")


class Origin(Asked):
    """The origin of numbered clients."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0, *, under: Sequence[str] = ()) -> None:
        super().__init__("numbered_origin", host, str(port), under=under)
        self.host = host
        self.port = int(self.line())

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"


class Clients(Asked):
    """Numbered clients of one address. Two of them have different `first`, so that no number is used twice."""

    def __init__(
        self,
        address: Address,
        *,
        host: str = "example.test",
        first: int = 0,
        tls: bool = False,
        under: Sequence[str] = (),
    ) -> None:
        more = ["tls"] if tls else []
        super().__init__("numbered_clients", address[0], str(address[1]), host, str(first), *more, under=under)

    def open(self, count: int, *, limit_s: float = 60.0) -> None:
        """Connect so many; all of them must be open then."""
        opened = self.ask("open", count, limit_s=limit_s)["opened"]
        assert opened == count, f"{opened} of {count} are open: {self.ask('report')['connects']}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What both ends say together. `faults` are sentences; there are none where no message was lost, doubled, changed or moved."""

    clients: Mapping[int, Account]
    origin: Mapping[int, Account]
    tallies: Mapping[str, Mapping[str, int]]
    connects: Mapping[str, int]
    phases: Mapping[str, Mapping[str, float]]
    # Messages at the end of a connection that were sent and have not arrived.
    to_origin_cut: Mapping[int, int]
    to_client_cut: Mapping[int, int]

    @property
    def faults(self) -> list[str]:
        """A sentence for each kind of wrong that was received, wherever it happened."""
        said = [
            f"{end}: {count} messages {what}"
            for end, tally in self.tallies.items()
            for what, count in tally.items()
            if count
        ]
        negative = {**self.to_origin_cut, **self.to_client_cut}
        return said + [f"connection {one}: more came than was sent" for one, count in negative.items() if count < 0]

    @property
    def refused(self) -> dict[str, int]:
        """What became of connects that are not open: {reason: count}."""
        return {reason: count for reason, count in self.connects.items() if reason != "open"}

    def lost_at_the_end(self) -> dict[int, int]:
        """Messages that did not arrive, of either direction: none, where what is asked has settled or said goodbye."""
        return dict(Counter(self.to_origin_cut) + Counter(self.to_client_cut))

    def seen(self, end: str = "clients") -> Counter[tuple[int | None, str]]:
        """How connections ended at an end ("clients", "origin"): {(close code or None, first word of the reason): count}."""
        accounts = self.clients if end == "clients" else self.origin
        return Counter((one.code, one.reason.partition(":")[0]) for one in accounts.values() if one.ended or one.code)


def verdict(clients: Clients, origin: Origin) -> Verdict:
    """Ask both ends, and compare."""
    told, there = clients.ask("report"), origin.ask("report")
    return compare(told, there)


def compare(told: Mapping[str, Any], there: Mapping[str, Any]) -> Verdict:
    """Two reports, of clients and of their origin, as one verdict."""
    ours, theirs = _accounts(told), _accounts(there)
    opened = {number: one for number, one in ours.items() if not one.failed}
    return Verdict(
        clients=ours,
        origin=theirs,
        tallies={"the clients": told["tally"], "the origin": there["tally"]},
        connects=told["connects"],
        phases=told.get("phases", {}),
        to_origin_cut=cut_off(opened, theirs),
        to_client_cut=cut_off({number: one for number, one in theirs.items() if number in ours}, ours),
    )


def _accounts(report: Mapping[str, Any]) -> dict[int, Account]:
    return {int(number): Account(**told) for number, told in report["connections"].items()}
