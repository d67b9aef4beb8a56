"""What a person named is looked up, and where it means several things all are named."""

import pytest

from holdfast.client.api.answer import ApiFailed, ApiRefused
from holdfast.client.api.zones import find_account, find_zone, host_name, the_only, zone_or_id
from holdfast.errors import UsageError
from tests.unit.client.verbs.fake_api import ACCOUNT_ID, ZONE, ZONE_ID, FakeApi, opened


def test_a_zone_is_found_by_its_name() -> None:
    fake = FakeApi({"GET /zones": [ZONE]})
    with opened(fake) as api:
        zone = find_zone(api, "example.com")
    assert (zone.id, zone.name) == (ZONE_ID, "example.com")
    assert fake.asked == ["GET /zones?name=example.com"]
    assert zone.path("settings", "ssl") == f"/zones/{ZONE_ID}/settings/ssl"


def test_a_zone_is_found_by_its_id() -> None:
    fake = FakeApi({f"GET /zones/{ZONE_ID}": ZONE})
    with opened(fake) as api:
        assert find_zone(api, ZONE_ID).name == "example.com"


def test_a_zone_that_the_token_does_not_see_is_a_mistake_of_the_asker() -> None:
    with opened(FakeApi({"GET /zones": []})) as api, pytest.raises(UsageError, match="ZONE: expected the name or id"):
        find_zone(api, "example.com")


def test_an_answer_about_another_zone_is_not_taken_for_it() -> None:
    fake = FakeApi({"GET /zones": [{**ZONE, "name": "example.org"}]})
    with opened(fake) as api, pytest.raises(UsageError):
        find_zone(api, "example.com")


def test_several_zones_of_one_name_are_named_with_their_ids() -> None:
    fake = FakeApi({"GET /zones": [ZONE, {**ZONE, "id": "f" * 32}]})
    with opened(fake) as api, pytest.raises(UsageError, match=f"one of 2: {ZONE_ID} .*{'f' * 32}"):
        find_zone(api, "example.com")


def test_a_zone_without_an_id_is_no_zone() -> None:
    fake = FakeApi({"GET /zones": [{"name": "example.com"}]})
    with opened(fake) as api, pytest.raises(ApiFailed, match="without a usable id"):
        find_zone(api, "example.com")


def test_a_refusal_is_passed_on() -> None:
    with opened(FakeApi({})) as api, pytest.raises(ApiRefused, match=r"cannot find the zone .*7003"):
        find_zone(api, ZONE_ID)


def test_an_account_is_found_by_name_and_an_id_is_taken_as_it_is() -> None:
    fake = FakeApi({"GET /accounts": [{"id": ACCOUNT_ID, "name": "Main"}, {"id": "f" * 32, "name": "Other"}]})
    with opened(fake) as api:
        assert find_account(api, "Main") == ACCOUNT_ID
        assert find_account(api, "e" * 32) == "e" * 32
        with pytest.raises(UsageError, match="--account: expected the name or id of an account"):
            find_account(api, "main")


def test_at_most_five_of_many_are_named() -> None:
    many = [{"id": f"{number:032x}", "name": "n"} for number in range(8)]
    with pytest.raises(UsageError, match=r"one of 8: .* and 3 more"):
        the_only(many, "X", "n", what="choose")


@pytest.mark.parametrize("text", ["", "a..b", "-a.com", "example", "192.0.2.1", "*.example.com", "a b.com", "a\n.com"])
def test_what_is_no_host_name_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"ZONE: expected a host name such as chat\.example\.com"):
        host_name(text, "ZONE")


@pytest.mark.parametrize(
    ("text", "name"),
    [("Example.COM.", "example.com"), ("bücher.example", "xn--bcher-kva.example"), ("0" * 32, "0" * 32)],
)
def test_a_zone_is_named_in_lower_case_or_by_id(text: str, name: str) -> None:
    assert zone_or_id(text, "ZONE") == name
