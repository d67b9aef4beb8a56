"""`holdfast cert`: the certificates a zone shows to its clients.

Law: a private key goes from its file to the API and is printed nowhere, whatever goes wrong.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.client.api.answer import JsonObject, as_object, id_of, texts_of
from holdfast.client.api.options import ApiOptions
from holdfast.client.api.paths import is_id
from holdfast.client.api.zones import Zone, find_zone, host_name, the_only, zone_or_id
from holdfast.client.printable import printable
from holdfast.client.verbs.group import Verb, group_of
from holdfast.client.verbs.output import Output, cell
from holdfast.errors import UsageError
from holdfast.model.option import spelled

if TYPE_CHECKING:
    import typer

    from holdfast.client.api.connection import Api

# Longest file read. A chain of four certificates is about 8 KiB.
MAX_FILE_BYTES = 256 * 1024
_CERTIFICATES_A_PAGE = 50


def _file(text: str, flag: str) -> Path:
    if not text or "\0" in text:
        raise UsageError(flag, text, "the path of a file in PEM")
    return Path(text).expanduser()


def _certificate(text: str, flag: str) -> str:
    return text if is_id(text) else host_name(text, flag, may_be_wildcard=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class CertListOptions(ApiOptions):
    """Whose certificates."""

    zone: str = dataclasses.field(metadata=spelled("ZONE", "ZONE", "The zone: its name or its id.", zone_or_id))


@dataclass(frozen=True, slots=True, kw_only=True)
class CertAddOptions(CertListOptions):
    """The certificate to add."""

    cert: Path | None = dataclasses.field(
        default=None,
        metadata=spelled("--cert", "FILE", "The certificate chain (PEM), its own certificate first.", _file),
    )
    key: Path | None = dataclasses.field(
        default=None, metadata=spelled("--key", "FILE", "Its private key (PEM, not encrypted).", _file)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CertOptions(CertListOptions):
    """Which certificate."""

    certificate: str = dataclasses.field(
        metadata=spelled("CERT", "CERT", "The certificate: its id, or a host name that it alone has.", _certificate)
    )


def add_certificate(options: CertAddOptions, api: Api, output: Output) -> None:
    """Send chain and key; the API checks that they belong together."""
    chain = pem_of(options.cert, "--cert", "CERTIFICATE")
    key = pem_of(options.key, "--key", "PRIVATE KEY")
    zone = find_zone(api, options.zone)
    what = f"add the certificate to {zone.name}"
    body = {"certificate": chain, "private_key": key}
    added = as_object(api.send("POST", zone.path("custom_certificates"), what=what, body=body), what=what)
    output.done(added, f"{zone.name}: added: {_told(added)}, id {cell(added.get('id'))}")


def list_certificates(options: CertListOptions, api: Api, output: Output) -> None:
    """A row a certificate."""
    zone = find_zone(api, options.zone)
    found = _certificates(api, zone)
    rows = [
        (
            one.get("hosts"),
            one.get("status"),
            one.get("expires_on"),
            one.get("issuer"),
            one.get("priority"),
            one.get("id"),
        )
        for one in found
    ]
    titles = ("hosts", "status", "expires", "issuer", "priority", "id")
    output.table(found, titles, rows, empty=f"{zone.name} has no certificates")


def show_certificate(options: CertOptions, api: Api, output: Output) -> None:
    """One certificate; its private key is the API's secret."""
    zone = find_zone(api, options.zone)
    one = _find(api, zone, options.certificate)
    names = ("hosts", "status", "issuer", "signature", "priority", "bundle_method", "uploaded_on", "modified_on")
    facts = [("id", one.get("id")), ("expires_on", one.get("expires_on")), *((name, one.get(name)) for name in names)]
    output.facts(one, facts)


def remove_certificate(options: CertOptions, api: Api, output: Output) -> None:
    """Delete one certificate."""
    zone = find_zone(api, options.zone)
    one = _find(api, zone, options.certificate)
    what = f"remove the certificate {options.certificate} of {zone.name}"
    result = api.send("DELETE", zone.path("custom_certificates", id_of(one, what=what)), what=what)
    output.done(result, f"{zone.name}: removed: {_told(one)}")


def pem_of(file: Path | None, flag: str, kind: str) -> str:
    """The text of a PEM file that has a `kind` in it. Raises UsageError, which says nothing of what is in the file."""
    if file is None:
        raise UsageError(flag, None, "the path of a file in PEM")
    try:
        with file.open("rb") as opened:
            data = opened.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        reason = (error.strerror or "it cannot be read").lower()
        raise UsageError(flag, str(file), f"a readable file in PEM ({reason})") from error
    if len(data) > MAX_FILE_BYTES:
        raise UsageError(flag, str(file), f"a file of at most {MAX_FILE_BYTES // 1024} KiB")
    text = data.decode("ascii", "replace")
    if "-----BEGIN " not in text or f"{kind}-----" not in text:
        raise UsageError(flag, str(file), f"a file in PEM with a {kind} in it")
    return text


def _certificates(api: Api, zone: Zone) -> list[JsonObject]:
    what = f"list the certificates of {zone.name}"
    return api.everything(zone.path("custom_certificates"), what=what, per_page=_CERTIFICATES_A_PAGE)


def _find(api: Api, zone: Zone, named: str) -> JsonObject:
    if is_id(named):
        what = f"find the certificate {named}"
        return as_object(api.get(zone.path("custom_certificates", named), what=what), what=what)
    found = [one for one in _certificates(api, zone) if named in texts_of(one.get("hosts"))]
    if not found:
        raise UsageError("CERT", named, f"the id or a host name of a certificate of {zone.name} (`holdfast cert list`)")
    return the_only(found, "CERT", named, what=f"find the certificate of {named}", told=_told)


def _told(certificate: JsonObject) -> str:
    hosts = printable(", ".join(texts_of(certificate.get("hosts"))) or "no hosts", limit=300)
    return f"certificate for {hosts}, valid until {cell(certificate.get('expires_on'))}"


VERBS = {
    "add": Verb(
        CertAddOptions, add_certificate, "Add a certificate and its key; the newest that fits a name is shown."
    ),
    "list": Verb(CertListOptions, list_certificates, "List a zone's certificates."),
    "show": Verb(CertOptions, show_certificate, "Show one certificate (never its key)."),
    "remove": Verb(CertOptions, remove_certificate, "Remove a certificate."),
}


def app(*, help: str) -> typer.Typer:  # noqa: A002  the word of every command line library
    """`holdfast cert`."""
    return group_of(VERBS, help=help)
