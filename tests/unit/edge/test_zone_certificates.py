"""Certificates of a zone: opened by the key they were sealed with, and by no other, and read once."""

from typing import Any

import pytest
import trustme

from holdfast.edge.compile_error import CompileError
from holdfast.edge.zone_certificates import certificates_of, usable_certificates_of
from holdfast.model.zone_document import CATCH_ALL, CertificateDocument
from holdfast.sealing import SealingKey, sealing_purpose

KEY, OTHER_KEY = SealingKey(b"k" * 32), SealingKey(b"o" * 32)


@pytest.fixture(scope="module")
def leaf() -> trustme.LeafCert:
    return trustme.CA().issue_cert("*.example.com", "example.com")


def document(leaf: trustme.LeafCert, **changes: Any) -> CertificateDocument:
    ident = changes.get("id", "c1")
    sealed = KEY.seal(leaf.private_key_pem.bytes(), purpose=sealing_purpose(ident))
    chain = b"".join(blob.bytes() for blob in leaf.cert_chain_pems).decode()
    fields = {"id": ident, "hosts": ("*.example.com", "example.com"), "chain_pem": chain, "sealed_key": sealed}
    return CertificateDocument(**(fields | changes))


def test_a_certificate_is_for_the_hosts_of_its_document(leaf: trustme.LeafCert) -> None:
    (served,) = certificates_of("example.com", [document(leaf)], key=KEY)
    assert served.native.names == ("*.example.com", "example.com")


def test_one_that_has_not_changed_is_taken_over(leaf: trustme.LeafCert) -> None:
    first = document(leaf)
    before = certificates_of("example.com", [first], key=KEY)
    second = document(leaf, id="c2")
    after = certificates_of("example.com", [second, first], key=KEY, before=before)
    assert after[1] is before[0]
    assert after[0] is not before[0]
    moved = document(leaf, hosts=("example.com",), sealed_key=first.sealed_key)
    assert certificates_of("example.com", [moved], key=KEY, before=before)[0] is not before[0]


@pytest.mark.parametrize(
    ("zone", "hosts", "names"),
    [
        ("example.com", ("example.com", "victim.test", "*.victim.test"), ("example.com",)),
        ("example.com", ("*.example.com", "a.b.example.com", "notexample.com"), ("*.example.com", "a.b.example.com")),
        # A wildcard of the domain above is for this zone's own name, and for nothing else of it.
        ("sub.example.com", ("*.example.com", "example.com"), ("sub.example.com",)),
        (CATCH_ALL, ("any.test", "*.other.test"), ("any.test", "*.other.test")),
    ],
)
def test_a_certificate_is_shown_for_its_zone_s_names_only(
    leaf: trustme.LeafCert, zone: str, hosts: tuple[str, ...], names: tuple[str, ...]
) -> None:
    (served,) = certificates_of(zone, [document(leaf, hosts=hosts)], key=KEY)
    assert served.native.names == names


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"hosts": ("victim.test",)}, "hosts"),
        ({"sealed_key": b""}, "sealed_key"),
        ({"sealed_key": b"\x01" + b"x" * 60}, "sealed_key"),
        ({"sealed_key": OTHER_KEY.seal(b"secret words", purpose=sealing_purpose("c1"))}, "sealed_key"),
        ({"sealed_key": KEY.seal(b"secret words", purpose=sealing_purpose("c2"))}, "sealed_key"),
        ({"sealed_key": KEY.seal(b"secret words", purpose=sealing_purpose("c1"))}, "chain_pem"),
        ({"chain_pem": "no PEM"}, "chain_pem"),
        ({"hosts": ()}, "hosts"),
        ({"hosts": ("Example.com",)}, "hosts"),
        ({"hosts": ("a.*.com",)}, "hosts"),
        ({"hosts": ("a b",)}, "hosts"),
    ],
)
def test_what_cannot_be_shown_is_named_and_no_secret_repeated(
    leaf: trustme.LeafCert, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(CompileError) as caught:
        certificates_of("example.com", [document(leaf, **changes)], key=KEY)
    assert caught.value.field == f"certificates[c1].{field}"
    assert "secret words" not in str(caught.value)


def test_a_key_of_another_certificate_is_refused(leaf: trustme.LeafCert) -> None:
    other = trustme.CA().issue_cert("example.com")
    sealed = KEY.seal(other.private_key_pem.bytes(), purpose=sealing_purpose("c1"))
    with pytest.raises(CompileError) as caught:
        certificates_of("example.com", [document(leaf, sealed_key=sealed)], key=KEY)
    assert caught.value.field == "certificates[c1].chain_pem"
    assert "BEGIN" not in str(caught.value)


def test_an_edge_without_a_key_serves_no_certificates(leaf: trustme.LeafCert) -> None:
    with pytest.raises(CompileError, match="no key to open it with"):
        certificates_of("example.com", [document(leaf)], key=None)
    assert certificates_of("example.com", [], key=None) == ()


def test_one_that_cannot_be_shown_costs_itself_alone(leaf: trustme.LeafCert) -> None:
    good, bad = document(leaf), document(leaf, id="c2", sealed_key=OTHER_KEY.seal(b"secret words", purpose="other"))
    served, left_out = usable_certificates_of("example.com", [bad, good], key=KEY)
    assert len(served) == 1
    assert list(left_out) == ["c2"]
    assert "sealed with another key" in left_out["c2"]
    again, _ = usable_certificates_of("example.com", [bad, good], key=KEY, before=served)
    assert again[0] is served[0]
    assert usable_certificates_of("example.com", [good], key=None)[0] == ()
