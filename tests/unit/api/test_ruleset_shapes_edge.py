"""What `holdfast.api.ruleset_shapes` lets through runs on an edge: any rule is refused or compiles there."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from holdfast.api.ruleset_shapes import RuleBody, RulesetView, ruleset_view
from holdfast.edge.firewall.account import compile_account
from holdfast.model.rule_documents import AccountDocument, RuleDocument, RulesetDocument
from holdfast.model.rule_error import RuleError
from holdfast.model.rule_phase import PHASES
from holdfast.model.ruleset import Rule, Ruleset, with_rule
from tests.unit.model.test_rule_actions import ANSWER, ID, JSON, OTHER
from tests.unit.model.test_rule_quota import EMPTY

PLACES = [
    (phase.name, kind, action)
    for phase in PHASES.values()
    for kind, actions in phase.actions.items()
    for action in actions
    if kind != "zone"
]
PIECES = st.sampled_from(
    ["current", ["waf"], ["http_ratelimit"], [ID], {ID: [OTHER]}, ID, "latest", ANSWER, {"action": "log"}, {}, None]
)
PARAMETERS = st.dictionaries(
    st.sampled_from(
        ["ruleset", "phase", "phases", "products", "rulesets", "rules", "id", "version", "overrides", "response", "x"]
    ),
    JSON | PIECES,
)
TERMS = st.fixed_dictionaries(
    {
        "characteristics": st.sampled_from(
            [["cf.colo.id"], ["cf.colo.id", "ip.src"], ["cf.colo.id", "http.host"], ["ip.src"]]
        )
    },
    optional={
        "period": st.sampled_from([10, 60, 86400, 61, "60", None]),
        "requests_per_period": st.integers(-1, 2**31 + 1) | JSON,
        "mitigation_timeout": st.sampled_from([0, 10, 86400, 5, None, True]),
        "counting_expression": st.sampled_from(["", " ", "ssl", None]),
        "requests_to_origin": JSON,
    },
)


@given(
    st.sampled_from(PLACES),
    st.none() | PARAMETERS,
    st.none() | TERMS,
    st.none() | st.fixed_dictionaries({}, optional={"enabled": st.none() | st.booleans()}),
)
def test_any_rule_is_refused_or_compiles_on_an_edge(
    place: tuple[str, str, str],
    parameters: dict[str, Any] | None,
    terms: dict[str, Any] | None,
    logging: dict[str, Any] | None,
) -> None:
    phase, kind, action = place
    members = {"action_parameters": parameters, "ratelimit": terms, "logging": logging}
    body = RuleBody.model_validate({"action": action, "expression": "ssl", **members})
    try:
        draft = body.parsed(PHASES[phase], kind)
    except RuleError:
        return
    empty = msgspec.structs.replace(EMPTY, phase=phase, kind=kind)
    ruleset = with_rule(empty, draft, None, new_id=lambda: ID, now=1)
    assert msgspec.convert(msgspec.to_builtins(ruleset), Ruleset) == ruleset
    RulesetView(**ruleset_view(ruleset))
    compile_account(AccountDocument(id=OTHER, version=1, rulesets=(published(ruleset),)))


def published(ruleset: Ruleset) -> RulesetDocument:
    """As it is read from the database for an edge."""
    rules = tuple(msgspec.convert(msgspec.to_builtins(rule), RuleDocument) for rule in ruleset.rules)
    kind: Any = ruleset.kind
    return RulesetDocument(id=OTHER, kind=kind, phase=ruleset.phase, version=ruleset.version, rules=rules)


def test_a_rule_is_published_by_the_names_it_is_stored_by() -> None:
    assert set(RuleDocument.__struct_fields__) <= set(Rule.__struct_fields__)
