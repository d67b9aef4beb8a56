"""A trace survives the ways it goes: as MessagePack between processes, as JSON to whoever asked."""

import msgspec

from holdfast.model.request_trace import Trace, TracedMatch, TracedPhase, TracedRule, TracedRuleset

TRACE = Trace(
    decision="respond",
    decided_by="custom_rules",
    status=403,
    rule_id="b",
    zone="example.com",
    phases=(
        TracedPhase(
            name="custom_rules",
            outcome="decided",
            phase="http_request_firewall_custom",
            rulesets=(
                TracedRuleset(
                    kind="zone",
                    outcome="asked",
                    id="a",
                    rules=(
                        TracedRule(
                            id="b",
                            action="block",
                            outcome="matched",
                            fields=(("http.host", "x"),),
                            matches=(TracedMatch(id="m", action="log", components=("n",), score=5),),
                        ),
                    ),
                ),
            ),
        ),
    ),
)


def test_it_survives_both_ways() -> None:
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(TRACE), type=Trace) == TRACE
    assert msgspec.json.decode(msgspec.json.encode(TRACE), type=Trace) == TRACE


def test_what_is_not_said_is_left_out() -> None:
    written = msgspec.to_builtins(TRACE)
    assert "origin" not in written
    assert "by" not in written["phases"][0]["rulesets"][0]["rules"][0]
