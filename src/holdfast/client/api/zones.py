"""Find what a person named: a zone by name or id, the account to act in.

Law: a name is looked up, never guessed; where it means several things, all of them are named with their ids.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.client.api.answer import JsonObject, as_object, as_objects, id_of, text_of
from holdfast.client.api.paths import is_id, path_of
from holdfast.client.printable import printable
from holdfast.errors import UsageError
from holdfast.model.hostname import MAX_CHARS, parse_hostname

if TYPE_CHECKING:
    from holdfast.client.api.connection import Api

# How many of several candidates a sentence names.
_MAX_NAMED = 5
_ACCOUNTS_A_PAGE = 50


def host_name(text: str, field: str, *, may_be_wildcard: bool = False, may_be_short: bool = False) -> str:
    """A host name in lower case without a final dot; a short one has a single label. Raises UsageError, naming `field`."""
    try:
        return parse_hostname(text, wildcard=may_be_wildcard, single_label=may_be_short)
    except ValueError:
        example = "chat or chat.example.com" if may_be_short else "chat.example.com"
        raise UsageError(field, text, f"a host name such as {example}") from None


def zone_or_id(text: str, field: str) -> str:
    """A zone as a person names it: its name, or its id."""
    return text if is_id(text) else host_name(text, field)


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone that exists: its id, its name (printable), and all the API says of it."""

    id: str
    name: str
    result: JsonObject

    def path(self, *parts: str) -> str:
        """A path below the zone: `zone.path("settings")`."""
        return path_of("zones", self.id, *parts)


def find_zone(api: Api, named: str) -> Zone:
    """The zone with this name or id. Raises UsageError where the token sees none, ApiRefused as the API does."""
    what = f"find the zone {named}"
    if is_id(named):
        return zone_of(as_object(api.get(path_of("zones", named), what=what), what=what), what=what)
    found = as_objects(api.get("/zones", what=what, query={"name": named}), what=what)
    zones = [zone for zone in found if text_of(zone, "name") == named]
    if not zones:
        raise UsageError("ZONE", named, "the name or id of a zone that this token may see (`holdfast zone list`)")
    return zone_of(the_only(zones, "ZONE", named, what=what), what=what)


def zone_of(result: JsonObject, *, what: str) -> Zone:
    """A zone as the API shows it. Raises ApiFailed where it is none."""
    return Zone(id_of(result, what=what), printable(text_of(result, "name"), limit=MAX_CHARS), result)


def find_account(api: Api, named: str, *, field: str = "--account") -> str:
    """The id of the account with this id or name, as `field` has it. Raises UsageError where the token sees none."""
    what = f"find the account {printable(named, limit=100)}"
    if is_id(named):
        return named
    accounts = api.everything("/accounts", what=what, per_page=_ACCOUNTS_A_PAGE)
    accounts = [account for account in accounts if text_of(account, "name") == named]
    if not accounts:
        raise UsageError(field, named, "the name or id of an account that this token may see")
    return id_of(the_only(accounts, field, named, what=what), what=what)


def the_only(
    items: Sequence[JsonObject],
    field: str,
    named: str,
    *,
    what: str,
    told: Callable[[JsonObject], str] = lambda item: text_of(item, "name"),
) -> JsonObject:
    """The only one of `items`, of which there is at least one. Raises UsageError that names them where there are more."""
    if len(items) == 1:
        return items[0]
    each = [f"{id_of(item, what=what)} ({printable(told(item), limit=200)})" for item in items[:_MAX_NAMED]]
    more = f" and {len(items) - _MAX_NAMED} more" if len(items) > _MAX_NAMED else ""
    raise UsageError(field, named, f"the id of one of {len(items)}: {', '.join(each)}{more}")
