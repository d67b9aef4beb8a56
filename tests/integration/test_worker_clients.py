"""Other people's clients against a Worker: `partysocket`, which comes back by itself, and `ws`, over both APIs."""

import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from holdfast.model.worker_host_messages import Done
from tests.integration.closing import CODE
from tests.integration.waiting import Changes
from tests.integration.worker_up import ServedWorker, worker_up

HERE = Path(__file__).parent
LIMIT_S = 60.0
RESTARTED = "worker_restarted: the script's process has ended"


@pytest.fixture(scope="module")
def served() -> Iterator[ServedWorker]:
    with worker_up(code=CODE) as one:
        yield one


class Party:
    """A `partysocket` in Node, and all that it has said."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process, self._changes = process, Changes()
        self.said: list[list[Any]] = []
        threading.Thread(target=self._read, daemon=True).start()

    def send(self, message: str) -> None:
        """As soon as it can be sent: it waits for the next connection where there is none."""
        assert self._process.stdin is not None
        print(message, file=self._process.stdin, flush=True)

    def until(self, *expected: Sequence[object]) -> None:
        """Wait until it has said no more and no less than this since it was last asked."""
        wanted = [list(one) for one in expected]
        self._changes.until(
            lambda: len(self.said) >= len(wanted), what=f"{wanted}; so far {self.said}", limit_s=LIMIT_S
        )
        assert self.said == wanted
        self.said.clear()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.said.append(json.loads(line))
            self._changes.announce()


@contextmanager
def party(served: ServedWorker, path: str) -> Iterator[Party]:
    command = ["node", str(HERE / "party_converse.mjs"), f"ws://{served.address}/{path}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        one = Party(process)
        try:
            one.until(["open"])
            yield one
        finally:
            assert process.stdin is not None
            process.stdin.close()


@pytest.mark.parametrize("api", ["hibernation", "standard"])
def test_partysocket_is_told_how_it_was_closed_and_comes_back(served: ServedWorker, api: str) -> None:
    with party(served, api) as one:
        one.send("größer 🎈")
        one.until(["message", "größer 🎈"])
        for code, reason in ((4000, "and again"), (1012, "restart"), (1000, "bye")):
            one.send(f"close {code} {reason}")
            one.until(["close", code, reason, True], ["open"])
            one.send("back")
            one.until(["message", "back"])


def test_partysocket_comes_back_from_new_code_by_the_standard_api_and_stays_by_the_other(served: ServedWorker) -> None:
    with party(served, "standard") as back, party(served, "hibernation") as stays:
        assert served.deploy("new", f"{CODE}\n# another version") == Done()
        stays.send("still here")
        stays.until(["message", "still here"])
        back.until(["close", 1012, RESTARTED, True], ["open"])
        back.send("here again")
        back.until(["message", "here again"])


def test_partysocket_does_not_notice_that_the_process_of_its_object_has_died(served: ServedWorker) -> None:
    with party(served, "hibernation") as one:
        one.send("to this one")
        one.until(["message", "to this one"])
        before = served.status()
        os.kill(before.pid, signal.SIGKILL)
        one.send("to the next")
        one.until(["message", "to the next"])
        assert served.status().pid != before.pid


@pytest.mark.parametrize("api", ["hibernation", "standard"])
def test_ws_converses_with_a_worker(served: ServedWorker, api: str) -> None:
    command = ["node", str(HERE / "ws_converse.mjs"), f"ws://{served.address}/{api}"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    if api == "standard":
        # It asks for subprotocols, and gives up where none is chosen (RFC 6455 §4.1).
        assert "Server sent no subprotocol" in ran.stderr
        return
    said = json.loads(ran.stdout)
    assert (said["echoed"], said["pongs"], said["code"]) == (said["sent"], 1, 4000)
    assert (said["protocol"], said["reason"]) == ("second", "all came back")
    assert "permessage-deflate" in said["extensions"]
