"""An owner that says nothing has no firewall; what it says compiles as a whole, and is told as its own."""

import pytest

from holdfast.edge.compile_error import CompileError
from holdfast.edge.firewall.account import compile_account, firewall_of
from holdfast.edge.firewall.values import CUSTOM, MANAGED, RATE_LIMITS
from holdfast.model.rule_documents import AccountDocument
from tests.unit.edge.firewall.rules import a_limit, a_rule, a_ruleset, an_access_rule


def test_an_account_is_what_its_document_says() -> None:
    account = compile_account(
        AccountDocument(
            id="a" * 32,
            version=7,
            rulesets=(a_ruleset(a_rule("r"), kind="root"), a_ruleset(a_limit("l", 1), kind="root", phase=RATE_LIMITS)),
            access_rules=(an_access_rule("x", "block", "country", "NL"),),
        )
    )
    firewall = account.firewall
    assert (account.id, account.version) == ("a" * 32, 7)
    assert firewall is not None
    assert firewall.custom is not None
    assert firewall.custom.phase == CUSTOM
    assert firewall.rate_limits is not None
    assert firewall.managed is None
    assert firewall.access is not None


@pytest.mark.parametrize("rulesets", [(), (a_ruleset(),), (a_ruleset(kind="custom"), a_ruleset(phase=MANAGED))])
def test_who_says_nothing_has_no_firewall(rulesets: tuple[object, ...]) -> None:
    assert firewall_of("example.com", rulesets, ()) is None  # type: ignore[arg-type]
    assert compile_account(AccountDocument(id="a", version=1, rulesets=rulesets)).firewall is None  # type: ignore[arg-type]


def test_an_error_says_whose_it_is() -> None:
    with pytest.raises(CompileError, match=r"^account 'aaa', rulesets\[root-.*\]\.rules\[r\]\.action: "):
        compile_account(AccountDocument(id="aaa", version=1, rulesets=(a_ruleset(a_rule("r", "no"), kind="root"),)))
    with pytest.raises(CompileError, match=r"^zone 'example\.com', access_rules\[x\]\.value: "):
        firewall_of("example.com", (), (an_access_rule("x", "block", "ip", "no"),))
