"""Compiling a zone: as a whole or not at all, and what has not changed is taken over."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.edge.compile import check_zone, compile_zone
from holdfast.edge.compile_error import CompileError
from holdfast.model.zone_document import (
    CATCH_ALL,
    CertificateDocument,
    OriginRuleDocument,
    RecordDocument,
    StrictTransportSecurity,
    ZoneDocument,
    ZoneSettings,
)
from holdfast.sealing import SealingKey
from tests.unit.edge.firewall.rules import a_rule, a_ruleset
from tests.unit.edge.origins import a_document, a_record, a_zone, zone_id


def test_a_zone_is_what_its_document_says() -> None:
    rule = OriginRuleDocument(id="1", expression="true", origin_port=9)
    zone = a_zone("example.com", plan="enterprise", account_id="a" * 32, ssl="strict", origin_rules=(rule,))
    assert (zone.id, zone.name, zone.account_id, zone.plan) == (zone_id("example.com"), "example.com", "a" * 32, "ENT")
    assert set(zone.targets) == {"example.com", "*.example.com"}
    assert zone.has_wildcards
    assert zone.features.origin_tls == "verified"
    assert len(zone.rules) == 1
    assert (zone.fallback, zone.certificates, zone.tls) == (None, (), None)


def test_a_paused_zone_keeps_its_tls_and_its_origin_rules() -> None:
    rule = OriginRuleDocument(id="1", expression="true")
    zone = a_zone(paused=True, min_tls_version="1.3", origin_rules=(rule,))
    assert len(zone.rules) == 1
    assert zone.tls is not None


def test_a_zone_compiles_its_rules_also_while_it_is_paused() -> None:
    rulesets = (a_ruleset(a_rule("r", expression='ip.src.country eq "NL"')),)
    zone, paused = (a_zone(rulesets=rulesets, paused=paused) for paused in (False, True))
    assert len(zone.firewalls) == 1
    assert (paused.firewalls, paused.is_paused) == ((), True)
    assert a_zone().firewalls == ()
    with pytest.raises(CompileError, match=r"rules\[r\]\.expression"):
        a_zone(rulesets=(a_ruleset(a_rule("r", expression="x")),), paused=True)


def test_a_catch_all_answers_with_its_one_record_and_asks_nothing_of_tls() -> None:
    zone = a_zone(CATCH_ALL, a_record(CATCH_ALL, "192.0.2.1"), id="1" * 32, min_tls_version="1.3")
    target = zone.target_of("any.test")
    assert target is not None
    assert target.addresses == ("192.0.2.1",)
    assert zone.tls is None


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"id": "example"}, "id"),
        ({"id": "A" * 32}, "id"),
        ({"name": "Example.com"}, "name"),
        ({"name": "exa mple.com"}, "name"),
        ({"name": "*.example.com"}, "name"),
        ({"ssl": "none"}, "settings.ssl"),
        ({"origin_rules": (OriginRuleDocument(id="7", expression="nonsense ("),)}, "origin_rules[7].expression"),
    ],
)
def test_what_is_wrong_is_named(changes: dict[str, Any], field: str) -> None:
    name = changes.pop("name", "example.com")
    with pytest.raises(CompileError) as caught:
        check_zone(a_document(name, a_record("example.com"), **changes), None)
    assert (caught.value.zone, caught.value.field) == (name, field)


def test_a_good_document_passes_the_check() -> None:
    check_zone(a_document(), None)


def test_origins_of_records_that_have_not_changed_live_on() -> None:
    before = a_zone("example.com", a_record("a.example.com"), a_record("b.example.com"))
    changed = a_document("example.com", a_record("a.example.com"), a_record("b.example.com", "192.0.2.9"), ssl="full")
    after = compile_zone(changed, key=None, before=before)
    assert after.targets["a.example.com"] is before.targets["a.example.com"]
    assert after.targets["b.example.com"] is not before.targets["b.example.com"]


_TEXT = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.sampled_from(["a.test", "x.a.test", "*.a.test", "192.0.2.1"]),
)
_MAYBE = st.none() | _TEXT
_NUMBER = st.integers(-(2**40), 2**40)
_SWITCH = st.sampled_from(["on", "off"])
_DOCUMENTS = st.builds(
    ZoneDocument,
    id=st.just("0" * 32) | _TEXT,
    name=st.just("a.test") | _TEXT,
    paused=st.booleans(),
    plan=_TEXT,
    settings=st.builds(
        ZoneSettings,
        websockets=_SWITCH,
        ssl=st.sampled_from(["off", "flexible", "full", "strict"]),
        min_tls_version=st.sampled_from(["1.2", "1.3"]),
        tls_1_3=_SWITCH,
        ciphers=st.lists(_TEXT, max_size=2).map(tuple),
        proxy_read_timeout=_NUMBER,
        security_header=st.builds(StrictTransportSecurity, enabled=st.booleans(), max_age=_NUMBER),
    ),
    records=st.lists(
        st.builds(RecordDocument, name=_TEXT, type=st.sampled_from(["A", "AAAA", "CNAME"]), content=_TEXT), max_size=3
    ).map(tuple),
    origin_rules=st.lists(
        st.builds(
            OriginRuleDocument, id=_TEXT, expression=st.just("true") | _TEXT, host_header=_MAYBE, origin_host=_MAYBE,
            origin_port=st.none() | _NUMBER, sni=_MAYBE,
        ),
        max_size=2,
    ).map(tuple),
    certificates=st.lists(
        st.builds(
            CertificateDocument, id=_TEXT, hosts=st.lists(_TEXT, max_size=2).map(tuple), chain_pem=_TEXT,
            sealed_key=st.binary(max_size=40),
        ),
        max_size=1,
    ).map(tuple),
)  # fmt: skip


@given(_DOCUMENTS, st.sampled_from([None, SealingKey(b"k" * 32)]))
def test_any_document_compiles_or_raises_a_compile_error(document: ZoneDocument, key: SealingKey | None) -> None:
    with suppress(CompileError):
        zone = compile_zone(document, key=key)
        assert compile_zone(document, key=key, before=zone).targets == zone.targets
