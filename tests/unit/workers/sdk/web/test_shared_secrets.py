"""HMAC, PBKDF2 and HKDF beside the vectors of their RFCs and beside `hashlib`, through `js.crypto.subtle`."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from holdfast.workers.sdk.errors import DOMException
from holdfast.workers.sdk.web.crypto import crypto

subtle = crypto.subtle
HMAC = {"name": "HMAC", "hash": "SHA-256"}


async def test_hmac_is_that_of_rfc_4231() -> None:
    key = await subtle.importKey("raw", b"Jefe", HMAC, extractable=False, usages=["sign", "verify"])
    data = b"what do ya want for nothing?"
    signature = await subtle.sign("HMAC", key, data)
    assert signature.hex() == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert await subtle.verify("HMAC", key, signature, data)
    assert not await subtle.verify("HMAC", key, signature, data + b"!")
    assert not await subtle.verify("HMAC", key, b"short", data)


async def test_a_secret_is_exported_and_read_as_jwk_where_it_may_be() -> None:
    key = await subtle.generateKey(HMAC, extractable=True, usages=["sign"])
    assert len(await subtle.exportKey("raw", key)) == 64
    jwk = await subtle.exportKey("jwk", key)
    again = await subtle.importKey("jwk", jwk, HMAC, extractable=False, usages=["sign"])
    assert await subtle.sign("HMAC", again, b"x") == await subtle.sign("HMAC", key, b"x")
    with pytest.raises(DOMException, match="non-extractable"):
        await subtle.exportKey("raw", again)


async def test_hkdf_is_that_of_rfc_5869() -> None:
    key = await subtle.importKey("raw", b"\x0b" * 22, "HKDF", extractable=False, usages=["deriveBits"])
    told = {"name": "HKDF", "hash": "SHA-256", "salt": bytes(range(13)), "info": bytes(range(0xF0, 0xFA))}
    bits = await subtle.deriveBits(told, key, 42 * 8)
    assert bits.hex() == "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"


async def test_pbkdf2_is_that_of_hashlib_and_gives_keys() -> None:
    key = await subtle.importKey("raw", b"password", "PBKDF2", extractable=False, usages=["deriveBits", "deriveKey"])
    told = {"name": "PBKDF2", "hash": "SHA-512", "salt": b"salt", "iterations": 1000}
    expected = hashlib.pbkdf2_hmac("sha512", b"password", b"salt", 1000, 32)
    assert await subtle.deriveBits(told, key, 256) == expected
    derived = await subtle.deriveKey(
        told, key, {"name": "AES-GCM", "length": 256}, extractable=True, usages=["encrypt"]
    )
    assert await subtle.exportKey("raw", derived) == expected


@pytest.mark.parametrize(
    ("form", "data", "algorithm", "error"),
    [
        ("raw", b"", HMAC, "must be a non-zero value"),
        ("jwk", {"kty": "RSA"}, HMAC, '"kty" equal to "oct"'),
        ("spki", b"x", HMAC, 'importKey of a secret as "spki" is not there'),
        ("jwk", {}, "HKDF", 'importKey of HKDF as "jwk" is not there'),
    ],
)
async def test_a_secret_that_cannot_be_read_is_refused(form: str, data: Any, algorithm: Any, error: str) -> None:
    with pytest.raises(DOMException, match=error):
        await subtle.importKey(form, data, algorithm, extractable=False, usages=[])


async def test_what_is_derived_has_bounds() -> None:
    key = await subtle.importKey("raw", b"p", "PBKDF2", extractable=False, usages=["deriveBits"])
    for iterations in (0, 100_001):
        with pytest.raises(DOMException, match="from 1 to 100000"):
            await subtle.deriveBits({"name": "PBKDF2", "hash": "SHA-1", "iterations": iterations}, key, 8)
    with pytest.raises(DOMException, match="multiple of 8"):
        await subtle.deriveBits({"name": "PBKDF2", "hash": "SHA-1", "iterations": 1}, key, 7)
    hkdf = await subtle.importKey("raw", b"p", "HKDF", extractable=False, usages=["deriveBits"])
    with pytest.raises(DOMException, match="at most 8160 bytes"):
        await subtle.deriveBits({"name": "HKDF", "hash": "SHA-256"}, hkdf, 8161 * 8)
