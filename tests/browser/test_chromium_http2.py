"""Chromium opens WebSockets on the HTTP/2 connection that its page came over; its own log of the network says so."""

import json
from pathlib import Path
from typing import Any

from tests.browser.conftest import chromium
from tests.browser.test_chromium import converse
from tests.integration.edge import Edge
from tests.integration.origin import Origin
from tests.integration.records import CLOSED_EVENT


def sent_heads(log: Path) -> list[list[str]]:
    """The heads that Chromium sent over HTTP/2, in the order in which it logged them."""
    net_log: dict[str, Any] = json.loads(log.read_text())
    kind = net_log["constants"]["logEventTypes"]["HTTP2_SESSION_SEND_HEADERS"]
    return [event["params"]["headers"] for event in net_log["events"] if event["type"] == kind]


def test_a_socket_shares_the_connection_of_its_page(edge: Edge, origin: Origin, token: str, tmp_path: Path) -> None:
    log = tmp_path / "net-log.json"
    flags = (f"--log-net-log={log}", "--net-log-capture-mode=Everything")
    with chromium(tmp_path / "profile", *flags) as page:
        sizes = [0, 1, 125, 126, 65_535, 65_536, 1_000_000]
        said = converse(page, edge, "https", f"/echo?{token}&protocol=chat", sizes, ["chat"])
        assert said["echoed"] == 2 * len(sizes)
        assert (said["code"], said["reason"], said["wasClean"]) == (4000, "all came back", True)
        assert said["protocol"] == "chat"
        said = converse(page, edge, "https", "/close/4321?reason=moving", [], [])
        assert (said["code"], said["reason"], said["wasClean"]) == (4321, "moving", True)
        said = converse(page, edge, "https", "/status/401", [], [])
        assert (said["code"], said["wasClean"]) == (1006, False)
    asked = [head for head in sent_heads(log) if ":protocol: websocket" in head]
    assert [
        sum(word.startswith(f":path: {path}") for head in asked for word in head)
        for path in ("/echo", "/close", "/status")
    ] == [1, 1, 1]
    assert all(":method: CONNECT" in head for head in asked)
    record = edge.record(lambda line: line.get("event") == CLOSED_EVENT and line.get("client_close_code") == 4000)
    assert record["protocol"] == "h2"
    assert origin.head(token).value("Upgrade") == "websocket"
