"""DNS records as JSON: what clients send, and what they are shown.

Source: Cloudflare API v4, "DNS Records". What is sent may name less than this (a PATCH) or more (ignored).
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, StrictBool, model_validator

from holdfast.api.envelope import View
from holdfast.api.faults import ApiFault, Complaint
from holdfast.api.text import Text
from holdfast.model.dns_record import AUTOMATIC_TTL, MAX_TTL_S, DnsRecord, RecordError, RecordFields, fields_of
from holdfast.model.moment import written
from holdfast.model.origin_address import is_nowhere, parse_address
from holdfast.model.record_book import ABSENT

_TTL = f"In seconds, up to {MAX_TTL_S}; {AUTOMATIC_TTL} is automatic, and what every proxied record has."


class RecordSettings(BaseModel):
    """What DNS servers of the original make of a record. It is kept; this edge serves no DNS."""

    model_config = ConfigDict(extra="ignore")
    ipv4_only: StrictBool | None = None
    ipv6_only: StrictBool | None = None
    flatten_cname: StrictBool | None = None


class RecordEdit(BaseModel):
    """What to change of a record; what is not named stays."""

    model_config = ConfigDict(extra="ignore")
    name: Text | None = Field(default=None, max_length=1000, description="`@`, `www`, `*`, or a full name in the zone.")
    type: Text | None = Field(default=None, max_length=40, description="A, AAAA or CNAME.")
    content: Text | None = Field(default=None, max_length=10_000, description="An address, or a host name.")
    ttl: int | None = Field(default=None, description=_TTL)
    proxied: StrictBool | None = Field(
        default=None, description="Whether the edge serves the name; else it is only kept."
    )
    comment: Text | None = Field(default=None, max_length=10_000)
    tags: list[Text] | None = Field(default=None, max_length=1000)
    settings: RecordSettings | None = None
    private_routing: StrictBool | None = Field(
        default=None, description="Refused if true: this edge has no private network."
    )

    def over(self, record: DnsRecord) -> RecordFields:
        """What `record` would be, not parsed yet."""
        given = self._given()
        before = fields_of(record)
        # What is null and cannot be nothing was not meant; a comment, tags and settings can be nothing.
        cleared = {name: _NOTHING[name] for name in _NOTHING if name in self.model_fields_set and name not in given}
        return RecordFields(**{**{name: getattr(before, name) for name in _NAMES}, **cleared, **given})

    def _given(self) -> dict[str, Any]:
        if self.private_routing:
            raise RecordError(1004, "private_routing: this edge reaches no private network", field="private_routing")
        given = {name: value for name in _NAMES if (value := getattr(self, name)) is not None}
        if self.tags is not None:
            given["tags"] = tuple(self.tags)
        if self.settings is not None:
            given["settings"] = self.settings.model_dump(exclude_none=True)
        return given


_NAMES = RecordFields.__struct_fields__
_NOTHING: dict[str, Any] = {"comment": None, "tags": (), "settings": {}}


class RecordWrite(RecordEdit):
    """A whole record: new, or in place of another."""

    name: Text = Field(max_length=1000, description="`@`, `www`, `*`, or a full name in the zone.")
    type: Text = Field(max_length=40, description="A, AAAA or CNAME.")
    content: Text = Field(max_length=10_000, description="An address, or a host name.")

    @model_validator(mode="before")
    @classmethod
    def _without_content(cls, given: Any) -> Any:  # noqa: ANN401  JSON
        # Records of several other types (SRV, CAA ...) have `data` for it: what is wrong with them is their type.
        if isinstance(given, dict) and "data" in given and given.get("content") is None:
            return {**given, "content": ""}
        return given

    def whole(self) -> RecordFields:
        """What the record would be, not parsed yet."""
        return RecordFields(**self._given())


class RecordView(View):
    """One record."""

    id: str
    name: str
    type: str
    content: str
    proxiable: bool
    proxied: bool
    ttl: int
    settings: dict[str, bool]
    meta: dict[str, Any]
    comment: str | None
    tags: list[str]
    created_on: str
    modified_on: str
    comment_modified_on: str | None = None
    tags_modified_on: str | None = None


def record_view(record: DnsRecord) -> dict[str, Any]:
    """A record as the API shows it."""
    address = parse_address(record.content)
    view = {
        "id": record.id,
        "name": record.name,
        "type": record.type,
        "content": record.content,
        "proxiable": address is None or not is_nowhere(address),
        "proxied": record.proxied,
        "ttl": record.ttl,
        "settings": dict(record.settings),
        "meta": {},
        "comment": record.comment,
        "tags": list(record.tags),
        "created_on": written(record.created_on),
        "modified_on": written(record.modified_on),
    }
    if record.comment_modified_on is not None:
        view["comment_modified_on"] = written(record.comment_modified_on)
    if record.tags_modified_on is not None:
        view["tags_modified_on"] = written(record.tags_modified_on)
    return view


def refused(error: RecordError, *, pointer: str = "") -> ApiFault:
    """`error` as an answer. `pointer` is where the record stands in the request."""
    where = f"{pointer}/{error.field}" if error.field else pointer
    chain = ((error.code, f"{error.field or 'record'}: {error.detail}"),) if error.detail else ()
    return ApiFault(404 if error.code == ABSENT else 400, (Complaint(error.code, str(error), where or None, chain),))
