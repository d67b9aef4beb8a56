"""A certificate for this machine, from an authority of its own: what `--tls-listen` uses when no `--cert` is given.

In DATA/tls: `ca.pem` and `ca-key.pem`, the authority; `cert.pem` and `key.pem`, what it signed. (What it signs for zones is in
`local_zones_file`.)

Law 1: made once, used again. The authority stays for its whole life, so that a person trusts it once.
Law 2: a key is never readable by others, not even while it is written, and no file is ever seen half written.
Law 3: two edges that start together on one directory agree on one authority: all of this happens under a lock.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import ipaddress
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from holdfast.errors import CertificateError

AUTHORITY_LIFE = dt.timedelta(days=3650)
# The longest life browsers accept was 398 days (CA/Browser Forum ballot SC31); one day less for clocks.
LEAF_LIFE = dt.timedelta(days=397)
# How long before its end a certificate is replaced.
RENEW_BEFORE = dt.timedelta(days=30)
# A clock a little behind ours must not find the certificate "not yet valid".
_BACKDATE = dt.timedelta(hours=1)

_ALWAYS = ("localhost", "*.localhost", "127.0.0.1", "::1")
_DNS_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalCertificate:
    """Where the files are, when to call `ensure_local_certificate` again, and whether a new authority was made."""

    ca_file: Path
    cert_file: Path
    key_file: Path
    renew_at: dt.datetime
    is_new_authority: bool


def local_names(host_name: str, listen_ips: Iterable[str]) -> frozenset[str]:
    """The names and addresses a local certificate must be for. A wildcard address adds nothing; nor does a host name
    that is no DNS name."""
    name = host_name.lower()
    names = {name} if _DNS_NAME.fullmatch(name) else set()
    addresses = (ipaddress.ip_address(ip.partition("%")[0]) for ip in listen_ips)
    return frozenset({*_ALWAYS, *names, *(str(ip) for ip in addresses if not ip.is_unspecified)})


def ensure_local_certificate(directory: Path, names: frozenset[str], *, now: dt.datetime) -> LocalCertificate:
    """Make what is missing, ends soon, or is not for all of `names`; keep the rest. `now` is in UTC.

    Raises CertificateError where a file cannot be read or written, or half of the authority is missing.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(directory):
            return _ensure(directory, names, now)
    except OSError as error:
        where = error.filename or directory
        raise CertificateError(
            f"cannot keep a local certificate in {where}: {(error.strerror or '').lower()}"
        ) from error


def _ensure(directory: Path, names: frozenset[str], now: dt.datetime) -> LocalCertificate:
    ca_file, ca_key_file = directory / "ca.pem", directory / "ca-key.pem"
    cert_file, key_file = directory / "cert.pem", directory / "key.pem"
    authority = _read_authority(ca_file, ca_key_file)
    is_new = authority is None or _ends_soon(authority[0], now)
    if authority is None or is_new:
        authority = _make_authority(now)
        _write_pair(ca_file, ca_key_file, *authority)
    leaf = _read_leaf(cert_file, key_file)
    if leaf is None or _ends_soon(leaf, now) or not names <= _all_names(leaf) or not is_signed_by(leaf, authority[0]):
        leaf, leaf_key = _make_leaf(authority, names, now)
        _write_pair(cert_file, key_file, leaf, leaf_key)
    return LocalCertificate(
        ca_file=ca_file,
        cert_file=cert_file,
        key_file=key_file,
        renew_at=leaf.not_valid_after_utc - RENEW_BEFORE,
        is_new_authority=is_new,
    )


# A certificate and its key.
Authority = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]
_Signer = Authority


def read_authority(directory: Path) -> Authority | None:
    """The authority in `directory`, if there is one. Raises CertificateError where it cannot be used."""
    return _read_authority(directory / "ca.pem", directory / "ca-key.pem")


def make_leaf(
    authority: Authority,
    key: ec.EllipticCurvePrivateKey,
    names: frozenset[str],
    *,
    now: dt.datetime,
    life: dt.timedelta,
) -> x509.Certificate:
    """A server's certificate for `names` and `key`, signed by `authority`, whose end it does not outlive."""
    ca, ca_key = authority
    not_after = min(now + life - _BACKDATE, ca.not_valid_after_utc)
    builder = (
        _builder(_name("localhost"), ca.subject, key.public_key(), (now, not_after), x509.random_serial_number())
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in sorted(names)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(is_authority=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
    )
    return builder.sign(ca_key, hashes.SHA256())


def _read_authority(ca_file: Path, key_file: Path) -> _Signer | None:
    """The authority on disk, or None if there is none at all. Half an authority, or one that cannot be read, is the
    person's to sort out: they may trust it elsewhere, so it is not replaced behind their back."""
    missing = [file for file in (ca_file, key_file) if not file.exists()]
    if len(missing) == 2:
        return None
    remedy = f"remove {ca_file} and {key_file} to have a new local authority made"
    if missing:
        raise CertificateError(f"{missing[0]} is missing; {remedy}")
    pair = _read_pair(ca_file, key_file)
    if pair is None:
        raise CertificateError(f"{ca_file} and {key_file} are not a certificate and its key; {remedy}")
    return pair


def _read_leaf(cert_file: Path, key_file: Path) -> x509.Certificate | None:
    """The certificate on disk if it and its key can be used, else None: it is remade, nobody trusts it by itself."""
    if not (cert_file.exists() and key_file.exists()):
        return None
    pair = _read_pair(cert_file, key_file)
    return pair[0] if pair else None


def _read_pair(cert_file: Path, key_file: Path) -> _Signer | None:
    try:
        certificate = x509.load_pem_x509_certificate(cert_file.read_bytes())
        key = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
    except (ValueError, TypeError):
        return None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        return None
    return certificate, key


def _ends_soon(certificate: x509.Certificate, now: dt.datetime) -> bool:
    return now >= certificate.not_valid_after_utc - RENEW_BEFORE


def _all_names(leaf: x509.Certificate) -> frozenset[str]:
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return frozenset()
    dns = (str(name) for name in names.get_values_for_type(x509.DNSName))
    return frozenset({*dns, *(str(ip) for ip in names.get_values_for_type(x509.IPAddress))})


def is_signed_by(leaf: x509.Certificate, authority: x509.Certificate) -> bool:
    """Whether `authority` has signed `leaf`."""
    try:
        leaf.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _make_authority(now: dt.datetime) -> _Signer:
    key = ec.generate_private_key(ec.SECP256R1())
    # The serial number in the name tells two machines' authorities apart in a trust store.
    serial = x509.random_serial_number()
    name = _name(f"Holdfast local authority {serial & 0xFFFFFFFF:08x}")
    builder = (
        _builder(name, name, key.public_key(), (now, now + AUTHORITY_LIFE), serial)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(is_authority=True), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
    )
    return builder.sign(key, hashes.SHA256()), key


def _make_leaf(authority: _Signer, names: frozenset[str], now: dt.datetime) -> _Signer:
    key = ec.generate_private_key(ec.SECP256R1())
    return make_leaf(authority, key, names, now=now, life=LEAF_LIFE), key


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    life: tuple[dt.datetime, dt.datetime],
    serial: int,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(serial)
        .not_valid_before(life[0] - _BACKDATE)
        .not_valid_after(life[1])
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _key_usage(*, is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_authority,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common_name: str) -> x509.Name:
    organization = x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Holdfast")
    return x509.Name([organization, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _write_pair(
    cert_file: Path, key_file: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey
) -> None:
    key_pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    replace_file(key_file, key_pem, mode=0o600)
    replace_file(cert_file, certificate.public_bytes(serialization.Encoding.PEM), mode=0o644)


def replace_file(file: Path, content: bytes, *, mode: int) -> None:
    """Replace `file` by `content` in one step. The temporary file is made with mode 0600 (mkstemp). Raises OSError."""
    descriptor, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(descriptor, "wb") as opened:
            os.fchmod(descriptor, mode)
            opened.write(content)
            opened.flush()
            os.fsync(descriptor)
        Path(temporary).replace(file)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Hold the directory's lock. It is held for as long as two keys take to make: milliseconds."""
    with (directory / ".lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
