"""Documents compiled as they come: what compiles, what does not, and when it pauses."""

import msgspec
import pytest

from holdfast.edge.compilation import SLICE, SOURCES, Compile, check_document, compile_all
from holdfast.edge.link_frames import RawSnapshot, raw_of
from holdfast.edge.rule_sources import CompiledList
from holdfast.model.control_link import LinkError
from holdfast.model.rule_documents import AccessRuleDocument, AccountDocument, ListDocument, ManagedDocument
from holdfast.model.zone_document import KINDS, Document, Kind
from tests.unit.edge.live_parts import delta
from tests.unit.edge.origins import a_document, a_record

ACCOUNT = AccountDocument(id="a" * 32, version=1)
LIST = ListDocument(id="7" * 32, account_id="a" * 32, version=1, name="office", kind="ip", items=("10.0.0.1",))
MANAGED = ManagedDocument(id="4" * 32, version=1, release="3.3.4", files={})
ZONE = a_document("a.test")


def rule(value: str) -> AccessRuleDocument:
    return AccessRuleDocument(id="1" * 32, mode="block", target="ip", value=value)


def test_each_kind_is_compiled_by_its_own() -> None:
    def told(kind: Kind) -> Compile:
        return lambda ident, raw: (kind, ident, raw)

    documents: dict[Kind, Document] = {"zone": ZONE, "account": ACCOUNT, "list": LIST, "managed": MANAGED}
    news = delta(1, *documents.values())
    found = compile_all(news, {kind: told(kind) for kind in KINDS}, pause=lambda: None)
    for kind, document in documents.items():
        raw = bytes(raw_of(document))
        assert found.values[kind] == {document.id: (kind, document.id, raw)}
        assert found.raws[kind] == {document.id: raw}
    assert found.ids() == {document.id for document in documents.values()}
    assert found.has_sources()
    assert found.refusals == ()


@pytest.mark.parametrize(
    ("error", "reason"), [(ValueError("why"), "why"), (RecursionError("too deep"), "RecursionError: too deep")]
)
def test_one_that_does_not_compile_costs_itself_alone(error: Exception, reason: str) -> None:
    def compiled(ident: str, _: bytes) -> str:
        if ident == "7" * 32:
            raise error
        return ident

    other = msgspec.structs.replace(LIST, id="8" * 32)
    news = RawSnapshot(source="s", revision=2, lists=(raw_of(LIST), raw_of(other)))
    found = compile_all(news, {"list": compiled}, pause=lambda: None)
    assert found.values["list"] == {"8" * 32: "8" * 32}
    assert found.raws["list"].keys() == found.values["list"].keys()
    assert [(one.kind, one.id, one.reason) for one in found.refusals] == [("list", "7" * 32, reason)]


def test_many_are_compiled_with_pauses() -> None:
    many = tuple(raw_of(a_document(f"z{number}.test")) for number in range(3 * SLICE + 1))
    pauses: list[int] = []
    news = RawSnapshot(source="s", revision=1, zones=many)
    compile_all(news, {"zone": lambda ident, _: ident}, pause=lambda: pauses.append(1))
    assert len(pauses) == 3


def test_a_document_without_an_id_is_nobody_s() -> None:
    nameless = msgspec.Raw(msgspec.msgpack.encode({"name": "office"}))
    with pytest.raises(LinkError):
        compile_all(RawSnapshot(source="s", revision=1, lists=(nameless,)), {}, pause=lambda: None)


def test_what_rules_draw_on_is_read_from_its_bytes() -> None:
    found = SOURCES["list"](bytes(raw_of(LIST)), lambda: None)
    assert isinstance(found, CompiledList)
    assert found.name == "office"
    assert SOURCES["account"](bytes(raw_of(ACCOUNT)), lambda: None).id == ACCOUNT.id


@pytest.mark.parametrize("kind", SOURCES)
def test_a_document_of_a_newer_control_that_cannot_be_read_is_refused(kind: Kind) -> None:
    newer = msgspec.msgpack.encode({"id": "1" * 32, "version": "soon"})
    with pytest.raises(ValueError, match="cannot be read"):
        SOURCES[kind](newer, lambda: None)


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (a_document("a.test", websockets="perhaps"), "cannot be read"),
        (a_document("a.test", a_record("a.test", "no address!")), "records[a.test].content"),
        (msgspec.structs.replace(LIST, kind="redirect"), "cannot be read"),
        (msgspec.structs.replace(LIST, items=("no address!",)), "items[0]"),
        (AccountDocument(id="a" * 32, version=1, access_rules=(rule("10.0.0.300"),)), "10.0.0.300"),
    ],
)
def test_control_is_told_what_an_edge_would_refuse(document: Document, reason: str) -> None:
    with pytest.raises(ValueError, match=r"expected|cannot be read") as caught:
        check_document(document, None)
    assert reason in str(caught.value)


def test_control_is_given_what_an_edge_would_make_of_a_document() -> None:
    assert check_document(ZONE, None) is None
    assert check_document(LIST, None).name == "office"
