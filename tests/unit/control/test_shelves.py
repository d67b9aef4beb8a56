"""`holdfast.control.shelves`: what is known of documents, whatever becomes of them."""

import pytest

from holdfast.control.shelves import Checked, Refused, Shelf, name_of, says_nothing
from holdfast.model.rule_documents import AccessRuleDocument, AccountDocument, ListDocument, ManagedDocument
from holdfast.model.zone_document import Document, ZoneDocument


def a_list(version: int = 1) -> ListDocument:
    return ListDocument(id="7" * 32, account_id="a" * 32, version=version, name="office", kind="ip")


RULE = AccessRuleDocument(id="1" * 32, mode="block", target="ip", value="192.0.2.1")


@pytest.mark.parametrize(
    ("document", "name", "is_nothing"),
    [
        (ZoneDocument(id="1" * 32, name="a.com"), "a.com", False),
        (AccountDocument(id="a" * 32, version=1), "a" * 32, True),
        (AccountDocument(id="a" * 32, version=1, access_rules=(RULE,)), "a" * 32, False),
        (a_list(), "office", False),
        (ManagedDocument(id="4" * 32, version=1, release="3.3.4", files={}), "3.3.4", False),
    ],
)
def test_each_kind_has_a_name_and_an_account_may_say_nothing(document: Document, name: str, is_nothing: bool) -> None:
    assert (name_of(document), says_nothing(document)) == (name, is_nothing)


def test_a_version_is_known_whatever_came_of_it() -> None:
    shelf = Shelf("list")
    assert shelf.news({a_list().id: 1}) == {a_list().id}
    assert shelf.take(Checked(a_list(1)))
    assert shelf.news({a_list().id: 1}) == set()
    assert not shelf.take(Checked(a_list(2), reason="why"))
    assert not shelf.is_news(a_list(2))
    assert shelf.documents == {a_list().id: a_list(1)}
    assert shelf.refused == {a_list().id: Refused("list", "office", "why")}
    assert shelf.withdraw(a_list(3))
    assert (shelf.documents, shelf.refused, shelf.is_news(a_list(3))) == ({}, {}, False)
    assert shelf.news({}) == {a_list().id}
    assert not shelf.forget(a_list().id)
    assert shelf.news({}) == set()


def test_what_was_compiled_goes_with_its_document() -> None:
    shelf = Shelf("managed")
    document = ManagedDocument(id="4" * 32, version=1, release="3.3.4", files={})
    shelf.take(Checked(document, compiled="rules"))
    shelf.take(Checked(document, reason="why"))
    assert shelf.compiled == {document.id: "rules"}
    assert shelf.forget(document.id)
    assert shelf.compiled == {}
