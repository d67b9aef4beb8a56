"""`holdfast.api.ruleset_scope`: whose rulesets, and what is answered where there is none."""

from __future__ import annotations

from holdfast.api.ruleset_scope import no_entrypoint, no_ruleset, refused
from holdfast.model.rule_error import NO_SUCH_RULE, RuleError


def test_what_is_not_there_is_a_404() -> None:
    assert refused(RuleError(NO_SUCH_RULE, "no rule")).status == 404
    assert refused(RuleError(20120, "no", "/x")).status == 400
    assert refused(RuleError(20120, "no", "/x")).complaints[0].pointer == "/x"
    assert refused(RuleError(20120, "no")).complaints[0].pointer is None
    for one in (no_ruleset("x"), no_entrypoint("x")):
        assert (one.status, one.complaints[0].code) == (404, 10003)
