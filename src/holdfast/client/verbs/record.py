"""`holdfast record`: the DNS records of a zone; a proxied one is an origin.

Law 1: a name may be short: `@` is the zone itself, `ws` is ws.ZONE, and a name that ends with the zone's stays as it is.
Law 2: `edit` and `remove` act on one record: where a name has several, they are named with their ids.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.client.api.answer import JsonObject, as_object, id_of, text_of
from holdfast.client.api.options import ApiOptions
from holdfast.client.api.paths import is_id
from holdfast.client.api.zones import Zone, find_zone, host_name, the_only, zone_or_id
from holdfast.client.printable import printable
from holdfast.client.verbs.group import Verb, group_of
from holdfast.client.verbs.output import Output
from holdfast.errors import UsageError
from holdfast.model.dns_record import AUTOMATIC_TTL, MAX_TTL_S, TYPES
from holdfast.model.option import spelled, switch
from holdfast.model.origin_address import parse_address

if TYPE_CHECKING:
    import typer

    from holdfast.client.api.connection import Api

# The API's least is by plan; this is the least of them.
_MIN_TTL_S = 30
# The API's own limit for a comment is by plan; this is the longest of them.
_MAX_COMMENT_CHARS = 500
RECORDS_A_PAGE = 1000


def _name(text: str, flag: str) -> str:
    return text if text in ("@", "*") else host_name(text, flag, may_be_wildcard=True, may_be_short=True)


def _record(text: str, flag: str) -> str:
    return text if is_id(text) else _name(text, flag)


def _type(text: str, flag: str) -> str:
    if text.upper() not in TYPES:
        raise UsageError(flag, text, f"{', '.join(TYPES[:-1])} or {TYPES[-1]}")
    return text.upper()


def _content(text: str, flag: str) -> str:
    address = parse_address(text)
    return str(address) if address else host_name(text, flag, may_be_short=True)


def _ttl(text: str, flag: str) -> int:
    if text.lower() in ("auto", "1"):
        return AUTOMATIC_TTL
    if not (text.isascii() and text.isdigit() and len(text) < 8 and _MIN_TTL_S <= int(text) <= MAX_TTL_S):
        raise UsageError(flag, text, f"auto, or seconds from {_MIN_TTL_S} to {MAX_TTL_S:,}")
    return int(text)


def _comment(text: str, flag: str) -> str:
    if len(text) > _MAX_COMMENT_CHARS:
        raise UsageError(flag, text, f"at most {_MAX_COMMENT_CHARS} characters")
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordListOptions(ApiOptions):
    """Which records to list."""

    zone: str = dataclasses.field(metadata=spelled("ZONE", "ZONE", "The zone: its name or its id.", zone_or_id))
    type: str | None = dataclasses.field(
        default=None, metadata=spelled("--type", "|".join(TYPES), "The type of the record.", _type)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _WriteOptions(RecordListOptions):
    """What may be written in a record. Not given: chosen by `add`, left as it is by `edit`."""

    proxied: bool = dataclasses.field(
        default=False, metadata=switch("--proxied", "Requests for the name go through the edge (default for add).")
    )
    dns_only: bool = dataclasses.field(
        default=False, metadata=switch("--dns-only", "The record is an answer of DNS only; the edge refuses the name.")
    )
    ttl: int | None = dataclasses.field(
        default=None, metadata=spelled("--ttl", "SECONDS", "How long the record may be kept, or auto.", _ttl)
    )
    comment: str | None = dataclasses.field(
        default=None, metadata=spelled("--comment", "TEXT", "A note that has no effect.", _comment)
    )

    def __post_init__(self) -> None:
        if self.proxied and self.dns_only:
            raise UsageError("--dns-only", "--dns-only", "it without --proxied, which is the opposite")

    def given(self) -> dict[str, object]:
        """The fields of the body that were given."""
        body: dict[str, object] = {"proxied": self.proxied} if self.proxied or self.dns_only else {}
        more = {"type": self.type, "ttl": self.ttl, "comment": self.comment}
        return body | {name: value for name, value in more.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordAddOptions(_WriteOptions):
    """The record to add."""

    name: str = dataclasses.field(metadata=spelled("NAME", "NAME", "Its name: @, ws, *, or in full.", _name))
    content: str = dataclasses.field(
        metadata=spelled("CONTENT", "CONTENT", "An IPv4 or IPv6 address, or a host name.", _content)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRemoveOptions(RecordListOptions):
    """The record to remove."""

    record: str = dataclasses.field(metadata=spelled("RECORD", "RECORD", "The record: its name or its id.", _record))


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordEditOptions(_WriteOptions):
    """The record to change, and what to change."""

    record: str = dataclasses.field(metadata=spelled("RECORD", "RECORD", "The record: its name or its id.", _record))
    content: str | None = dataclasses.field(
        default=None, metadata=spelled("--content", "CONTENT", "The new address or host name.", _content)
    )
    name: str | None = dataclasses.field(default=None, metadata=spelled("--name", "NAME", "The new name.", _name))


def list_records(options: RecordListOptions, api: Api, output: Output) -> None:
    """A row a record."""
    zone = find_zone(api, options.zone)
    records = _records(api, zone, {"type": options.type} if options.type else {})
    rows = [
        (
            one.get("name"),
            one.get("type"),
            one.get("content"),
            _proxied(one),
            _ttl_of(one),
            one.get("comment"),
            one.get("id"),
        )
        for one in records
    ]
    titles = ("name", "type", "content", "proxied", "ttl", "comment", "id")
    output.table(records, titles, rows, empty=f"{zone.name} has no such records")


def add_record(options: RecordAddOptions, api: Api, output: Output) -> None:
    """Create it; proxied unless it shall be DNS only."""
    zone = find_zone(api, options.zone)
    name = full_name(options.name, zone.name)
    body = {
        "type": type_of(options.content),
        "name": name,
        "content": options.content,
        "proxied": True,
        "ttl": AUTOMATIC_TTL,
        **options.given(),
    }
    what = f"add the record {name}"
    record = as_object(api.send("POST", zone.path("dns_records"), what=what, body=body), what=what)
    output.done(record, f"added: {_told(record)}")


def edit_record(options: RecordEditOptions, api: Api, output: Output) -> None:
    """Change what was given and leave the rest."""
    body = options.given()
    # --type finds the record; together with a new content it also says what the record becomes.
    kind = options.type
    if options.content is not None:
        kind = options.type or type_of(options.content)
        body |= {"content": options.content, "type": kind}
    else:
        body.pop("type", None)
    if not body and options.name is None:
        raise UsageError("RECORD", options.record, "something to change, such as --content or --dns-only")
    zone = find_zone(api, options.zone)
    if options.name is not None:
        body["name"] = full_name(options.name, zone.name)
    old = _find(api, zone, options.record, kind, may_become=options.content is not None)
    what = f"edit the record {_named(old)}"
    path = zone.path("dns_records", id_of(old, what=what))
    record = as_object(api.send("PATCH", path, what=what, body=body), what=what)
    output.done(record, f"was: {_told(old)}", f"now: {_told(record)}")


def remove_record(options: RecordRemoveOptions, api: Api, output: Output) -> None:
    """Delete one record."""
    zone = find_zone(api, options.zone)
    record = _find(api, zone, options.record, options.type)
    what = f"remove the record {_named(record)}"
    result = api.send("DELETE", zone.path("dns_records", id_of(record, what=what)), what=what)
    output.done(result, f"removed: {_told(record)}")


def _records(api: Api, zone: Zone, query: dict[str, str]) -> list[JsonObject]:
    what = f"list the records of {zone.name}"
    return api.everything(zone.path("dns_records"), what=what, query=query, per_page=RECORDS_A_PAGE)


def _find(api: Api, zone: Zone, named: str, kind: str | None, *, may_become: bool = False) -> JsonObject:
    """The record with this id, or the only one with this name and type; with `may_become`, one of another type is as good
    where none has it. Raises UsageError."""
    if is_id(named):
        what = f"find the record {named}"
        return as_object(api.get(zone.path("dns_records", named), what=what), what=what)
    name = full_name(named, zone.name)
    found = [one for one in _records(api, zone, {"name": name}) if text_of(one, "name").lower() == name]
    if kind:
        found = [one for one in found if text_of(one, "type") == kind] or (found if may_become else [])
    if not found:
        raise UsageError("RECORD", named, f"the name or id of a record of {zone.name} (`holdfast record list`)")
    return the_only(found, "RECORD", named, what=f"find the record {name}", told=_told)


def full_name(name: str, zone: str) -> str:
    """The whole host name of a record (Law 1)."""
    if name == "@":
        return zone
    return name if name == zone or name.endswith(f".{zone}") else f"{name}.{zone}"


def type_of(content: str) -> str:
    """The type of record that holds this."""
    address = parse_address(content)
    return "CNAME" if address is None else "A" if address.version == 4 else "AAAA"


def _proxied(record: JsonObject) -> str:
    return "proxied" if record.get("proxied") is True else "dns only"


def _ttl_of(record: JsonObject) -> object:
    return "auto" if record.get("ttl") == AUTOMATIC_TTL else record.get("ttl")


def _named(record: JsonObject) -> str:
    return printable(text_of(record, "name"), limit=255)


def _told(record: JsonObject) -> str:
    content = printable(text_of(record, "content"), limit=255)
    return f"{_named(record)} {text_of(record, 'type')} {content}, {_proxied(record)}, ttl {_ttl_of(record)}"


VERBS = {
    "list": Verb(RecordListOptions, list_records, "List a zone's records."),
    "add": Verb(
        RecordAddOptions, add_record, "Add a record NAME that points to CONTENT; its type follows from the content."
    ),
    "edit": Verb(RecordEditOptions, edit_record, "Change a record; what is not given stays."),
    "remove": Verb(RecordRemoveOptions, remove_record, "Remove a record."),
}


def app(*, help: str) -> typer.Typer:  # noqa: A002  the word of every command line library
    """`holdfast record`."""
    return group_of(VERBS, help=help)
