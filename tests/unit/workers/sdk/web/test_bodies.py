"""Bodies: read once, cloned independently, decoded only where they are read."""

import gzip
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from holdfast.workers.sdk.buffers import Uint8Array
from holdfast.workers.sdk.errors import BodyUsedError, JsException, JsTypeError
from holdfast.workers.sdk.web import bodies
from holdfast.workers.sdk.web.blobs import Blob
from holdfast.workers.sdk.web.bodies import Payload, form_of, payload_of
from holdfast.workers.sdk.web.forms import FormData
from holdfast.workers.sdk.web.search_params import URLSearchParams
from holdfast.workers.sdk.web.streams import ReadableStream


async def chunks_of(*chunks: Any) -> AsyncIterator[Any]:
    for chunk in chunks:
        yield chunk


def coded() -> Payload:
    raw = gzip.compress(b"body")
    return Payload.coded(ReadableStream(chunks_of(raw[:5], raw[5:])), "gzip", length=len(raw))


KINDS: list[Callable[[], Payload]] = [
    lambda: Payload(b"body"),
    lambda: Payload(ReadableStream(chunks_of(b"bo", b"dy"))),
    lambda: Payload(ReadableStream(chunks_of("bo", bytearray(b"d"), memoryview(b"y")))),
    coded,
]


@pytest.mark.parametrize("make", KINDS)
async def test_it_is_read_once(make: Callable[[], Payload]) -> None:
    payload = make()
    was_used = payload.is_used
    assert await payload.read() == b"body"
    assert (was_used, payload.is_used) == (False, True)
    for again in (payload.take, payload.split, payload.move):
        with pytest.raises(BodyUsedError):
            again()


@pytest.mark.parametrize("make", KINDS)
async def test_a_clone_is_read_by_itself_and_cloned_again(make: Callable[[], Payload]) -> None:
    first = make()
    second = first.split()
    third = second.split()
    assert [await one.read() for one in (second, first, third)] == [b"body"] * 3


@pytest.mark.parametrize("make", KINDS)
async def test_a_moved_body_is_its_new_owners(make: Callable[[], Payload]) -> None:
    first = make()
    second = first.move()
    assert first.is_used
    assert await second.read() == b"body"


@pytest.mark.parametrize("make", KINDS)
async def test_it_can_be_read_as_a_stream_and_then_not_again(make: Callable[[], Payload]) -> None:
    payload = make()
    assert payload.readable is payload.readable is not None
    reader = payload.readable.getReader()
    assert not (await reader.read()).done
    assert payload.is_used
    with pytest.raises(BodyUsedError):
        await payload.read()


async def test_reading_it_leaves_its_stream_disturbed() -> None:
    payload = Payload(b"x")
    stream = payload.readable
    assert stream is not None
    await payload.read()
    assert stream.is_disturbed


async def test_no_body_is_no_empty_body() -> None:
    none = Payload(None)
    assert (none.is_null, none.readable, none.take(), none.is_used, await none.read()) == (True, None, None, False, b"")
    assert none.split().is_null
    assert none.move().is_null
    assert not none.is_used
    assert not Payload(b"").is_null


async def test_a_coded_body_is_passed_on_as_it_came_unless_it_was_looked_at() -> None:
    raw = coded().take_coded("gzip")
    assert raw is not None
    assert gzip.decompress(b"".join([chunk async for chunk in raw])) == b"body"
    assert coded().take_coded("br") is None
    looked_at = coded()
    assert looked_at.readable is not None
    assert looked_at.take_coded("gzip") is None
    assert Payload(b"x").take_coded("gzip") is None


async def test_a_clone_of_a_coded_body_is_still_coded() -> None:
    copy = coded().split()
    raw = copy.take_coded("gzip")
    assert raw is not None
    assert gzip.decompress(b"".join([chunk async for chunk in raw])) == b"body"


async def test_a_body_larger_than_a_script_may_hold_is_not_read_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "MAX_BUFFERED_BYTES", 3)
    with pytest.raises(JsException, match="Memory limit exceeded before EOF"):
        await Payload(ReadableStream(chunks_of(b"ab", b"cd"))).read()


async def test_who_feeds_it_is_told_when_nobody_reads_on() -> None:
    told: list[object] = []
    source = Payload(ReadableStream(chunks_of(b"a", b"b"), told.append)).take()
    assert isinstance(source, AsyncIterator)
    assert await anext(source) == b"a"
    await source.aclose()  # type: ignore[attr-defined]
    assert told == [None]


async def test_a_stream_of_something_else_than_bytes_is_no_body() -> None:
    with pytest.raises(JsTypeError, match="must give bytes, got int"):
        await Payload(ReadableStream(chunks_of(5))).read()


@pytest.mark.parametrize(
    ("body", "content", "content_type"),
    [
        (None, b"", None),
        ("hü", "hü".encode(), "text/plain;charset=UTF-8"),
        (b"x", b"x", None),
        (bytearray(b"x"), b"x", None),
        (memoryview(b"x"), b"x", None),
        (Uint8Array.of(1, 2), b"\1\2", None),
        (Blob("x", "text/css"), b"x", "text/css"),
        (Blob("x"), b"x", None),
        (URLSearchParams({"a": "b c"}), b"a=b+c", "application/x-www-form-urlencoded;charset=UTF-8"),
    ],
)
async def test_what_user_code_gives_as_a_body_implies_a_content_type(
    body: object, content: bytes, content_type: str | None
) -> None:
    payload, implied = payload_of(body, what="Response")
    assert (await payload.read(), implied) == (content, content_type)


async def test_forms_and_streams_are_bodies() -> None:
    payload, content_type = payload_of(FormData({"a": "1"}), what="Request")
    assert (await form_of(payload, content_type))["a"] == "1"
    for stream in (ReadableStream(chunks_of(b"x")), chunks_of(b"x")):
        assert await payload_of(stream, what="Request")[0].read() == b"x"


@pytest.mark.parametrize("body", [5, {"a": 1}, ["a"], object()])
def test_what_is_no_body_is_refused_by_name(body: object) -> None:
    with pytest.raises(JsTypeError, match=f"^Unsupported type in Response: {type(body).__name__}$"):
        payload_of(body, what="Response")


async def test_a_stream_that_was_read_is_no_body() -> None:
    stream = ReadableStream(chunks_of(b"x"))
    stream.getReader()
    with pytest.raises(JsTypeError, match="disturbed"):
        payload_of(stream, what="Response")
