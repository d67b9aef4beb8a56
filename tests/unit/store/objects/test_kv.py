"""Keys in order, ranges of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.store.objects.errors import StorageError
from holdfast.store.objects.file import ObjectFile
from holdfast.store.objects.kv import KeyValues, Range, after_prefix

LETTERS = st.text(st.sampled_from(["a", "b", "\0", "é", "\ud7ff", "\ue000", "\U0010ffff", "😀"]), max_size=3)
MAYBE = st.none() | LETTERS


@pytest.fixture
def keys(tmp_path: Path) -> Iterator[KeyValues]:
    file = ObjectFile.open(tmp_path / "x.sqlite")
    yield KeyValues(file)
    file.close()


def test_a_value_is_there_until_it_is_deleted(keys: KeyValues) -> None:
    keys.put("", b"")
    keys.put("a", b"1")
    keys.put("a", b"2")
    assert (keys.get(""), keys.get("a"), keys.get("b")) == (b"", b"2", None)
    assert (keys.delete("a"), keys.delete("a"), keys.get("a")) == (True, False, None)


def test_a_file_that_is_not_there_has_no_keys_and_stays_away(keys: KeyValues) -> None:
    assert (keys.get("a"), keys.delete("a"), list(keys.list(Range()))) == (None, False, [])


def test_a_listing_is_as_of_its_call(keys: KeyValues) -> None:
    keys.put("a", b"1")
    listing = keys.list(Range())
    keys.put("b", b"2")
    assert list(listing) == [("a", b"1")]


@given(
    names=st.sets(LETTERS, max_size=8),
    start=MAYBE,
    start_after=MAYBE,
    end=MAYBE,
    prefix=LETTERS,
    is_reverse=st.booleans(),
    limit=st.none() | st.integers(1, 4),
)
def test_a_range_is_what_a_filter_over_sorted_bytes_gives(
    tmp_path_factory: pytest.TempPathFactory,
    names: set[str],
    start: str | None,
    start_after: str | None,
    end: str | None,
    prefix: str,
    is_reverse: bool,
    limit: int | None,
) -> None:
    file = ObjectFile.open(tmp_path_factory.mktemp("kv") / "x.sqlite")
    keys = KeyValues(file)
    for name in names:
        keys.put(name, name.encode())
    wanted = [
        name
        for name in sorted(names, key=str.encode, reverse=is_reverse)
        if name.startswith(prefix)
        and (start is None or name.encode() >= start.encode())
        and (start_after is None or name.encode() > start_after.encode())
        and (end is None or name.encode() < end.encode())
    ][:limit]
    asked = Range(start, start_after, end, prefix, is_reverse, limit)
    assert [name for name, _ in keys.list(asked)] == wanted
    file.close()


@given(LETTERS, LETTERS)
def test_the_key_after_a_prefix_is_after_all_that_begin_with_it(prefix: str, rest: str) -> None:
    after = after_prefix(prefix)
    if after is None:
        assert not prefix.strip("\U0010ffff")
    else:
        assert (prefix + rest).encode() < after.encode()
        assert not after.startswith(prefix)


def test_a_key_that_is_no_unicode_is_refused(keys: KeyValues) -> None:
    for act in (keys.get, keys.delete, lambda key: keys.put(key, b"")):
        keys.put("a", b"")
        with pytest.raises(StorageError, match="a key must be valid Unicode, got a lone surrogate at letter 1"):
            act("é\ud800")
