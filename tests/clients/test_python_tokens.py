"""The official Python SDK (5.x) against a running installation: accounts, users, tokens, audit logs, and what errors become.

Law: the SDK validates strictly, so that an answer of another shape fails in the SDK, and not in a comparison here.
"""

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import cloudflare
import httpx
import pytest
from cloudflare import Cloudflare

from tests.api.routes import Route, routes
from tests.clients.conftest import Zone, given
from tests.integration.installation import Installation

ZONE_URN = "com.cloudflare.api.account.zone"


def as_token(installed: Installation, token: str, **options: Any) -> Cloudflare:
    """The SDK with another token."""
    return Cloudflare(api_token=token, base_url=installed.api, **{"max_retries": 0, **options})


def policy(strict: Cloudflare, resource: str, *groups: str) -> Any:
    """A policy that allows these permission groups on a resource."""
    ids = {group.name: group.id for group in strict.user.tokens.permission_groups.list()}
    return {
        "effect": "allow",
        "resources": {resource: "*"},
        "permission_groups": [{"id": ids[group]} for group in groups],
    }


@pytest.fixture
def of_zone(strict: Cloudflare, installed: Installation, zone: Zone) -> Cloudflare:
    """Somebody who may do everything with one zone, and nothing else."""
    groups = [
        group.name or "" for group in strict.user.tokens.permission_groups.list() if ZONE_URN in (group.scopes or ())
    ]
    made = strict.user.tokens.create(name="one zone", policies=[policy(strict, f"{ZONE_URN}.{zone.id}", *groups)])
    return as_token(installed, given(given(made).value))


# --- Who there is -----------------------------------------------------------------------------------------------------


def test_accounts_members_roles_and_the_user(strict: Cloudflare, account_id: str) -> None:
    account = given(strict.accounts.get(account_id=account_id))
    assert account.id == account_id
    renamed = given(strict.accounts.update(account_id=account_id, id=account_id, name="Acme", type="standard"))
    assert renamed.name == "Acme"
    user = given(strict.user.get())
    edited = given(strict.user.edit(first_name="Ada", last_name="Lovelace"))
    assert (given(strict.user.get()).first_name, edited.last_name) == ("Ada", "Lovelace")
    (member,) = strict.accounts.members.list(account_id=account_id)
    assert given(strict.accounts.members.get(given(member.id), account_id=account_id)).email == user.email
    accounts: Any = strict.accounts
    with pytest.deprecated_call():
        (role,) = accounts.roles.list(account_id=account_id)
    assert role.name


def test_ips_are_open_to_everybody(installed: Installation) -> None:
    with as_token(installed, "nobody-" + "x" * 40, _strict_response_validation=True) as nobody:
        told: Any = nobody.ips.list()
        assert told.etag
        assert "127.0.0.1/32" in told.ipv4_cidrs


# --- Tokens -----------------------------------------------------------------------------------------------------------


def test_a_token_of_a_user_lives_its_life(strict: Cloudflare, installed: Installation, zone: Zone) -> None:
    tokens = strict.user.tokens
    soon = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    policies = [policy(strict, f"{ZONE_URN}.{zone.id}", "Zone Read")]
    made = given(tokens.create(name="reader", policies=policies, expires_on=soon))
    token_id, secret = given(made.id), given(made.value)
    with as_token(installed, secret) as reader:
        verified = given(reader.user.tokens.verify())
        assert (verified.id, verified.status, verified.expires_on) == (token_id, "active", soon)
        assert [one.id for one in reader.zones.list()] == [zone.id]
    shown = given(tokens.get(token_id))
    assert shown.name == "reader"
    assert secret not in shown.model_dump_json()
    assert token_id in {one.id for one in tokens.list()}
    rolled = given(tokens.value.update(token_id))
    with as_token(installed, secret) as old, pytest.raises(cloudflare.AuthenticationError):
        old.user.tokens.verify()
    with as_token(installed, rolled) as new:
        assert given(new.user.tokens.verify()).status == "active"
        tokens.update(token_id, name="sleeper", status="disabled", policies=policies)
        with pytest.raises(cloudflare.APIStatusError) as refused:
            new.zones.get(zone_id=zone.id)
        assert refused.value.status_code in {401, 403}
    assert given(tokens.delete(token_id)).id == token_id
    with pytest.raises(cloudflare.NotFoundError):
        tokens.get(token_id)


def test_a_token_of_an_account_lives_its_life(strict: Cloudflare, installed: Installation, account_id: str) -> None:
    tokens = strict.accounts.tokens
    resource = f"com.cloudflare.api.account.{account_id}"
    made = given(tokens.create(account_id=account_id, name="of all", policies=[policy(strict, resource, "Zone Read")]))
    token_id = given(made.id)
    with as_token(installed, given(made.value), _strict_response_validation=True) as client:
        assert given(client.accounts.tokens.verify(account_id=account_id)).id == token_id
    rolled = given(tokens.value.update(token_id, account_id=account_id))
    with as_token(installed, rolled) as client:
        assert given(client.accounts.tokens.verify(account_id=account_id)).status == "active"
    assert token_id in {one.id for one in tokens.list(account_id=account_id)}
    assert list(tokens.permission_groups.list(account_id=account_id))
    assert list(given(tokens.permission_groups.get(account_id=account_id)))
    assert given(tokens.delete(token_id, account_id=account_id)).id == token_id


@pytest.mark.parametrize(("network", "is_let_in"), [("127.0.0.0/8", True), ("192.0.2.0/24", False)])
def test_a_token_is_good_from_its_addresses_only(
    strict: Cloudflare, installed: Installation, zone: Zone, network: str, is_let_in: bool
) -> None:
    made = given(
        strict.user.tokens.create(
            name="from there",
            policies=[policy(strict, f"{ZONE_URN}.{zone.id}", "Zone Read")],
            condition={"request_ip": {"in": [network]}},
        )
    )
    with as_token(installed, given(made.value)) as client:
        if is_let_in:
            assert given(client.zones.get(zone_id=zone.id)).id == zone.id
            return
        with pytest.raises(cloudflare.APIStatusError) as refused:
            client.zones.get(zone_id=zone.id)
        assert refused.value.status_code in {401, 403}


# --- What somebody of one zone may do ---------------------------------------------------------------------------------


def test_it_may_do_everything_with_its_own_zone(of_zone: Cloudflare, zone: Zone) -> None:
    assert [one.id for one in of_zone.zones.list()] == [zone.id]
    of_zone.zones.settings.edit("websockets", zone_id=zone.id, value="off")
    of_zone.dns.records.create(zone_id=zone.id, type="A", name="www", content="192.0.2.1", ttl=1)
    assert len(list(of_zone.dns.records.list(zone_id=zone.id))) == 1


ABOUT_ZONES = [route for route in routes() if "{zone_id}" in route.path]


@pytest.fixture(scope="module")
def other_zone(strict: Cloudflare, account_id: str) -> Zone:
    made = given(strict.zones.create(account={"id": account_id}, name="other.example"))
    strict.dns.records.create(zone_id=made.id, type="A", name="www", content="192.0.2.1", ttl=1)
    return Zone(made.id, "other.example")


def test_it_may_do_nothing_with_another_zone(
    strict: Cloudflare, installed: Installation, of_zone: Cloudflare, other_zone: Zone
) -> None:
    record_id = next(iter(strict.dns.records.list(zone_id=other_zone.id))).id
    before = _state(installed, other_zone)
    headers = {"Authorization": f"Bearer {of_zone.api_token}"}
    with httpx.Client(base_url=installed.api, headers=headers, trust_env=False, timeout=60) as client:
        answers = {}
        for route in ABOUT_ZONES:
            path = route.about(zone_id=other_zone.id, record_id=record_id)
            answers[str(route)] = client.request(route.method, path, json=_BODIES.get(route.path))
    assert len(answers) > 30
    assert {name: answer.status_code for name, answer in answers.items() if answer.status_code != 403} == {}
    assert not [name for name, answer in answers.items() if other_zone.name in answer.text]
    assert _state(installed, other_zone) == before


# Bodies that would do something, where they are let in.
_BODIES: dict[str, Any] = {
    "/zones/{zone_id}": {"paused": True},
    "/zones/{zone_id}/settings/{setting_id}": {"value": "off"},
    "/zones/{zone_id}/settings": [{"id": "websockets", "value": "off"}],
    "/zones/{zone_id}/dns_records": {"type": "A", "name": "x", "content": "192.0.2.9", "ttl": 1},
    "/zones/{zone_id}/dns_records/{record_id}": {"type": "A", "name": "x", "content": "192.0.2.9", "ttl": 1},
    "/zones/{zone_id}/dns_records/batch": {"posts": [{"type": "A", "name": "x", "content": "192.0.2.9", "ttl": 1}]},
    "/zones/{zone_id}/rulesets/phases/{phase}/entrypoint": {"rules": []},
    "/zones/{zone_id}/subscription": {"rate_plan": {"id": "pro"}},
}


def _state(installed: Installation, zone: Zone) -> list[Any]:
    headers = {"Authorization": f"Bearer {installed.token}"}
    with httpx.Client(base_url=installed.api, headers=headers, trust_env=False, timeout=60) as client:
        paths = ("", "/settings", "/dns_records", "/rulesets", "/subscription", "/custom_certificates")
        return [client.get(f"/zones/{zone.id}{path}").raise_for_status().json()["result"] for path in paths]


BEYOND: list[Route] = [
    route for route in routes() if "{zone_id}" not in route.path and route.permission and route.path != "/zones"
]


def test_it_may_do_nothing_beyond_zones(installed: Installation, of_zone: Cloudflare, account_id: str) -> None:
    headers = {"Authorization": f"Bearer {of_zone.api_token}"}
    with httpx.Client(base_url=installed.api, headers=headers, trust_env=False, timeout=60) as client:
        statuses = {
            str(route): client.request(route.method, route.about(account_id=account_id), json={"name": "x"}).status_code
            for route in BEYOND
        }
        made = client.post("/zones", json={"name": "mine.example", "account": {"id": account_id}})
    # Lists of what one may see are lists of nothing; all else is refused.
    assert {name: status for name, status in statuses.items() if status != 403} in ({}, {"GET /accounts": 200})
    assert made.status_code == 403, made.text


# --- The audit log ----------------------------------------------------------------------------------------------------


def test_a_write_is_in_both_audit_logs(strict: Cloudflare, account_id: str, zone: Zone) -> None:
    began = datetime.now(UTC) - timedelta(minutes=1)
    strict.zones.settings.edit("websockets", zone_id=zone.id, value="off")
    first = next(iter(strict.audit_logs.list(account_id=account_id, direction="desc", per_page=5)))
    assert (given(first.action).type, first.interface) == ("update", "API")
    assert given(first.actor).ip == "127.0.0.1"
    assert next(iter(strict.user.audit_logs.list(per_page=5))).id == first.id
    later = datetime.now(UTC) + timedelta(minutes=1)
    second = next(
        iter(
            strict.accounts.logs.audit.list(
                account_id=account_id, since=began.isoformat(), before=later.isoformat(), limit=2
            )
        )
    )
    assert (second.id, given(second.zone).name) == (first.id, zone.name)
    assert given(given(second.raw).user_agent).startswith("Cloudflare/Python")


def test_pages_of_the_audit_log_follow_their_cursor(strict: Cloudflare, account_id: str, zone: Zone) -> None:
    for value in ("off", "on") * 3:
        strict.zones.settings.edit("websockets", zone_id=zone.id, value=value)
    now = datetime.now(UTC)
    found = strict.accounts.logs.audit.list(
        account_id=account_id,
        since=(now - timedelta(hours=1)).isoformat(),
        before=(now + timedelta(hours=1)).isoformat(),
        limit=2,
    )
    ids = [entry.id for entry in found]
    assert len(ids) == len(set(ids)) >= 7


# --- Errors, headers, tries -------------------------------------------------------------------------------------------


def test_a_bad_value_is_a_bad_request_with_a_pointer(strict: Cloudflare, zone: Zone) -> None:
    with pytest.raises(cloudflare.BadRequestError) as caught:
        strict.zones.settings.edit("websockets", zone_id=zone.id, value="perhaps")
    (error,) = caught.value.errors
    assert error.code == 1007
    body: Any = caught.value.body
    assert body["errors"][0]["source"] == {"pointer": "/value"}
    assert body["success"] is False


@pytest.mark.parametrize(
    ("token", "kind"),
    [("x" * 40, cloudflare.APIStatusError), ("not a token", cloudflare.BadRequestError)],
)
def test_a_bad_token_is_no_server_error(installed: Installation, token: str, kind: type[Exception]) -> None:
    with as_token(installed, token) as nobody, pytest.raises(kind) as caught:
        list(nobody.zones.list())
    error: Any = caught.value
    assert 400 <= error.status_code < 500
    assert error.errors[0].code >= 1000


def test_a_setting_that_there_is_not_is_a_bad_request_as_with_the_original(strict: Cloudflare, zone: Zone) -> None:
    with pytest.raises(cloudflare.BadRequestError) as caught:
        strict.zones.settings.get("no_such_setting", zone_id=zone.id)
    assert caught.value.errors[0].code == 1006


def test_what_is_not_there_is_not_found(strict: Cloudflare, zone: Zone) -> None:
    with pytest.raises(cloudflare.NotFoundError):
        strict.zones.get(zone_id="0" * 32)
    with pytest.raises(cloudflare.NotFoundError) as unrouted:
        strict.get("/no/such/route", cast_to=object)
    assert [error.code for error in unrouted.value.errors] == [7003, 7000]
    with pytest.raises(cloudflare.NotFoundError) as entrypoint:
        strict.rulesets.phases.get("http_request_origin", zone_id=zone.id)
    assert entrypoint.value.errors[0].code == 10003


def test_answers_carry_their_request_and_no_cache_may_keep_them(strict: Cloudflare, zone: Zone) -> None:
    answer = strict.zones.with_raw_response.get(zone_id=zone.id)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert len(answer.headers["cf-ray"]) >= 16
    assert answer.headers["cache-control"] == "no-store"


def test_the_global_limit_is_429_with_its_headers_and_the_sdk_waits_as_told(tmp_path: Path) -> None:
    with Installation(tmp_path, "--control-rate-limit", "5") as installed:
        with as_token(installed, installed.token) as client:
            for _ in range(5):
                client.user.tokens.verify()
            with pytest.raises(cloudflare.RateLimitError) as caught:
                client.user.tokens.verify()
        headers = caught.value.response.headers
        assert 1 <= int(headers["retry-after"]) <= 300
        assert (headers["x-ratelimit-limit"], headers["x-ratelimit-remaining"]) == ("5", "0")
        assert headers["x-ratelimit-reset"].endswith("GMT")


@pytest.mark.timeout(300)
def test_two_clients_that_write_at_once_lose_nothing(strict: Cloudflare, installed: Installation, zone: Zone) -> None:
    failures: list[BaseException] = []
    made: Any = strict.rulesets.create(  # the SDK types this answer as Ruleset or any object
        zone_id=zone.id, kind="zone", name="both", phase="http_request_origin", rules=[_rule("/")]
    )
    ruleset_id = made["id"]

    def write(name: str) -> None:
        try:
            with as_token(installed, installed.token) as client:
                for number in range(25):
                    client.dns.records.create(
                        zone_id=zone.id, type="A", name=f"{name}-{number}", content="192.0.2.1", ttl=1
                    )
                    client.zones.settings.edit("websockets", zone_id=zone.id, value="off" if number % 2 else "on")
                    client.rulesets.rules.create(ruleset_id, zone_id=zone.id, **_rule(f"/{name}/{number}"))
        except BaseException as error:  # noqa: BLE001  told by the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=write, args=(name,)) for name in ("left", "right")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(100)
    assert failures == []
    names = {record.name.split(".")[0] for record in strict.dns.records.list(zone_id=zone.id)}
    assert names == {f"{name}-{number}" for name in ("left", "right") for number in range(25)}
    shown = strict.rulesets.phases.get("http_request_origin", zone_id=zone.id)
    assert (len(shown.rules), shown.version) == (51, "51")


def _rule(path: str) -> Any:
    return {
        "action": "route",
        "expression": f'http.request.uri.path eq "{path}"',
        "action_parameters": {"origin": {"port": 8080}},
    }
