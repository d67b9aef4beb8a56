"""The official Python SDK's methods of lists and of IP access rules, against a running installation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import cloudflare
import pytest
from cloudflare import Cloudflare

from tests.clients.conftest import Zone, given
from tests.integration import wire
from tests.integration.installation import Installation
from tests.integration.origin import Origin

CUSTOM: Final = "http_request_firewall_custom"
Owner = dict[str, Any]


class A:
    """A list of one test."""

    def __init__(self, sdk: Cloudflare, account_id: str, kind: Any, name: str) -> None:
        self._sdk = sdk
        self._of: Any = {"account_id": account_id}
        self.id = given(sdk.rules.lists.create(kind=kind, name=name, description="of a test", **self._of)).id

    def wait(self, operation_id: str) -> None:
        """See an operation completed: here it is, when it is answered."""
        operation: Any = given(self._sdk.rules.lists.bulk_operations.get(operation_id, **self._of))
        assert (operation.id, operation.status) == (operation_id, "completed")

    def put(self, *items: Any) -> None:
        self.wait(given(self._sdk.rules.lists.items.update(self.id, body=items, **self._of)).operation_id)

    def add(self, *items: Any) -> None:
        self.wait(given(self._sdk.rules.lists.items.create(self.id, body=items, **self._of)).operation_id)

    def remove(self, *ids: str) -> None:
        named: Any = [{"id": one} for one in ids]
        self.wait(given(self._sdk.rules.lists.items.delete(self.id, items=named, **self._of)).operation_id)

    def items(self, **query: Any) -> list[Any]:
        return list(self._sdk.rules.lists.items.list(self.id, **query, **self._of))


@pytest.fixture
def make(strict: Cloudflare, account_id: str) -> Iterator[Any]:
    made: list[A] = []

    def of(kind: str, name: str) -> A:
        made.append(A(strict, account_id, kind, name))
        return made[-1]

    yield of
    for one in made:
        strict.rules.lists.delete(one.id, account_id=account_id)


def test_a_list_is_made_shown_listed_described_and_removed(strict: Cloudflare, account_id: str) -> None:
    lists = strict.rules.lists
    made = given(lists.create(account_id=account_id, kind="ip", name="office", description="where we are"))
    assert (made.kind, made.num_items, made.num_referencing_filters) == ("ip", 0, 0)
    assert given(lists.get(made.id, account_id=account_id)).name == "office"
    assert [one.id for one in lists.list(account_id=account_id)] == [made.id]
    changed = given(lists.update(made.id, account_id=account_id, description="elsewhere"))
    assert changed.description == "elsewhere"
    assert given(lists.delete(made.id, account_id=account_id)).id == made.id
    assert not list(lists.list(account_id=account_id))


def test_items_are_added_paged_searched_replaced_and_removed(strict: Cloudflare, account_id: str, make: Any) -> None:
    one = make("ip", "pages")
    one.put(*({"ip": f"10.0.{number}.0/24"} for number in range(50)))
    one.add({"ip": "2001:db8::1", "comment": "six"})
    assert len(one.items(per_page=7)) == 51
    (found,) = one.items(search="2001:")
    assert (found.ip, found.comment) == ("2001:db8::1", "six")
    shown = given(strict.rules.lists.items.get(found.id, account_id=account_id, list_id=one.id))
    assert shown.model_dump() == found.model_dump()
    one.remove(found.id)
    with pytest.raises(cloudflare.NotFoundError):
        strict.rules.lists.items.get(found.id, account_id=account_id, list_id=one.id)
    one.put({"ip": "192.0.2.1"})
    assert [item.ip for item in one.items()] == ["192.0.2.1"]
    assert given(strict.rules.lists.get(one.id, account_id=account_id)).num_items == 1


def test_items_of_other_kinds(make: Any) -> None:
    hosts, numbers = make("hostname", "hosts"), make("asn", "numbers")
    hosts.add({"hostname": {"url_hostname": "*.example.com"}})
    assert [item.hostname.url_hostname for item in hosts.items()] == ["*.example.com"]
    numbers.add({"asn": 64512}, {"asn": 13335, "comment": "c"})
    assert [item.asn for item in numbers.items()] == [13335, 64512]


def test_bad_items_are_a_bad_request_with_a_pointer(strict: Cloudflare, account_id: str, make: Any) -> None:
    one = make("ip", "strictly")
    with pytest.raises(cloudflare.BadRequestError) as caught:
        strict.rules.lists.items.create(one.id, account_id=account_id, body=[{"ip": "192.0.2.1"}, {"ip": "x"}])
    body: Any = caught.value.body
    assert body["errors"][0]["source"]["pointer"] == "/1/ip"
    assert one.items() == []


@pytest.fixture(params=["zone", "account"])
def owner(request: pytest.FixtureRequest, strict: Cloudflare, zone: Zone, account_id: str) -> Iterator[Owner]:
    named: Owner = {"zone_id": zone.id} if request.param == "zone" else {"account_id": account_id}
    yield named
    for one in strict.firewall.access_rules.list(**named):
        strict.firewall.access_rules.delete(one.id, **named)


CONFIGURATIONS: list[Any] = [
    {"target": "ip", "value": "192.0.2.7"},
    {"target": "ip6", "value": "2001:db8::7"},
    {"target": "ip_range", "value": "198.51.100.0/24"},
    {"target": "asn", "value": "AS64512"},
    {"target": "country", "value": "XX"},
]


@pytest.mark.parametrize("configuration", CONFIGURATIONS, ids=lambda one: str(one["target"]))
def test_an_access_rule_is_made_shown_listed_changed_and_removed(
    strict: Cloudflare, owner: Owner, configuration: Any
) -> None:
    rules = strict.firewall.access_rules
    made = given(rules.create(configuration=configuration, mode="challenge", notes="Attack", **owner))
    assert made.configuration.model_dump() == configuration
    assert given(made.scope).id == next(iter(owner.values()))
    assert given(rules.get(made.id, **owner)).model_dump() == made.model_dump()
    found = list(rules.list(configuration=configuration, notes="attack", order="mode", **owner))
    assert [one.id for one in found] == [made.id]
    changed = given(rules.edit(made.id, configuration=configuration, mode="block", notes="", **owner))
    assert (changed.mode, changed.notes) == ("block", "")
    with pytest.raises(cloudflare.BadRequestError):
        rules.create(configuration=configuration, mode="block", **owner)
    assert given(rules.delete(made.id, **owner)).id == made.id
    with pytest.raises(cloudflare.NotFoundError):
        rules.get(made.id, **owner)


# --- At the edge, from the answer on ----------------------------------------------------------------------------------


@pytest.fixture
def served(strict: Cloudflare, zone: Zone, origin: Origin) -> Zone:
    """A zone whose name is served by an origin."""
    strict.dns.records.create(zone_id=zone.id, type="A", name=zone.name, content=origin.host, ttl=1, proxied=True)
    rules: Any = [{"action": "route", "expression": "true", "action_parameters": {"origin": {"port": origin.port}}}]
    strict.rulesets.phases.update("http_request_origin", zone_id=zone.id, rules=rules)
    return zone


def upgrade_status(installed: Installation, host: str) -> int:
    with wire.connect(installed.plain) as client:
        client.send(wire.upgrade("/echo", host=host))
        return client.read_answer().status


def test_an_item_refuses_its_address_from_its_answer_on(
    strict: Cloudflare, installed: Installation, served: Zone, account_id: str, make: Any
) -> None:
    bad = make("ip", "bad")
    rules: Any = [{"action": "block", "expression": "ip.src in $bad"}]
    strict.rulesets.phases.update(CUSTOM, zone_id=served.id, rules=rules)
    with pytest.raises(cloudflare.BadRequestError, match="ip_list_in_use"):
        strict.rules.lists.delete(bad.id, account_id=account_id)
    for _ in range(3):
        assert upgrade_status(installed, served.name) == 101
        bad.add({"ip": "127.0.0.0/8"})
        assert upgrade_status(installed, served.name) == 403
        bad.put({"ip": "192.0.2.1"})
    strict.rulesets.phases.update(CUSTOM, zone_id=served.id, rules=[])


def test_a_long_list_refuses_its_last_address_from_its_answer_on(
    strict: Cloudflare, installed: Installation, served: Zone, make: Any
) -> None:
    long = make("ip", "long")
    rules: Any = [{"action": "block", "expression": "ip.src in $long"}]
    strict.rulesets.phases.update(CUSTOM, zone_id=served.id, rules=rules)
    others = [{"ip": f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"} for number in range(99_999)]
    long.put(*others, {"ip": "127.0.0.1"})
    assert upgrade_status(installed, served.name) == 403
    long.put(*others)
    assert upgrade_status(installed, served.name) == 101
    strict.rulesets.phases.update(CUSTOM, zone_id=served.id, rules=[])


def test_an_access_rule_holds_from_its_answer_on(
    strict: Cloudflare, installed: Installation, served: Zone, account_id: str
) -> None:
    rules = strict.firewall.access_rules
    for owner in ({"zone_id": served.id}, {"account_id": account_id}):
        of: Any = owner
        here: Any = {"target": "ip", "value": "127.0.0.1"}
        made = given(rules.create(configuration=here, mode="block", **of))
        assert upgrade_status(installed, served.name) == 403
        rules.edit(made.id, configuration=here, mode="whitelist", **of)
        assert upgrade_status(installed, served.name) == 101
        rules.edit(made.id, configuration=here, mode="block", **of)
        assert upgrade_status(installed, served.name) == 403
        rules.delete(made.id, **of)
        assert upgrade_status(installed, served.name) == 101
