"""Keys and values, checked and encoded: what is written altogether or not at all."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.store.objects.errors import StorageError
from holdfast.store.objects.file import ObjectFile
from holdfast.store.objects.kv import KeyValues, Range
from holdfast.workers.durable.storage_keys import Keys, range_of, whole
from holdfast.workers.sdk.errors import JsException, JsTypeError
from tests.unit.workers.durable.storage_host import Host

PUT = KeyValues.put


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    file = ObjectFile.open(tmp_path / "x.sqlite")
    yield Host(file)
    file.close()


def test_several_keys_are_put_all_or_none(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def put(self: KeyValues, key: str, value: bytes) -> None:
        if key == "b":
            raise StorageError("the disk is full")
        PUT(self, key, value)

    keys = Keys(host.file, host)
    monkeypatch.setattr(KeyValues, "put", put)
    with pytest.raises(JsException, match="the disk is full"):
        keys.put_many({"a": 1, "b": 2})
    assert (keys.get("a"), host.told) == (None, [])


@pytest.mark.parametrize(("key", "text"), [("\ud800x", "\ufffdx"), ("\ud83c\udf88", "🎈"), (7, "7")])
def test_every_text_and_number_is_a_key(host: Host, key: str | int, text: str) -> None:
    keys = Keys(host.file, host)
    keys.put(key, 1)
    keys.put_many({key: 2})
    assert (keys.get(key), dict(keys.get_many([key])), dict(keys.list({}))) == (2, {text: 2}, {text: 2})
    assert keys.delete(key)


def test_what_is_whole_is_forgotten_as_a_whole(host: Host) -> None:
    keys = Keys(host.file, host)

    def fail() -> None:
        with whole(host.file):
            keys.put("a", 1)
            raise LookupError("why")

    with pytest.raises(LookupError, match="why"):
        fail()
    assert (keys.get("a"), host.file.depth) == (None, 0)


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({}, Range()),
        ({"limit": 2.9, "reverse": 1}, Range(limit=2, is_reverse=True)),
        ({"prefix": 7, "unknown": 1}, Range(prefix="7")),
        ({"startAfter": "a"}, Range(start_after="a")),
    ],
)
def test_options_are_a_range(options: dict[str, object], found: Range) -> None:
    assert range_of(options) == found


@pytest.mark.parametrize("limit", [0, -1, float("inf"), float("nan"), "1"])
def test_a_limit_that_is_no_number_of_keys_is_refused(limit: object) -> None:
    with pytest.raises(JsTypeError, match=r"^List limit must be positive\.$"):
        range_of({"limit": limit})
