"""A live edge: news in force at once, bad zones kept out, TLS touched only where it changed."""

from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trustme

from holdfast.edge.compilation import SLICE
from holdfast.edge.firewall.values import MANAGED, Deploy, Firewall
from holdfast.edge.link_frames import RawSnapshot
from holdfast.edge.live import OutOfStepError
from holdfast.edge.rule_sources import LIST_SLICE
from holdfast.edge.snapshot import empty_snapshot
from holdfast.model.control_link import LinkError
from holdfast.model.rule_documents import AccessRuleDocument, AccountDocument, ListDocument, ManagedDocument
from holdfast.model.zone_document import CATCH_ALL, CertificateDocument, ZoneDocument
from holdfast.rules.managed import HOLDFAST_RULESET_ID
from holdfast.sealing import SealingKey, sealing_purpose
from tests.unit.edge.firewall.rules import FakeManaged, a_rule, a_ruleset
from tests.unit.edge.live_parts import KEY, Parts, delta, full
from tests.unit.edge.origins import a_document, a_record, a_snapshot, zone_id


def broken(name: str = "a.test") -> ZoneDocument:
    return a_document(name, a_record(name, "no address!"))


@pytest.fixture(scope="module")
def certificate() -> CertificateDocument:
    leaf = trustme.CA().issue_cert("a.test")
    sealed = KEY.seal(leaf.private_key_pem.bytes(), purpose=sealing_purpose("c1"))
    chain = leaf.cert_chain_pems[0].bytes().decode()
    return CertificateDocument(id="c1", hosts=("a.test",), chain_pem=chain, sealed_key=sealed)


def test_news_is_in_force_when_apply_returns() -> None:
    parts = Parts()
    assert parts.live.apply_full(full(7, a_document("a.test"), a_document("b.test"))) == ()
    assert parts.names == {"a.test", "b.test"}
    assert (parts.live.source, parts.live.revision, parts.live.known_revision) == ("s", 7, 7)
    changed, gone = a_document("b.test", websockets="off"), zone_id("a.test")
    assert parts.live.apply_delta(delta(7, changed, a_document("c.test"), removed=(gone,))) == ()
    assert parts.names == {"b.test", "c.test"}
    assert parts.zone("b.test").features.refuses_websockets
    assert parts.live.revision == 8
    assert parts.live.zone_ids() == {zone_id("b.test"), zone_id("c.test")}


def test_everything_new_takes_the_place_of_everything_old() -> None:
    parts = Parts()
    parts.live.apply_full(full(9, a_document("a.test")))
    parts.live.apply_full(full(2, a_document("b.test"), source="another"))
    assert parts.names == {"b.test"}
    assert (parts.live.source, parts.live.revision) == ("another", 2)


@pytest.mark.parametrize(("base", "source"), [(6, "s"), (8, "s"), (7, "another")])
def test_a_delta_on_something_else_changes_nothing(base: int, source: str) -> None:
    parts = Parts()
    parts.live.apply_full(full(7, a_document("a.test")))
    with pytest.raises(OutOfStepError):
        parts.live.apply_delta(delta(base, a_document("b.test"), source=source))
    assert parts.names == {"a.test"}
    assert parts.live.revision == 7


def test_zones_that_have_not_changed_are_not_compiled_again() -> None:
    parts = Parts()
    parts.live.apply_full(full(1, a_document("a.test"), a_document("b.test")))
    before = parts.zone("a.test")
    parts.live.apply_full(full(1, a_document("a.test"), a_document("b.test", ssl="full"), source="restarted"))
    assert parts.zone("a.test") is before
    assert parts.zone("b.test").features.origin_tls == "unverified"


def test_what_an_edge_begins_with_stays() -> None:
    parts = Parts(beginning=a_snapshot())
    parts.live.apply_full(full(1, a_document("a.test")))
    parts.live.apply_full(full(2))
    assert parts.names == {CATCH_ALL}


@pytest.mark.parametrize("in_a_delta", [True, False])
def test_a_zone_that_does_not_compile_keeps_its_last_version(in_a_delta: bool) -> None:
    parts = Parts()
    parts.live.apply_full(full(1, a_document("a.test"), a_document("b.test")))
    before = parts.zone("a.test")
    news = (broken(), a_document("b.test", ssl="full"), broken("new.test"))
    refusals = parts.live.apply_delta(delta(1, *news)) if in_a_delta else parts.live.apply_full(full(2, *news))
    assert [one.id for one in refusals] == [zone_id("a.test"), zone_id("new.test")]
    assert "records[a.test].content" in refusals[0].reason
    assert parts.names == {"a.test", "b.test"}
    assert parts.zone("a.test") is before
    assert parts.zone("b.test").features.origin_tls == "unverified"
    assert (parts.live.revision, parts.live.known_revision) == (2, 0)
    assert [event for event, _ in parts.log] == ["zone_refused", "zone_refused"]


def test_a_zone_that_is_mended_or_removed_is_refused_no_longer() -> None:
    parts = Parts()
    parts.live.apply_full(full(1, broken("a.test"), broken("b.test")))
    parts.live.apply_delta(delta(1, a_document("a.test")))
    assert [one.id for one in parts.live.refusals] == [zone_id("b.test")]
    parts.live.apply_delta(delta(2, removed=(zone_id("b.test"),)))
    assert parts.live.refusals == ()
    assert parts.live.known_revision == 3


@pytest.mark.parametrize(
    "members", [{"settings": {"ssl": "quantum"}}, {"records": "none"}, {"records": [{"name": "a.test", "type": "MX"}]}]
)
def test_a_document_of_a_newer_control_that_cannot_be_read_is_one_zone_s_matter(members: dict[str, Any]) -> None:
    parts = Parts()
    newer = msgspec.msgpack.encode({"id": zone_id("a.test"), "name": "a.test", **members})
    news = RawSnapshot(source="s", revision=1, zones=(msgspec.Raw(newer), *full(1, a_document("b.test")).zones))
    (refusal,) = parts.live.apply_full(news)
    assert refusal.id == zone_id("a.test")
    assert "cannot be read" in refusal.reason
    assert parts.names == {"b.test"}


def test_a_zone_without_an_id_is_nobody_s_and_nothing_is_changed() -> None:
    parts = Parts()
    parts.live.apply_full(full(1, a_document("a.test")))
    nameless = RawSnapshot(source="s", revision=2, zones=(msgspec.Raw(msgspec.msgpack.encode({"name": "b.test"})),))
    with pytest.raises(LinkError):
        parts.live.apply_full(nameless)
    assert (parts.names, parts.live.revision) == ({"a.test"}, 1)


ACCOUNT_ID = "a" * 32


def an_account(*values: str, version: int = 1) -> AccountDocument:
    """An account that blocks these addresses."""
    rules = tuple(AccessRuleDocument(id=f"{n:032x}", mode="block", target="ip", value=v) for n, v in enumerate(values))
    return AccountDocument(id=ACCOUNT_ID, version=version, access_rules=rules)


def a_list(name: str = "office", *items: str, ident: str = "7" * 32) -> ListDocument:
    return ListDocument(id=ident, account_id=ACCOUNT_ID, version=1, name=name, kind="ip", items=items)


def a_managed(release: str) -> ManagedDocument:
    return ManagedDocument(id="4" * 32, version=1, release=release, files={"a.conf": b"x"})


def lists(parts: Parts) -> dict[str, bool]:
    """The lists there are, and whether 10.0.0.1 is in them."""
    found: Any = parts.policy.snapshot.lists_of(ACCOUNT_ID)
    return {name: (4, 0x0A000001) in one.members for name, one in found.items()}


def managed(parts: Parts) -> dict[str, Any]:
    found: Any = parts.policy.snapshot.managed
    return dict(found.loaded)


def test_what_rules_draw_on_comes_and_goes_without_any_zone() -> None:
    parts = Parts()
    parts.live.apply_full(full(1, a_document("a.test"), a_list("office", "10.0.0.1")))
    zone = parts.zone("a.test")
    parts.live.apply_delta(delta(1, an_account("10.0.0.1"), a_managed("1")))
    assert lists(parts) == {"office": True}
    assert parts.policy.snapshot.accounts[ACCOUNT_ID].firewall is not None
    assert managed(parts) == {"4" * 32: "1"}
    assert parts.live.statistics() | {"accounts": 1, "lists": 1, "managed": 1} == parts.live.statistics()
    parts.live.apply_delta(delta(2, a_list("office", "10.0.0.2"), a_list("home", ident="8" * 32)))
    assert lists(parts) == {"office": False, "home": False}
    parts.live.apply_delta(delta(3, a_list("work", "10.0.0.1")))
    assert lists(parts) == {"work": True, "home": False}
    parts.live.apply_delta(delta(4, removed=("7" * 32, ACCOUNT_ID, "4" * 32)))
    assert lists(parts) == {"home": False}
    assert parts.policy.snapshot.lists_of("b" * 32) == {}
    assert (dict(parts.policy.snapshot.accounts), managed(parts)) == ({}, {})
    assert parts.zone("a.test") is zone
    parts.live.apply_full(full(9, a_document("a.test")))
    assert lists(parts) == {}
    assert parts.zone("a.test") is zone


def test_the_news_of_a_zone_leaves_what_rules_draw_on_as_it_is() -> None:
    parts = Parts()
    parts.live.apply_full(full(1, an_account("10.0.0.1"), a_list(), a_managed("1")))
    before = parts.policy.snapshot
    parts.live.apply_delta(delta(1, a_document("a.test")))
    after = parts.policy.snapshot
    assert (after.accounts, after.lists) == (before.accounts, before.lists)
    assert (after.lists, after.managed) == (before.lists, before.managed)
    assert after.managed is before.managed


@pytest.mark.parametrize("in_a_delta", [True, False])
def test_what_rules_draw_on_keeps_its_last_good_version(in_a_delta: bool) -> None:
    parts = Parts()
    parts.live.apply_full(full(1, an_account("10.0.0.1"), a_list("office", "10.0.0.1"), a_managed("1")))
    before = parts.policy.snapshot
    news = (an_account("10.0.0.300"), a_list("office", "10.0.0.1/8"), a_managed("broken"), a_document("a.test"))
    refusals = parts.live.apply_delta(delta(1, *news)) if in_a_delta else parts.live.apply_full(full(2, *news))
    assert [(one.kind, one.id) for one in refusals] == [
        ("account", ACCOUNT_ID), ("list", "7" * 32), ("managed", "4" * 32),
    ]  # fmt: skip
    after = parts.policy.snapshot
    assert parts.names == {"a.test"}
    assert lists(parts) == {"office": True}
    assert after.accounts == before.accounts
    assert managed(parts) == {"4" * 32: "1"}
    assert (parts.live.revision, parts.live.known_revision) == (2, 0)
    refused = {"accounts_refused": 1, "lists_refused": 1, "managed_refused": 1, "zones_refused": 0}
    assert parts.live.statistics() | refused == parts.live.statistics()
    assert [event for event, _ in parts.log] == ["rules_refused"] * 3
    assert parts.log[1][1]["list"] == "7" * 32
    parts.live.apply_delta(delta(2, an_account("10.0.0.3"), a_list("office", "10.0.0.2"), removed=("4" * 32,)))
    assert (parts.live.refusals, parts.live.known_revision) == ((), 3)


def test_what_has_not_changed_is_not_compiled_again() -> None:
    parts = Parts()
    everything = (an_account("10.0.0.1"), a_list("office", "10.0.0.1"), a_managed("1"))
    parts.live.apply_full(full(1, *everything))
    before = parts.policy.snapshot
    parts.live.apply_full(full(1, *everything, source="restarted"))
    assert parts.compiled == ["1"]
    after = parts.policy.snapshot
    assert after.accounts[ACCOUNT_ID] is before.accounts[ACCOUNT_ID]
    assert after.lists_of(ACCOUNT_ID)["office"] is before.lists_of(ACCOUNT_ID)["office"]


def test_what_rules_execute_is_made_ready_and_what_does_nothing_is_said_once() -> None:
    parts = Parts()
    ours = a_rule("ours", executes=HOLDFAST_RULESET_ID)
    rules = a_ruleset(ours, a_rule("loaded", executes="4" * 32), phase=MANAGED, kind="root")
    account = AccountDocument(id=ACCOUNT_ID, version=1, rulesets=(rules,))
    parts.live.apply_full(full(1, account, a_document("a.test")))
    ((event, fields),) = parts.log
    assert (event, fields["rule"]) == ("rule_inert", "loaded")
    assert "not loaded here" in str(fields["reason"])
    firewall = parts.policy.snapshot.accounts[ACCOUNT_ID].firewall
    assert firewall is not None
    (ready, _) = deploys(firewall)
    assert list(ready.made)
    parts.live.apply_full(full(1, account, a_document("a.test"), source="restarted"))
    parts.live.apply_delta(delta(1, a_document("b.test"), source="restarted"))
    assert len(parts.log) == 1
    # What executes it has not changed, and yet there is something to make ready.
    parts.live._compilers["managed"] = partial(FakeManaged, "4" * 32)
    parts.live.apply_delta(delta(2, a_managed("any"), source="restarted"))
    assert [len(one.made) for one in deploys(firewall)] == [1, 1]
    parts.live.apply_delta(delta(3, removed=("4" * 32,), source="restarted"))
    assert [event for event, _ in parts.log] == ["rule_inert"] * 2


def deploys(firewall: Firewall) -> list[Deploy]:
    """What a firewall's rules execute."""
    assert firewall.managed is not None
    return [rule.action for rule in firewall.managed.rules if isinstance(rule.action, Deploy)]


def test_a_long_list_lets_requests_in_between() -> None:
    parts = Parts()
    parts.live.start(parts.edge)
    items = tuple(f"10.0.{high}.{low}" for high in range(20) for low in range(256))
    parts.live.apply_full(full(1, a_list("office", *items)))
    assert parts.pauses == len(items) // LIST_SLICE


def test_an_edge_starts_with_what_its_rules_drew_on_last(tmp_path: Path) -> None:
    file = tmp_path / "snapshot.bin"
    first = Parts(journal=file)
    first.live.start(first.edge)
    first.live.apply_full(full(7, an_account("10.0.0.1"), a_list("office", "10.0.0.1"), a_managed("1")))
    first.live.apply_delta(delta(7, a_list("home", "10.0.0.1", ident="8" * 32), removed=(ACCOUNT_ID,)))
    first.live.apply_delta(delta(8, a_managed("2"), a_list("office", "no address!")))
    first.live.stop()
    second = Parts(journal=file)
    assert second.live.load()
    assert lists(second) == {"office": True, "home": True}
    assert managed(second) == {"4" * 32: "2"}
    assert dict(second.policy.snapshot.accounts) == {}
    assert second.live.revision == 9


def test_compiling_much_lets_requests_in_between() -> None:
    parts = Parts()
    many = [a_document(f"z{number}.test") for number in range(10 * SLICE)]
    parts.live.apply_full(full(1, *many))
    assert parts.pauses == 0, "nobody waits for an edge that has not started"
    parts.live.start(parts.edge)
    parts.live.apply_full(full(2, *many))
    assert parts.pauses == 10


def test_tls_is_touched_only_where_it_changed(certificate: CertificateDocument) -> None:
    parts = Parts()
    parts.live.start(parts.edge)
    assert parts.edge.tls == [(["own"], [])]
    parts.live.apply_full(full(1, a_document("a.test"), a_document("b.test")))
    parts.live.apply_delta(delta(1, a_document("a.test", websockets="off")))
    assert len(parts.edge.tls) == 1
    parts.live.apply_delta(delta(2, a_document("a.test", certificates=(certificate,))))
    (own, native), rules = parts.edge.tls[1]
    assert (own, native.names, rules) == ("own", ("a.test",), [])
    parts.live.apply_delta(delta(3, a_document("a.test", certificates=(certificate,), websockets="off")))
    assert len(parts.edge.tls) == 2
    parts.live.apply_delta(delta(4, a_document("b.test", min_tls_version="1.3")))
    (_, again), (rule,) = parts.edge.tls[2]
    assert again is native, "a certificate that has not changed is not read again"
    assert rule.names == ("b.test", "*.b.test")
    parts.live.apply_delta(delta(5, removed=(zone_id("a.test"), zone_id("b.test"))))
    assert parts.edge.tls[3:] == [(["own"], [])]
    parts.live.apply_full(full(9))
    assert len(parts.edge.tls) == 4


def test_the_edge_s_own_certificates_may_change_over_time() -> None:
    parts = Parts()
    parts.live.refresh_tls()
    parts.live.start(parts.edge)
    parts.own = ["renewed"]
    parts.live.refresh_tls()
    assert parts.edge.tls == [(["own"], []), (["renewed"], [])]


def test_tls_that_the_core_refuses_is_a_record_and_no_more() -> None:
    parts = Parts()
    parts.live.start(parts.edge)
    parts.edge.refusal = "certificates: a reason"
    parts.live.apply_full(full(1, a_document("a.test", min_tls_version="1.3")))
    assert parts.names == {"a.test"}
    assert parts.log == [("tls_refused", {"reason": "certificates: a reason"})]


def test_an_edge_starts_with_what_it_served_last(tmp_path: Path) -> None:
    file = tmp_path / "snapshot.bin"
    first = Parts(journal=file)
    assert not first.live.load()
    first.live.start(first.edge)
    first.live.apply_full(full(7, a_document("a.test"), a_document("b.test")))
    # What was refused is in the journal as it is served: in its last good version.
    first.live.apply_delta(delta(7, broken("a.test"), a_document("c.test", ssl="full"), removed=(zone_id("b.test"),)))
    first.live.stop()
    second = Parts(journal=file)
    assert second.live.load()
    assert second.names == {"a.test", "c.test"}
    assert second.zone("c.test").features.origin_tls == "unverified"
    assert (second.live.source, second.live.revision) == ("s", 8)
    second.live.start(second.edge)
    second.live.apply_delta(delta(8, a_document("d.test")))
    second.live.stop()
    third = Parts(journal=file)
    assert third.live.load()
    assert third.names == {"a.test", "c.test", "d.test"}


def is_published(parts: Parts) -> bool:
    return parts.policy.snapshot.is_published


def test_zones_are_known_from_the_first_publication_on_also_where_there_are_none(tmp_path: Path) -> None:
    file = tmp_path / "snapshot.bin"
    unpublished = empty_snapshot(instance="ab", is_published=False)
    first = Parts(journal=file, beginning=unpublished)
    assert not first.live.load()
    assert not is_published(first)
    first.live.start(first.edge)
    first.live.apply_full(full(1))
    first.live.stop()
    assert is_published(first)
    again = Parts(journal=file, beginning=unpublished)
    assert again.live.load()
    assert is_published(again)


def test_a_certificate_that_cannot_be_opened_is_left_out_and_its_zone_kept_up_to_date(
    certificate: CertificateDocument,
) -> None:
    parts = Parts()
    key: list[SealingKey | None] = [None]
    parts.live._key = lambda: key[0]
    document = msgspec.structs.replace(a_document("a.test"), certificates=(certificate,))
    changed = msgspec.structs.replace(a_document("a.test", websockets="off"), certificates=(certificate,))
    assert parts.live.apply_full(full(7, document)) == ()
    assert parts.live.apply_delta(delta(7, changed)) == ()
    assert parts.zone("a.test").features.refuses_websockets
    assert parts.zone("a.test").certificates == ()
    assert parts.live.certificates_left_out == parts.live.statistics()["certificates_left_out"] == 1
    ((event, fields),) = parts.log
    assert (event, fields["zone"], fields["certificate"]) == ("certificate_warning", zone_id("a.test"), "c1")
    key[0] = KEY
    assert parts.live.apply_full(full(9, changed)) == ()
    assert len(parts.zone("a.test").certificates) == 1
    assert parts.live.certificates_left_out == 0
