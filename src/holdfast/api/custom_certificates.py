"""Certificates that a zone's owner brings along, shown to clients that ask for one of its hosts.

Law 1: a private key comes in and never goes out: it is sealed before it is kept, and is in no answer, log or audit entry.
Law 2: a chain and a key are checked before anything is written; a replacement is served from the moment it is answered.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import secrets
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema
from sqlalchemy.ext.asyncio import AsyncConnection

from holdfast.api.access import Access, zone_access
from holdfast.api.envelope import Envelope, Identifier, PageEnvelope, View, page_of, success
from holdfast.api.faults import fault, invalid, not_found
from holdfast.api.identifiers import path_id
from holdfast.api.paging import Page, paged
from holdfast.api.text import Text
from holdfast.api.undoing import Undone, writing
from holdfast.certificates.uploaded import (
    MAX_CHAIN_CHARS,
    MAX_KEY_CHARS,
    UploadedCertificate,
    UploadError,
    read_uploaded,
)
from holdfast.model.moment import Moment, moment_of, written
from holdfast.sealing import SealError, sealing_purpose
from holdfast.store import certificates, zones
from holdfast.store.certificates import Certificate

router = APIRouter(prefix="/zones/{zone_id}/custom_certificates", tags=["Custom certificates"])

ReadAccess = Annotated[Access, Depends(zone_access("SSL and Certificates Read"))]
WriteAccess = Annotated[Access, Depends(zone_access("SSL and Certificates Write"))]
CertificatePage = paged(largest=50, default=20)
CertificateId = path_id("certificate_id")

# All of a zone's certificates are published with it; each is some KiB.
MAX_CERTIFICATES = 100
_MAX_PRIORITY = 1_000_000
RESOURCE = "custom_certificate"

INVALID_CERTIFICATE = 1002
QUOTA = 1212
ALREADY_THERE = 1220
CHANGED_MEANWHILE = 10409

BundleMethod = Literal["ubiquitous", "optimal", "force"]
# Not declared as a text: what a check says of a member that is none shows it, and a key is shown to nobody.
PrivateKey = Annotated[Any, WithJsonSchema({"type": "string", "maxLength": MAX_KEY_CHARS})]


class GeoRestrictions(BaseModel):
    """Where the original may hold the key. It is kept; keys of this installation are where its edges are."""

    model_config = ConfigDict(extra="ignore")
    label: Literal["us", "eu", "highest_security"] | None = None


class CertificateEdit(BaseModel):
    """What to change of a certificate. A new chain without a key is for the key that is there, and the other way round."""

    model_config = ConfigDict(extra="ignore")
    certificate: Text | None = Field(default=None, max_length=MAX_CHAIN_CHARS, description="PEM: the leaf first.")
    private_key: PrivateKey = Field(default=None, description="PEM, without a password.")
    bundle_method: BundleMethod | None = Field(default=None, description="Kept; chains are served as they are given.")
    geo_restrictions: GeoRestrictions | None = None
    policy: Text | None = Field(default=None, max_length=1000)
    policy_restrictions: Text | None = Field(default=None, max_length=1000)
    deploy: Literal["staging", "production"] | None = Field(default=None, description="Staging is refused.")
    custom_csr_id: Text | None = Field(default=None, max_length=64, description="Refused: no requests are kept here.")

    def members(self) -> dict[str, Any]:
        """What is given of what is kept as it is."""
        geo = self.geo_restrictions.model_dump(exclude_none=True) if self.geo_restrictions else None
        given = {
            "bundle_method": self.bundle_method,
            "geo_restrictions": geo,
            "policy": self.policy or self.policy_restrictions,
        }
        return {name: value for name, value in given.items() if value is not None}


class CertificateCreate(CertificateEdit):
    """A new certificate."""

    certificate: Text = Field(max_length=MAX_CHAIN_CHARS, description="PEM: the leaf first, then its issuers.")
    type: Literal["legacy_custom", "sni_custom"] = "legacy_custom"


class CertificateView(View):
    """One certificate."""

    id: str
    zone_id: str
    type: str
    bundle_method: str
    hosts: list[str]
    issuer: str
    signature: str
    status: Literal["active", "expired", "pending"]
    priority: int
    uploaded_on: str
    modified_on: str
    expires_on: str
    geo_restrictions: dict[str, str] | None = None
    policy_restrictions: str | None = None


class Priority(BaseModel):
    """The new priority of a certificate."""

    model_config = ConfigDict(extra="ignore")
    id: Text = Field(max_length=64)
    priority: int = Field(default=0, ge=0, le=_MAX_PRIORITY)


class Priorities(BaseModel):
    """New priorities; certificates that are not named keep theirs."""

    certificates: list[Priority] = Field(max_length=MAX_CERTIFICATES)


class CertificateQuery(BaseModel):
    """Which certificates."""

    model_config = ConfigDict(extra="ignore")
    status: Literal["active", "expired", "deleted", "pending", "initializing"] | None = None
    match: Literal["any", "all"] = "all"


@router.get("", response_model=PageEnvelope[list[CertificateView]])
async def list_certificates(
    access: ReadAccess,
    page: CertificatePage,  # type: ignore[valid-type]  # made by a function
    query: Annotated[CertificateQuery, Query()],
) -> Response:
    """The zone's certificates, the one that is chosen first first."""
    async with access.context.database.read() as connection:
        found = await certificates.of_zone(connection, access.known_zone.id)
    now = access.context.clock()
    return _page([one for one in found if query.status in (None, one.status(now))], page, access)


def _page(found: Sequence[Certificate], page: Page, access: Access) -> Response:
    shown = found[page.offset : page.offset + page.size]
    return page_of([_view(one, access) for one in shown], page, len(found))


@router.post("", response_model=Envelope[CertificateView])
async def create_certificate(body: CertificateCreate, access: WriteAccess) -> Response:
    """Upload a chain and its key."""
    _check_served(body)
    zone, now = access.known_zone, access.context.clock()
    uploaded = await _checked(access, body.certificate, _key_text(body.private_key), now)
    certificate_id = secrets.token_hex(16)
    facts = {"bundle_method": "ubiquitous", "geo_restrictions": None, "policy": None, **body.members()}
    certificate = Certificate(
        id=certificate_id,
        type=body.type,
        priority=0,
        modified_on=now,
        **_facts(access, certificate_id, uploaded, now),
        **facts,
    )
    view = _view(certificate, access)
    async with access.context.database.write() as connection:
        await _lock(access, connection)
        _check_beside(certificate, await certificates.of_zone(connection, zone.id))
        await certificates.insert(connection, zone.id, certificate)
        await access.record(connection, "create", RESOURCE, certificate.id, new=view)
    await access.context.on_change([zone.id])
    return success(view)


@router.put("/prioritize", response_model=Envelope[list[CertificateView]])
async def prioritize(body: Priorities, access: WriteAccess) -> Response:
    """Set priorities. Of the certificates for one host, legacy_custom ones come before sni_custom ones, then the highest
    priority, then the newest."""
    zone, now = access.known_zone, access.context.clock()
    is_changed = False
    async with writing(access.context.database) as connection:
        await _lock(access, connection)
        found = await certificates.of_zone(connection, zone.id)
        known = {one.id: one for one in found}
        for place, item in enumerate(body.certificates):
            before = known.get(item.id)
            if before is None:
                raise invalid(
                    f"/certificates/{place}/id", f"certificates.{place}.id: the zone has no certificate {item.id!r}"
                )
            after = msgspec.structs.replace(before, priority=item.priority, modified_on=now)
            if item.priority != before.priority:
                await _put(access, connection, before, after)
                known[item.id], is_changed = after, True
        if not is_changed:
            raise Undone
        found = await certificates.of_zone(connection, zone.id)
    await access.context.on_change([zone.id])
    return success([_view(one, access) for one in found])


@router.get("/{certificate_id}", response_model=Envelope[CertificateView])
async def show_certificate(
    access: ReadAccess,
    certificate_id: CertificateId,  # type: ignore[valid-type]  # made by a function
) -> Response:
    """One certificate, without its key."""
    async with access.context.database.read() as connection:
        return success(_view(await _find(access, connection, certificate_id), access))


@router.patch("/{certificate_id}", response_model=Envelope[CertificateView])
async def edit_certificate(
    access: WriteAccess,
    certificate_id: CertificateId,  # type: ignore[valid-type]  # made by a function
    body: CertificateEdit,
) -> Response:
    """Replace the chain, the key or both, under the same id."""
    _check_served(body)
    zone, now = access.known_zone, access.context.clock()
    async with access.context.database.read() as connection:
        before = await _find(access, connection, certificate_id)
    changes = body.members()
    if body.certificate is not None or body.private_key is not None:
        key = _stored_key(access, before) if body.private_key is None else _key_text(body.private_key)
        uploaded = await _checked(access, body.certificate or before.chain_pem, key, now)
        changes |= _facts(access, before.id, uploaded, now)
    after = msgspec.structs.replace(before, **changes, modified_on=now) if changes else before
    async with writing(access.context.database) as connection:
        await _lock(access, connection)
        beside = await certificates.of_zone(connection, zone.id)
        # What was checked is what was there then; whoever came in between is not overwritten unseen.
        if before != next((one for one in beside if one.id == before.id), None):
            raise fault(409, CHANGED_MEANWHILE, "The certificate was changed by somebody else meanwhile: ask again")
        if not changes:
            raise Undone
        _check_beside(after, [one for one in beside if one.id != after.id])
        await _put(access, connection, before, after)
    await access.context.on_change([zone.id])
    return success(_view(after, access))


@router.delete("/{certificate_id}", response_model=Envelope[Identifier])
async def delete_certificate(
    access: WriteAccess,
    certificate_id: CertificateId,  # type: ignore[valid-type]  # made by a function
) -> Response:
    """Remove a certificate and its key."""
    zone = access.known_zone
    async with access.context.database.write() as connection:
        await _lock(access, connection)
        before = await _find(access, connection, certificate_id)
        await certificates.delete(connection, before.id)
        await access.record(connection, "delete", RESOURCE, before.id, old=_view(before, access))
    await access.context.on_change([zone.id])
    return success({"id": certificate_id})


async def _lock(access: Access, connection: AsyncConnection) -> None:
    if not await zones.touch(connection, access.known_zone.id):
        raise not_found("zone")


async def _find(access: Access, connection: AsyncConnection, certificate_id: str) -> Certificate:
    found = await certificates.find(connection, access.known_zone.id, certificate_id)
    if found is None:
        raise not_found("custom certificate")
    return found


async def _put(access: Access, connection: AsyncConnection, before: Certificate, after: Certificate) -> None:
    await certificates.update(connection, after)
    await access.record(connection, "update", RESOURCE, after.id, old=_view(before, access), new=_view(after, access))


def _check_served(body: CertificateEdit) -> None:
    if body.custom_csr_id is not None:
        raise invalid("/custom_csr_id", "custom_csr_id: this installation keeps no requests: send the private_key")
    if body.deploy == "staging":
        raise invalid("/deploy", "deploy: expected production, the one environment there is here")


def _key_text(value: Any) -> str:  # noqa: ANN401  whatever was sent
    if not isinstance(value, str) or len(value) > MAX_KEY_CHARS:
        raise invalid(
            "/private_key", f"private_key: expected a private key in PEM, a text of at most {MAX_KEY_CHARS} characters"
        )
    return value


def _stored_key(access: Access, certificate: Certificate) -> str:
    try:
        return access.context.key.open_sealed(certificate.sealed_key, purpose=sealing_purpose(certificate.id)).decode()
    except SealError:
        raise invalid("/private_key", "private_key: expected the key, as the one kept here cannot be opened") from None


async def _checked(access: Access, chain: str, key: str, now: Moment) -> UploadedCertificate:
    moment = dt.datetime.fromtimestamp(now / 1e6, dt.UTC)
    try:
        # In a thread: looking a large RSA key over takes a tenth of a second.
        return await asyncio.to_thread(read_uploaded, chain, key, zone=access.known_zone.name, now=moment)
    except UploadError as error:
        raise fault(400, INVALID_CERTIFICATE, f"{error.field}: {error}", pointer=f"/{error.field}") from None


def _facts(access: Access, certificate_id: str, uploaded: UploadedCertificate, now: Moment) -> dict[str, Any]:
    """What a chain and its key make of a certificate."""
    return {
        "hosts": uploaded.hosts,
        "issuer": uploaded.issuer,
        "signature": uploaded.signature,
        "chain_pem": uploaded.chain_pem,
        "sealed_key": access.context.key.seal(uploaded.key_pem, purpose=sealing_purpose(certificate_id)),
        "starts_on": moment_of(uploaded.not_before),
        "expires_on": moment_of(uploaded.not_after),
        "uploaded_on": now,
    }


def _check_beside(certificate: Certificate, beside: Sequence[Certificate]) -> None:
    if len(beside) >= MAX_CERTIFICATES:
        message = f"You have reached the maximum number of custom certificates. ({MAX_CERTIFICATES} for a zone)"
        raise fault(400, QUOTA, message)
    if any((one.type, one.chain_pem) == (certificate.type, certificate.chain_pem) for one in beside):
        raise fault(400, ALREADY_THERE, "This certificate has already been submitted.", pointer="/certificate")


def _view(certificate: Certificate, access: Access) -> dict[str, Any]:
    view: dict[str, Any] = {
        "id": certificate.id,
        "zone_id": access.known_zone.id,
        "type": certificate.type,
        "bundle_method": certificate.bundle_method,
        "hosts": list(certificate.hosts),
        "issuer": certificate.issuer,
        "signature": certificate.signature,
        "status": certificate.status(access.context.clock()),
        "priority": certificate.priority,
        "uploaded_on": written(certificate.uploaded_on),
        "modified_on": written(certificate.modified_on),
        "expires_on": written(certificate.expires_on),
    }
    if certificate.geo_restrictions:
        view["geo_restrictions"] = dict(certificate.geo_restrictions)
    if certificate.policy:
        view["policy_restrictions"] = certificate.policy
    return view
