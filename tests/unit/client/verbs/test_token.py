"""`holdfast token`: the value is shown once, alone on stdout."""

import datetime as dt
import json

import pytest

from holdfast.client.api.answer import ApiFailed
from holdfast.client.verbs.token import VERBS, TokenCreateOptions
from holdfast.errors import UsageError
from holdfast.model.option import Given
from tests.unit.client.verbs.fake_api import ACCOUNT_ID, TOKEN_ID, ZONE, ZONE_ID, FakeApi, run

VALUE = "cfut_" + "x" * 45
GROUP = {"id": "1" * 32, "name": "Zone Settings Write", "scopes": ["com.cloudflare.api.account.zone"]}
USER_GROUP = {"id": "2" * 32, "name": "User Details Read", "scopes": ["com.cloudflare.api.user"]}
POLICY = {
    "id": "3" * 32,
    "effect": "allow",
    "resources": {f"com.cloudflare.api.account.zone.{ZONE_ID}": "*"},
    "permission_groups": [{"id": "1" * 32, "name": "Zone Settings Write"}],
}
TOKEN: dict[str, object] = {
    "id": TOKEN_ID,
    "name": "ci",
    "status": "active",
    "issued_on": "2026-04-23T10:11:12Z",
    "expires_on": None,
    "last_used_on": None,
    "policies": [POLICY],
    "condition": {"request_ip": {"in": ["192.0.2.0/24"]}},
}


def _fake(base: str = "/user/tokens", *tokens: dict[str, object]) -> FakeApi:
    one = f"{base}/{TOKEN_ID}"
    return FakeApi(
        {
            "GET /zones": [ZONE],
            "GET /user": {"id": "4" * 32},
            f"GET {base}": list(tokens or [TOKEN]),
            f"GET {base}/permission_groups": [GROUP, USER_GROUP],
            f"GET {base}/verify": {"id": TOKEN_ID, "status": "active", "expires_on": "2027-01-31T12:00:00Z"},
            f"GET {one}": TOKEN,
            f"POST {base}": lambda body: {**TOKEN, **body, "value": VALUE},
            f"PUT {one}/value": VALUE,
            f"PUT {one}": lambda body: {**TOKEN, **body},
            f"DELETE {one}": {"id": TOKEN_ID},
        }
    )


def test_tokens_are_listed() -> None:
    out, _ = run(_fake(), VERBS["list"])
    assert [line.split() for line in out.splitlines()] == [
        ["NAME", "STATUS", "EXPIRES", "LAST", "USED", "ID"],
        ["ci", "active", "-", "-", TOKEN_ID],
    ]


def test_create_prints_the_value_alone_and_the_rest_beside_it() -> None:
    fake = _fake()
    out, notices = run(fake, VERBS["create"], name="ci", permissions=["zone settings write"], zones=["example.com"])
    assert out == f"{VALUE}\n"
    assert notices == f"token ci, id {TOKEN_ID}: this is the only time its value is shown\n"
    policy = {"effect": "allow", "resources": POLICY["resources"], "permission_groups": [{"id": "1" * 32}]}
    assert fake.written() == [("POST /user/tokens", {"name": "ci", "policies": [policy]})]


def test_create_sends_end_and_networks() -> None:
    fake = _fake()
    run(
        fake,
        VERBS["create"],
        name="ci",
        permissions=["Zone Settings Write", "User Details Read"],
        zones=[ZONE_ID],
        expires="30d",
        ips=["192.0.2.7", "2001:db8::/32"],
        as_json=True,
    )
    ((_, body),) = fake.written()
    assert isinstance(body, dict)
    assert body["condition"] == {"request_ip": {"in": ["192.0.2.7/32", "2001:db8::/32"]}}
    ends = dt.datetime.fromisoformat(body["expires_on"]) - dt.datetime.now(dt.UTC)
    assert dt.timedelta(days=29, hours=23) < ends <= dt.timedelta(days=30)
    assert body["policies"][1]["resources"] == {f"com.cloudflare.api.user.{'4' * 32}": "*"}


def test_a_token_of_an_account_is_made_below_it() -> None:
    fake = _fake(f"/accounts/{ACCOUNT_ID}/tokens")
    run(fake, VERBS["create"], name="ci", permissions=["Zone Settings Write"], zones=["*"], of_account=ACCOUNT_ID)
    assert fake.written()[0][0] == f"POST /accounts/{ACCOUNT_ID}/tokens"


def test_the_owner_of_tokens_is_told_by_its_own_option_where_it_is_none() -> None:
    fake = _fake()
    fake.answers = {**fake.answers, "GET /accounts": []}
    with pytest.raises(UsageError, match="--of-account: expected the name or id of an account"):
        run(fake, VERBS["list"], of_account="nope")


def test_a_token_whose_value_is_not_told_is_said_to_be_there() -> None:
    fake = _fake()
    fake.answers = {**fake.answers, "POST /user/tokens": TOKEN}
    with pytest.raises(ApiFailed, match="the API made a token and did not say its value"):
        run(fake, VERBS["create"], name="ci", permissions=["Zone Settings Write"], zones=["*"])


@pytest.mark.parametrize("named", ["ci", TOKEN_ID])
def test_a_token_is_shown_with_what_it_may(named: str) -> None:
    out, _ = run(_fake(), VERBS["show"], named=named)
    assert f"allow Zone Settings Write on com.cloudflare.api.account.zone.{ZONE_ID}" in out
    assert '{"in":["192.0.2.0/24"]}' in out


def test_nested_resources_are_shown_too() -> None:
    nested = {**POLICY, "resources": {"com.cloudflare.api.account.x": {"com.cloudflare.api.account.zone.*": "*"}}}
    out, _ = run(_fake("/user/tokens", {**TOKEN, "policies": [nested]}), VERBS["show"], named="ci")
    assert "on com.cloudflare.api.account.x (com.cloudflare.api.account.zone.*)" in out


def test_verify_says_the_state_of_the_token_in_use() -> None:
    out, _ = run(_fake(), VERBS["verify"])
    assert out == f"the token {TOKEN_ID} is active, ends 2027-01-31T12:00:00Z\n"


def test_roll_prints_the_new_value_alone() -> None:
    fake = _fake()
    out, notices = run(fake, VERBS["roll"], named="ci")
    assert out == f"{VALUE}\n"
    assert "the old value is void" in notices
    assert fake.written() == [(f"PUT /user/tokens/{TOKEN_ID}/value", {})]
    out, _ = run(fake, VERBS["roll"], named="ci", as_json=True)
    assert json.loads(out) == VALUE


def test_a_roll_that_says_nothing_is_not_taken_for_one() -> None:
    fake = _fake()
    fake.answers = {**fake.answers, f"PUT /user/tokens/{TOKEN_ID}/value": None}
    with pytest.raises(ApiFailed, match="did not say the new value"):
        run(fake, VERBS["roll"], named="ci")


@pytest.mark.parametrize(("verb", "status"), [("disable", "disabled"), ("enable", "active")])
def test_disable_and_enable_keep_the_rest(verb: str, status: str) -> None:
    fake = _fake()
    out, _ = run(fake, VERBS[verb], named="ci")
    ((key, body),) = fake.written()
    assert key == f"PUT /user/tokens/{TOKEN_ID}"
    assert isinstance(body, dict)
    assert body["status"] == status
    assert body["condition"] == TOKEN["condition"]
    assert body["policies"][0]["resources"] == POLICY["resources"]
    assert out == f"token ci: active -> {status}\n"


def test_remove_deletes_one() -> None:
    fake = _fake()
    out, _ = run(fake, VERBS["remove"], named="ci")
    assert fake.written() == [(f"DELETE /user/tokens/{TOKEN_ID}", None)]
    assert out == "token ci: removed\n"


def test_two_tokens_of_one_name_are_told_apart_by_id() -> None:
    fake = _fake("/user/tokens", TOKEN, {**TOKEN, "id": "f" * 32})
    with pytest.raises(UsageError, match="TOKEN: expected the id of one of 2"):
        run(fake, VERBS["remove"], named="ci")
    with pytest.raises(UsageError, match="TOKEN: expected the name or id of a token"):
        run(fake, VERBS["remove"], named="nope")
    assert fake.written() == []


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"permissions": ["Zone Read"]}, "--name: expected what to call the token, got nothing"),
        ({"name": "ci"}, "--permission: expected at least one"),
        ({"name": " ", "permissions": ["x"]}, "--name: expected a name"),
        ({"name": "ci", "permissions": ["x"], "zones": ["a b"]}, "--zone: expected a host name"),
        ({"name": "ci", "permissions": ["x"], "ips": ["h"]}, "--ip: expected an IP address"),
    ],
)
def test_what_no_token_can_be_is_refused(given: dict[str, Given], expected: str) -> None:
    with pytest.raises(UsageError, match=expected):
        TokenCreateOptions.parse(given)
