"""AES, RSA, ECDSA and Ed25519 through `js.crypto.subtle`: RFC vectors, the library on the other side, round trips of every form of key."""

from __future__ import annotations

import base64
import subprocess
import sys
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from holdfast.workers.sdk.errors import DOMException, JsTypeError
from holdfast.workers.sdk.web.crypto import crypto

subtle = crypto.subtle
DATA = b"header.payload"
RS256 = {"name": "RSASSA-PKCS1-v1_5", "hash": "SHA-256"}
PSS = {"name": "RSA-PSS", "hash": "SHA-384", "saltLength": 32}
ES256 = {"name": "ECDSA", "namedCurve": "P-256", "hash": "SHA-256"}
ES512 = {"name": "ECDSA", "namedCurve": "P-521", "hash": "SHA-512"}
PAIRS: list[dict[str, Any]] = [
    {**RS256, "modulusLength": 1024},
    {**PSS, "modulusLength": 1024},
    ES256,
    ES512,
    {"name": "Ed25519"},
]
# RFC 8037, appendix A.
JWK = {
    "kty": "OKP", "crv": "Ed25519", "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
}  # fmt: skip
SIGNED = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
SIGNATURE = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"


async def test_a_signature_is_that_of_rfc_8037() -> None:
    private = await subtle.importKey("jwk", JWK, "Ed25519", extractable=False, usages=["sign"])
    signature = await subtle.sign("Ed25519", private, SIGNED)
    assert base64.urlsafe_b64encode(signature).rstrip(b"=").decode() == SIGNATURE
    half = {name: value for name, value in JWK.items() if name != "d"}
    public = await subtle.importKey("jwk", half, "Ed25519", extractable=True, usages=["verify"])
    assert await subtle.verify("Ed25519", public, signature, SIGNED)


@pytest.mark.parametrize("algorithm", PAIRS, ids=str)
async def test_a_pair_signs_verifies_and_is_written_and_read_again(algorithm: dict[str, Any]) -> None:
    pair = await subtle.generateKey(algorithm, extractable=True, usages=["sign", "verify"])
    assert (list(pair.publicKey.usages), list(pair.privateKey.usages)) == (["verify"], ["sign"])
    der = await subtle.exportKey("pkcs8", pair.privateKey)
    private = await subtle.importKey("pkcs8", der, algorithm, extractable=False, usages=["sign"])
    signature = await subtle.sign(algorithm, private, DATA)
    for form in ("spki", "jwk"):
        written = await subtle.exportKey(form, pair.publicKey)
        public = await subtle.importKey(form, written, algorithm, extractable=False, usages=["verify"])
        assert await subtle.verify(algorithm, public, signature, DATA)
        assert not await subtle.verify(algorithm, public, signature, DATA + b"!")
        assert not await subtle.verify(algorithm, public, signature[:-1], DATA)


async def test_tokens_that_the_library_signed_are_verified() -> None:
    curve = ec.generate_private_key(ec.SECP256R1())
    point = curve.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    public = await subtle.importKey("raw", point, ES256, extractable=False, usages=["verify"])
    # DER is what other tools write; a JWT has both numbers joined.
    der = curve.sign(DATA, ec.ECDSA(hashes.SHA256()))
    assert not await subtle.verify(ES256, public, der, DATA)
    secret = rsa.generate_private_key(65_537, 1024)
    spki = secret.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    known = await subtle.importKey("spki", spki, RS256, extractable=False, usages=["verify"])
    assert await subtle.verify("RSASSA-PKCS1-v1_5", known, secret.sign(DATA, padding.PKCS1v15(), hashes.SHA256()), DATA)


@pytest.mark.parametrize(
    "algorithm",
    [{"name": "AES-GCM", "iv": b"i" * 12}, {"name": "AES-GCM", "iv": b"i" * 12, "additionalData": b"a"}, {"name": "AES-CBC", "iv": b"i" * 16}],
)  # fmt: skip
async def test_what_is_encrypted_is_decrypted_and_nothing_else(algorithm: dict[str, Any]) -> None:
    key = await subtle.generateKey(
        {"name": algorithm["name"], "length": 256}, extractable=True, usages=["encrypt", "decrypt"]
    )
    secret = await subtle.encrypt(algorithm, key, DATA)
    assert await subtle.decrypt(algorithm, key, secret) == DATA
    with pytest.raises(DOMException, match="Decryption failed") as caught:
        await subtle.decrypt(algorithm, key, secret[:-1])
    assert caught.value.name == "OperationError"


async def test_gcm_is_that_of_its_specification() -> None:
    # McGrew and Viega, "The Galois/Counter Mode of Operation", test case 2.
    key = await subtle.importKey("raw", bytes(16), "AES-GCM", extractable=False, usages=["encrypt"])
    made = await subtle.encrypt({"name": "AES-GCM", "iv": bytes(12)}, key, bytes(16))
    assert made.hex() == "0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257bddf"


async def test_oaep_goes_to_who_has_the_private_key() -> None:
    algorithm = {"name": "RSA-OAEP", "hash": "SHA-256", "modulusLength": 1024}
    pair = await subtle.generateKey(algorithm, extractable=False, usages=["encrypt", "decrypt"])
    secret = await subtle.encrypt(algorithm, pair.publicKey, b"short")
    assert await subtle.decrypt(algorithm, pair.privateKey, secret) == b"short"
    with pytest.raises(DOMException, match="Decryption failed"):
        await subtle.decrypt(algorithm, pair.privateKey, b"x" * 128)
    with pytest.raises(DOMException, match="RSA-OAEP"):
        await subtle.encrypt(algorithm, pair.publicKey, b"long" * 100)


@pytest.mark.parametrize(
    ("form", "data", "algorithm", "error"),
    [
        ("raw", b"short", "AES-GCM", "128, 192, or 256 bits but provided 40"),
        ("spki", b"nothing", RS256, "cannot be read"),
        ("jwk", {"kty": "EC"}, RS256, '"kty" equal to "RSA"'),
        ("jwk", {"kty": "RSA", "n": "AQAB"}, RS256, 'no "e"'),
        ("jwk", {"kty": "EC", "crv": "P-384"}, ES256, "not that of the algorithm"),
        ("jwk", {"kty": "RSA"}, ES256, '"kty" equal to "EC"'),
        ("raw", b"x", {"name": "ECDSA", "namedCurve": "K-256"}, "expected P-256, P-384 or P-521"),
        ("raw", b"x", ES256, "cannot be read"),
        ("raw", b"x", RS256, 'importKey as "raw" is not there'),
        ("jwk", {"kty": "OKP"}, "Ed25519", "Ed25519"),
        ("raw", b"x", "Ed25519", "cannot be read"),
        ("raw", b"x", "AES-KW", "Unrecognized"),
    ],
)
async def test_a_key_that_cannot_be_read_is_refused(form: str, data: Any, algorithm: Any, error: str) -> None:
    with pytest.raises(DOMException, match=error):
        await subtle.importKey(form, data, algorithm, extractable=False, usages=[])


async def test_a_key_of_another_kind_is_refused() -> None:
    pair = await subtle.generateKey({"name": "Ed25519"}, extractable=True, usages=["sign", "verify"])
    spki = await subtle.exportKey("spki", pair.publicKey)
    for algorithm, error in ((RS256, "none of RSA"), (ES256, "none of P-256")):
        with pytest.raises(DOMException, match=error):
            await subtle.importKey("spki", spki, algorithm, extractable=False, usages=[])
    with pytest.raises(DOMException, match='private key of Ed25519 as "spki"'):
        await subtle.exportKey("spki", pair.privateKey)


@pytest.mark.parametrize(
    ("algorithm", "error"),
    [
        ({"name": "AES-GCM", "length": 100}, "128, 192 or 256"),
        ({**RS256, "modulusLength": 512}, "expected 1024 to 8192"),
    ],
)
async def test_lengths_that_are_no_keys_are_refused(algorithm: dict[str, Any], error: str) -> None:
    with pytest.raises(DOMException, match=error):
        await subtle.generateKey(algorithm, extractable=True, usages=[])


async def test_parameters_that_are_missing_are_named() -> None:
    key = await subtle.importKey("raw", bytes(16), "AES-GCM", extractable=False, usages=["encrypt"])
    cbc = await subtle.importKey("raw", bytes(16), "AES-CBC", extractable=False, usages=["encrypt"])
    pair = await subtle.generateKey(PAIRS[1], extractable=False, usages=["sign"])
    with pytest.raises(TypeError, match="AES-GCM: iv"):
        await subtle.encrypt({"name": "AES-GCM"}, key, b"")
    with pytest.raises(DOMException, match="tagLength"):
        await subtle.encrypt({"name": "AES-GCM", "iv": b"i", "tagLength": 32}, key, b"")
    with pytest.raises(DOMException, match="16 bytes long"):
        await subtle.encrypt({"name": "AES-CBC", "iv": b"i"}, cbc, b"")
    with pytest.raises(JsTypeError, match="saltLength"):
        await subtle.sign("RSA-PSS", pair.privateKey, b"")
    with pytest.raises(JsTypeError, match="expected a `hash`"):
        await subtle.importKey("spki", b"", "RSA-PSS", extractable=False, usages=[])


def test_the_library_is_not_imported_before_it_is_needed() -> None:
    code = (
        "import asyncio, sys\n"
        "from holdfast.workers.sdk.web.crypto import crypto\n"
        "key = asyncio.run(crypto.subtle.importKey('raw', b'k', {'name': 'HMAC', 'hash': 'SHA-256'}, extractable=False, usages=['sign']))\n"
        "print('cryptography' in sys.modules)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=False)
    assert ran.stdout == "False\n", ran.stderr
