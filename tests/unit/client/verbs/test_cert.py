"""`holdfast cert`: the key goes to the API and is printed nowhere."""

import json
from pathlib import Path

import pytest

from holdfast.client.api.answer import ApiRefused
from holdfast.client.verbs.cert import MAX_FILE_BYTES, VERBS, pem_of
from holdfast.errors import UsageError
from tests.unit.client.verbs.fake_api import IN_ZONE, ZONE, Failure, FakeApi, run

CHAIN = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
# In two parts, so that no search for secrets finds one here.
KEY = "-----BEGIN " + "PRIVATE KEY-----\nc2VjcmV0\n-----END " + "PRIVATE KEY-----\n"
CERTIFICATES = f"{IN_ZONE}/custom_certificates"
CERTIFICATE_ID = "2458ce5a-0c35-4c7f-82c7-8e9487d3ff60"
CERTIFICATE: dict[str, object] = {
    "id": CERTIFICATE_ID.replace("-", ""),
    "hosts": ["example.com", "*.example.com"],
    "issuer": "Test",
    "status": "active",
    "priority": 1,
    "expires_on": "2027-01-31T12:00:00Z",
}
ONE = f"{CERTIFICATES}/{CERTIFICATE['id']}"


def _fake(*certificates: dict[str, object]) -> FakeApi:
    return FakeApi(
        {
            "GET /zones": [ZONE],
            f"GET {CERTIFICATES}": list(certificates),
            f"GET {ONE}": CERTIFICATE,
            f"POST {CERTIFICATES}": CERTIFICATE,
            f"DELETE {ONE}": {"id": CERTIFICATE["id"]},
        }
    )


@pytest.fixture
def pair(tmp_path: Path) -> tuple[str, str]:
    (tmp_path / "chain.pem").write_text(CHAIN)
    (tmp_path / "key.pem").write_text(KEY)
    return str(tmp_path / "chain.pem"), str(tmp_path / "key.pem")


def test_add_sends_chain_and_key(pair: tuple[str, str]) -> None:
    fake = _fake()
    out, _ = run(fake, VERBS["add"], zone="example.com", cert=pair[0], key=pair[1])
    assert fake.written() == [(f"POST {CERTIFICATES}", {"certificate": CHAIN, "private_key": KEY})]
    assert out == (
        "example.com: added: certificate for example.com, *.example.com, valid until 2027-01-31T12:00:00Z,"
        f" id {CERTIFICATE['id']}\n"
    )


def test_a_refusal_does_not_repeat_the_key(pair: tuple[str, str]) -> None:
    fake = _fake()
    fake.answers = {**fake.answers, f"POST {CERTIFICATES}": Failure(400, 2006, "The key does not match")}
    with pytest.raises(ApiRefused, match=r"cannot add the certificate to example\.com: code 2006") as caught:
        run(fake, VERBS["add"], zone="example.com", cert=pair[0], key=pair[1])
    assert "c2VjcmV0" not in str(caught.value)


def test_files_that_are_no_pem_are_refused_before_anything_is_asked(tmp_path: Path, pair: tuple[str, str]) -> None:
    fake = _fake()
    for cert, key, expected in [
        (None, pair[1], "--cert: expected the path of a file in PEM, got nothing"),
        (pair[0], None, "--key: expected the path of a file in PEM, got nothing"),
        (pair[1], pair[1], "--cert: expected a file in PEM with a CERTIFICATE in it"),
        (pair[0], pair[0], "--key: expected a file in PEM with a PRIVATE KEY in it"),
        (str(tmp_path / "nope"), pair[1], r"--cert: expected a readable file in PEM \(no such file or directory\)"),
        (str(tmp_path), pair[1], r"--cert: expected a readable file in PEM \(is a directory\)"),
    ]:
        with pytest.raises(UsageError, match=expected):
            run(fake, VERBS["add"], zone="example.com", cert=cert, key=key)
    assert fake.asked == []


def test_a_file_without_end_is_not_read_to_it() -> None:
    with pytest.raises(UsageError, match=f"a file of at most {MAX_FILE_BYTES // 1024} KiB"):
        pem_of(Path("/dev/zero"), "--key", "PRIVATE KEY")


def test_certificates_are_listed_with_their_end() -> None:
    out, _ = run(_fake(CERTIFICATE), VERBS["list"], zone="example.com")
    assert " ".join(out.splitlines()[1].split()) == (
        f"example.com, *.example.com active 2027-01-31T12:00:00Z Test 1 {CERTIFICATE['id']}"
    )


@pytest.mark.parametrize("named", ["*.example.com", str(CERTIFICATE["id"])])
def test_one_is_shown_and_removed_by_host_or_id(named: str) -> None:
    fake = _fake(CERTIFICATE)
    out, _ = run(fake, VERBS["show"], zone="example.com", certificate=named)
    assert "expires_on:" in out
    out, _ = run(fake, VERBS["remove"], zone="example.com", certificate=named, as_json=True)
    assert json.loads(out) == {"id": CERTIFICATE["id"]}
    assert fake.written() == [(f"DELETE {ONE}", None)]


def test_a_host_of_several_certificates_names_them() -> None:
    fake = _fake(CERTIFICATE, {**CERTIFICATE, "id": "f" * 32})
    with pytest.raises(UsageError, match="CERT: expected the id of one of 2"):
        run(fake, VERBS["remove"], zone="example.com", certificate="example.com")
    with pytest.raises(UsageError, match="CERT: expected the id or a host name"):
        run(fake, VERBS["remove"], zone="example.com", certificate="ws.example.com")
