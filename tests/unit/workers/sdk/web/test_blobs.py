"""Blob and File: bytes with a type, by both names."""

import pytest

from holdfast.workers.sdk.buffers import ArrayBuffer
from holdfast.workers.sdk.errors import JsTypeError
from holdfast.workers.sdk.web.blobs import Blob, BlobEnding, BlobValue, File


@pytest.mark.parametrize(
    ("parts", "data"),
    [
        ("text", b"text"),
        (b"bytes", b"bytes"),
        (["a", b"b", bytearray(b"c"), memoryview(b"d"), Blob("e")], b"abcde"),
        ([], b""),
        (Blob("inner"), b"inner"),
        ("\ud800", b"\xed\xa0\x80"),
    ],
)
def test_a_blob_is_made_of_one_part_or_many(parts: list[BlobValue] | BlobValue, data: bytes) -> None:
    assert Blob(parts).data == data


async def test_it_is_read_by_every_name() -> None:
    blob = Blob.new(["h\u00fc"], {"type": "Text/Plain"})
    assert (await blob.text(), await blob.bytes(), await blob.arrayBuffer()) == ("h\u00fc", b"h\xc3\xbc", b"h\xc3\xbc")
    assert isinstance(await blob.arrayBuffer(), ArrayBuffer)
    assert (blob.size, len(blob), blob.type, blob.content_type) == (3, 3, "text/plain", "text/plain")
    assert [chunk async for chunk in blob.stream()] == [b"h\xc3\xbc"]
    assert (blob.slice(1, 2).data, blob.slice(-1).data, bool(Blob("")), blob.js_object is blob) == (
        b"\xc3",
        b"\xbc",
        True,
        True,
    )
    assert repr(blob) == "Blob(3 bytes, type='text/plain')"


def test_a_file_has_a_name_and_a_time() -> None:
    file = File.new([b"x"], "a.txt", type="image/png", lastModified=5)
    assert (file.name, file.type, file.last_modified, file.lastModified) == ("a.txt", "image/png", 5, 5)
    again = File(file, "b.txt")
    assert (again.name, again.type, again.last_modified, again.data) == ("b.txt", "image/png", 5, b"x")
    assert File("x", "y").last_modified > 1_700_000_000_000


def test_line_endings_of_text_can_be_made_native() -> None:
    assert Blob("a\r\nb\rc", endings=BlobEnding.NATIVE).data == b"a\nb\nc"
    assert Blob("a\r\nb", endings="transparent").data == b"a\r\nb"


def test_a_type_that_is_not_printable_ascii_is_none() -> None:
    assert (Blob("", "t\u00e4xt").type, Blob("", "a\nb").type) == ("", "")


def test_a_part_of_another_kind_is_refused() -> None:
    with pytest.raises(JsTypeError, match="Don't know how to handle <class 'int'> for Blob"):
        Blob([5])  # type: ignore[list-item]
