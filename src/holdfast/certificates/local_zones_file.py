"""The certificates that the local authority signed for zones, on the disk: so that the next edge need not sign them again.

One file of PEM: a private key, then certificates, all of that key.

Law 1: a file that is not as expected is as none: everything in it can be signed anew.
Law 2: what is read is what the authority of now has signed. Whoever could write other things there has its key, too.
Law 3: it is replaced in one step, and read by nobody else. Of two edges that write, the last one's stays.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from holdfast.certificates.local_ca import Authority, is_signed_by, replace_file
from holdfast.certificates.pair import CertificatePair, names_of

FILE_NAME = "zones.pem"
# Room for MAX_ZONES certificates (`local_zones`) of 1 KiB each, four times over. A larger file is none of ours.
MAX_FILE_BYTES = 2 * 1024 * 1024


def read_local_zones(
    directory: Path, authority: Authority
) -> tuple[ec.EllipticCurvePrivateKey, dict[str, CertificatePair]] | None:
    """The key and the certificates of the file in `directory` that `authority` signed, by zone; None where there are none."""
    try:
        with (directory / FILE_NAME).open("rb") as opened:
            pem = opened.read(MAX_FILE_BYTES + 1)
        if len(pem) > MAX_FILE_BYTES:
            return None
        key = serialization.load_pem_private_key(pem, password=None)
        leaves = x509.load_pem_x509_certificates(pem)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm):
        return None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        return None
    key_pem, public = key_pem_of(key), key.public_key()
    found: dict[str, CertificatePair] = {}
    for leaf in leaves:
        with suppress(ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension):
            if leaf.public_key() == public and is_signed_by(leaf, authority[0]):
                pair = local_pair(leaf, key_pem)
                # For `a.example` and `*.a.example`.
                found |= {name: pair for name in pair.names if f"*.{name}" in pair.names}
    return (key, found) if found else None


def write_local_zones(directory: Path, pairs: Iterable[CertificatePair], key_pem: bytes) -> None:
    """Have the file be `pairs`, all of one key. Raises OSError."""
    chains = {pair.names: pair.chain_pem for pair in pairs if pair.key_pem == key_pem}
    replace_file(directory / FILE_NAME, b"".join([key_pem, *chains.values()]), mode=0o600)


def local_pair(leaf: x509.Certificate, key_pem: bytes) -> CertificatePair:
    """A certificate of the local authority, as it is served."""
    return CertificatePair(
        names=names_of(leaf),
        chain_pem=leaf.public_bytes(serialization.Encoding.PEM),
        key_pem=key_pem,
        not_after=leaf.not_valid_after_utc,
        warnings=(),
    )


def key_pem_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The key as PEM, plain."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
