"""`holdfast.store.settings`: what was set, and when; setting again is setting anew."""

from __future__ import annotations

from holdfast.store import settings, zones
from holdfast.store.database import Database
from holdfast.store.settings import StoredSetting
from tests.unit.store.test_zones import zone


async def test_a_setting_is_kept_until_it_is_set_anew_or_removed_or_its_zone_goes(database: Database) -> None:
    one, other = zone(1, "one.example"), zone(2, "other.example")
    async with database.write() as connection:
        await zones.insert(connection, one)
        await zones.insert(connection, other)
        assert await settings.of_zone(connection, one.id) == {}
        await settings.put(connection, one.id, {"websockets": "off", "ciphers": ["x"]}, now=1)
        await settings.put(connection, one.id, {"websockets": "on", "header": {"a": None}}, now=2)
        assert await settings.of_zone(connection, one.id) == {
            "websockets": StoredSetting("on", 2),
            "ciphers": StoredSetting(["x"], 1),
            "header": StoredSetting({"a": None}, 2),
        }
        assert await settings.of_zone(connection, other.id) == {}
        assert await settings.remove(connection, one.id, "ciphers")
        assert not await settings.remove(connection, one.id, "ciphers")
        assert sorted(await settings.of_zone(connection, one.id)) == ["header", "websockets"]
        await zones.delete(connection, one.id)
        assert await settings.of_zone(connection, one.id) == {}
