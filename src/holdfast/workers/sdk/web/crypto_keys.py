"""Keys of Web Cryptography, and how algorithms are named: what all families of algorithms have in common.

Law 1: a key does only what it was made for (`usages`): anything else is an InvalidAccessError before any work is done.
Law 2: material leaves a key by `exportKey` alone, and only where it is `extractable`; `repr` shows none.

Source: Web Cryptography API (W3C).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from holdfast.workers.sdk.errors import DOMException, JsTypeError
from holdfast.workers.sdk.values import JsDict, JsList

HASHES = {"SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}


@dataclass(frozen=True, slots=True)
class CryptoKey:
    """`js.CryptoKey`. `material` is for the algorithm's family: bytes, or a key of the library."""

    type: str
    algorithm: JsDict
    extractable: bool
    usages: JsList[str]
    material: Any = field(repr=False)

    @property
    def name(self) -> str:
        """Of its algorithm."""
        return str(self.algorithm["name"])

    @property
    def hash(self) -> str:
        """Of its algorithm, as `hashlib` names it."""
        return HASHES[self.algorithm["hash"]["name"]]


class Family(Protocol):
    """A group of algorithms. What one of them cannot do raises NotSupportedError."""

    def load(self, form: str, data: Any, algorithm: JsDict) -> tuple[str, Any, JsDict]:  # noqa: ANN401 - bytes or a JWK
        """Type, material and algorithm of a key that is imported."""

    def save(self, key: CryptoKey, form: str) -> Any:  # noqa: ANN401 - bytes or a JWK
        """A key exported."""

    def generate(self, algorithm: JsDict) -> tuple[Mapping[str, Any], JsDict]:
        """Material by type (`secret`, or `public` and `private`), and the algorithm."""

    def sign(self, key: CryptoKey, algorithm: JsDict, data: bytes) -> bytes:
        """A signature."""

    def verify(self, key: CryptoKey, algorithm: JsDict, signature: bytes, data: bytes) -> bool:
        """Whether it is one."""

    def encrypt(self, key: CryptoKey, algorithm: JsDict, data: bytes) -> bytes:
        """Data encrypted."""

    def decrypt(self, key: CryptoKey, algorithm: JsDict, data: bytes) -> bytes:
        """Data decrypted. OperationError where it does not fit the key."""

    def bits(self, key: CryptoKey, algorithm: JsDict, length: int) -> bytes:
        """So many bytes derived."""


class Unsupported:
    """A family that can do nothing: base of those that can do something."""

    def load(self, form: str, data: Any, algorithm: JsDict) -> tuple[str, Any, JsDict]:  # noqa: ANN401 - the family's shape
        """None of this."""
        raise unsupported(f"importKey of {algorithm['name']}")

    def save(self, key: CryptoKey, form: str) -> Any:  # noqa: ANN401
        """None of this."""
        raise unsupported(f"exportKey of {key.name}")

    def generate(self, algorithm: JsDict) -> tuple[Mapping[str, Any], JsDict]:
        """None of this."""
        raise unsupported(f"generateKey of {algorithm['name']}")

    def sign(self, key: CryptoKey, algorithm: JsDict, data: bytes) -> bytes:
        """None of this."""
        raise unsupported(f"sign by {key.name}")

    def verify(self, key: CryptoKey, algorithm: JsDict, signature: bytes, data: bytes) -> bool:
        """None of this."""
        raise unsupported(f"verify by {key.name}")

    def encrypt(self, key: CryptoKey, algorithm: JsDict, data: bytes) -> bytes:
        """None of this."""
        raise unsupported(f"encrypt by {key.name}")

    def decrypt(self, key: CryptoKey, algorithm: JsDict, data: bytes) -> bytes:
        """None of this."""
        raise unsupported(f"decrypt by {key.name}")

    def bits(self, key: CryptoKey, algorithm: JsDict, length: int) -> bytes:
        """None of this."""
        raise unsupported(f"deriveBits by {key.name}")


def unsupported(what: str) -> DOMException:
    """The error of what is not there."""
    return DOMException(f"{what} is not there", "NotSupportedError")


def bad_data(why: str) -> DOMException:
    """The error of a key that cannot be read."""
    return DOMException(why, "DataError")


def checked(key: object, usage: str, algorithm: JsDict) -> CryptoKey:
    """A key that may be used so, for this algorithm. TypeError or InvalidAccessError."""
    if not isinstance(key, CryptoKey):
        raise JsTypeError(f"{usage}: expected a CryptoKey, got {type(key).__name__}")
    if key.name != algorithm["name"]:
        raise DOMException(
            f'Requested algorithm "{algorithm["name"]}" does not match this CryptoKey ("{key.name}").',
            "InvalidAccessError",
        )
    if usage not in key.usages:
        raise DOMException(
            f'Requested key usage "{usage}" does not match any usage listed in this CryptoKey.', "InvalidAccessError"
        )
    return key


def algorithm_of(given: object, known: Mapping[str, str]) -> JsDict:
    """An algorithm as a mapping: its `name`, and its `hash`, as the standard spells them. NotSupportedError for another."""
    told = JsDict(given) if isinstance(given, Mapping) else JsDict({"name": given})
    name = known.get(str(told.get("name")).upper())
    if name is None:
        raise DOMException(f'Unrecognized or unimplemented algorithm "{told.get("name")}".', "NotSupportedError")
    made = JsDict({**told, "name": name})
    if told.get("hash") is not None:
        inner = told["hash"]
        digest = str(inner.get("name") if isinstance(inner, Mapping) else inner).upper()
        if digest not in HASHES:
            raise DOMException(f'Unrecognized or unimplemented digest algorithm "{digest}".', "NotSupportedError")
        made["hash"] = JsDict({"name": digest})
    return made


def needs_hash(algorithm: JsDict) -> JsDict:
    """The algorithm. TypeError where it names no hash."""
    if "hash" not in algorithm:
        raise JsTypeError(f"{algorithm['name']}: expected a `hash`, such as SHA-256")
    return algorithm


def from_base64url(jwk: Mapping[str, Any], name: str) -> bytes:
    """A field of a JWK (RFC 7515 §2). DataError where it is missing, or no base64url."""
    text = jwk.get(name)
    if not isinstance(text, str):
        raise bad_data(f'The JWK has no "{name}".')
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        raise bad_data(f'"{name}" of the JWK is no base64url.') from None


def to_base64url(data: bytes) -> str:
    """As a JWK has it."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
