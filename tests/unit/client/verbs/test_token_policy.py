"""What `token create` asks for: named things and nothing wider."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.client.verbs.token_policy import expires_on, expiry, groups_named, network, policies, replacement
from holdfast.errors import UsageError

ZONE_READ = {"id": "1" * 32, "name": "Zone Read", "scopes": ["com.cloudflare.api.account.zone"]}
DNS_WRITE = {"id": "2" * 32, "name": "DNS Write", "scopes": ["com.cloudflare.api.account.zone"]}
BILLING = {"id": "3" * 32, "name": "Billing Read", "scopes": ["com.cloudflare.api.account"]}
DETAILS = {"id": "4" * 32, "name": "User Details Read", "scopes": ["com.cloudflare.api.user"]}
GROUPS = [ZONE_READ, DNS_WRITE, BILLING, DETAILS]
NOW = dt.datetime(2026, 11, 25, 12, tzinfo=dt.UTC)


def test_permissions_are_found_by_name_in_any_case_or_by_id_once() -> None:
    assert groups_named(["zone read", "2" * 32, "Zone Read"], GROUPS) == [ZONE_READ, DNS_WRITE]


def test_an_unknown_permission_is_answered_with_what_comes_near() -> None:
    with pytest.raises(UsageError) as caught:
        groups_named(["DNS Edit"], GROUPS)
    assert str(caught.value) == "--permission: expected one of DNS Write, got 'DNS Edit'"
    with pytest.raises(UsageError, match="one of Billing Read, DNS Write, User Details Read, Zone Read"):
        groups_named(["nonsense"], GROUPS)
    with pytest.raises(UsageError, match="the API has no permission groups"):
        groups_named(["Zone Read"], [])


def test_each_scope_has_a_policy_of_its_own_resources() -> None:
    made = policies(GROUPS, zones=["a" * 32, "b" * 32], accounts=["c" * 32], user_id=lambda: "d" * 32)
    assert made == [
        {
            "effect": "allow",
            "resources": {
                f"com.cloudflare.api.account.zone.{'a' * 32}": "*",
                f"com.cloudflare.api.account.zone.{'b' * 32}": "*",
            },
            "permission_groups": [{"id": "1" * 32}, {"id": "2" * 32}],
        },
        {
            "effect": "allow",
            "resources": {f"com.cloudflare.api.account.{'c' * 32}": "*"},
            "permission_groups": [{"id": "3" * 32}],
        },
        {
            "effect": "allow",
            "resources": {f"com.cloudflare.api.user.{'d' * 32}": "*"},
            "permission_groups": [{"id": "4" * 32}],
        },
    ]


def test_an_account_alone_means_the_zones_in_it() -> None:
    (policy,) = policies([ZONE_READ], zones=[], accounts=["c" * 32], user_id=str)
    assert policy["resources"] == {f"com.cloudflare.api.account.{'c' * 32}": {"com.cloudflare.api.account.zone.*": "*"}}


def test_every_zone_and_every_account_are_written_with_a_star() -> None:
    zones, accounts = policies([ZONE_READ, BILLING], zones=["*"], accounts=["*"], user_id=str)
    assert zones["resources"] == {"com.cloudflare.api.account.zone.*": "*"}
    assert accounts["resources"] == {"com.cloudflare.api.account.*": "*"}


@pytest.mark.parametrize(
    ("group", "expected"),
    [(ZONE_READ, "--zone: expected a zone for the permission Zone Read"), (BILLING, "--account: expected an account")],
)
def test_no_resource_is_not_every_resource(group: dict[str, object], expected: str) -> None:
    with pytest.raises(UsageError, match=expected):
        policies([group], zones=[], accounts=[], user_id=str)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("30d", "2026-12-25T12:00:00Z"),
        ("12H", "2026-11-26T00:00:00Z"),
        ("2w", "2026-12-09T12:00:00Z"),
        ("2027-01-31", "2027-01-31T00:00:00Z"),
        ("2027-01-31T12:00:00Z", "2027-01-31T12:00:00Z"),
        ("2027-01-31T12:00:00+02:00", "2027-01-31T10:00:00Z"),
    ],
)
def test_an_end_is_a_duration_or_a_moment(text: str, moment: str) -> None:
    assert expires_on(expiry(text, "--expires"), now=NOW) == moment


@pytest.mark.parametrize("text", ["0s", "2026-11-25T12:00:00Z", "2020-01-01", "999999w", "0001-01-01T00:00:00+23:00"])
def test_an_end_that_is_past_or_beyond_the_calendar_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--expires: expected a moment"):
        expires_on(expiry(text, "--expires"), now=NOW)


@given(st.text(max_size=20))
def test_any_text_is_an_end_or_refused(text: str) -> None:
    try:
        assert expires_on(expiry(text, "--expires"), now=NOW).endswith("Z")
    except UsageError as error:
        assert str(error).startswith("--expires: expected a")  # noqa: PT017


@pytest.mark.parametrize(
    ("text", "shown"),
    [("192.0.2.7", "192.0.2.7/32"), ("192.0.2.7/24", "192.0.2.0/24"), ("2001:db8::/32", "2001:db8::/32")],
)
def test_a_network_is_written_in_its_shortest_form(text: str, shown: str) -> None:
    assert network(text, "--ip") == shown


def test_what_is_no_network_is_refused() -> None:
    with pytest.raises(UsageError, match="--ip: expected an IP address or a network"):
        network("example.com", "--ip")


def test_a_token_is_replaced_by_itself_with_another_status() -> None:
    token = {
        "id": "5" * 32,
        "name": "ci",
        "status": "active",
        "issued_on": "x",
        "last_used_on": None,
        "expires_on": "2027-01-31T12:00:00Z",
        "condition": {"request_ip": {"in": ["192.0.2.0/24"]}},
        "policies": [
            {"id": "6", "effect": "allow", "resources": {"a": "*"}, "permission_groups": [{**ZONE_READ, "meta": {}}]}
        ],
    }
    assert replacement(token, status="disabled") == {
        "name": "ci",
        "status": "disabled",
        "expires_on": "2027-01-31T12:00:00Z",
        "condition": {"request_ip": {"in": ["192.0.2.0/24"]}},
        "policies": [{"effect": "allow", "resources": {"a": "*"}, "permission_groups": [{"id": "1" * 32}]}],
    }
