"""`holdfast.certificates.uploaded`: what a client may upload, and what is said of the rest."""

import datetime as dt
import math

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from holdfast.certificates.uploaded import UploadedCertificate, UploadError, read_uploaded
from tests.unit.certificates.making import DAY, NOW, a_key, cert_pem, key_pem

ZONE = "example.com"


def _read(chain: bytes, key: bytes, *, now: dt.datetime = NOW) -> UploadedCertificate:
    return read_uploaded(chain.decode(), key.decode(), zone=ZONE, now=now)


@pytest.mark.parametrize(
    ("kind", "signature"), [("ec", "ECDSAWithSHA256"), ("rsa", "SHA256WithRSA"), ("ed25519", "Ed25519")]
)
def test_a_pair_is_read_and_written_anew(kind: str, signature: str) -> None:
    key = a_key(kind)
    chain = cert_pem(key, names=("Example.com", "*.example.com", "a_b.example.net"))
    read = _read(b"a remark\n" + chain + b"\nanother", key_pem(key, is_traditional=kind != "ed25519"))
    assert (read.hosts, read.signature) == (("example.com", "*.example.com", "a_b.example.net"), signature)
    assert (read.chain_pem.encode(), read.key_pem) == (chain, key_pem(key))
    assert (read.issuer, read.not_before, read.not_after) == ("example.com", NOW - DAY, NOW + 90 * DAY)
    assert key_pem(key).decode().splitlines()[1] not in repr(read)


def test_a_common_name_will_do_and_names_that_are_no_hosts_are_left_out() -> None:
    key = a_key()
    assert _read(cert_pem(key, names=()), key_pem(key)).hosts == ("example.com",)
    mixed = cert_pem(key, names=("www.example.com", "not a host", "-.example.com"))
    assert _read(mixed, key_pem(key)).hosts == ("www.example.com",)


def test_a_certificate_of_tomorrow_is_taken_and_one_of_yesterday_is_not() -> None:
    key = a_key()
    later = cert_pem(key, not_before=NOW + DAY, not_after=NOW + 2 * DAY)
    assert _read(later, key_pem(key)).not_before == NOW + DAY
    with pytest.raises(UploadError, match="expired on 2026-03-03") as refused:
        _read(later, key_pem(key), now=NOW + 2 * DAY)
    assert refused.value.field == "certificate"


def test_a_chain_stands_in_order() -> None:
    root = trustme.CA()
    middle = root.create_child_ca()
    leaf = middle.issue_cert("www.example.com")
    ours, theirs = (pem.bytes() for pem in leaf.cert_chain_pems)
    key, top = leaf.private_key_pem.bytes(), root.cert_pem.bytes()
    assert _read(ours, key).hosts == ("www.example.com",)
    assert _read(ours + theirs + top, key).chain_pem.count("BEGIN CERTIFICATE") == 3
    for chain, words in (
        (ours + top, "certificate 1 of the chain was not issued by certificate 2"),
        (ours + theirs + theirs, "certificate 3 of the chain stands in it already"),
        (ours + theirs + top * 2, "certificate 4 of the chain stands in it already"),
        (ours + theirs + top * 9, "at most 10"),
        (theirs + ours, "must come first"),
    ):
        with pytest.raises(UploadError, match=words):
            _read(chain, key)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("example.org",), "for no host of example.com: its names are example.org"),
        (("notexample.com",), "for no host of example.com"),
        (("not a host",), "for no host of example.com"),
    ],
)
def test_a_certificate_for_other_hosts_is_refused(names: tuple[str, ...], words: str) -> None:
    key = a_key()
    with pytest.raises(UploadError, match=words):
        _read(cert_pem(key, names=names), key_pem(key))


@pytest.mark.parametrize(
    "key",
    [
        rsa.generate_private_key(65_537, 1024),
        ec.generate_private_key(ec.SECP521R1()),
        ec.generate_private_key(ec.SECP256K1()),
    ],
    ids=["rsa-1024", "p-521", "secp256k1"],
)
def test_keys_that_clients_do_not_take_are_refused(key: CertificateIssuerPrivateKeyTypes) -> None:
    with pytest.raises(UploadError, match="RSA of 2048 to 4096 bits, ECDSA on P-256 or P-384, or Ed25519") as refused:
        _read(cert_pem(key), key_pem(key))
    assert refused.value.field == "private_key"


def test_a_certificate_that_signed_itself_stands_in_a_chain_once() -> None:
    key = a_key()
    chain = cert_pem(key)
    with pytest.raises(UploadError, match="certificate 2 of the chain stands in it already") as refused:
        _read(chain * 2, key_pem(key))
    assert refused.value.field == "certificate"


def _rsa_shaped(bits: int) -> rsa.RSAPrivateKey:
    """What has the form of an RSA key, and factors that are no primes: looking it over refuses it."""
    exponent = 65_537
    first, second = (2 ** (bits // 2) - 1 - 2 * step for step in (1, 2))
    order = math.lcm(first - 1, second - 1)
    public = rsa.RSAPublicNumbers(exponent, first * second)
    private = pow(exponent, -1, order)
    numbers = rsa.RSAPrivateNumbers(
        p=first,
        q=second,
        d=private,
        dmp1=private % (first - 1),
        dmq1=private % (second - 1),
        iqmp=pow(second, -1, first),
        public_numbers=public,
    )
    return numbers.private_key(unsafe_skip_rsa_key_validation=True)


@pytest.mark.parametrize(
    ("bits", "words"),
    [(4096, "does not match"), (4352, "RSA of 2048 to 4096 bits"), (8192, "RSA of 2048 to 4096 bits")],
)
def test_a_key_is_looked_over_after_its_size_and_its_certificate(bits: int, words: str) -> None:
    with pytest.raises(UploadError, match=words) as refused:
        _read(cert_pem(a_key()), key_pem(_rsa_shaped(bits)))
    assert refused.value.field == "private_key"


def test_numbers_that_are_no_rsa_key_are_refused_though_they_match() -> None:
    fake = _rsa_shaped(2048)
    signed = (
        x509.CertificateBuilder().subject_name(x509.Name([])).issuer_name(x509.Name([])).public_key(fake.public_key())
    )
    signed = signed.serial_number(1).not_valid_before(NOW - DAY).not_valid_after(NOW + DAY)
    chain = signed.sign(a_key(), hashes.SHA256()).public_bytes(Encoding.PEM)
    with pytest.raises(UploadError, match="cannot be read") as refused:
        _read(chain, key_pem(fake))
    assert refused.value.field == "private_key"


def test_what_is_in_the_wrong_place_is_said_of_the_member_at_fault() -> None:
    key, other = a_key(), a_key("ec", 1)
    chain, pem = cert_pem(key), key_pem(key)
    for first, second, field in (
        (pem, pem, "certificate"),
        (b"", pem, "certificate"),
        (chain, chain, "private_key"),
        (chain, b"", "private_key"),
        (chain, key_pem(other), "private_key"),
        (chain, key_pem(key, password=b"x"), "private_key"),
    ):
        with pytest.raises(UploadError) as refused:
            _read(first, second)
        assert refused.value.field == field
        assert pem.decode().splitlines()[1] not in str(refused.value)


@given(st.text(), st.text(), st.integers(0, 400), st.binary(max_size=4))
def test_no_text_does_anything_but_be_refused(chain: str, key: str, place: int, junk: bytes) -> None:
    good = cert_pem(a_key()).decode()
    broken = good[:place] + junk.decode("latin-1") + good[place + 1 :]
    for certificate in (chain, broken):
        with pytest.raises(UploadError):
            read_uploaded(certificate, key, zone=ZONE, now=NOW)
