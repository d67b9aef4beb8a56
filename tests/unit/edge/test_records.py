"""Records as targets: one a host name, and what is no record of the zone is refused."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.edge.compile_error import CompileError
from holdfast.edge.records import MAX_ADDRESSES, target_at, targets_of
from holdfast.model.zone_document import CATCH_ALL, RecordDocument
from tests.unit.edge.origins import a_record

NAME = "a.example.com"


def test_addresses_of_one_name_are_one_target() -> None:
    records = [a_record(NAME, "192.0.2.1"), a_record(NAME, "2001:db8::1"), a_record(NAME, "192.0.2.1")]
    (target,) = targets_of("example.com", records).values()
    assert target.addresses == ("192.0.2.1", "2001:db8::1")
    assert (target.alias, target.is_proxied, target.is_prohibited) == ("", True, False)


def test_an_alias_is_kept_as_a_name() -> None:
    (target,) = targets_of("example.com", [a_record(NAME, "origin.elsewhere.test")]).values()
    assert (target.addresses, target.alias) == ((), "origin.elsewhere.test")


@pytest.mark.parametrize(("first", "second", "is_proxied"), [(True, False, True), (False, False, False)])
def test_one_proxied_record_makes_its_name_proxied(first: bool, second: bool, is_proxied: bool) -> None:
    records = [a_record(NAME, "192.0.2.1", proxied=first), a_record(NAME, "192.0.2.2", proxied=second)]
    assert targets_of("example.com", records)[NAME].is_proxied is is_proxied


@pytest.mark.parametrize(
    "content",
    ["0.0.0.0", "169.254.169.254", "224.0.0.1", "255.255.255.255", "::", "fe80::1", "ff02::1", "::ffff:0.0.0.0"],
)
def test_an_address_that_no_origin_can_have_is_marked(content: str) -> None:
    assert targets_of("example.com", [a_record(NAME, content)])[NAME].is_prohibited


@pytest.mark.parametrize("content", ["127.0.0.1", "10.0.0.1", "::1", "fd00::1", "::ffff:10.0.0.1"])
def test_loopback_and_private_addresses_are_origins_as_any_other(content: str) -> None:
    assert not targets_of("example.com", [a_record(NAME, content)])[NAME].is_prohibited


def _typed(kind: str, content: str, name: str = NAME) -> RecordDocument:
    return RecordDocument(name=name, type=kind, content=content)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("records", "what"),
    [
        ([_typed("A", "2001:db8::1")], "an IPv4 address"),
        ([_typed("AAAA", "192.0.2.1")], "an IPv6 address"),
        ([_typed("AAAA", "fe80::1%eth0")], "an IPv6 address"),
        ([_typed("A", "192.0.2.999")], "an IPv4 address"),
        ([_typed("A", "")], "an IPv4 address"),
        ([_typed("CNAME", "192.0.2.1")], "a host name, as the record is a CNAME"),
        ([_typed("CNAME", "not a name")], "a host name"),
        ([_typed("CNAME", "a.test"), _typed("CNAME", "b.test")], "one CNAME"),
        ([_typed("CNAME", "a.test"), _typed("A", "192.0.2.1")], "one CNAME"),
        ([_typed("A", "192.0.2.1", "elsewhere.test")], "a name within example.com"),
        ([_typed("A", "192.0.2.1", "notexample.com")], "a name within example.com"),
        ([_typed("A", "192.0.2.1", "A.example.com")], "a host name in lower case"),
        ([_typed("A", "192.0.2.1", "a.*.example.com")], "a host name in lower case"),
        ([_typed("A", "192.0.2.1", CATCH_ALL)], "a host name"),
        ([a_record(NAME, f"10.0.0.{n}") for n in range(MAX_ADDRESSES + 1)], f"at most {MAX_ADDRESSES} addresses"),
    ],
)
def test_what_is_no_record_of_the_zone_is_refused(records: list[RecordDocument], what: str) -> None:
    with pytest.raises(CompileError, match=r"^zone 'example\.com', records") as caught:
        targets_of("example.com", records)
    assert f"expected {what}" in str(caught.value)


def test_the_catch_all_takes_any_name_and_the_one_for_all() -> None:
    targets = targets_of(CATCH_ALL, [a_record(CATCH_ALL, "192.0.2.1"), a_record("any.test", "192.0.2.2")])
    assert set(targets) == {CATCH_ALL, "any.test"}


def test_targets_that_have_not_changed_are_taken_over() -> None:
    before = targets_of("example.com", [a_record(NAME, "192.0.2.1"), a_record("b.example.com", "192.0.2.2")])
    after = targets_of(
        "example.com", [a_record(NAME, "192.0.2.1"), a_record("b.example.com", "192.0.2.3")], before=before
    )
    assert after[NAME] is before[NAME]
    assert after["b.example.com"] is not before["b.example.com"]


@pytest.mark.parametrize(
    ("place", "addresses", "alias"),
    [("192.0.2.1", ("192.0.2.1",), ""), ("2001:DB8::1", ("2001:db8::1",), ""), ("Origin.Test", (), "origin.test")],
)
def test_a_place_by_itself_is_a_name_or_an_address(place: str, addresses: tuple[str, ...], alias: str) -> None:
    target = target_at("example.com", "field", place)
    assert (target.addresses, target.alias) == (addresses, alias)


@given(name=st.text(max_size=30), content=st.text(max_size=30), kind=st.sampled_from(["A", "AAAA", "CNAME"]))
def test_any_text_is_a_target_or_a_compile_error(name: str, content: str, kind: str) -> None:
    with suppress(CompileError):
        assert set(targets_of("example.com", [_typed(kind, content, name)])) == {name}
