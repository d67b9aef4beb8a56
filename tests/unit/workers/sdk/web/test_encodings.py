"""Content codings: decoding undoes encoding, piece by piece, and what is not in a coding is refused."""

import gzip
import zlib
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.workers.sdk.errors import NetworkError
from holdfast.workers.sdk.web.encodings import decoded, encoded, is_known

CODINGS = ("gzip", "x-gzip", "deflate")


async def chopped(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def joined(body: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in body])


@given(st.lists(st.binary(max_size=50), max_size=6), st.sampled_from(CODINGS))
async def test_decoding_undoes_encoding(pieces: list[bytes], coding: str) -> None:
    assert await joined(decoded(encoded(chopped(*pieces), coding), coding)) == b"".join(pieces)


@given(st.binary(max_size=200), st.integers(1, 30))
async def test_any_chopping_gives_the_same(data: bytes, size: int) -> None:
    coded = gzip.compress(data) + gzip.compress(b"member two")
    pieces = [coded[at : at + size] for at in range(0, len(coded), size)]
    assert await joined(decoded(chopped(*pieces), "gzip")) == data + b"member two"


async def test_a_chunk_can_be_read_as_soon_as_it_was_written() -> None:
    body = decoded(encoded(chopped(b"first", b"second"), "gzip"), "gzip")
    assert await anext(body) == b"first"


async def test_a_small_body_comes_out_in_pieces_however_large_it_is_decoded() -> None:
    pieces = [piece async for piece in decoded(chopped(zlib.compress(b"\0" * 3_000_000)), "deflate")]
    assert max(map(len, pieces)) <= 256 * 1024
    assert sum(map(len, pieces)) == 3_000_000


@pytest.mark.parametrize(
    ("body", "coding", "complaint"),
    [
        (b"no gzip", "gzip", "not valid gzip"),
        (gzip.compress(b"x" * 99, mtime=0)[:-9], "gzip", "ended within"),
        (b"x", "br", "'br' cannot be read"),
    ],
)
async def test_what_is_not_in_the_coding_is_refused(body: bytes, coding: str, complaint: str) -> None:
    with pytest.raises(NetworkError, match=complaint):
        await joined(decoded(chopped(body), coding))


def test_what_is_known_is_said() -> None:
    assert [coding for coding in (*CODINGS, "br", "zstd", "") if is_known(coding)] == list(CODINGS)
