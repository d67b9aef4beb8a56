"""Settings of a zone: one, all, and several at once.

Law 1: several are set together or not at all, and so are settings that exclude each other.
Law 2: what has its value already is not written: nothing is audited, no time moves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Response
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from holdfast.api.access import Access, zone_access
from holdfast.api.envelope import Envelope, View, success
from holdfast.api.faults import ApiFault, Complaint, fault, not_found
from holdfast.api.undoing import Undone, writing
from holdfast.model.message_rules import message_rules_of
from holdfast.model.moment import written_or_none
from holdfast.model.setting import SETTINGS, check_together, with_defaults
from holdfast.model.setting_value import SettingError, Value
from holdfast.rules.message_rules import MessageRuleError, compiled
from holdfast.store import settings, zones
from holdfast.store.settings import StoredSetting

router = APIRouter(prefix="/zones/{zone_id}/settings", tags=["Zone settings"])

ReadAccess = Annotated[Access, Depends(zone_access("Zone Settings Read"))]
WriteAccess = Annotated[Access, Depends(zone_access("Zone Settings Write"))]

UNKNOWN_SETTING = 1006
INVALID_VALUE = 1007


class SettingView(View):
    """One setting."""

    id: str
    value: Any
    editable: bool
    modified_on: str | None


class SettingEdit(BaseModel):
    """The new value. Other members are ignored."""

    model_config = ConfigDict(extra="ignore")
    value: Any = Field(description="What the setting may be is said by the error, if it is not that.")


class SettingItem(SettingEdit):
    """One of several."""

    id: str


# There are less than thirty.
_Items = Annotated[list[SettingItem], Field(max_length=100)]


class SettingItems(BaseModel):
    """The older form of several."""

    items: _Items


# Which of the two forms a body has is seen before it is looked at, so that it is told of that one's faults alone.
_Form = Annotated[
    Annotated[_Items, Tag("an array")] | Annotated[SettingItems, Tag("an object")],
    Discriminator(lambda body: "an array" if isinstance(body, list) else "an object"),
]


@router.get("", response_model=Envelope[list[SettingView]])
async def list_settings(access: ReadAccess) -> Response:
    """All settings of the zone."""
    async with access.context.database.look() as connection:
        stored = await settings.of_zone(connection, access.known_zone.id)
    return success([_view(name, stored) for name in SETTINGS])


@router.get("/{setting_id}", response_model=Envelope[SettingView])
async def show_setting(setting_id: str, access: ReadAccess) -> Response:
    """One setting of the zone."""
    _check_known(setting_id)
    async with access.context.database.look() as connection:
        stored = await settings.of_zone(connection, access.known_zone.id)
    return success(_view(setting_id, stored))


@router.patch("/{setting_id}", response_model=Envelope[SettingView])
async def edit_setting(setting_id: str, edit: SettingEdit, access: WriteAccess) -> Response:
    """Set one setting of the zone."""
    _check_known(setting_id)
    try:
        value = await _parsed(setting_id, edit.value)
    except SettingError as error:
        raise _invalid(setting_id, "/value", error) from None
    stored = await _put(access, {setting_id: value}, pointer="/value")
    return success(_view(setting_id, stored))


@router.patch("", response_model=Envelope[list[SettingView]])
async def edit_settings(edits: Annotated[_Form, Body()], access: WriteAccess) -> Response:
    """Set several settings of the zone: `[{"id": …, "value": …}]`, or the same as `items`."""
    items, prefix = (edits, "") if isinstance(edits, list) else (edits.items, "/items")
    values: dict[str, Value] = {}
    complaints: list[Complaint] = []
    for place, item in enumerate(items):
        try:
            _check_known(item.id, pointer=f"{prefix}/{place}/id")
            values[item.id] = await _parsed(item.id, item.value)
        except SettingError as error:
            complaints += _invalid(item.id, f"{prefix}/{place}/value", error).complaints
        except ApiFault as unknown:
            complaints += unknown.complaints
    if complaints:
        raise ApiFault(400, complaints)
    if not values:
        return success([])
    stored = await _put(access, values, pointer=prefix)
    return success([_view(name, stored) for name in values])


async def _parsed(name: str, given: Value) -> Value:
    """The value as it is kept. Raises SettingError."""
    value = SETTINGS[name].parse(given)
    if name == "websocket_message_rules":
        # A large schema takes a tenth of a second.
        await asyncio.to_thread(_check_message_rules, value)
    return value


def _check_message_rules(value: Value) -> None:
    for place, rule in enumerate(message_rules_of(value)):
        try:
            compiled(rule)
        except MessageRuleError as error:
            raise SettingError(f"{place}: {error}") from None


async def _put(access: Access, values: Mapping[str, Value], *, pointer: str) -> dict[str, StoredSetting]:
    """Write and publish what is another value, and return all that is stored then."""
    zone, now = access.known_zone, access.context.clock()
    async with writing(access.context.database) as connection:
        if not await zones.touch(connection, zone.id):
            raise not_found("zone")
        stored = await settings.of_zone(connection, zone.id)
        before = with_defaults({name: one.value for name, one in stored.items()})
        try:
            check_together({**before, **values})
        except SettingError as error:
            raise _invalid(" and ".join(values), pointer, error) from None
        changes = {name: value for name, value in values.items() if value != before[name]}
        if not changes:
            raise Undone
        await settings.put(connection, zone.id, changes, now=now)
        for name, value in changes.items():
            await access.record(
                connection, "update", "zone_setting", name, old={"value": before[name]}, new={"value": value}
            )
    if changes:
        await access.context.on_change([zone.id])
    return stored | {name: StoredSetting(value, now) for name, value in changes.items()}


def _check_known(setting_id: str, *, pointer: str | None = None) -> None:
    if setting_id not in SETTINGS:
        known = ", ".join(SETTINGS)
        message = f"Unrecognized zone setting name {setting_id[:80]!r}: this edge has {known}"
        raise fault(400, UNKNOWN_SETTING, message, pointer=pointer)


def _invalid(name: str, pointer: str, error: SettingError) -> ApiFault:
    return fault(400, INVALID_VALUE, f"Invalid value for zone setting {name}: {error}", pointer=pointer)


def _view(name: str, stored: Mapping[str, StoredSetting]) -> dict[str, Any]:
    setting, one = SETTINGS[name], stored.get(name)
    return {
        "id": name,
        "value": setting.default if one is None else one.value,
        "editable": True,
        "modified_on": written_or_none(None if one is None else one.modified_on),
    }
