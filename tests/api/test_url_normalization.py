"""How URLs of zones are normalised: shown, set, reset, published."""

from __future__ import annotations

from typing import Any

import pytest

from holdfast.model.zone_document import UrlNormalization
from holdfast.store import zones
from tests.api.harness import Api, allow, codes, on_zone

DEFAULT = {"scope": "incoming", "type": "cloudflare"}
STRICT = {"scope": "incoming", "type": "rfc3986"}
NONE = {"scope": "none", "type": "cloudflare"}


def published(api: Api) -> UrlNormalization:
    (zone,) = api.control.publisher.snapshot().zones
    return zone.settings.url_normalization


async def test_it_is_shown_set_and_reset(api: Api) -> None:
    path = f"/zones/{await api.zone()}/url_normalization"
    assert await api.result("GET", path) == DEFAULT
    for wanted in (STRICT, NONE):
        assert await api.result("PUT", path, json=wanted) == wanted
        assert await api.result("GET", path) == wanted
        assert published(api) == UrlNormalization(**wanted)  # type: ignore[arg-type]
    answer = await api.ask("DELETE", path)
    assert (answer.status_code, answer.content) == (204, b"")
    assert await api.result("GET", path) == DEFAULT
    assert published(api) == UrlNormalization()
    entries = [entry for entry in await api.entries() if entry["resource"]["type"] == "url_normalization"]
    assert [entry["action"]["type"] for entry in entries] == ["delete", "update", "update"]


async def test_it_is_in_no_list_of_settings(api: Api) -> None:
    zone_id = await api.zone()
    await api.result("PUT", f"/zones/{zone_id}/url_normalization", json=NONE)
    assert "url_normalization" not in [one["id"] for one in await api.result("GET", f"/zones/{zone_id}/settings")]
    assert codes(await api.ask("GET", f"/zones/{zone_id}/settings/url_normalization")) == [1006]


async def test_a_write_that_changes_nothing_leaves_no_trace(api: Api) -> None:
    zone_id = await api.zone()
    path = f"/zones/{zone_id}/url_normalization"

    async def traces() -> tuple[int, int, int]:
        async with api.control.database.look() as connection:
            zone = await zones.find(connection, zone_id)
        assert zone is not None
        return zone.version, api.control.publisher.revision, len(await api.entries())

    before = await traces()
    assert await api.result("PUT", path, json=DEFAULT) == DEFAULT
    assert (await api.ask("DELETE", path)).status_code == 204
    assert await traces() == before
    await api.result("PUT", path, json=STRICT)
    changed = await traces()
    await api.result("PUT", path, json=STRICT)
    assert await traces() == changed


async def test_origins_cannot_be_sent_the_normalised_url(api: Api) -> None:
    path = f"/zones/{await api.zone()}/url_normalization"
    answer = await api.ask("PUT", path, json={"scope": "both", "type": "cloudflare"})
    assert (answer.status_code, codes(answer)) == (400, [1004])
    (error,) = answer.json()["errors"]
    assert error["source"]["pointer"] == "/scope"
    assert "sends origins the URL as the client sent it" in error["message"]
    assert await api.result("GET", path) == DEFAULT


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"scope": "incoming"}, "/type"),
        ({"type": "cloudflare"}, "/scope"),
        ({"scope": "outgoing", "type": "cloudflare"}, "/scope"),
        ({"scope": "none", "type": "rfc2396"}, "/type"),
        ({"scope": None, "type": "cloudflare"}, "/scope"),
        ({"scope": ["none"], "type": "cloudflare"}, "/scope"),
    ],
)
async def test_another_value_is_refused_by_its_name(api: Api, body: Any, pointer: str) -> None:
    path = f"/zones/{await api.zone()}/url_normalization"
    answer = await api.ask("PUT", path, json=body)
    assert answer.status_code == 400
    assert [one["source"]["pointer"] for one in answer.json()["errors"]] == [pointer]
    assert await api.result("GET", path) == DEFAULT


async def test_who_may_write_rules_may_write_what_they_see(api: Api) -> None:
    zone_id = await api.zone()
    path = f"/zones/{zone_id}/url_normalization"
    for prefix in ("Zone Settings", "Zone WAF"):
        reader = await api.token(allow(f"{prefix} Read", on=on_zone(zone_id)))
        assert (await api.ask("GET", path, secret=reader)).status_code == 200
        assert (await api.ask("PUT", path, secret=reader, json=NONE)).status_code == 403
        writer = await api.token(allow(f"{prefix} Write", on=on_zone(zone_id)))
        assert (await api.ask("PUT", path, secret=writer, json=NONE)).status_code == 200
        assert (await api.ask("DELETE", path, secret=writer)).status_code == 204


async def test_a_zone_that_goes_meanwhile_is_not_found(api: Api) -> None:
    zone_id = await api.zone()
    await api.ask("DELETE", f"/zones/{zone_id}")
    for method in ("GET", "PUT", "DELETE"):
        answer = await api.ask(method, f"/zones/{zone_id}/url_normalization", json=NONE)
        assert answer.status_code == 404
