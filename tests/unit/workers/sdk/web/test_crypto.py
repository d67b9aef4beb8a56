"""`js.crypto`: random numbers, and digests as everybody computes them."""

import hashlib
import uuid
from typing import Any

import pytest

from holdfast.workers.sdk.buffers import Uint8Array
from holdfast.workers.sdk.errors import DOMException
from holdfast.workers.sdk.web import crypto as module
from holdfast.workers.sdk.web.crypto import crypto


@pytest.mark.parametrize(
    ("name", "method"), [("SHA-1", "sha1"), ("sha-256", "sha256"), ({"name": "SHA-512"}, "sha512")]
)
async def test_digests_are_those_of_hashlib(name: object, method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for limit in (1024, 0):
        monkeypatch.setattr(module, "_LONG_BYTES", limit)
        assert await crypto.subtle.digest(name, b"abc") == hashlib.new(method, b"abc").digest()


async def test_an_unknown_digest_is_refused() -> None:
    with pytest.raises(DOMException, match='digest algorithm "CRC"') as caught:
        await crypto.subtle.digest("CRC", b"")
    assert caught.value.name == "NotSupportedError"


def test_random_values_fill_the_same_array() -> None:
    array = Uint8Array.new(64)
    assert crypto.getRandomValues(array) is array
    assert any(array)
    with pytest.raises(DOMException, match="65537 bytes"):
        crypto.getRandomValues(Uint8Array.new(65_537))
    wrong: Any = b"immutable"
    with pytest.raises(TypeError, match="expected a Uint8Array, got bytes"):
        crypto.getRandomValues(wrong)


def test_uuids_are_random_ones() -> None:
    assert uuid.UUID(crypto.randomUUID()).version == 4


def test_buffers_are_compared_in_even_time() -> None:
    assert crypto.subtle.timingSafeEqual(b"ab", bytearray(b"ab"))
    assert not crypto.subtle.timingSafeEqual(b"ab", b"ac")
    with pytest.raises(TypeError, match="same byte length"):
        crypto.subtle.timingSafeEqual(b"a", b"ab")
