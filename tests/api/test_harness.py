"""The harness itself: both databases serve, and nobody but its owner gets in."""

from tests.api.harness import Api, codes


async def test_a_control_of_its_own_serves_each_test(api: Api) -> None:
    zone_id = await api.zone()
    assert [zone["id"] for zone in await api.result("GET", "/zones")] == [zone_id]


async def test_whoever_has_no_token_is_told_so(api: Api) -> None:
    answer = await api.ask("GET", "/zones", secret="")
    assert (answer.status_code, codes(answer)) == (403, [9106])
