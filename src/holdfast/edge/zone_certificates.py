"""A zone's certificates in the core's hands: keys unsealed, chain and key checked to match.

Law 1: a private key is in the clear for the length of one call, and in no error.
Law 2: a certificate is shown for names of its own zone only, whatever else it is for: who brings one for another's
name gets it shown to nobody.
Law 3: a certificate that has not changed is taken over from the zone's last version: reading PEM costs a thousand times
what comparing a digest does.
Law 4: a certificate that cannot be opened or read costs itself, and not its zone the rest: an edge leaves it out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from holdfast.edge.compile_error import CompileError
from holdfast.edge.zone import ServedCertificate
from holdfast.model.hostname import is_within, parse_hostname
from holdfast.model.zone_document import CATCH_ALL, CertificateDocument
from holdfast.sealing import SealError, SealingKey, sealing_purpose


def certificates_of(
    zone: str,
    documents: Iterable[CertificateDocument],
    *,
    key: SealingKey | None,
    before: Iterable[ServedCertificate] = (),
) -> tuple[ServedCertificate, ...]:
    """The certificates, in the order to choose in. `before` are those of the zone's last version. Raises CompileError."""
    known = {certificate.digest: certificate for certificate in before}
    return tuple(known.get(_digest(one)) or _served(zone, one, key) for one in documents)


def usable_certificates_of(
    zone: str,
    documents: Iterable[CertificateDocument],
    *,
    key: SealingKey | None,
    before: Iterable[ServedCertificate] = (),
) -> tuple[tuple[ServedCertificate, ...], Mapping[str, str]]:
    """The same without those that cannot be shown, and why each of those, by id, is left out."""
    known = {certificate.digest: certificate for certificate in before}
    served: list[ServedCertificate] = []
    left_out: dict[str, str] = {}
    for one in documents:
        try:
            served.append(known.get(_digest(one)) or _served(zone, one, key))
        except CompileError as error:
            left_out[one.id] = str(error)
    return tuple(served), left_out


def _digest(document: CertificateDocument) -> bytes:
    parts = (document.id, "\n".join(document.hosts), document.chain_pem)
    digest = hashlib.sha256(document.sealed_key)
    for part in parts:
        digest.update(b"\0" + part.encode())
    return digest.digest()


def _served(zone: str, document: CertificateDocument, key: SealingKey | None) -> ServedCertificate:
    # Loaded here and not with this module: the values, and all phases, do without the core.
    from holdfast._native import Certificate  # noqa: PLC0415

    field = f"certificates[{document.id}]"
    names = _names_of(zone, field, document.hosts)
    if key is None:
        raise CompileError(
            zone, f"{field}.sealed_key", "***", "no certificate, as this edge has no key to open it with"
        )
    try:
        key_pem = key.open_sealed(document.sealed_key, purpose=sealing_purpose(document.id))
    except SealError as error:
        raise CompileError(zone, f"{field}.sealed_key", "***", f"a key sealed for it ({error})") from None
    try:
        native = Certificate(names=names, chain_pem=document.chain_pem.encode(), key_pem=key_pem)
    except ValueError as error:
        raise CompileError(zone, f"{field}.chain_pem", "***", f"a chain in PEM and its key ({error})") from None
    return ServedCertificate(_digest(document), native)


def _names_of(zone: str, field: str, hosts: tuple[str, ...]) -> tuple[str, ...]:
    """The names to show a certificate for."""
    for host in hosts:
        _check_host(zone, field, host)
    named = (_name_within(zone, host) for host in hosts)
    names = tuple(dict.fromkeys(name for name in named if name))
    if not names:
        raise CompileError(zone, f"{field}.hosts", ", ".join(hosts), f"at least one name within {zone}")
    return names


def _name_within(zone: str, host: str) -> str:
    """What of `host` is the zone's: the name itself, the zone's own name if a wildcard covers that, or nothing: ""."""
    if zone == CATCH_ALL or is_within(host.removeprefix("*."), zone):
        return host
    return zone if host == f"*.{zone.partition('.')[2]}" else ""


def _check_host(zone: str, field: str, host: str) -> None:
    try:
        is_well_spelled = parse_hostname(host, wildcard=True, single_label=True) == host
    except ValueError:
        is_well_spelled = False
    if not is_well_spelled:
        raise CompileError(zone, f"{field}.hosts", host, "a host name in lower case")
