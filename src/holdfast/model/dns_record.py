"""DNS records, parsed once: the name within its zone, the content its type has, and what a client may say besides.

Law 1: a parsed record is one that an edge compiles: lower case, ASCII, no final dot, addresses as they are written shortest.
Law 2: whatever a client sent, parsing returns fields or raises RecordError: a code and a sentence of the original, the
member at fault, and what came.
Law 3: parsing what a record shows gives the same record.

Source: Cloudflare API v4, "DNS Records"; codes and sentences as its clients know them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from holdfast.model.hostname import is_within, parse_hostname
from holdfast.model.moment import Moment
from holdfast.model.origin_address import parse_address

TYPES = ("A", "AAAA", "CNAME")
AUTOMATIC_TTL = 1
MAX_TTL_S = 86_400
_MIN_TTL_S, _MIN_TTL_ENTERPRISE_S = 60, 30
_MAX_COMMENT_FREE, _MAX_COMMENT = 100, 500
# Cloudflare's for paid plans; here a tag costs nobody anything, so every plan has them.
MAX_TAGS = 20
_TAG = re.compile(r"[A-Za-z0-9_-]{1,32}(?::[^\0]{0,100})?")
SETTINGS = ("ipv4_only", "ipv6_only", "flatten_cname")

UNKNOWN_TYPE = 1004
INVALID_NAME = 9000
INVALID_ADDRESS = {"A": 9005, "AAAA": 9006}
INVALID_ALIAS = 9007
INVALID_TTL = 9021
TOO_MANY_TAGS = 9300
INVALID_COMMENT = 9313


class RecordError(ValueError):
    """A record that cannot be. `field` is the member at fault ("" for the record as a whole), `detail` says what came."""

    def __init__(self, code: int, message: str, *, field: str = "", detail: str = "") -> None:
        super().__init__(message)
        self.code, self.field, self.detail = code, field, detail


class RecordFields(msgspec.Struct, frozen=True, kw_only=True):
    """What a client decides of a record. `name` is the full host name; `ttl` in seconds, or AUTOMATIC_TTL."""

    name: str
    type: str
    content: str
    ttl: int = AUTOMATIC_TTL
    proxied: bool = False
    comment: str | None = None
    tags: tuple[str, ...] = ()
    settings: Mapping[str, bool] = {}


class DnsRecord(RecordFields, frozen=True, kw_only=True):
    """One record of a zone."""

    id: str
    created_on: Moment
    modified_on: Moment
    comment_modified_on: Moment | None = None
    tags_modified_on: Moment | None = None


FIELDS = RecordFields.__struct_fields__


def fields_of(record: DnsRecord) -> RecordFields:
    """What a client decided of `record`."""
    return RecordFields(**_members(record))


def parse_fields(given: RecordFields, *, zone: str, plan: str) -> RecordFields:
    """`given`, as a client sent it, as a record of `zone` on `plan` (legacy id). Raises RecordError."""
    kind = parse_type(given.type)
    return RecordFields(
        name=parse_name(given.name, zone),
        type=kind,
        content=parse_content(kind, given.content, zone),
        # The client of a proxied name is answered by the edge's own addresses, which have their own time.
        ttl=AUTOMATIC_TTL if given.proxied else _ttl(given.ttl, plan),
        proxied=given.proxied,
        comment=_comment(given.comment, plan),
        tags=_tags(given.tags),
        settings={name: value for name, value in given.settings.items() if name in SETTINGS},
    )


def parse_type(text: str) -> str:
    """One of TYPES. Raises RecordError."""
    kind = text.upper()
    if kind in TYPES:
        return kind
    message = "This edge takes A, AAAA and CNAME records, which say where requests go: it serves no DNS"
    raise RecordError(UNKNOWN_TYPE, message, field="type", detail=f"got {text[:40]!r}")


def parse_name(text: str, zone: str) -> str:
    """The full name of `text`: `@` is the zone, `www` a name in it, `www.<zone>` itself. Raises RecordError."""
    given = text.strip()
    if given == "@":
        return zone
    full = _hostname(given)
    if full is not None and is_within(full, zone):
        return full
    below = None if given.endswith(".") else _hostname(f"{given}.{zone}")
    if below is None:
        expected = f"expected @, a name such as www or *, or a full name within {zone}"
        raise RecordError(INVALID_NAME, "DNS name is invalid.", field="name", detail=f"{expected}, got {text[:80]!r}")
    return below


def _hostname(text: str) -> str | None:
    try:
        return parse_hostname(text, wildcard=True, single_label=True)
    except ValueError:
        return None


def parse_content(kind: str, text: str, zone: str) -> str:
    """The address or host name that a record of type `kind` holds. Raises RecordError."""
    given = text.strip()
    if kind != "CNAME":
        return _address(kind, given)
    if given == "@":
        return zone
    try:
        return parse_hostname(given, single_label=True)
    except ValueError as error:
        message = "Content for CNAME record is invalid."
        raise RecordError(INVALID_ALIAS, message, field="content", detail=str(error)) from None


def _address(kind: str, text: str) -> str:
    address, version = parse_address(text), 4 if kind == "A" else 6
    if address is None or address.version != version:
        message = f"Content for {kind} record must be a valid IPv{version} address."
        raise RecordError(INVALID_ADDRESS[kind], message, field="content", detail=f"got {text[:80]!r}")
    return str(address)


def _ttl(ttl: int, plan: str) -> int:
    smallest = _MIN_TTL_ENTERPRISE_S if plan == "enterprise" else _MIN_TTL_S
    if ttl == AUTOMATIC_TTL or smallest <= ttl <= MAX_TTL_S:
        return ttl
    message = f"Invalid TTL. Must be between {smallest} and {MAX_TTL_S} seconds, or {AUTOMATIC_TTL} for Automatic."
    raise RecordError(INVALID_TTL, message, field="ttl", detail=f"got {str(ttl)[:40]}")


def _comment(comment: str | None, plan: str) -> str | None:
    if not comment:
        return None
    longest = _MAX_COMMENT_FREE if plan == "free" else _MAX_COMMENT
    if len(comment) > longest:
        message = f"DNS record comment is too long: it may have {longest} characters on the plan {plan}"
        raise RecordError(INVALID_COMMENT, message, field="comment", detail=f"got {len(comment)} characters")
    if "\0" in comment:
        raise RecordError(INVALID_COMMENT, "DNS record comment holds a NUL", field="comment")
    return comment


def _tags(tags: Sequence[str]) -> tuple[str, ...]:
    unique = tuple(dict.fromkeys(tags))
    if len(unique) > MAX_TAGS:
        message = f"DNS record has {len(unique)} tags, exceeding the quota of {MAX_TAGS}."
        raise RecordError(TOO_MANY_TAGS, message, field="tags")
    for tag in unique:
        if not _TAG.fullmatch(tag):
            message = "DNS record tag is invalid: expected name:value, of at most 32 and 100 characters"
            raise RecordError(TOO_MANY_TAGS, message, field="tags", detail=f"got {tag[:80]!r}")
    return unique


def made(record_id: str, fields: RecordFields, *, now: Moment) -> DnsRecord:
    """A new record of `fields`."""
    return DnsRecord(
        id=record_id,
        created_on=now,
        modified_on=now,
        comment_modified_on=now if fields.comment else None,
        tags_modified_on=now if fields.tags else None,
        **_members(fields),
    )


def changed(record: DnsRecord, fields: RecordFields, *, now: Moment) -> DnsRecord:
    """`record` with `fields`; `record` itself if they are what it has."""
    if fields == fields_of(record):
        return record
    is_commented, is_tagged = fields.comment != record.comment, fields.tags != record.tags
    return msgspec.structs.replace(
        record,
        modified_on=now,
        comment_modified_on=(now if fields.comment else None) if is_commented else record.comment_modified_on,
        tags_modified_on=(now if fields.tags else None) if is_tagged else record.tags_modified_on,
        **_members(fields),
    )


def _members(fields: RecordFields) -> dict[str, Any]:
    return {name: getattr(fields, name) for name in FIELDS}
