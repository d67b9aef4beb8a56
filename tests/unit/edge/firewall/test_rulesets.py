"""Compiling rulesets: entrypoints and what they execute, or an error that names ruleset, rule, member and value."""

from typing import Any

import pytest

from holdfast.edge.compile_error import CompileError
from holdfast.edge.firewall.document_place import Place
from holdfast.edge.firewall.rulesets import SLICE, entrypoints_of
from holdfast.edge.firewall.values import CUSTOM, MANAGED, RATE_LIMITS, Deploy, Execute
from holdfast.rules.context import EvaluationContext
from holdfast.rules.program import CHUNKS
from tests.unit.edge.firewall.rules import a_limit, a_rule, a_ruleset
from tests.unit.requests import a_request

PLACE = Place("example.com", "")


def test_rules_that_are_not_enabled_are_kept_and_not_asked() -> None:
    found = entrypoints_of(
        PLACE, [a_ruleset(a_rule("off", enabled=False), a_rule("on"), a_rule("no", expression="false"))]
    )
    ruleset = found[CUSTOM]
    assert [rule.id for rule in ruleset.rules] == ["off", "on", "no"]
    assert [step.rule.id for step in ruleset.steps] == ["on", "no"]
    assert list(ruleset.matching(EvaluationContext(a_request()))) == [0]


def test_what_counts_stands_before_what_is_held_to_it() -> None:
    ruleset = entrypoints_of(
        PLACE, [a_ruleset(a_limit("a", 1), a_limit("b", 1, counting_expression="ssl"), phase=RATE_LIMITS)]
    )[RATE_LIMITS]
    assert [(step.rule.id, step.is_counting) for step in ruleset.steps] == [("a", False), ("b", True), ("b", False)]
    assert ruleset.has_limits


def test_an_entrypoint_executes_custom_rulesets_of_its_phase_and_all_others_are_managed() -> None:
    documents = [
        a_ruleset(a_rule("x", executes="custom"), a_rule("y", executes="managed"), kind="root"),
        a_ruleset(a_rule("z"), kind="custom", ident="custom"),
    ]
    execute, deploy = (rule.action for rule in entrypoints_of(PLACE, documents)[CUSTOM].rules)
    assert isinstance(execute, Execute)
    assert execute.ruleset.id == "custom"
    assert isinstance(deploy, Deploy)
    assert deploy.ruleset_id == "managed"


@pytest.mark.parametrize(
    ("documents", "field"),
    [
        ([a_ruleset(a_rule("r", expression="nonsense ("))], f"rulesets[zone-{CUSTOM}].rules[r].expression"),
        (
            [a_ruleset(a_rule("r", expression="cf.bot_management.score lt 2", enabled=False))],
            f"rulesets[zone-{CUSTOM}].rules[r].expression",
        ),
        (
            [a_ruleset(a_limit("r", 1, counting_expression="x"), phase=RATE_LIMITS)],
            f"rulesets[zone-{RATE_LIMITS}].rules[r].ratelimit.counting_expression",
        ),
        ([a_ruleset(a_rule("r", "rewrite"))], f"rulesets[zone-{CUSTOM}].rules[r].action"),
        ([a_ruleset(phase="http_request_transform")], "rulesets[zone-http_request_transform].phase"),
        ([a_ruleset(), a_ruleset(ident="second")], "rulesets[second].phase"),
        (
            [
                a_ruleset(a_rule("r", executes="custom"), kind="root"),
                a_ruleset(kind="custom", ident="custom", phase=MANAGED),
            ],
            f"rulesets[root-{CUSTOM}].rules[r].action_parameters.id",
        ),
    ],
)
def test_what_does_not_compile_is_named(documents: Any, field: str) -> None:
    with pytest.raises(CompileError) as raised:
        entrypoints_of(PLACE, documents)
    assert raised.value.field == field


def test_a_custom_ruleset_executes_no_other() -> None:
    documents = [
        a_ruleset(a_rule("r", executes="one"), kind="root"),
        a_ruleset(a_rule("s", executes="two"), kind="custom", ident="one"),
        a_ruleset(a_rule("t", executes="one"), kind="custom", ident="two"),
    ]
    (rule,) = entrypoints_of(PLACE, documents)[CUSTOM].rules
    assert isinstance(rule.action, Execute)
    assert isinstance(rule.action.ruleset.rules[0].action, Deploy), "what it names is taken for a managed ruleset"


def test_compiling_many_rules_lets_others_in_between() -> None:
    compiled_at: list[int] = []
    count = CHUNKS.statistics()["program_compilations"]
    many = a_ruleset(*(a_rule(f"r{n}", expression=f'http.host eq "many-{n}.test"') for n in range(8 * SLICE)))
    entrypoints_of(PLACE, [many], pause=lambda: compiled_at.append(CHUNKS.statistics()["program_compilations"] - count))
    # As the rules are read, and then after each piece of the program that is made of them.
    assert compiled_at[:8] == [0] * 8
    assert compiled_at[8:] == list(range(1, len(compiled_at) - 7))
    assert len(compiled_at) > 8 + 2
