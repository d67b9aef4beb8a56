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
