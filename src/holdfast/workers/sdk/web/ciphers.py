"""Algorithms of Web Cryptography that need a library: AES, RSA, ECDSA and Ed25519, by `cryptography`.

Law: this module is imported when the first such key is made, and not before: the library is large.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes, padding, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, utils
from cryptography.hazmat.primitives.asymmetric import padding as rsa_padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from holdfast.workers.sdk.buffers import bytes_of
from holdfast.workers.sdk.errors import DOMException, JsTypeError
from holdfast.workers.sdk.values import JsDict
from holdfast.workers.sdk.web.crypto_keys import (
    CryptoKey,
    Unsupported,
    bad_data,
    from_base64url,
    needs_hash,
    to_base64url,
    unsupported,
)
from holdfast.workers.sdk.web.shared_secrets import raw_secret, secret_saved

_HASHES: Mapping[str, Callable[[], hashes.HashAlgorithm]] = {
    "sha1": hashes.SHA1,
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}
_CURVES: Mapping[str, type[ec.EllipticCurve]] = {"P-256": ec.SECP256R1, "P-384": ec.SECP384R1, "P-521": ec.SECP521R1}
_TAG_BYTES = 16


class Aes(Unsupported):
    """AES-GCM and AES-CBC."""

    def load(self, form: str, data: Any, algorithm: JsDict) -> tuple[str, Any, JsDict]:  # noqa: ANN401 - bytes or a JWK
        """A secret of 128, 192 or 256 bits."""
        secret = raw_secret(form, data)
        if len(secret) not in {16, 24, 32}:
            raise bad_data(f"Imported AES key length must be 128, 192, or 256 bits but provided {len(secret) * 8}.")
        return "secret", secret, JsDict(name=algorithm["name"], length=len(secret) * 8)

    def save(self, key: CryptoKey, form: str) -> Any:  # noqa: ANN401 - bytes or a JWK
        """The secret."""
        return secret_saved(key, form)

    def generate(self, algorithm: JsDict) -> tuple[Mapping[str, Any], JsDict]:
        """A secret of `length` bits."""
        if (length := algorithm.get("length")) not in {128, 192, 256}:
            raise DOMException(
                f"{algorithm['name']}: expected a length of 128, 192 or 256, got {length}", "OperationError"
            )
        return {"secret": secrets.token_bytes(length // 8)}, algorithm

    def encrypt(self, key: CryptoKey, algorithm: JsDict, data: bytes) -> bytes:
        """By `iv`; GCM also by `additionalData`, with a tag of 128 bits behind it."""
        iv = _iv(algorithm)
        if key.name == "AES-GCM":
            return AESGCM(key.material).encrypt(iv, data, _more(algorithm))
        padder = padding.PKCS7(128).padder()
        encryptor = Cipher(algorithms.AES(key.material), modes.CBC(_whole(iv))).encryptor()
        return encryptor.update(padder.update(data) + padder.finalize()) + encryptor.finalize()

    def decrypt(self, key: CryptoKey, algorithm: JsDict, data: bytes) -> bytes:
        """The opposite. OperationError where tag or padding do not fit."""
        iv = _iv(algorithm)
        try:
            if key.name == "AES-GCM":
                return AESGCM(key.material).decrypt(iv, data, _more(algorithm))
            decryptor = Cipher(algorithms.AES(key.material), modes.CBC(_whole(iv))).decryptor()
            unpadder = padding.PKCS7(128).unpadder()
            return unpadder.update(decryptor.update(data) + decryptor.finalize()) + unpadder.finalize()
        except (InvalidTag, ValueError):
            raise DOMException(
                "Decryption failed. This could be due to a ciphertext authentication failure.", "OperationError"
            ) from None


class Rsa(Unsupported):
    """RSASSA-PKCS1-v1_5, RSA-PSS and RSA-OAEP (RFC 8017)."""

    def load(self, form: str, data: Any, algorithm: JsDict) -> tuple[str, Any, JsDict]:  # noqa: ANN401 - bytes or a JWK
        """A key as "spki", "pkcs8" or "jwk"."""
        needs_hash(algorithm)
        kind, key = _of_jwk_rsa(data) if form == "jwk" else _of_der(form, data)
        if not isinstance(key, (rsa.RSAPublicKey, rsa.RSAPrivateKey)):
            raise bad_data("The key is none of RSA.")
        return kind, key, JsDict(algorithm, modulusLength=key.key_size)

    def save(self, key: CryptoKey, form: str) -> Any:  # noqa: ANN401 - bytes or a JWK
        """As "spki", "pkcs8"; the public one as "jwk"."""
        if form == "jwk" and key.type == "public":
            numbers = key.material.public_numbers()
            return JsDict(kty="RSA", n=_number(numbers.n), e=_number(numbers.e), ext=True, key_ops=list(key.usages))
        return _der(key, form)

    def generate(self, algorithm: JsDict) -> tuple[Mapping[str, Any], JsDict]:
        """A pair of `modulusLength` bits."""
        length = int(needs_hash(algorithm).get("modulusLength") or 0)
        if not 1024 <= length <= 8192:
            raise DOMException(f"modulusLength: expected 1024 to 8192, got {length}", "OperationError")
        private = rsa.generate_private_key(65_537, length)
        return {"private": private, "public": private.public_key()}, algorithm

    def sign(self, key: CryptoKey, algorithm: JsDict, data: bytes) -> bytes:
        """A signature."""
        return bytes(key.material.sign(data, _rsa_padding(key, algorithm), _hash(key)))

    def verify(self, key: CryptoKey, algorithm: JsDict, signature: bytes, data: bytes) -> bool:
        """Whether it is one."""
        return _fits(key.material.verify, signature, data, _rsa_padding(key, algorithm), _hash(key))

    def encrypt(self, key: CryptoKey, algorithm: JsDict, data: bytes) -> bytes:
        """OAEP alone."""
        try:
            return bytes(key.material.encrypt(data, _oaep(key, algorithm)))
        except ValueError as error:
            raise DOMException(f"RSA-OAEP: {error}", "OperationError") from None

    def decrypt(self, key: CryptoKey, algorithm: JsDict, data: bytes) -> bytes:
        """OAEP alone."""
        try:
            return bytes(key.material.decrypt(data, _oaep(key, algorithm)))
        except ValueError:
            raise DOMException("Decryption failed.", "OperationError") from None


class Ecdsa(Unsupported):
    """ECDSA on P-256, P-384 and P-521; signatures are `r` and `s` joined, as JWTs have them."""

    def load(self, form: str, data: Any, algorithm: JsDict) -> tuple[str, Any, JsDict]:  # noqa: ANN401 - bytes or a JWK
        """A key as "raw" (a point), "spki", "pkcs8" or "jwk"."""
        curve = _curve(algorithm)
        if form == "jwk":
            kind, key = _of_jwk_ec(data, curve)
        elif form == "raw":
            kind, key = (
                "public",
                _read(lambda: ec.EllipticCurvePublicKey.from_encoded_point(curve, bytes_of(data, what="raw"))),
            )
        else:
            kind, key = _of_der(form, data)
        if not isinstance(key, (ec.EllipticCurvePublicKey, ec.EllipticCurvePrivateKey)) or key.curve.name != curve.name:
            raise bad_data(f"The key is none of {algorithm['namedCurve']}.")
        return kind, key, algorithm

    def save(self, key: CryptoKey, form: str) -> Any:  # noqa: ANN401 - bytes or a JWK
        """As "raw", "spki", "pkcs8"; the public one as "jwk"."""
        if form == "raw" and key.type == "public":
            return key.material.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
        if form == "jwk" and key.type == "public":
            numbers, size = key.material.public_numbers(), _size(key)
            x, y = (to_base64url(number.to_bytes(size, "big")) for number in (numbers.x, numbers.y))
            return JsDict(kty="EC", crv=key.algorithm["namedCurve"], x=x, y=y, ext=True, key_ops=list(key.usages))
        return _der(key, form)

    def generate(self, algorithm: JsDict) -> tuple[Mapping[str, Any], JsDict]:
        """A pair on `namedCurve`."""
        private = ec.generate_private_key(_curve(algorithm))
        return {"private": private, "public": private.public_key()}, algorithm

    def sign(self, key: CryptoKey, algorithm: JsDict, data: bytes) -> bytes:
        """A signature by `hash`."""
        r, s = utils.decode_dss_signature(key.material.sign(data, ec.ECDSA(_hash_of(algorithm))))
        return r.to_bytes(_size(key), "big") + s.to_bytes(_size(key), "big")

    def verify(self, key: CryptoKey, algorithm: JsDict, signature: bytes, data: bytes) -> bool:
        """Whether it is one."""
        size = _size(key)
        if len(signature) != 2 * size:
            return False
        r, s = int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
        return _fits(key.material.verify, utils.encode_dss_signature(r, s), data, ec.ECDSA(_hash_of(algorithm)))


class Ed25519(Unsupported):
    """Ed25519 (RFC 8032)."""

    def load(self, form: str, data: Any, algorithm: JsDict) -> tuple[str, Any, JsDict]:  # noqa: ANN401 - bytes or a JWK
        """A key as "raw" (public), "spki", "pkcs8" or "jwk"."""
        if form == "jwk":
            if not isinstance(data, Mapping) or data.get("kty") != "OKP" or data.get("crv") != "Ed25519":
                raise bad_data('expected a JWK with "kty" equal to "OKP" and "crv" to "Ed25519".')
            if "d" in data:
                secret = from_base64url(data, "d")
                return "private", _read(lambda: ed25519.Ed25519PrivateKey.from_private_bytes(secret)), algorithm
            form, data = "raw", from_base64url(data, "x")
        if form == "raw":
            point = bytes_of(data, what="raw")
            return "public", _read(lambda: ed25519.Ed25519PublicKey.from_public_bytes(point)), algorithm
        kind, key = _of_der(form, data)
        if not isinstance(key, (ed25519.Ed25519PublicKey, ed25519.Ed25519PrivateKey)):
            raise bad_data("The key is none of Ed25519.")
        return kind, key, algorithm

    def save(self, key: CryptoKey, form: str) -> Any:  # noqa: ANN401 - bytes or a JWK
        """As "raw", "spki", "pkcs8"; the public one as "jwk"."""
        if key.type == "public" and form in {"raw", "jwk"}:
            raw = key.material.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
            return raw if form == "raw" else JsDict(kty="OKP", crv="Ed25519", x=to_base64url(raw), ext=True)
        return _der(key, form)

    def generate(self, algorithm: JsDict) -> tuple[Mapping[str, Any], JsDict]:
        """A pair."""
        private = ed25519.Ed25519PrivateKey.generate()
        return {"private": private, "public": private.public_key()}, algorithm

    def sign(self, key: CryptoKey, algorithm: JsDict, data: bytes) -> bytes:
        """A signature."""
        return bytes(key.material.sign(data))

    def verify(self, key: CryptoKey, algorithm: JsDict, signature: bytes, data: bytes) -> bool:
        """Whether it is one."""
        return _fits(key.material.verify, signature, data)


# --- Keys as they are written ---


def _read(load: Any) -> Any:  # noqa: ANN401 - the library's
    try:
        return load()
    except (ValueError, TypeError) as error:
        raise bad_data(f"The key cannot be read: {error}") from None


def _of_der(form: str, data: object) -> tuple[str, Any]:
    raw = bytes_of(data, what=f"importKey({form})")
    if form == "spki":
        return "public", _read(lambda: serialization.load_der_public_key(raw))
    if form == "pkcs8":
        return "private", _read(lambda: serialization.load_der_private_key(raw, None))
    raise unsupported(f'importKey as "{form}"')


def _der(key: CryptoKey, form: str) -> bytes:
    if form == "spki" and key.type == "public":
        spki = serialization.PublicFormat.SubjectPublicKeyInfo
        return bytes(key.material.public_bytes(serialization.Encoding.DER, spki))
    if form == "pkcs8" and key.type == "private":
        plain = serialization.NoEncryption()
        return bytes(key.material.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, plain))
    raise unsupported(f'exportKey of a {key.type} key of {key.name} as "{form}"')


def _int(jwk: Mapping[str, Any], name: str) -> int:
    return int.from_bytes(from_base64url(jwk, name), "big")


def _number(value: int) -> str:
    return to_base64url(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def _of_jwk_rsa(jwk: Any) -> tuple[str, Any]:  # noqa: ANN401 - what user code gave
    if not isinstance(jwk, Mapping) or jwk.get("kty") != "RSA":
        raise bad_data('RSA "jwk" key import requires a JWK with "kty" equal to "RSA".')
    public = rsa.RSAPublicNumbers(_int(jwk, "e"), _int(jwk, "n"))
    if "d" not in jwk:
        return "public", _read(public.public_key)
    p, q, d, dp, dq, qi = (_int(jwk, name) for name in ("p", "q", "d", "dp", "dq", "qi"))
    return "private", _read(rsa.RSAPrivateNumbers(p, q, d, dp, dq, qi, public).private_key)


def _of_jwk_ec(jwk: Any, curve: ec.EllipticCurve) -> tuple[str, Any]:  # noqa: ANN401 - what user code gave
    if not isinstance(jwk, Mapping) or jwk.get("kty") != "EC":
        raise bad_data('ECDSA "jwk" key import requires a JWK with "kty" equal to "EC".')
    if _CURVES.get(str(jwk.get("crv"))) is not type(curve):
        raise bad_data(f'"crv" of the JWK is {jwk.get("crv")!r}, not that of the algorithm.')
    public = ec.EllipticCurvePublicNumbers(_int(jwk, "x"), _int(jwk, "y"), curve)
    if "d" not in jwk:
        return "public", _read(public.public_key)
    return "private", _read(ec.EllipticCurvePrivateNumbers(_int(jwk, "d"), public).private_key)


# --- Parameters ---


def _curve(algorithm: JsDict) -> ec.EllipticCurve:
    found = _CURVES.get(str(algorithm.get("namedCurve")))
    if found is None:
        raise unsupported(f'namedCurve "{algorithm.get("namedCurve")}" (expected P-256, P-384 or P-521)')
    return found()


def _size(key: CryptoKey) -> int:
    return (int(key.material.curve.key_size) + 7) // 8


def _hash(key: CryptoKey) -> hashes.HashAlgorithm:
    return _HASHES[key.hash]()


def _hash_of(algorithm: JsDict) -> hashes.HashAlgorithm:
    return _HASHES[needs_hash(algorithm)["hash"]["name"].replace("-", "").lower()]()


def _rsa_padding(key: CryptoKey, algorithm: JsDict) -> rsa_padding.AsymmetricPadding:
    if key.name == "RSA-PSS":
        if (salt := algorithm.get("saltLength")) is None:
            raise JsTypeError("RSA-PSS: expected a `saltLength`")
        return rsa_padding.PSS(rsa_padding.MGF1(_hash(key)), int(salt))
    if key.name == "RSA-OAEP":
        raise unsupported("sign by RSA-OAEP")
    return rsa_padding.PKCS1v15()


def _oaep(key: CryptoKey, algorithm: JsDict) -> rsa_padding.AsymmetricPadding:
    if key.name != "RSA-OAEP":
        raise unsupported(f"encrypt by {key.name}")
    label = algorithm.get("label")
    return rsa_padding.OAEP(
        rsa_padding.MGF1(_hash(key)), _hash(key), bytes_of(label, what="label") if label is not None else None
    )


def _iv(algorithm: JsDict) -> bytes:
    return bytes_of(algorithm.get("iv"), what=f"{algorithm['name']}: iv")


def _whole(iv: bytes) -> bytes:
    if len(iv) != 16:
        raise DOMException(f"AES-CBC IV must be 16 bytes long (provided {len(iv)} bytes).", "OperationError")
    return iv


def _more(algorithm: JsDict) -> bytes | None:
    if int(algorithm.get("tagLength") or _TAG_BYTES * 8) != _TAG_BYTES * 8:
        raise unsupported("AES-GCM with a tagLength other than 128")
    more = algorithm.get("additionalData")
    return None if more is None else bytes_of(more, what="additionalData")


def _fits(verify: Any, *args: object) -> bool:  # noqa: ANN401 - the library's
    try:
        verify(*args)
    except InvalidSignature:
        return False
    return True
