"""Chromium opens a page of the origin through the edge, and talks to the origin's sockets through it, by ws and wss."""

import re

import pytest
from playwright.sync_api import Page

from tests.integration.edge import Edge
from tests.integration.origin import Origin
from tests.integration.origin_paths import PAGE

SCHEMES = pytest.mark.parametrize("scheme", ["http", "https"])

# Opens a socket, sends messages of each kind, and tells what came back and how it closed.
CONVERSE = """
async ({url, protocols, sizes}) => {
  const socket = new WebSocket(url, protocols);
  socket.binaryType = "arraybuffer";
  const said = {echoed: 0, extensions: null, protocol: null, code: null, reason: null, wasClean: null};
  const messages = sizes.flatMap((size) => ["x".repeat(size), new Uint8Array(size).map((_, at) => at)]);
  const same = (sent, got) => typeof sent === "string" ? sent === got
    : got instanceof ArrayBuffer && new Uint8Array(got).every((byte, at) => byte === sent[at]) && got.byteLength === sent.length;
  await new Promise((done) => {
    socket.onopen = () => {
      said.extensions = socket.extensions;
      said.protocol = socket.protocol;
      for (const message of messages) socket.send(message);
      if (!messages.length) return;
    };
    socket.onmessage = ({data}) => {
      if (!same(messages[said.echoed], data)) { socket.close(4001, "different"); return; }
      said.echoed += 1;
      if (said.echoed === messages.length) socket.close(4000, "all came back");
    };
    socket.onclose = ({code, reason, wasClean}) => { Object.assign(said, {code, reason, wasClean}); done(); };
  });
  return said;
}
"""


def base(edge: Edge, scheme: str) -> str:
    _, port = edge.tls if scheme == "https" else edge.plain
    return f"{scheme}://example.test:{port}"


def converse(
    page: Page, edge: Edge, scheme: str, path: str, sizes: list[int], protocols: list[str]
) -> dict[str, object]:
    """Load a page of the origin through the edge, and from it open a socket to `path`."""
    page.goto(f"{base(edge, scheme)}/status/200")
    url = f"{base(edge, scheme).replace('http', 'ws', 1)}{path}"
    said = page.evaluate(CONVERSE, {"url": url, "protocols": protocols, "sizes": sizes})
    assert isinstance(said, dict)
    return said


@SCHEMES
def test_a_page_and_its_socket_share_a_host_name(page: Page, edge: Edge, scheme: str) -> None:
    answer = page.goto(f"{base(edge, scheme)}/status/200")
    assert answer is not None
    assert answer.status == 200
    assert re.fullmatch(r"[0-9a-f]{16}-[A-Z]{3}", answer.headers["cf-ray"])
    assert page.inner_text("body").strip() == PAGE.decode().strip()
    sizes = [0, 1, 125, 126, 65_535, 65_536, 1_000_000]
    said = converse(page, edge, scheme, "/echo?protocol=chat", sizes, ["chat"])
    assert said["echoed"] == 2 * len(sizes)
    assert (said["code"], said["reason"], said["wasClean"]) == (4000, "all came back", True)
    assert said["protocol"] == "chat"


@SCHEMES
def test_a_close_of_the_origin_is_its_own_to_a_browser(page: Page, edge: Edge, scheme: str) -> None:
    said = converse(page, edge, scheme, "/close/4321?reason=moving", [], [])
    assert (said["code"], said["reason"], said["wasClean"]) == (4321, "moving", True)


@SCHEMES
@pytest.mark.parametrize("path", ["/status/401", "/bad-accept", "/empty", "/half-frame"])
def test_what_fails_is_1006_to_a_browser(page: Page, edge: Edge, scheme: str, path: str) -> None:
    said = converse(page, edge, scheme, path, [], [])
    assert (said["code"], said["wasClean"]) == (1006, False)


@SCHEMES
def test_an_origin_that_ends_without_a_close_is_told_of_by_the_edge(page: Page, edge: Edge, scheme: str) -> None:
    said = converse(page, edge, scheme, "/fin-after", [], [])
    assert said["code"] == 1014
    # Its end, or the reset that follows it where it has not read all: whichever the edge meets first.
    assert str(said["reason"]).partition(":")[0] in {"end_of_stream", "transport_error"}


def test_a_browser_offers_compression_and_the_origin_sees_it(
    page: Page, edge: Edge, origin: Origin, token: str
) -> None:
    converse(page, edge, "http", f"/close/1000?{token}", [], [])
    assert origin.head(token).value("Sec-WebSocket-Extensions").startswith("permessage-deflate")
    assert origin.head(token).value("Origin") == base(edge, "http")


@SCHEMES
def test_a_failed_page_says_what_failed(page: Page, edge: Edge, scheme: str) -> None:
    answer = page.goto(f"{base(edge, scheme)}/empty")
    assert answer is not None
    assert answer.status == 520
    shown = page.inner_text("body")
    assert "520" in shown
    assert answer.headers["cf-ray"] in shown
    failed = list(page.evaluate("performance.getEntriesByType('resource').map(e => e.name)"))
    assert all(name.endswith("/favicon.ico") for name in failed), "the page needs nothing else"
