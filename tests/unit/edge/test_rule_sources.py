"""Lists as rules ask them: what they hold, what is refused, and how little is read at a stretch."""

import zlib
from typing import Any

import msgspec
import pytest

from holdfast.edge.rule_sources import LIST_SLICE, MAX_TEXT_BYTES, CompiledList, compile_list, compile_managed
from holdfast.model.rule_documents import ListDocument, ManagedDocument
from holdfast.rules.seclang import OWASP_RULESET_ID


def a_list(kind: Any = "ip", *items: str, name: str = "office") -> ListDocument:
    return ListDocument(id="7" * 32, account_id="a" * 32, version=1, name=name, kind=kind, items=items)


def holds(found: CompiledList, value: object) -> bool:
    members: Any = found.items.members
    return value in members


@pytest.mark.parametrize(
    ("document", "held", "not_held"),
    [
        (a_list("ip", "203.0.113.0/24", "2001:db8::1"), (4, 0xCB007109), (4, 0xCB007209)),
        (a_list("hostname", "example.org", "*.example.com"), "www.example.com", "www.example.org"),
        (a_list("asn", "64512", "4294967295"), 64512, 64513),
    ],
    ids=["ip", "hostname", "asn"],
)
def test_a_list_holds_its_items(document: ListDocument, held: object, not_held: object) -> None:
    found = compile_list(document)
    assert (found.id, found.account_id, found.name) == ("7" * 32, "a" * 32, "office")
    assert (holds(found, held), holds(found, not_held)) == (True, False)


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        (
            a_list("ip", "10.0.0.1", "10.0.0.1/8"),
            "list 'office', items[1]: expected an address or a network, got '10.0.0",
        ),
        (a_list("ip", "10.0.0.1..10.0.0.9"), "items[0]: expected an address or a network"),
        (a_list("hostname", "Example.org"), "items[0]: expected a host name in lower case, got 'Example.org'"),
        (a_list("hostname", "*."), "items[0]: expected a host name"),
        (a_list("asn", "1", "2", "AS3"), "items[2]: expected the number of an autonomous system, got 'AS3'"),
        (a_list("asn", "4294967296"), "items[0]: expected the number"),
        (a_list("asn", "9" * 5000), "items[0]: expected the number"),
        (a_list("ip", name="The Office"), "name: expected 1 to 50 of a-z, 0-9 and _, got 'The Office'"),
    ],
)
def test_what_is_no_item_is_named(document: ListDocument, sentence: str) -> None:
    with pytest.raises(ValueError, match="list") as caught:
        compile_list(document)
    assert sentence in str(caught.value)


def test_a_long_list_is_read_with_pauses() -> None:
    numbers = range(10 * LIST_SLICE)
    long = msgspec.structs.replace(a_list("asn"), items=tuple(map(str, numbers)))
    pauses = []
    assert holds(compile_list(long, pause=lambda: pauses.append(1)), numbers[-1])
    assert len(pauses) == 9


SETUP = b"""
SecAction "id:900990,phase:1,nolog,pass,t:none,setvar:tx.crs_setup_version=334"
SecRule ARGS "@contains attack" "id:942100,phase:2,block,t:none,msg:'An attack',tag:'paranoia-level/1',severity:'CRITICAL',\\
  setvar:'tx.anomaly_score_pl1=+%{tx.critical_anomaly_score}'"
SecRule TX:ANOMALY_SCORE "@ge %{tx.inbound_anomaly_score_threshold}" "id:949110,phase:2,deny,t:none,msg:'Exceeded'"
"""


def a_managed(ident: str = OWASP_RULESET_ID, **files: bytes) -> ManagedDocument:
    return ManagedDocument(id=ident, version=1, release="3.3.4", files={f"{n}.conf": one for n, one in files.items()})


def test_managed_rules_are_read_from_their_deflated_files() -> None:
    found = compile_managed(a_managed(setup=zlib.compress(SETUP)))
    assert (found.id, found.version.partition("+")[0]) == (OWASP_RULESET_ID, "3.3.4")
    assert "942100" in {rule.ref for rule in found.rules}


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        (a_managed("5" * 32), f"id: expected {OWASP_RULESET_ID}"),
        (a_managed(setup=SETUP), "files['setup.conf']: expected deflated text"),
        (a_managed(setup=zlib.compress(SETUP)[:-9]), "files['setup.conf']: expected the whole of a deflated text"),
        (a_managed(a=zlib.compress(bytes(MAX_TEXT_BYTES)), b=zlib.compress(b"x")), "bytes of text at most"),
        (a_managed(setup=zlib.compress(b"SecNonsense x")), "setup.conf:1: expected"),
        (a_managed(), "949110"),
    ],
)
def test_managed_rules_that_cannot_be_read_are_named(document: ManagedDocument, sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^managed ruleset '?{document.id}") as caught:
        compile_managed(document)
    assert sentence in str(caught.value)
