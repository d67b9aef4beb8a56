"""Check a certificate that a client of the API uploads. Pure: text in, facts out.

Law 1: an `UploadedCertificate` is proof: its chain is in order, each certificate signed by the next; the key is plain, of a
kind clients accept, and the first certificate's; it is for a host of the zone and has not expired.
Law 2: the private key is in no error, and in no repr.
Law 3: the work is bounded: a key is looked over after it is known to be small enough, and to be the certificate's.
Law 4: whatever the text, checking returns or raises UploadError: the member at fault, and a sentence.

Sources: RFC 5246 §7.4.2 (order of a chain), RFC 5280 §6.1; CA/Browser Forum Baseline Requirements §6.1.5 (keys).
"""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from holdfast.certificates.pair import check_match, names_of, read_chain, read_key
from holdfast.errors import CertificateError
from holdfast.model.certificate_hosts import hosts_within
from holdfast.model.hostname import parse_hostname

# Precedent: OpenSSL verifies chains of up to 100; those of the public's authorities have two to four.
MAX_CHAIN = 10
# Cloudflare takes 16 KiB and 8 KiB; a chain of ten certificates with many names is larger.
MAX_CHAIN_CHARS = 128 * 1024
MAX_KEY_CHARS = 16 * 1024
# Of 8192 bits, looking a key over takes seconds of a core; no authority of the public asks for more than 4096.
MIN_RSA_BITS, MAX_RSA_BITS = 2048, 4096
_CURVES = ("secp256r1", "secp384r1")

ResultT = TypeVar("ResultT")


class UploadError(ValueError):
    """What was uploaded cannot be served. `field` is "certificate" or "private_key"."""

    def __init__(self, field_: str, message: str) -> None:
        super().__init__(message)
        self.field = field_


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadedCertificate:
    """A chain and its key as PEM, PKCS #8, and what the first certificate says. Times are in UTC.

    `hosts` are the host names it is for (`*.example.com` for a wildcard), of any zone; `issuer` is who signed it, for
    people; `signature` how, as in "SHA256WithRSA".
    """

    hosts: tuple[str, ...]
    issuer: str
    signature: str
    chain_pem: str
    key_pem: bytes = field(repr=False)
    not_before: dt.datetime
    not_after: dt.datetime


def read_uploaded(certificate: str, private_key: str, *, zone: str, now: dt.datetime) -> UploadedCertificate:
    """Check a chain and its key, for `zone`. Raises UploadError."""
    chain = _read("certificate", lambda: read_chain(certificate.encode("utf-8", "replace"), "certificate"))
    key_text = private_key.encode("utf-8", "replace")
    # Whether its numbers are an RSA key is found out last: it takes long, and nothing else runs meanwhile.
    unchecked = _read("private_key", lambda: read_key(key_text, "private_key", is_unchecked=True))
    _check_kind(unchecked.public_key())
    _read("private_key", lambda: check_match(chain, unchecked, "certificate", "private_key"))
    _check_chain(chain)
    key = _read("private_key", lambda: read_key(key_text, "private_key"))
    leaf = chain[0]
    if leaf.not_valid_after_utc <= now:
        raise UploadError("certificate", f"the certificate expired on {leaf.not_valid_after_utc:%Y-%m-%d}")
    return UploadedCertificate(
        hosts=_hosts(leaf, zone),
        issuer=_issuer(leaf),
        signature=_signature(leaf),
        # Written anew: what else stood in the text, a key of somebody's perhaps, is kept nowhere.
        chain_pem=b"".join(one.public_bytes(Encoding.PEM) for one in chain).decode(),
        key_pem=key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        not_before=leaf.not_valid_before_utc,
        not_after=leaf.not_valid_after_utc,
    )


def _read(name: str, read: Callable[[], ResultT]) -> ResultT:
    try:
        return read()
    except CertificateError as error:
        raise UploadError(name, str(error)) from None


def _check_chain(chain: list[x509.Certificate]) -> None:
    if len(chain) > MAX_CHAIN:
        raise UploadError(
            "certificate", f"certificate holds {len(chain)} certificates, at most {MAX_CHAIN} are a chain"
        )
    seen: set[bytes] = set()
    for place, one in enumerate(chain, 1):
        written = one.public_bytes(Encoding.DER)
        if written in seen:
            raise UploadError(
                "certificate", f"certificate {place} of the chain stands in it already, before that place"
            )
        seen.add(written)
    for place, (one, issuer) in enumerate(itertools.pairwise(chain), 1):
        try:
            one.verify_directly_issued_by(issuer)
        except (ValueError, TypeError, InvalidSignature):
            message = f"certificate {place} of the chain was not issued by certificate {place + 1}"
            raise UploadError(
                "certificate", f"{message}: expected the leaf first, each followed by its issuer"
            ) from None


def _check_kind(key: PublicKeyTypes) -> None:
    if isinstance(key, rsa.RSAPublicKey):
        is_fit = MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS
    elif isinstance(key, ec.EllipticCurvePublicKey):
        is_fit = key.curve.name in _CURVES
    else:
        is_fit = isinstance(key, ed25519.Ed25519PublicKey)
    if not is_fit:
        kinds = f"RSA of {MIN_RSA_BITS} to {MAX_RSA_BITS} bits, ECDSA on P-256 or P-384, or Ed25519"
        raise UploadError("private_key", f"the key is of a kind this edge does not serve: expected {kinds}")


def _hosts(leaf: x509.Certificate, zone: str) -> tuple[str, ...]:
    names = names_of(leaf)
    hosts = tuple(name for name in names if _is_host(name))
    if not hosts_within(hosts, zone):
        shown = ", ".join(names[:5]) or "none"
        raise UploadError("certificate", f"the certificate is for no host of {zone}: its names are {shown[:300]}")
    return hosts


def _is_host(name: str) -> bool:
    try:
        return parse_hostname(name, wildcard=True, single_label=True) == name
    except ValueError:
        return False


def _issuer(leaf: x509.Certificate) -> str:
    """The organisation that signed, or what else it calls itself."""
    for oid in (NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME):
        for part in leaf.issuer.get_attributes_for_oid(oid):
            return str(part.value).replace("\0", "")[:255]
    return leaf.issuer.rfc4514_string().replace("\0", "")[:255]


def _signature(leaf: x509.Certificate) -> str:
    digest = leaf.signature_hash_algorithm
    if digest is None:
        return "Ed25519"
    name = digest.name.replace("-", "").upper()
    # The signature is the issuer's: its kind is in the algorithm, and not in the leaf's own key.
    is_ecdsa = leaf.signature_algorithm_oid.dotted_string.startswith("1.2.840.10045.")
    return f"ECDSAWith{name}" if is_ecdsa else f"{name}WithRSA"
