"""What a browser and `websockets` are told when the edge ends a connection: the code, and a reason that begins with the record's word.

Law: nobody sees 1006, which is what the application gets where nothing was said.
"""

import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.integration.command import run_to_end
from tests.integration.origin import Origin as FakeOrigin
from tests.integration.origin_paths import PATHS
from tests.integration.run import Run
from tests.integration.waiting import LIMIT_S, PATIENT
from tests.integration.zones_of_run import UNLIMITED, Zones, origin_ip

HOST = "example.test"
RELEASE_LIMIT_S = 60.0
TERMS = ("--release-deadline", "1", "--release-spread", "1")

# Opens a socket, says so in the page's title, and keeps how it closed.
OPEN = """
(url) => new Promise((opened) => {
  const socket = new WebSocket(url);
  window.ending = new Promise((done) => {
    socket.onclose = ({code, reason, wasClean}) => { done({code, reason, wasClean}); opened(false); };
  });
  socket.onopen = () => opened(true);
})
"""


@dataclass(slots=True)
class Place:
    """A run with one zone, `example.test`, whose origin echoes."""

    run: Run
    data: Path
    origin: FakeOrigin

    @property
    def url(self) -> str:
        return f"ws://{HOST}:{self.run.plain[1]}/echo"


@contextmanager
def place(data: Path, settings: dict[str, int], *arguments: str) -> Iterator[Place]:
    with Run(data, *arguments, environment=UNLIMITED) as run, Zones(run) as zones:
        ip = origin_ip()
        with FakeOrigin(PATHS, host=ip, port=run.plain[1]) as origin:
            zones.add(ip, settings, name=HOST)
            yield Place(run, data, origin)


def nothing(_: Place) -> None:
    """Time alone ends it."""


def release(here: Place) -> None:
    ended = run_to_end(["release", "--data", here.data], limit_s=RELEASE_LIMIT_S)
    assert ended.returncode == 0, ended


def drain(here: Place) -> None:
    here.run.process.send_signal(signal.SIGTERM)


CASES = [
    ("idle_timeout", 1001, {"websocket_idle_timeout": 1}, nothing),
    ("max_age", 1001, {"websocket_max_age": 1, "websocket_max_age_jitter": 0}, nothing),
    ("release", 1012, {}, release),
    ("drain", 1012, {}, drain),
]
EACH = pytest.mark.parametrize(("word", "code", "settings", "end"), CASES, ids=[case[0] for case in CASES])


@pytest.mark.timeout(120)
@EACH
def test_a_browser_sees_why_the_edge_ended_its_socket(
    word: str, code: int, settings: dict[str, int], end: Callable[[Place], None], page: Page, tmp_path: Path
) -> None:
    with place(tmp_path / "data", settings, *TERMS) as here:
        page.goto(f"http://{HOST}:{here.run.plain[1]}/status/200")
        assert page.evaluate(OPEN, here.url) is True
        end(here)
        said = page.evaluate("window.ending")
        assert (said["code"], said["wasClean"]) == (code, True)
        assert said["reason"].startswith(f"{word}: ")
        record = here.run.record(lambda one: one["event"] == "websocket_closed")
        assert (record["closed_by"], record["why"]) == ("edge", word)
        assert (record["edge_close_code"], record["edge_close_reason"]) == (code, said["reason"])


@pytest.mark.timeout(120)
@EACH
def test_websockets_sees_why_the_edge_ended_its_connection(
    word: str, code: int, settings: dict[str, int], end: Callable[[Place], None], tmp_path: Path
) -> None:
    with place(tmp_path / "data", settings, *TERMS) as here:
        with connect(here.url, sock=socket.create_connection(here.run.plain), proxy=None, **PATIENT) as client:
            if end is not nothing:
                client.send("one")
                assert client.recv(timeout=LIMIT_S) == "one"
            end(here)
            with pytest.raises(ConnectionClosed) as ended:
                client.recv(timeout=RELEASE_LIMIT_S)
        assert ended.value.rcvd is not None
        assert ended.value.rcvd.code == code
        assert ended.value.rcvd.reason.startswith(f"{word}: ")
        assert ended.value.rcvd_then_sent


@pytest.mark.timeout(120)
def test_a_browser_whose_origin_dies_sees_1014_and_that_it_ended(page: Page, tmp_path: Path) -> None:
    with place(tmp_path / "data", {}) as here:
        page.goto(f"http://{HOST}:{here.run.plain[1]}/status/200")
        assert page.evaluate(OPEN, here.url.replace("/echo", "/fin-after")) is True
        said = page.evaluate("window.ending")
        assert (said["code"], said["wasClean"]) == (1014, True)
        assert said["reason"].startswith("end_of_stream: ")


@pytest.mark.timeout(120)
def test_a_browser_answers_pings_of_the_edge_without_being_asked_by_its_page(page: Page, tmp_path: Path) -> None:
    # It may leave all pings unanswered until then: a busy machine lets nobody answer at once.
    asked = {"websocket_keepalive_interval": 1, "websocket_keepalive_misses": 10, "websocket_max_age": 7}
    with place(tmp_path / "data", {**asked, "websocket_max_age_jitter": 0}) as here:
        page.goto(f"http://{HOST}:{here.run.plain[1]}/status/200")
        assert page.evaluate(OPEN, here.url) is True
        said = page.evaluate("window.ending")
        assert said["reason"].startswith("max_age: ")
        record = here.run.record(lambda one: one["event"] == "websocket_closed")
        assert record["rtt_client_ms"] is not None
        assert record["rtt_origin_ms"] is not None
        assert record["to_origin"]["pongs"] == record["to_client"]["pongs"] == 0
