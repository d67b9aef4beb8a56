"""Sockets of a Worker in Chromium: what its CloseEvent says, and what messages it gets, by both APIs."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from tests.integration.closing import CODE
from tests.integration.waiting import poll
from tests.integration.worker_up import ServedWorker, worker_up

BOTH = pytest.mark.parametrize("api", ["hibernation", "standard"])

# Opens a socket, says something, and resolves with its CloseEvent.
SAY = """
([url, message, own]) => new Promise((done) => {
  const socket = new WebSocket(url);
  socket.onclose = ({code, reason, wasClean}) => done([code, reason, wasClean]);
  socket.onopen = () => own ? socket.close(...own) : socket.send(message);
})
"""
# Sends each of some messages, and resolves with what came back of them: kind, length and whether it is the same.
ECHO = """
async ([url, kind]) => {
  const socket = new WebSocket(url, ["first", "last"].slice(0, url.endsWith("standard") ? 0 : 2));
  socket.binaryType = kind;
  await new Promise((opened) => { socket.onopen = opened; });
  const said = [];
  const big = new Uint8Array(31 * 1024 * 1024).fill(7);
  for (const message of ["", "grüße \\u{1F30A}", "x".repeat(70000), new Uint8Array(0), new Uint8Array([0, 255, 128]), big]) {
    const heard = await new Promise((next) => {
      socket.onmessage = (event) => next(event.data);
      socket.send(message);
    });
    const bytes = typeof heard === "string" ? heard : new Uint8Array(heard instanceof Blob ? await heard.arrayBuffer() : heard);
    const same = typeof heard === "string" ? heard === message : bytes.every((one, at) => one === message[at]);
    said.push([typeof heard === "string" ? "text" : heard.constructor.name, bytes.length, same]);
  }
  const unsent = socket.bufferedAmount;
  return {said, unsent, protocol: socket.protocol, extensions: socket.extensions};
}
"""


@pytest.fixture(scope="module")
def served() -> Iterator[ServedWorker]:
    with worker_up(code=CODE) as one:
        yield one


# What the Worker does, and what Chromium's CloseEvent is: as with workerd, which was asked the same.
CLOSES = [
    ("close 1000 done", [1000, "done", True]),
    ("close 1000", [1000, "", True]),
    ("close", [1005, "", True]),
    ("close 4321 größer 🎈", [4321, "größer 🎈", True]),
    ("close 1011 broken", [1011, "broken", True]),
    (f"close 3000 {'x' * 123}", [3000, "x" * 123, True]),
]


@BOTH
def test_a_browser_is_told_how_a_worker_closed(page: Page, served: ServedWorker, api: str) -> None:
    page.goto(f"http://{served.address}/page")
    for message, expected in CLOSES:
        assert page.evaluate(SAY, [f"ws://{served.address}/{api}", message, None]) == expected


@BOTH
def test_a_worker_is_told_how_a_browser_closed_and_the_browser_is_answered(
    page: Page, served: ServedWorker, api: str
) -> None:
    page.goto(f"http://{served.address}/page")
    for own, told, event in [
        ([], [1005, "", True], [1005, "", True]),
        ([1000, f"bye {api}"], [1000, f"bye {api}", True], [1000, f"bye {api}", True]),
        ([4999, f"größer {api}"], [4999, f"größer {api}", True], [4999, f"größer {api}", True]),
    ]:
        before = served.get("/closed").json().count(told)
        assert page.evaluate(SAY, [f"ws://{served.address}/{api}", "", own]) == event
        poll(lambda told=told, before=before: served.get("/closed").json().count(told) == before + 1, what=f"{told}")  # type: ignore[misc]


@pytest.mark.parametrize(("api", "kind"), [("hibernation", "arraybuffer"), ("standard", "blob")])
def test_a_browser_gets_every_message_as_it_was(page: Page, served: ServedWorker, api: str, kind: str) -> None:
    page.goto(f"http://{served.address}/page")
    said = page.evaluate(ECHO, [f"ws://{served.address}/{api}", kind])
    binary = {"arraybuffer": "ArrayBuffer", "blob": "Blob"}[kind]
    texts = [["text", 0, True], ["text", 8, True], ["text", 70_000, True]]
    assert said["said"] == [*texts, [binary, 0, True], [binary, 3, True], [binary, 31 * 1024 * 1024, True]]
    assert (said["unsent"], said["protocol"]) == (0, "last" if api == "hibernation" else "")
    assert said["extensions"].startswith("permessage-deflate")


@BOTH
def test_a_browser_that_sends_too_much_at_once_is_told_so(page: Page, served: ServedWorker, api: str) -> None:
    page.goto(f"http://{served.address}/page")
    say = SAY.replace("socket.send(message)", "socket.send(new Uint8Array(33 * 1024 * 1024))")
    code, _, was_clean = page.evaluate(say, [f"ws://{served.address}/{api}", "", None])
    assert (code, was_clean) == (1009, True)
