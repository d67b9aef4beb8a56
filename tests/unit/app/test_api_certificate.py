"""The certificate of the API: what handshakes are shown before and after its files are replaced."""

import json
import os
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509

from holdfast.app.api_certificate import ApiCertificate
from holdfast.errors import CertificateError
from holdfast.event_log import EventLog
from tests.unit.certificates.making import DAY, NOW, a_key, cert_pem, key_pem


class Served:
    """A pair on the disk, the context that uvicorn would have made of it, and what is logged."""

    def __init__(self, directory: Path) -> None:
        self.cert, self.key, self.log_file = directory / "c.pem", directory / "c.key", directory / "log"
        self._log_fd = os.open(self.log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.log = EventLog(self._log_fd)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)

    def write(self, kind: str, name: str) -> None:
        # Long from now, as the clock is the machine's.
        self.cert.write_bytes(cert_pem(a_key(kind), names=[name], not_after=NOW + 36500 * DAY))
        self.key.write_bytes(key_pem(a_key(kind)))

    def begin(self) -> ApiCertificate:
        certificate = ApiCertificate(self.cert, self.key, self.log)
        self.context.load_cert_chain(self.cert, self.key)
        certificate.renew(self.context)
        return certificate

    def shown(self, name: str | None = None) -> list[str]:
        """The names of the certificate that a client is shown which asks for `name`."""
        trusting = ssl.create_default_context()
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
        to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = trusting.wrap_bio(to_client, to_server, server_hostname=name)
        server = self.context.wrap_bio(to_server, to_client, server_side=True)
        for side in (client, server, client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
        der = client.getpeercert(binary_form=True)
        assert der is not None
        names = x509.load_der_x509_certificate(der).extensions.get_extension_for_class(x509.SubjectAlternativeName)
        return names.value.get_values_for_type(x509.DNSName)

    def events(self) -> list[str]:
        return [json.loads(line)["event"] for line in self.log_file.read_text().splitlines()]

    def close(self) -> None:
        os.close(self._log_fd)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    served = Served(tmp_path)
    yield served
    served.close()


def seen(certificate: ApiCertificate) -> None:
    """What was replaced is read by the second poll that finds it so."""
    certificate.poll()
    certificate.poll()


@pytest.mark.parametrize("name", [None, "new.example"])
@pytest.mark.parametrize("kind", ["ec", "rsa", "ed25519"])
def test_a_pair_that_is_replaced_is_shown_whatever_its_kind(served: Served, kind: str, name: str | None) -> None:
    served.write("rsa", "old.example")
    certificate = served.begin()
    assert served.shown(name) == ["old.example"]
    served.write(kind, "new.example")
    seen(certificate)
    assert served.shown(name) == ["new.example"]
    assert served.events() == ["certificate_loaded"]


def test_what_cannot_be_used_leaves_the_old_pair(served: Served) -> None:
    served.write("ec", "old.example")
    certificate = served.begin()
    served.cert.write_text("half written")
    seen(certificate)
    assert served.shown() == ["old.example"]
    assert served.events() == ["certificate_rejected"]


def test_a_pair_that_has_expired_is_shown_and_said(served: Served) -> None:
    served.cert.write_bytes(cert_pem(a_key(), not_before=NOW - 9 * DAY, not_after=NOW - DAY))
    served.key.write_bytes(key_pem(a_key()))
    served.begin()
    assert served.events() == ["certificate_warning"]


def test_a_pair_that_cannot_be_used_at_first_is_one_sentence(served: Served) -> None:
    with pytest.raises(CertificateError, match=r"cannot read .*c\.pem"):
        ApiCertificate(served.cert, served.key, served.log)
