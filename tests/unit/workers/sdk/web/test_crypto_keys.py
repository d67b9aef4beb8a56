"""Keys, and how algorithms are named."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.workers.sdk.errors import DOMException, JsTypeError
from holdfast.workers.sdk.values import JsDict, JsList
from holdfast.workers.sdk.web.crypto_keys import (
    CryptoKey,
    Unsupported,
    algorithm_of,
    checked,
    from_base64url,
    to_base64url,
)

KNOWN = {"HMAC": "HMAC"}
KEY = CryptoKey(
    "secret",
    JsDict(name="HMAC", hash=JsDict(name="SHA-256")),
    extractable=False,
    usages=JsList(["sign"]),
    material=b"secret",
)


@pytest.mark.parametrize("given", ["hmac", {"name": "Hmac"}])
def test_an_algorithm_is_named_by_text_or_mapping_in_any_case(given: object) -> None:
    assert algorithm_of(given, KNOWN) == {"name": "HMAC"}
    assert algorithm_of({"name": "hmac", "hash": "sha-256"}, KNOWN)["hash"] == {"name": "SHA-256"}


@pytest.mark.parametrize("given", ["DES", None, {"name": "HMAC", "hash": "CRC"}, {}])
def test_another_algorithm_is_refused(given: object) -> None:
    with pytest.raises(DOMException, match="Unrecognized or unimplemented") as caught:
        algorithm_of(given, KNOWN)
    assert caught.value.name == "NotSupportedError"


def test_a_key_does_what_it_was_made_for_and_shows_nothing() -> None:
    assert checked(KEY, "sign", JsDict(name="HMAC")) is KEY
    assert (KEY.name, KEY.hash) == ("HMAC", "sha256")
    assert "secret" not in repr(KEY).replace("type='secret'", "")
    with pytest.raises(DOMException, match='usage "verify"'):
        checked(KEY, "verify", JsDict(name="HMAC"))
    with pytest.raises(DOMException, match="does not match this CryptoKey"):
        checked(KEY, "sign", JsDict(name="AES-GCM"))
    with pytest.raises(JsTypeError, match="expected a CryptoKey, got bytes"):
        checked(b"key", "sign", JsDict(name="HMAC"))


@given(st.binary(max_size=40))
def test_base64url_is_read_as_it_is_written(data: bytes) -> None:
    assert from_base64url({"k": to_base64url(data)}, "k") == data


@pytest.mark.parametrize("jwk", [{}, {"k": 5}, {"k": "a b"}, {"k": "a"}])
def test_what_is_no_base64url_is_refused(jwk: dict[str, Any]) -> None:
    with pytest.raises(DOMException, match="JWK"):
        from_base64url(jwk, "k")


def test_what_a_family_cannot_do_is_named() -> None:
    algorithm = JsDict(name="HMAC")
    nothing = Unsupported()
    for attempt in (
        lambda: nothing.load("raw", b"", algorithm),
        lambda: nothing.save(KEY, "raw"),
        lambda: nothing.generate(algorithm),
        lambda: nothing.sign(KEY, algorithm, b""),
        lambda: nothing.verify(KEY, algorithm, b"", b""),
        lambda: nothing.encrypt(KEY, algorithm, b""),
        lambda: nothing.decrypt(KEY, algorithm, b""),
        lambda: nothing.bits(KEY, algorithm, 1),
    ):
        with pytest.raises(DOMException, match="HMAC is not there") as caught:
            attempt()
        assert caught.value.name == "NotSupportedError"
