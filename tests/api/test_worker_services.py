"""Workers as services, and who is bound to them."""

from __future__ import annotations

from tests.api.harness import Api, codes
from tests.api.worker_uploads import ROOM, ROOM_MADE, script_path, upload
from tests.api.workers import FakeWorkers


async def test_a_script_is_a_service_and_others_are_bound_to_it(
    worker_api: Api, workers: FakeWorkers, worker_zone_id: str
) -> None:
    api = worker_api
    service = f"/accounts/{api.account_id}/workers/services/chat"
    assert (await api.result("GET", service))["default_environment"]["script"]["id"] == "chat"
    bound = {"type": "service", "name": "CHAT", "service": "chat"}
    await api.result("PUT", script_path(api, "other"), **upload(bindings=[bound]))
    found = await api.result("GET", f"{script_path(api)}/references")
    assert [one["service"] for one in found["services"]["incoming"]] == ["other"]
    assert await api.result("GET", f"/accounts/{api.account_id}/workers/tails/by-consumer/chat") == []
    assert codes(await api.ask("DELETE", service)) == [10142]
    await api.result("PUT", script_path(api, "other"), **upload(bindings=[ROOM], migrations=ROOM_MADE))
    assert codes(await api.ask("DELETE", f"/accounts/{api.account_id}/workers/services/other")) == [10064]
    assert await api.result("DELETE", service) is None
    assert codes(await api.ask("GET", service)) == [10007]
    assert await api.result("GET", f"/accounts/{api.account_id}/storage/kv/namespaces") == []


async def test_scripts_are_searched_by_a_part_of_their_name_or_by_their_tag(worker_api: Api) -> None:
    api = worker_api
    for name in ("chat", "store", "chat-2"):
        await api.result("PUT", script_path(api, name), **upload())
    await api.result("PUT", script_path(api, "chat"), **upload())
    tags = {one["id"]: one["tag"] for one in await api.result("GET", f"/accounts/{api.account_id}/workers/scripts")}

    async def found(**query: str) -> list[str]:
        answer = await api.result("GET", f"/accounts/{api.account_id}/workers/scripts-search", params=query)
        assert all(one["id"] == tags[one["script_name"]] for one in answer)
        return [one["script_name"] for one in answer]

    assert await found() == ["chat", "chat-2", "store"]
    assert await found(name="hat") == ["chat", "chat-2"]
    assert await found(id=tags["store"]) == ["store"]
    assert await found(id=tags["store"][:8]) == await found(name="hat", id=tags["store"]) == []
    assert await found(order_by="modified_on") == ["store", "chat-2", "chat"]
    assert await found(per_page="1", page="2") == ["chat-2"]
    answer = await api.ask("GET", f"/accounts/{api.account_id}/workers/scripts-search", params={"order_by": "size"})
    assert codes(answer) == [1004]
