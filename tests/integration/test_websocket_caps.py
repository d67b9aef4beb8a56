"""So many WebSockets a zone and an address may have, at a real edge: those beyond are told which limit it is, and when to come back."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from holdfast.model.zone_document import ZoneDocument
from tests.integration import wire
from tests.integration.certificates import Authority, Pair
from tests.integration.frames import close
from tests.integration.waiting import poll
from tests.integration.zone_parts import ORIGIN_IP, Bench, ZoneEdge, bench
from tests.unit.edge.origins import a_document, a_record

HOST = "chat.example.com"


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
