"""Plans: which there are, and which one a zone is on."""

from tests.api.harness import Api, codes
from tests.api.serving import sdk


async def test_the_zone_is_on_one_of_the_plans(api: Api) -> None:
    zone = await api.zone()
    plans = await api.result("GET", f"/zones/{zone}/available_plans")
    assert [(plan["legacy_id"], plan["is_subscribed"], plan["price"]) for plan in plans] == [
        ("free", True, 0),
        ("pro", False, 0),
        ("business", False, 0),
        ("enterprise", False, 0),
    ]
    for plan in plans:
        for name in (plan["id"], plan["legacy_id"]):
            assert await api.result("GET", f"/zones/{zone}/available_plans/{name}") == plan
    rates = await api.result("GET", f"/zones/{zone}/available_rate_plans")
    assert [rate["id"] for rate in rates] == [plan["legacy_id"] for plan in plans]


async def test_plans_that_are_not_there_are_refused(api: Api) -> None:
    zone = await api.zone()
    for name in ("gold", "0" * 32, "%27%20OR%201=1"):
        answer = await api.ask("GET", f"/zones/{zone}/available_plans/{name}")
        assert (answer.status_code, codes(answer)) == (404, [1001])


async def test_the_official_client_reads_and_changes_plans(api: Api) -> None:
    zone = await api.zone()
    async with sdk(api) as client:
        plans = [plan async for plan in client.zones.plans.list(zone_id=zone)]
        assert [plan.legacy_id for plan in plans] == ["free", "pro", "business", "enterprise"]
        plan = await client.zones.plans.get(plans[1].id or "", zone_id=zone)
        assert plan is not None
        assert plan.name == "Pro Website"
        rates = [rate.id async for rate in client.zones.rate_plans.get(zone_id=zone)]
        assert rates[0] == "free"
        made = await client.zones.subscriptions.update(zone_id=zone, rate_plan={"id": "business"})
        assert made is not None
        assert made.rate_plan is not None
        read = await client.zones.subscriptions.get(zone_id=zone)
        assert read is not None
        assert read.rate_plan is not None
        assert (made.rate_plan.id, read.rate_plan.id, read.state) == ("business", "business", "Paid")
