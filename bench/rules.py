"""What rules add to a decision: `python -m bench.rules` measures it in one run, and prints a table.

Rule 1: a case is a zone; the request is a browser's upgrade that none of its rules refuses, so that all of them are asked.
Rule 2: cases are measured in turn, round after round, and the figure is the best round: what else the machine does only ever
adds. Time is the processor's, for this process.
Rule 3: what a case adds is its figure less that of the same zone without what the case is about, of the same run.
"""

from __future__ import annotations

import secrets
import time
import timeit
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.decide import upgrade_request
from holdfast.edge.compile import compile_zone
from holdfast.edge.policy import Policy
from holdfast.edge.snapshot import empty_snapshot
from holdfast.limits.counters import DEFAULT_BYTES, RateCounters
from holdfast.model.rule_documents import RateLimitDocument, RuleDocument, RulesetDocument
from holdfast.model.zone_document import RecordDocument, ZoneDocument
from holdfast.rules.compile import compile_expression
from holdfast.rules.context import Place
from holdfast.rules.managed import HOLDFAST_RULESET_ID, holdfast_ruleset
from holdfast.rules.program import KnownChunks, chunks_of

CUSTOM, RATE_LIMITS, MANAGED = "http_request_firewall_custom", "http_ratelimit", "http_request_firewall_managed"
# What rules of real zones look like, in turn. None of them matches the request.
KINDS = (
    'http.host eq "app{n}.example.net" and http.request.uri.path contains "/admin{n}"',
    "ip.src in {{10.{c}.{b}.0/24 198.5{c}.{b}.7 2001:db8:{n}::/48}}",
    'lower(http.user_agent) contains "bot{n}"',
    'ip.src.country in {{"XA" "X{n}"}} and http.request.method in {{"GET" "POST"}}',
    'starts_with(http.request.uri.path, "/wp-{n}/")',
    'any(http.request.uri.args["q{n}"][*] contains "union")',
    'http.user_agent matches "(?i)(crawler{n}|spider{n})"',
    'http.request.uri.path wildcard "/private{n}/*" and not http.cookie contains "staff"',
    'http.host eq "shop{n}.example.net" and ip.src in $blocked',
    'any(lower(http.request.headers["x-client-{n}"][*])[*] contains "old") or cf.edge.server_port eq 2{n}',
)
_UPGRADES = 'http.request.headers["upgrade"][0] eq "websocket" and http.host eq "chat.example.com"'
_HERE = Place(country="NL", asn=64512)


@dataclass(frozen=True, slots=True)
class Row:
    """One case: microseconds of a decision, what that is more than without what it is about, and the most that may be."""

    name: str
    decide_us: float
    added_us: float
    target_us: float | None


def expressions(count: int) -> list[str]:
    """So many expressions, each another, of all kinds in turn."""
    return [
        KINDS[number % len(KINDS)].format(n=number, b=number % 250, c=number // 250 % 250) for number in range(count)
    ]


def _ruleset(phase: str, rules: Sequence[RuleDocument]) -> tuple[RulesetDocument, ...]:
    return (RulesetDocument(id="a" * 32, kind="zone", phase=phase, version=1, rules=tuple(rules)),)


def _blocking(count: int) -> tuple[RulesetDocument, ...]:
    rules = [
        RuleDocument(id=f"{number:032x}", version=1, action="block", expression=text)
        for number, text in enumerate(expressions(count))
    ]
    return _ruleset(CUSTOM, rules)


def _limiting(*characteristics: str, expression: str = "true") -> tuple[RulesetDocument, ...]:
    counted = ("cf.colo.id", *(characteristics or ("ip.src",)))
    limit = RateLimitDocument(characteristics=counted, period=60, requests_per_period=2**30)
    return _ruleset(
        RATE_LIMITS, [RuleDocument(id="b" * 32, version=1, action="block", expression=expression, ratelimit=limit)]
    )


def _executing() -> tuple[RulesetDocument, ...]:
    parameters = {"id": HOLDFAST_RULESET_ID}
    rule = RuleDocument(id="c" * 32, version=1, action="execute", expression="true", action_parameters=parameters)
    return _ruleset(MANAGED, [rule])


def policies() -> Mapping[str, Policy]:
    """A policy for each case, by its name."""
    cases = {
        "no rules": (),
        "1 rule": _blocking(1),
        "100 rules": _blocking(100),
        "1,000 rules": _blocking(1_000),
        "a rate limit alone": _limiting(),
        "a rate limit on upgrades of a host": _limiting(expression=_UPGRADES),
        "a rate limit by a header": _limiting('http.request.headers["user-agent"]'),
        "a rate limit by address, path and cookie": _limiting(
            "ip.src", "http.request.uri.path", 'http.request.cookies["session"]'
        ),
        "a rate limit beside 100 rules": (*_blocking(100), *_limiting()),
        "the managed ruleset": _executing(),
    }
    return {name: _policy(rulesets) for name, rulesets in cases.items()}


def _policy(rulesets: tuple[RulesetDocument, ...]) -> Policy:
    record = RecordDocument(name="chat.example.com", type="A", content="192.0.2.1", proxied=True)
    document = ZoneDocument(id="0" * 32, name="example.com", records=(record,), rulesets=rulesets)
    snapshot = empty_snapshot(instance="bench").with_changes([compile_zone(document, key=None)])
    managed = {HOLDFAST_RULESET_ID: holdfast_ruleset()}
    counters = RateCounters(bytearray(DEFAULT_BYTES), secret=secrets.token_bytes(32))
    return Policy(
        snapshot.with_sources(accounts={}, lists=(), managed=managed), place_of=lambda _: _HERE, counters=counters
    )


TARGETS_US = {
    "100 rules": 25.0,
    "1,000 rules": 200.0,
    "a rate limit alone": 3.0,
    "a rate limit on upgrades of a host": 3.0,
    "a rate limit by a header": 3.0,
    "a rate limit by address, path and cookie": 3.0,
    "a rate limit beside 100 rules": 3.0,
    "the managed ruleset": 60.0,
}
# What a case is compared with, if not with the zone without rules.
_BESIDE = {"a rate limit beside 100 rules": "100 rules"}


def rows(*, calls: int = 2_000, rounds: int = 9) -> list[Row]:
    """All cases, measured in turn: the best of `rounds` of `calls` decisions each."""
    request = upgrade_request()
    measured = {name: _deciding(policy, request) for name, policy in policies().items()}
    best = best_us(measured, calls=calls, rounds=rounds)
    without = {name: best[_BESIDE.get(name, "no rules")] for name in best}
    return [Row(name, figure, figure - without[name], TARGETS_US.get(name)) for name, figure in best.items()]


def _deciding(policy: Policy, request: object) -> Callable[[], object]:
    return lambda: policy.decide(request)  # type: ignore[arg-type]


def best_us(measured: Mapping[str, Callable[[], object]], *, calls: int, rounds: int) -> dict[str, float]:
    """Microseconds of the processor for one call of each, the best of rounds in which they take turns."""
    best = dict.fromkeys(measured, float("inf"))
    for _ in range(rounds):
        for name, call in measured.items():
            taken = timeit.timeit(call, number=calls, timer=time.process_time) / calls * 1e6
            best[name] = min(best[name], taken)
    return best


def counter_figures(*, calls: int = 20_000, rounds: int = 9) -> dict[str, float]:
    """Microseconds of the counters: a request within its limit, one beyond it, one of a key that comes anew."""
    counters = RateCounters(bytearray(DEFAULT_BYTES), secret=secrets.token_bytes(32))
    hit, numbers = counters.hit, iter(range(10**9))
    now = 1_700_000_000.0
    return best_us(
        {
            "within the limit": lambda: hit(b"one", now=now, period_s=60, limit=2**30, mitigation_s=0),
            "beyond it, blocked": lambda: hit(b"two", now=now, period_s=60, limit=0, mitigation_s=600),
            "beyond it, throttled": lambda: hit(b"three", now=now, period_s=60, limit=0, mitigation_s=0),
            "of a new client": lambda: hit(b"%d" % next(numbers), now=now, period_s=60, limit=5, mitigation_s=0),
        },
        calls=calls,
        rounds=rounds,
    )


def lost_share(keys: int) -> float:
    """The share of `keys` distinct clients, all of them active, that have lost their place to others."""
    counters = RateCounters(bytearray(DEFAULT_BYTES), secret=secrets.token_bytes(32))
    for number in range(keys):
        counters.hit(b"%d" % number, now=1.0, period_s=60, limit=5, mitigation_s=0)
    return counters.statistics()["rate_counter_evictions"] / keys


def compile_figures(count: int = 1_000) -> dict[str, float]:
    """Milliseconds for so many rules: reading and checking them, making programs, and the longest chunk of that."""
    texts = expressions(count)
    began = time.process_time()
    compiled = [compile_expression(text).expression for text in texts]
    read, chunks, longest = time.process_time(), KnownChunks(), 0.0
    for chunk in chunks_of(compiled):
        before = time.process_time()
        chunks.compiled(chunk)
        longest = max(longest, time.process_time() - before)
    end = time.process_time()
    return {"reading": (read - began) * 1e3, "programs": (end - read) * 1e3, "the longest chunk": longest * 1e3}


def table(found: Sequence[Row]) -> str:
    """The rows as a table."""
    lines = ["| case | decide | added | target |", "|---|---|---|---|"]
    for row in found:
        target = "" if row.target_us is None else f"≤ {row.target_us:g} µs"
        lines.append(f"| {row.name} | {row.decide_us:.1f} µs | {row.added_us:.1f} µs | {target} |")
    return "\n".join(lines)


def main() -> None:
    """Print all of it."""
    print(table(rows()))
    for name, figure in counter_figures().items():
        print(f"a counted request {name}: {figure:.2f} µs")
    print(f"a million active clients: {lost_share(1_000_000):.2%} crowded out of {DEFAULT_BYTES >> 20} MiB")
    for name, figure in compile_figures().items():
        print(f"compiling 1,000 rules, {name}: {figure:.1f} ms")


if __name__ == "__main__":
    main()
