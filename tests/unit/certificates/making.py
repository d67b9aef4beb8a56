"""Certificates and keys to test with, as PEM. One key of each kind a process, made when first asked for."""

import datetime as dt
from collections.abc import Sequence
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.x509.oid import NameOID

NOW = dt.datetime(2026, 3, 1, 12, 0, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
_RSA_BITS = {"rsa": 2048, "rsa1024": 1024}


def a_key(kind: str = "ec", number: int = 0) -> CertificateIssuerPrivateKeyTypes:
    """A private key; the same for the same arguments, another for another `number`."""
    return _made(kind, number)


@cache
def _made(kind: str, _number: int) -> CertificateIssuerPrivateKeyTypes:
    if kind in _RSA_BITS:
        return rsa.generate_private_key(65537, _RSA_BITS[kind])
    if kind == "secp256k1":
        return ec.generate_private_key(ec.SECP256K1())
    return ed25519.Ed25519PrivateKey.generate() if kind == "ed25519" else ec.generate_private_key(ec.SECP256R1())


def key_pem(
    key: CertificateIssuerPrivateKeyTypes, *, password: bytes | None = None, is_traditional: bool = False
) -> bytes:
    """`key` as PEM: PKCS #8, or the form of its kind; encrypted with `password`."""
    form = serialization.PrivateFormat.TraditionalOpenSSL if is_traditional else serialization.PrivateFormat.PKCS8
    hiding = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, form, hiding)


def cert_pem(
    key: CertificateIssuerPrivateKeyTypes,
    *,
    names: Sequence[str] = ("example.com",),
    common_name: str = "example.com",
    not_before: dt.datetime = NOW - DAY,
    not_after: dt.datetime = NOW + 90 * DAY,
) -> bytes:
    """A certificate that `key` signed for itself, as PEM; without subject alternative names if `names` is empty."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_after)
    )
    if names:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.DNSName(one) for one in names]), critical=False
        )
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, algorithm).public_bytes(serialization.Encoding.PEM)
