"""What leads to a Worker, made as its project says."""

from typing import Any

import pytest

from holdfast.client.api.answer import ApiRefused
from holdfast.client.worker_routing import led_to
from holdfast.errors import UsageError
from holdfast.model.worker_script import RouteSetting
from tests.unit.client.verbs.fake_api import ACCOUNT_ID, IN_ZONE, ZONE, ZONE_ID, Failure, FakeApi, opened

CHAT = f"/accounts/{ACCOUNT_ID}/workers/scripts/chat"
DOMAINS = f"/accounts/{ACCOUNT_ID}/workers/domains"
HOSTS = f"{CHAT}/domains/records"
IN_BODY = {"zone_id": ZONE_ID, "zone_name": "example.com"}


def route(pattern: str, **more: Any) -> RouteSetting:
    return RouteSetting(pattern=pattern, key="routes[0]", **more)


def fake(**answers: object) -> FakeApi:
    return FakeApi(
        {
            "GET /zones": [ZONE],
            f"GET {IN_ZONE}/workers/routes": [],
            f"PUT {CHAT}/routes": [],
            f"GET {DOMAINS}": [],
            f"PUT {HOSTS}": [],
            **answers,
        }
    )


def said(api: FakeApi, *routes: RouteSetting) -> list[str]:
    with opened(api) as connected:
        return list(led_to(connected, ACCOUNT_ID, "chat", routes))


def test_the_routes_of_a_project_are_all_there_are_then_and_what_goes_is_told() -> None:
    there = [
        {"pattern": "example.com/a*", "script": "chat"},
        {"pattern": "example.com/b*", "script": "chat"},
        {"pattern": "example.com/c*", "script": "other"},
        {"pattern": "example.com/d*"},
    ]
    api = fake(**{f"GET {IN_ZONE}/workers/routes": there})
    assert said(api, route("Example.com/a*"), route("*/x", zone_name="example.com")) == [
        "example.com/a* goes to chat, as before",
        "*/x goes to chat",
        "example.com/b* goes to chat no more",
    ]
    assert api.written() == [
        (f"PUT {CHAT}/routes", [{"pattern": "example.com/a*", **IN_BODY}, {"pattern": "*/x", **IN_BODY}])
    ]


def test_the_domains_of_a_project_are_all_there_are_then_and_whom_one_is_taken_from_is_told() -> None:
    there = [
        {"hostname": "a.example.com", "service": "chat"},
        {"hostname": "b.example.com", "service": "old"},
        {"hostname": "c.example.com", "service": "chat"},
        {"hostname": "d.example.com", "service": "other"},
    ]
    api = fake(**{f"GET {DOMAINS}": there})
    assert said(api, *(route(f"{one}.Example.com", custom_domain=True) for one in "abn")) == [
        "a.example.com has chat for its origin",
        "b.example.com has chat for its origin (before: old)",
        "n.example.com has chat for its origin",
        "c.example.com has chat for its origin no more",
    ]
    hosts = [{"hostname": f"{one}.example.com"} for one in "abn"]
    assert api.written() == [(f"PUT {HOSTS}", {"origins": hosts, "override_existing_origin": True})]


def test_an_empty_list_removes_all_and_what_is_not_said_stays() -> None:
    api = fake(**{f"GET {DOMAINS}": [{"hostname": "a.example.com", "service": "chat"}]})
    assert said(api) == ["no route goes to chat", "a.example.com has chat for its origin no more"]
    assert [key for key, _ in api.written()] == [f"PUT {CHAT}/routes", f"PUT {HOSTS}"]
    untouched = fake()
    with opened(untouched) as connected:
        assert list(led_to(connected, ACCOUNT_ID, "chat", None)) == []
    assert untouched.asked == []


@pytest.mark.parametrize(
    ("routes", "answers", "error", "words"),
    [
        ((route("example.org/*"),), {"GET /zones": []}, UsageError,
         "routes[0]: expected a pattern of a zone that this token may see, or zone_name, which names it, got 'example.org/*'"),
        ((route("example.com/*", zone_name="gone.test"),), {"GET /zones": []}, UsageError,
         "routes[0].zone_name: expected the name or id of a zone that this token may see"),
        ((route("example.com/*", zone_id="e" * 32),), {}, ApiRefused, "cannot find the zone eeee"),
        ((route("example.com/*"),), {f"PUT {CHAT}/routes": Failure(409, 10020, "A route exists")}, ApiRefused,
         "cannot route example.com/* to chat: code 10020"),
        (tuple(route(f"example.com/{n}") for n in range(7)), {f"PUT {CHAT}/routes": Failure(409, 10020, "A route exists")}, ApiRefused,
         "example.com/4 and 2 more to chat"),
    ],
)  # fmt: skip
def test_a_route_that_cannot_be_made_is_told(
    routes: tuple[RouteSetting, ...], answers: dict[str, object], error: type[Exception], words: str
) -> None:
    with pytest.raises(error) as caught:
        said(fake(**answers), *routes)
    assert words in str(caught.value)
