"""Settings of WebSockets at a real edge: each has its effect on the next one that opens, and none on those that are open."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from holdfast.model.zone_document import ZoneDocument
from tests.integration import wire
from tests.integration.certificates import Authority, Pair
from tests.integration.frames import TEXT, Frame, close
from tests.integration.installation import Installation
from tests.integration.origin import Origin
from tests.integration.waiting import LIMIT_S, poll
from tests.integration.zone_parts import ORIGIN_IP, Bench, ZoneEdge, bench
from tests.unit.edge.origins import a_document, a_record

HOST = "chat.example.com"
LISTED = {"websocket_allowed_origins": ("https://example.com", "https://*.example.net")}


@pytest.fixture
def own(authority: Authority) -> Pair:
    return authority.issue("own.test", common_name="own")


@pytest.fixture
def parts(tmp_path: Path, own: Pair) -> Iterator[Bench]:
    with bench(tmp_path, own) as everything:
        yield everything


@pytest.fixture
def edge(parts: Bench) -> ZoneEdge:
    running = parts.start_edge()
    parts.control.welcome()
    return running


def zone(**settings: Any) -> ZoneDocument:
    return a_document("example.com", a_record("*.example.com", ORIGIN_IP), **settings)


def upgraded(parts: Bench, *lines: str, target: str = "/echo") -> tuple[wire.Answer, dict[str, Any]]:
    """The answer to an upgrade, and the JSON of a refusal."""
    with wire.connect(parts.plain) as client:
        client.send(wire.upgrade(target, *lines, host=HOST))
        answer = client.read_answer()
        body = client.read_body(answer) if answer.status != 101 else b"{}"
    return answer, json.loads(body)


@pytest.mark.parametrize(
    ("settings", "lines", "status"),
    [
        (LISTED, ["Origin: https://example.com"], 101),
        (LISTED, ["Origin: https://deep.below.example.net"], 101),
        (LISTED, [], 101),
        (LISTED, ["Origin: https://evil.test"], 403),
        (LISTED, ["Origin: null"], 403),
        (LISTED | {"paused": True}, ["Origin: https://evil.test"], 101),
        ({}, ["Origin: https://evil.test"], 101),
    ],
)
def test_pages_of_other_origins_open_no_websockets(
    parts: Bench, edge: ZoneEdge, settings: dict[str, Any], lines: list[str], status: int
) -> None:
    parts.control.full(zone(**settings))
    answer, problem = upgraded(parts, *lines)
    assert answer.status == status
    if status == 403:
        assert problem["setting"] == "websocket_allowed_origins"
        assert answer.value("Holdfast-Refused") == 'setting;id="websocket_allowed_origins";zone="example.com"'


def test_the_origin_is_offered_what_is_allowed_and_no_more(parts: Bench, edge: ZoneEdge, token: str) -> None:
    parts.control.full(zone(websocket_allowed_subprotocols=("v2.chat", "v1.chat")))
    offer = "Sec-WebSocket-Protocol: soap, v1.chat"
    answer, _ = upgraded(parts, offer, "Sec-WebSocket-Protocol: v2.chat", target=f"/echo?protocol=v2.chat&{token}")
    assert (answer.status, answer.values("Sec-WebSocket-Protocol")) == (101, ["v2.chat"])
    assert parts.plain_origin.head(token).values("Sec-WebSocket-Protocol") == ["v1.chat, v2.chat"]
    assert upgraded(parts)[0].status == 101
    # What was kept from it, it may not choose.
    assert upgraded(parts, offer, target="/echo?protocol=soap")[0].status == 502
    answer, problem = upgraded(parts, "Sec-WebSocket-Protocol: soap")
    assert (answer.status, problem["setting"]) == (403, "websocket_allowed_subprotocols")


def test_a_change_is_for_those_that_open_after_it(parts: Bench, edge: ZoneEdge) -> None:
    parts.control.full(zone())
    with wire.websocket(parts.plain, "/echo", "Origin: https://evil.test", name=HOST) as (client, _):
        parts.control.delta(zone(**LISTED))
        assert upgraded(parts, "Origin: https://evil.test")[0].status == 403
        client.send_frame(Frame(TEXT, b"still here"))
        assert client.read_message() == b"still here"


def test_a_setting_that_is_patched_holds_for_the_next_connection(tmp_path: Path, origin: Origin) -> None:
    with Installation(tmp_path) as installed:
        installed.did("zone", "add", "example.com", "--origin", origin.url)

        def status() -> int:
            with wire.connect(installed.plain) as client:
                client.send(wire.upgrade("/echo", "Origin: https://evil.test", host="example.com"))
                return client.read_answer().status

        assert status() == 101
        said = installed.did("setting", "set", "example.com", "websocket_allowed_origins", "https://example.com")
        assert said == 'example.com: websocket_allowed_origins: [] -> ["https://example.com"]\n'
        assert status() == 403
        headers = {"Authorization": f"Bearer {installed.token}"}
        zones = httpx.get(f"{installed.api}/zones", headers=headers, timeout=LIMIT_S).json()
        several = {
            "items": [
                {"id": "websocket_allowed_origins", "value": []},
                {"id": "websocket_keepalive_interval", "value": 10},
            ]
        }
        path = f"{installed.api}/zones/{zones['result'][0]['id']}/settings"
        done = httpx.patch(path, json=several, headers=headers, timeout=LIMIT_S)
        assert done.status_code == 200, done.text
        assert status() == 101
        assert installed.did("setting", "get", "example.com", "websocket_keepalive_interval") == "10\n"


@pytest.mark.parametrize(
    ("setting", "status", "reason"),
    [
        ("websocket_max_connections", 503, "zone_connections"),
        ("websocket_max_connections_per_address", 429, "address_connections"),
    ],
)
def test_beyond_so_many_connections_clients_are_told_when_to_come_back(
    parts: Bench, edge: ZoneEdge, setting: str, status: int, reason: str
) -> None:
    parts.control.full(zone(**{setting: 2}))
    with ExitStack() as opened:
        first, _ = opened.enter_context(wire.websocket(parts.plain, "/echo", name=HOST))
        opened.enter_context(wire.websocket(parts.plain, "/echo", name=HOST))
        answer, problem = upgraded(parts)
        assert (answer.status, answer.value("X-Holdfast-Reason"), problem["setting"]) == (status, reason, setting)
        assert answer.value("Retry-After") == str(problem["retry_after"])
        first.send_frame(close(1000))
        first.read_close()
        first.read_to_end()
        first.sock.close()
        assert poll(lambda: upgraded(parts)[0].status == 101, what="a place")
