"""Seal secrets for the disk: AES-256-GCM under one key of the installation.

Law 1: what is sealed for one purpose cannot be opened for another: the purpose (say, a certificate's id) is authenticated.
Law 2: a key is a type whose repr shows nothing. It is 32 random bytes in a file that only its owner may read, made once:
by control, at the first start of a database. An edge makes none, for a second key opens nothing of what the first sealed.
Law 3: whatever bytes come, `open_sealed` returns what was sealed or raises SealError.

Source: NIST SP 800-38D; 96-bit random nonces are safe for 2**32 messages under one key, and we seal certificates.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from holdfast.errors import SetupError

KEY_BYTES = 32
_NONCE_BYTES = 12
# The first byte of what is sealed: how it was. A second way would get its own.
_AES_256_GCM = b"\x01"

# What the fingerprint of a key is made of; a change of it would make every key a wrong one.
_FINGERPRINT_LABEL = b"holdfast sealing key"

# Gives the key where it must not lie on this machine's disk: 32 bytes, base64.
KEY_VARIABLE = "HOLDFAST_SECRET_KEY"


class SealError(Exception):
    """The sealed bytes are damaged, for another purpose, or of another key."""


class SealingKey:
    """The installation's key."""

    __slots__ = ("_cipher", "fingerprint")

    def __init__(self, key: bytes) -> None:
        """`key` has KEY_BYTES bytes. Raises ValueError."""
        if len(key) != KEY_BYTES:
            raise ValueError(f"expected a key of {KEY_BYTES} bytes, got {len(key)}")
        self._cipher = AESGCM(key)
        # Names the key, and tells nothing of it: HMAC-SHA-256 (RFC 2104) of a fixed text, 64 hexadecimal digits.
        self.fingerprint = hmac.new(key, _FINGERPRINT_LABEL, hashlib.sha256).hexdigest()

    def __repr__(self) -> str:
        return "SealingKey(***)"

    def seal(self, secret: bytes, *, purpose: str) -> bytes:
        """`secret`, so that only this key and this `purpose` open it."""
        nonce = os.urandom(_NONCE_BYTES)
        return _AES_256_GCM + nonce + self._cipher.encrypt(nonce, secret, purpose.encode())

    def open_sealed(self, sealed: bytes, *, purpose: str) -> bytes:
        """What `seal` was given. Raises SealError."""
        start = len(_AES_256_GCM) + _NONCE_BYTES
        if not sealed.startswith(_AES_256_GCM) or len(sealed) < start:
            raise SealError(f"the secret of {purpose} was not sealed by this program")
        try:
            return self._cipher.decrypt(sealed[len(_AES_256_GCM) : start], sealed[start:], purpose.encode())
        except InvalidTag:
            raise SealError(f"the secret of {purpose} is damaged, or sealed with another key") from None


def sealing_purpose(certificate_id: str) -> str:
    """What the private key of a certificate is sealed for."""
    return f"certificate/{certificate_id}"


def key_file(data_dir: Path) -> Path:
    """Where the key of a data directory lies."""
    return data_dir / "secret.key"


def load_key(data_dir: Path, environ: Mapping[str, str]) -> SealingKey | None:
    """The key in KEY_VARIABLE, else the one in `data_dir`, else None. Raises SetupError for one that cannot be used."""
    if given := environ.get(KEY_VARIABLE):
        return _parsed(given.encode(), f"the environment variable {KEY_VARIABLE}")
    file = key_file(data_dir)
    try:
        return _parsed(file.read_bytes(), str(file))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unusable(file, error) from error


def load_or_create_key(data_dir: Path, environ: Mapping[str, str]) -> SealingKey:
    """The same, made in `data_dir` if there is none. Raises SetupError."""
    file = key_file(data_dir)
    try:
        if not environ.get(KEY_VARIABLE):
            _create(file)
        key = load_key(data_dir, environ)
    except OSError as error:
        raise _unusable(file, error) from error
    if key is None:
        raise SetupError(f"the key {file} was removed while it was made")
    return key


def key_when_there(data_dir: Path, environ: Mapping[str, str]) -> Callable[[], SealingKey | None]:
    """The key for who makes none: looked for each time it is asked for, until it is there.

    One that is there and cannot be used is refused at once, with SetupError; later it counts as none.
    """
    found = load_key(data_dir, environ)

    def key() -> SealingKey | None:
        nonlocal found
        if found is None:
            with suppress(SetupError):
                found = load_key(data_dir, environ)
        return found

    return key


def _unusable(file: Path, error: OSError) -> SetupError:
    return SetupError(f"the key {file} cannot be used: {(error.strerror or str(error)).lower()}")


def _create(file: Path) -> None:
    """Write a new key unless there is one: whole or not at all, also when two processes start at once."""
    if file.exists():
        return
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(base64.b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
        # A link, not a rename: it fails where another process was first, and that one's key stays.
        os.link(draft, file)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _parsed(text: bytes, where: str) -> SealingKey:
    try:
        return SealingKey(base64.b64decode(text.strip(), validate=True))
    except (binascii.Error, ValueError):
        raise SetupError(f"{where}: expected {KEY_BYTES} bytes in base64") from None
