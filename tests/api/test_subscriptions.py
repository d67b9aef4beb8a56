"""Subscriptions: the zone's plan in the words of billing."""

from typing import Any

from tests.api.harness import Api, codes


async def test_a_subscription_is_the_plan_of_the_zone(api: Api) -> None:
    zone = await api.zone()
    path = f"/zones/{zone}/subscription"
    assert (await api.result("GET", path))["rate_plan"]["id"] == "free"
    for method, plan in (("POST", "pro"), ("PUT", "enterprise")):
        made = await api.result(method, path, json={"rate_plan": {"id": plan}, "frequency": "yearly"})
        assert (made["rate_plan"]["id"], made["state"], made["price"]) == (plan, "Paid", 0)
        assert (await api.result("GET", f"/zones/{zone}"))["plan"]["legacy_id"] == plan
        assert api.control.publisher.snapshot().zones[0].plan == plan
    await api.result("PATCH", f"/zones/{zone}", json={"plan": {"id": "business"}})
    assert (await api.result("GET", path))["rate_plan"]["id"] == "business"


async def test_to_subscribe_again_is_no_change(api: Api) -> None:
    zone = await api.zone()
    before = len(await api.entries())
    await api.result("PUT", f"/zones/{zone}/subscription", json={"rate_plan": {"id": "free"}})
    assert len(await api.entries()) == before


async def test_a_subscription_to_no_plan_is_refused(api: Api) -> None:
    zone = await api.zone()
    bad: list[Any] = [
        {},
        {"rate_plan": {}},
        {"rate_plan": "pro"},
        {"rate_plan": {"id": "gold"}},
        {"rate_plan": None},
        [],
    ]
    for body in bad:
        answer = await api.ask("PUT", f"/zones/{zone}/subscription", json=body)
        assert (answer.status_code, codes(answer)) == (400, [1004]), body
