"""`holdfast setting`: what a zone does, one setting at a time.

Law 1: a value is sent in the type that the setting has: `1.3` is a text where the present value is one, and a number where
that is one; `a,b` is a list where it is one.
Law 2: what `get` prints, `set` takes.
"""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.client.api.answer import JsonObject, as_object, as_objects
from holdfast.client.api.options import ApiOptions
from holdfast.client.api.zones import find_zone, zone_or_id
from holdfast.client.verbs.group import Verb, group_of
from holdfast.client.verbs.output import Output, cell
from holdfast.errors import UsageError, reason_of
from holdfast.model.option import spelled

if TYPE_CHECKING:
    import typer

    from holdfast.client.api.connection import Api

# Longest value in a file: twenty message rules with schemas of 64 KiB, and as much again.
MAX_FILE_BYTES = 4 << 20

_ID = re.compile(r"[a-z0-9_]{1,64}")


def _setting_id(text: str, flag: str) -> str:
    name = text.lower().replace("-", "_")
    if not _ID.fullmatch(name):
        raise UsageError(flag, text, "the id of a setting, such as websockets (`holdfast setting list ZONE`)")
    return name


def _value(text: str, flag: str) -> str:
    """What was typed, or what is in the file that was named."""
    if not text.startswith("@"):
        return text
    try:
        with Path(text[1:]).open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = reason_of(error) if isinstance(error, OSError) else str(error)
        raise UsageError(flag, text, f"a file with the value ({reason})") from None
    if len(content) > MAX_FILE_BYTES:
        raise UsageError(flag, text, f"a file of at most {MAX_FILE_BYTES // 1024} KiB")
    try:
        return content.decode().strip()
    except UnicodeDecodeError:
        raise UsageError(flag, text, "a file with the value, in UTF-8") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingListOptions(ApiOptions):
    """Whose settings."""

    zone: str = dataclasses.field(metadata=spelled("ZONE", "ZONE", "The zone: its name or its id.", zone_or_id))


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingGetOptions(SettingListOptions):
    """Which setting."""

    setting: str = dataclasses.field(
        metadata=spelled("ID", "ID", "The setting, such as websockets or min_tls_version.", _setting_id)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingSetOptions(SettingGetOptions):
    """Which setting, and what it shall be."""

    value: str = dataclasses.field(
        metadata=spelled("VALUE", "VALUE", "Its new value: a word such as on, JSON, or @FILE with it.", _value)
    )


def list_settings(options: SettingListOptions, api: Api, output: Output) -> None:
    """A row a setting."""
    zone = find_zone(api, options.zone)
    what = f"list the settings of {zone.name}"
    settings = as_objects(api.get(zone.path("settings"), what=what), what=what)
    rows = [(one.get("id"), shown(one.get("value")), one.get("editable"), one.get("modified_on")) for one in settings]
    output.table(settings, ("id", "value", "editable", "modified"), rows, empty=f"{zone.name} has no settings")


def get_setting(options: SettingGetOptions, api: Api, output: Output) -> None:
    """The value alone, for a script: `on`, or JSON."""
    zone = find_zone(api, options.zone)
    setting = _setting(api, zone.path("settings", options.setting), what=f"get {options.setting} of {zone.name}")
    output.value(setting, setting.get("value"))


def set_setting(options: SettingSetOptions, api: Api, output: Output) -> None:
    """Read the old value, write the new one, say both."""
    zone = find_zone(api, options.zone)
    path, what = zone.path("settings", options.setting), f"set {options.setting} of {zone.name}"
    old = _setting(api, path, what=what).get("value")
    new = as_object(api.send("PATCH", path, what=what, body={"value": parsed(options.value, old)}), what=what)
    output.done(new, f"{zone.name}: {options.setting}: {shown(old)} -> {shown(new.get('value'))}")


def _setting(api: Api, path: str, *, what: str) -> JsonObject:
    return as_object(api.get(path, what=what), what=what)


def parsed(text: str, old: object) -> object:
    """What a person typed as a JSON value: JSON where it is JSON, else text; text where the `old` value is text, and a list of
    what stands between commas where that is a list."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        # What begins like JSON was meant to be some: the API says what it is instead.
        is_list = isinstance(old, list) and not text.lstrip().startswith(("[", "{"))
        return [item.strip() for item in text.split(",") if item.strip()] if is_list else text
    return text if isinstance(old, str) and not isinstance(value, str) else value


def shown(value: object) -> str:
    """A setting's value for a person: text as it is, anything else as JSON."""
    return value if isinstance(value, str) else cell(json.dumps(value, separators=(",", ":")))


VERBS = {
    "list": Verb(SettingListOptions, list_settings, "List a zone's settings with their values."),
    "get": Verb(SettingGetOptions, get_setting, "Print the value of one setting."),
    "set": Verb(SettingSetOptions, set_setting, "Change one setting; it holds for new connections at once."),
}


def app(*, help: str) -> typer.Typer:  # noqa: A002  the word of every command line library
    """`holdfast setting`."""
    return group_of(VERBS, help=help)
