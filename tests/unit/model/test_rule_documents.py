"""`holdfast.model.rule_documents`: rules survive every way they are published on."""

import msgspec
import pytest

from holdfast.model.rule_documents import (
    AccessRuleDocument,
    AccountDocument,
    ListDocument,
    ManagedDocument,
    RateLimitDocument,
    RuleDocument,
    RulesetDocument,
)

LIMIT = RateLimitDocument(characteristics=("cf.colo.id", "ip.src"), period=60, requests_per_period=20)
RULE = RuleDocument(
    id="1" * 32, version=2, action="block", expression="ssl", action_parameters={"response": {"status_code": 429}},
    ratelimit=LIMIT, is_logged=False,
)  # fmt: skip
RULES = RulesetDocument(id="2" * 32, kind="root", phase="http_ratelimit", version=3, rules=(RULE,))
DOCUMENTS = [
    AccountDocument(
        id="3" * 32,
        version=4,
        rulesets=(RULES,),
        access_rules=(AccessRuleDocument(id="4" * 32, mode="block", target="ip", value="192.0.2.1"),),
    ),
    ListDocument(id="5" * 32, account_id="3" * 32, version=1, name="office", kind="ip", items=("192.0.2.0/24",)),
    ManagedDocument(id="6" * 32, version=1, release="4.0.0", files={"a.conf": b"\x00\xff"}),
]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_document_is_read_as_it_was_written(document: msgspec.Struct) -> None:
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(document), type=type(document)) == document


def test_what_an_account_does_not_say_takes_no_bytes() -> None:
    assert msgspec.json.encode(AccountDocument(id="1", version=1)) == b'{"id":"1","version":1}'


def test_a_rule_that_does_not_say_whether_it_is_logged_is_told_from_one_that_says_no() -> None:
    silent = msgspec.structs.replace(RULE, is_logged=None)
    assert msgspec.json.encode(silent) != msgspec.json.encode(RULE)
