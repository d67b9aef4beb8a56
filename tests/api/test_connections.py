"""Open WebSockets of a zone, closed with one call."""

from __future__ import annotations

from tests.api.harness import Api


async def test_open_websockets_are_closed_with_one_call(api: Api) -> None:
    zone_id = await api.zone()
    assert await api.result("DELETE", f"/zones/{zone_id}/websocket_connections") == {"closed": 0}
    assert (await api.entries())[0]["resource"]["type"] == "websocket_connections"
