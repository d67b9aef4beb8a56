"""Reading a certificate and its key: what is served, and one sentence for what is not."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.certificates.pair import MAX_FILE_BYTES, load_pair
from holdfast.errors import CertificateError
from tests.unit.certificates.making import DAY, NOW, a_key, cert_pem, key_pem


class Files:
    """A certificate and a key file, written as told."""

    def __init__(self, directory: Path) -> None:
        self.cert, self.key = directory / "cert.pem", directory / "key.pem"

    def write(self, cert: bytes, key: bytes) -> None:
        self.cert.write_bytes(cert)
        self.key.write_bytes(key)

    def refused(self) -> str:
        """What is said of them."""
        with pytest.raises(CertificateError) as caught:
            load_pair(self.cert, self.key, now=NOW)
        sentence = str(caught.value)
        assert len(sentence.splitlines()) == 1
        return sentence


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


@pytest.mark.parametrize("kind", ["ec", "rsa", "ed25519"])
def test_a_pair_of_any_usual_kind_is_read(files: Files, kind: str) -> None:
    files.write(cert_pem(a_key(kind)), key_pem(a_key(kind)))
    pair = load_pair(files.cert, files.key, now=NOW)
    assert pair.names == ("example.com",)
    assert pair.not_after == NOW + 90 * DAY
    assert pair.warnings == ()
    assert (pair.chain_pem, pair.key_pem) == (files.cert.read_bytes(), files.key.read_bytes())


@pytest.mark.parametrize(("kind", "what"), [("rsa1024", "RSA of 1024 bits"), ("secp256k1", "ECDSA on secp256k1")])
def test_a_key_that_the_core_does_not_sign_with_is_named(files: Files, kind: str, what: str) -> None:
    files.write(cert_pem(a_key(kind)), key_pem(a_key(kind)))
    assert files.refused().startswith(f"the key in {files.key} is {what}, where one was expected that is RSA of 2048")


def test_an_older_form_of_key_is_read(files: Files) -> None:
    files.write(cert_pem(a_key()), key_pem(a_key(), is_traditional=True))
    assert b"BEGIN EC PRIVATE KEY" in load_pair(files.cert, files.key, now=NOW).key_pem


def test_a_chain_keeps_all_its_certificates(files: Files) -> None:
    chain = cert_pem(a_key()) + cert_pem(a_key(number=1), names=["ca.example"])
    files.write(b"a comment\n" + chain, key_pem(a_key()))
    assert load_pair(files.cert, files.key, now=NOW).chain_pem.endswith(chain)


def test_both_may_be_in_one_file(files: Files) -> None:
    files.write(both := cert_pem(a_key()) + key_pem(a_key()), both)
    assert load_pair(files.cert, files.key, now=NOW).names == ("example.com",)


@pytest.mark.parametrize(
    ("names", "common_name", "expected"),
    [
        (["Example.COM", "*.example.com", "example.com"], "other.example", ("example.com", "*.example.com")),
        ([], "Old.Example", ("old.example",)),
    ],
)
def test_names_are_those_of_the_subject_alternative_name(
    files: Files, names: list[str], common_name: str, expected: tuple[str, ...]
) -> None:
    files.write(cert_pem(a_key(), names=names, common_name=common_name), key_pem(a_key()))
    assert load_pair(files.cert, files.key, now=NOW).names == expected


def test_dates_that_are_wrong_are_warnings(files: Files) -> None:
    files.write(cert_pem(a_key(), not_before=NOW - 9 * DAY, not_after=NOW - DAY), key_pem(a_key()))
    (expired,) = load_pair(files.cert, files.key, now=NOW).warnings
    assert "expired on 2026-02-28" in expired
    files.write(cert_pem(a_key(), not_before=NOW + DAY), key_pem(a_key()))
    (early,) = load_pair(files.cert, files.key, now=NOW).warnings
    assert "not valid before 2026-03-02 12:00 UTC" in early


def test_a_file_that_is_missing_is_named(files: Files) -> None:
    assert files.refused() == f"cannot read {files.cert}: no such file or directory"
    files.cert.write_bytes(cert_pem(a_key()))
    assert files.refused() == f"cannot read {files.key}: no such file or directory"


def test_a_directory_is_no_file(files: Files) -> None:
    files.cert.mkdir()
    assert files.refused() == f"cannot read {files.cert}: is a directory"


def test_a_key_that_is_another_certificates_is_told_by_both_names(files: Files) -> None:
    files.write(cert_pem(a_key()), key_pem(a_key(number=1)))
    assert files.refused() == f"the key in {files.key} does not match the certificate in {files.cert}"


def test_a_chain_in_the_wrong_order_is_told_as_such(files: Files) -> None:
    files.write(cert_pem(a_key(number=1)) + cert_pem(a_key()), key_pem(a_key()))
    assert (
        files.refused() == f"the key in {files.key} is for certificate 2 of {files.cert}, which must come first there"
    )


def test_an_encrypted_key_is_told_as_such(files: Files) -> None:
    for is_traditional in (False, True):
        files.write(cert_pem(a_key()), key_pem(a_key(), password=b"secret", is_traditional=is_traditional))
        assert f"the key in {files.key} is encrypted" in files.refused()


@pytest.mark.parametrize(
    ("cert", "key", "said"),
    [
        (b"", key_pem(a_key()), "holds no PEM certificate"),
        (b"\x30\x82 DER", key_pem(a_key()), "holds no PEM certificate"),
        (key_pem(a_key()), key_pem(a_key()), "holds a private key, where a certificate chain"),
        (cert_pem(a_key()), b"", "holds no PEM private key"),
        (cert_pem(a_key()), cert_pem(a_key()), "holds a certificate, where a private key"),
        (cert_pem(a_key())[:200], key_pem(a_key()), "holds a certificate that cannot be read"),
        (cert_pem(a_key()), key_pem(a_key())[:80], "holds a private key that cannot be read"),
        (b"x" * (MAX_FILE_BYTES + 1), b"", "is over 1024 KiB"),
    ],
    # The bytes are others in each process, and ids have to be the same.
    ids=[
        "empty",
        "DER",
        "a key for a certificate",
        "no key",
        "a certificate for a key",
        "cut certificate",
        "cut key",
        "big",
    ],
)
def test_what_is_no_certificate_or_key_is_told_as_what_it_is(files: Files, cert: bytes, key: bytes, said: str) -> None:
    files.write(cert, key)
    assert said in files.refused()


_CERT, _KEY = cert_pem(a_key()), key_pem(a_key())


@given(st.data())
def test_a_pair_cut_or_changed_anywhere_is_read_or_explained(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    files = Files(tmp_path_factory.mktemp("pair"))
    cert, key = bytearray(_CERT), bytearray(_KEY)
    damaged = data.draw(st.sampled_from([cert, key]))
    place = data.draw(st.integers(0, len(damaged) - 1))
    damaged[place : place + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=3))
    files.write(bytes(cert), bytes(key))
    assert len(_sentence(files).splitlines()) <= 1


def _sentence(files: Files) -> str:
    """What is said of the pair; "" if it is read."""
    try:
        load_pair(files.cert, files.key, now=NOW)
    except CertificateError as error:
        return str(error)
    return ""
