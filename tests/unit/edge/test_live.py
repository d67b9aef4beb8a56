"""A live edge: news in force at once, bad zones kept out, TLS touched only where it changed."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
import trustme

from holdfast.edge.link_frames import RawSnapshot
from holdfast.edge.live import SLICE, OutOfStepError
from holdfast.edge.snapshot import empty_snapshot
from holdfast.model.control_link import LinkError
from holdfast.model.zone_document import CATCH_ALL, CertificateDocument, ZoneDocument
from holdfast.sealing import SealingKey, sealing_purpose
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
    assert [one.zone_id for one in refusals] == [zone_id("a.test"), zone_id("new.test")]
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
    assert [one.zone_id for one in parts.live.refusals] == [zone_id("b.test")]
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
    assert refusal.zone_id == zone_id("a.test")
    assert "cannot be read" in refusal.reason
    assert parts.names == {"b.test"}


def test_a_zone_without_an_id_is_nobody_s_and_nothing_is_changed() -> None:
    parts = Parts()
    parts.live.apply_full(full(1, a_document("a.test")))
    nameless = RawSnapshot(source="s", revision=2, zones=(msgspec.Raw(msgspec.msgpack.encode({"name": "b.test"})),))
    with pytest.raises(LinkError):
        parts.live.apply_full(nameless)
    assert (parts.names, parts.live.revision) == ({"a.test"}, 1)


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
