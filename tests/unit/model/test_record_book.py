"""`holdfast.model.record_book`: what may stand beside what, and that it always compiles."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.edge.records import MAX_ADDRESSES as EDGE_MAX_ADDRESSES
from holdfast.edge.records import targets_of
from holdfast.edge.route import MAX_ALIASES as EDGE_MAX_ALIASES
from holdfast.model.dns_record import DnsRecord, RecordError
from holdfast.model.record_book import MAX_ADDRESSES, MAX_ALIASES, MAX_RECORDS, RecordBook
from holdfast.model.zone_document import RecordDocument

ZONE = "z.example"


def _record(record_id: str, name: str, content: str, *, kind: str = "A", proxied: bool = False) -> DnsRecord:
    return DnsRecord(
        id=record_id, name=f"{name}.{ZONE}", type=kind, content=content, proxied=proxied, created_on=0, modified_on=0
    )


def _alias(record_id: str, name: str, target: str) -> DnsRecord:
    return _record(record_id, name, f"{target}.{ZONE}", kind="CNAME")


def _refusal(book: RecordBook, record: DnsRecord) -> int:
    before = len(book)
    with pytest.raises(RecordError) as refused:
        book.put(record)
    assert len(book) == before
    return refused.value.code


def test_a_record_is_found_changed_and_taken_out() -> None:
    book = RecordBook()
    book.put(_record("1", "a", "10.0.0.1"))
    book.put(_record("1", "b", "10.0.0.2"))
    assert (book.find("1").name, len(book)) == ("b.z.example", 1)
    book.put(_record("2", "a", "10.0.0.1"))
    assert book.remove("1").content == "10.0.0.2"
    for act in (book.find, book.remove):
        with pytest.raises(RecordError, match="Record does not exist"):
            act("1")


def test_names_are_for_addresses_or_for_one_alias() -> None:
    book = RecordBook([_record("1", "a", "10.0.0.1"), _alias("2", "b", "a")])
    assert _refusal(book, _record("3", "a", "10.0.0.1")) == 81058
    assert _refusal(book, _alias("3", "a", "x")) == 81053
    assert _refusal(book, _alias("3", "b", "x")) == 81053
    assert _refusal(book, _alias("3", "b", "a")) == 81058
    assert _refusal(book, _record("3", "b", "10.0.0.1")) == 81054
    book.put(_record("3", "a", "2001:db8::1", kind="AAAA"))
    book.put(_record("2", "b", "10.0.0.1"))


def test_an_alias_that_leads_back_is_refused_however_long_the_way() -> None:
    book = RecordBook([_alias(str(number), f"n{number}", f"n{number + 1}") for number in range(40)])
    assert _refusal(book, _alias("x", "n40", "n0")) == 9039
    assert _refusal(book, _alias("x", "n40", "n40")) == 9039
    assert _refusal(book, _alias("5", "n5", "n3")) == 9039
    book.put(_alias("x", "n40", "elsewhere"))


def test_an_alias_leads_over_as_many_names_as_an_edge_follows() -> None:
    assert MAX_ALIASES == EDGE_MAX_ALIASES
    book = RecordBook()
    for number in range(MAX_ALIASES, 0, -1):
        book.put(_alias(str(number), f"n{number}", f"n{number + 1}"))
    assert _refusal(book, _alias("0", "n0", "n1")) == 9039
    # The last one leads out of the zone; with an address there, all are still names that an edge looks at.
    book.put(_record(str(MAX_ALIASES), f"n{MAX_ALIASES}", "10.0.0.1"))
    book.put(_alias("1", "n1", "n2"))
    assert _refusal(book, _alias("0", "n0", "n1")) == 9039


class _CountedName(str):
    """A name that counts how often it is compared."""

    __slots__ = ()
    comparisons = 0

    def __eq__(self, other: object) -> bool:
        _CountedName.comparisons += 1
        return str.__eq__(self, other)

    __hash__ = str.__hash__


def test_putting_an_alias_takes_a_few_steps_however_long_the_way_is() -> None:
    names = [_CountedName(f"n{number}.{ZONE}") for number in range(1000)]
    book = RecordBook(
        DnsRecord(id=str(at), name=names[at], type="CNAME", content=names[at + 1], created_on=0, modified_on=0)
        for at in range(len(names) - 1)
    )
    _CountedName.comparisons = 0
    head = DnsRecord(id="x", name=f"head.{ZONE}", type="CNAME", content=names[0], created_on=0, modified_on=0)
    assert _refusal(book, head) == 9039
    assert _CountedName.comparisons < 100


def test_an_alias_to_a_wildcard_or_to_an_old_loop_is_taken() -> None:
    old_loop = [_alias("1", "a", "b"), _alias("2", "b", "a")]
    book = RecordBook([*old_loop, _alias("3", "*", "app")])
    book.put(_alias("4", "c", "a"))
    book.put(_alias("5", "d", "deep.below"))


def test_a_proxied_name_has_somebody_behind_each_address() -> None:
    book = RecordBook([_record("1", "a", "0.0.0.0"), _record("2", "b", "10.0.0.1", proxied=True)])
    assert _refusal(book, _record("1", "a", "0.0.0.0", proxied=True)) == 9041
    assert _refusal(book, _record("3", "a", "10.0.0.1", proxied=True)) == 9041
    assert _refusal(book, _record("3", "b", "224.0.0.1")) == 9041
    book.put(_record("3", "a", "10.0.0.1"))


def test_names_and_zones_have_room_for_so_many() -> None:
    assert MAX_ADDRESSES == EDGE_MAX_ADDRESSES
    book = RecordBook(_record(str(number), "a", f"10.0.0.{number}") for number in range(MAX_ADDRESSES))
    assert _refusal(book, _record("x", "a", "10.1.0.1")) == 81045
    book = RecordBook(_record(str(number), f"n{number}", "10.0.0.1") for number in range(MAX_RECORDS))
    assert _refusal(book, _record("x", "a", "10.0.0.1")) == 81045
    book.put(_record("0", "b", "10.0.0.1"))


_RECORDS = st.one_of(
    st.builds(
        _record,
        st.sampled_from("1234567"),
        st.sampled_from(["a", "b", "c", "*"]),
        st.sampled_from(["10.0.0.1", "10.0.0.2", "0.0.0.0"]),
        proxied=st.booleans(),
    ),
    st.builds(
        _alias, st.sampled_from("1234567"), st.sampled_from(["a", "b", "c", "*"]), st.sampled_from(["a", "b", "c", "d"])
    ),
)


@given(st.lists(st.one_of(_RECORDS, st.sampled_from("1234567"))))
def test_whatever_is_put_in_and_taken_out_a_book_compiles(changes: list[DnsRecord | str]) -> None:
    book = RecordBook()
    kept: dict[str, DnsRecord] = {}
    for change in changes:
        try:
            if isinstance(change, str):
                book.remove(change)
                del kept[change]
            else:
                book.put(change)
                kept[change.id] = change
        except RecordError:
            pass
    documents = [
        RecordDocument(name=one.name, type=one.type, content=one.content, proxied=one.proxied)  # type: ignore[arg-type]
        for one in kept.values()
    ]
    targets = targets_of(ZONE, documents)
    assert len(book) == len(kept)
    assert not [target for target in targets.values() if target.is_proxied and target.is_prohibited]
    for name in targets:
        passed, current = {name}, targets[name].alias or ""
        while current in targets:
            assert current not in passed
            passed.add(current)
            current = targets[current].alias or ""
