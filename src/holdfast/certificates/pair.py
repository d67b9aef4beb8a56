"""Read a certificate chain and its key, and check that they can be served.

Law 1: a `CertificatePair` is proof: both are PEM, the key is plain, and it is the first certificate's.
Law 2: what is wrong is one sentence that names the file. A date that is wrong is a warning: the operator may be
about to replace the file, and a site with an expired certificate is worth more than none.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.x509.oid import NameOID

from holdfast.errors import CertificateError

# A chain is a few KiB. Beyond this the file is something else, and reading it whole would be the harm.
MAX_FILE_BYTES = 1024 * 1024

# Keys that the core signs handshakes with: what aws-lc takes for rustls.
_RSA_BITS = range(2048, 8193)
_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificatePair:
    """A chain and its key as PEM bytes.

    `names` are the host names it is for (lower case; `*.example.com` as it stands): the DNS names of the subject
    alternative name, or, where there is none, the common name. `not_after` is in UTC. `warnings` are sentences.
    """

    names: tuple[str, ...]
    chain_pem: bytes
    key_pem: bytes
    not_after: dt.datetime
    warnings: tuple[str, ...]


def load_pair(cert_file: Path, key_file: Path, *, now: dt.datetime) -> CertificatePair:
    """Read both files. `now` is in UTC. Raises CertificateError, with a sentence that names the file at fault."""
    chain_pem, key_pem = _read(cert_file), _read(key_file)
    chain = read_chain(chain_pem, str(cert_file))
    key = read_key(key_pem, str(key_file))
    check_match(chain, key, str(cert_file), str(key_file))
    _check_kind(key, str(key_file))
    leaf = chain[0]
    return CertificatePair(
        names=names_of(leaf),
        chain_pem=chain_pem,
        key_pem=key_pem,
        not_after=leaf.not_valid_after_utc,
        warnings=_warnings(leaf, cert_file, now),
    )


def read_authorities(file: Path) -> bytes:
    """The certificates in `file`, by which others are verified, as PEM. Raises CertificateError, which names it."""
    pem = _read(file)
    read_chain(pem, str(file))
    return pem


def names_of(leaf: x509.Certificate) -> tuple[str, ...]:
    """The DNS names `leaf` is for, lower case, each once (RFC 9525 §6.3: the common name is for old certificates)."""
    try:
        alternatives = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = [str(name) for name in alternatives.get_values_for_type(x509.DNSName)]
    except x509.ExtensionNotFound:
        names = [str(part.value) for part in leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    return tuple(dict.fromkeys(name.lower() for name in names))


def read_chain(pem: bytes, where: str) -> list[x509.Certificate]:
    """The certificates in `pem`, at least one. `where` is what the sentence calls it. Raises CertificateError."""
    if b"-----BEGIN CERTIFICATE-----" not in pem:
        what = "a private key" if b"PRIVATE KEY-----" in pem else "no PEM certificate"
        raise CertificateError(f"{where} holds {what}, where a certificate chain in PEM was expected")
    try:
        chain = x509.load_pem_x509_certificates(pem)
        # Extensions are parsed when asked for; a certificate we cannot read names from is not one we can serve.
        names_of(chain[0])
    except (ValueError, x509.DuplicateExtension) as error:
        raise CertificateError(f"{where} holds a certificate that cannot be read: {error}") from error
    return chain


def read_key(pem: bytes, where: str, *, is_unchecked: bool = False) -> PrivateKeyTypes:
    """The plain private key in `pem`. Raises CertificateError.

    With `is_unchecked`, RSA numbers are taken as they stand, which is quick however large they are: good for looking at
    a key's size, and for nothing else.
    """
    if b"PRIVATE KEY-----" not in pem:
        what = "a certificate" if b"-----BEGIN CERTIFICATE-----" in pem else "no PEM private key"
        raise CertificateError(f"{where} holds {what}, where a private key in PEM was expected")
    try:
        return serialization.load_pem_private_key(pem, password=None, unsafe_skip_rsa_key_validation=is_unchecked)
    except TypeError as error:
        raise CertificateError(
            f"the key in {where} is encrypted, and the edge has nobody to ask for a password"
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CertificateError(f"{where} holds a private key that cannot be read") from error


def check_match(chain: list[x509.Certificate], key: PrivateKeyTypes, cert_where: str, key_where: str) -> None:
    """Raise CertificateError unless `key` is the first certificate's."""
    ours = _spki(key.public_key())
    places = [place for place, certificate in enumerate(chain) if _spki(certificate.public_key()) == ours]
    if not places:
        raise CertificateError(f"the key in {key_where} does not match the certificate in {cert_where}")
    if places[0] != 0:
        raise CertificateError(
            f"the key in {key_where} is for certificate {places[0] + 1} of {cert_where}, which must come first there"
        )


def _check_kind(key: PrivateKeyTypes, where: str) -> None:
    if isinstance(key, rsa.RSAPrivateKey):
        is_fit, what = key.key_size in _RSA_BITS, f"RSA of {key.key_size} bits"
    elif isinstance(key, ec.EllipticCurvePrivateKey):
        is_fit, what = isinstance(key.curve, _CURVES), f"ECDSA on {key.curve.name}"
    else:
        is_fit, what = isinstance(key, ed25519.Ed25519PrivateKey), "of another kind"
    if not is_fit:
        kinds = "RSA of 2048 to 8192 bits, ECDSA on P-256, P-384 or P-521, or Ed25519"
        raise CertificateError(f"the key in {where} is {what}, where one was expected that is {kinds}")


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            content = opened.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise CertificateError(f"cannot read {file}: {(error.strerror or str(error)).lower()}") from error
    if len(content) > MAX_FILE_BYTES:
        raise CertificateError(f"{file} is over {MAX_FILE_BYTES // 1024} KiB, which no certificate or key is")
    return content


def _spki(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _warnings(leaf: x509.Certificate, file: Path, now: dt.datetime) -> tuple[str, ...]:
    if now > leaf.not_valid_after_utc:
        return (f"the certificate in {file} expired on {leaf.not_valid_after_utc:%Y-%m-%d}; clients will refuse it",)
    if now < leaf.not_valid_before_utc:
        return (f"the certificate in {file} is not valid before {leaf.not_valid_before_utc:%Y-%m-%d %H:%M} UTC",)
    return ()
