"""Where edges connect from: open to everybody, and what is known only."""

import ipaddress

from holdfast.api.context import Limits
from tests.api.conftest import StartApi
from tests.api.harness import Api, codes
from tests.api.serving import sdk


async def test_everybody_is_told_the_addresses_of_the_machine(api: Api) -> None:
    told = await api.result("GET", "/ips", secret="")
    for version in (4, 6):
        networks = [ipaddress.ip_network(text) for text in told[f"ipv{version}_cidrs"]]
        assert all((one.version, one.num_addresses) == (version, 1) for one in networks)
    assert "127.0.0.1/32" in told["ipv4_cidrs"]
    assert not any(text.startswith(("169.254.", "fe80:")) for text in told["ipv4_cidrs"] + told["ipv6_cidrs"])
    assert "jdcloud_cidrs" not in told
    assert await api.result("GET", "/ips", secret="") == told
    assert (await api.result("GET", "/ips?networks=jdcloud"))["jdcloud_cidrs"] == []


async def test_even_that_is_limited_by_address(start_api: StartApi) -> None:
    api = await start_api(Limits(requests_per_5_minutes=0, requests_per_second_and_address=3))
    answers = [await api.ask("GET", "/ips", secret="") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert codes(answers[-1]) == [10429]


async def test_the_official_client_reads_it(api: Api) -> None:
    async with sdk(api) as client:
        told = await client.ips.list()
    assert told is not None
    assert told.etag
    assert told.ipv4_cidrs
