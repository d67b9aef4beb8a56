"""The zone and the script that routes and domains are made of."""

from __future__ import annotations

from holdfast.api.faults import ApiFault
from holdfast.api.worker_targets import NO_ZONE, held_script, zone_of
from tests.api.harness import ABSENT, Api
from tests.api.worker_uploads import upload


async def code_of_zone(api: Api, host: str, **given: str) -> int | str:
    """The name of the zone that a host name is of, or the code of why it is of none."""
    async with api.control.database.read() as connection:
        try:
            return (await zone_of(connection, api.account_id, host, **given)).name
        except ApiFault as refused:
            return refused.complaints[0].code


async def test_a_host_is_of_the_nearest_zone_above_it(worker_api: Api) -> None:
    inner = await worker_api.zone("a.example.com")
    await worker_api.zone("example.com")
    assert await code_of_zone(worker_api, "x.a.example.com") == "a.example.com"
    assert await code_of_zone(worker_api, "b.example.com") == "example.com"
    assert await code_of_zone(worker_api, "a.example.com", zone_id=inner) == "a.example.com"
    assert await code_of_zone(worker_api, "b.example.com", zone_id=inner) == NO_ZONE
    assert await code_of_zone(worker_api, "example.org") == NO_ZONE
    assert await code_of_zone(worker_api, "a.example.com", zone_name="example.com") == NO_ZONE


async def test_a_script_is_of_its_account(worker_api: Api) -> None:
    await worker_api.result("PUT", f"/accounts/{worker_api.account_id}/workers/scripts/chat", **upload())
    found: list[str] = []
    async with worker_api.control.database.read() as connection:
        for account_id, name in ((worker_api.account_id, "chat"), (ABSENT, "chat"), (worker_api.account_id, "gone")):
            try:
                found.append((await held_script(connection, account_id, name, member="script", code=10019)).name)
            except ApiFault as refused:
                found.append(f"{refused.complaints[0].code} {refused.complaints[0].pointer}")
    assert found == ["chat", "10019 /script", "10019 /script"]
