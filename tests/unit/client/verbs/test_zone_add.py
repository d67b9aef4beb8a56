"""`zone add`: everything in order, or nothing at all."""

import json

import httpx
import pytest

from holdfast.client.api.answer import ApiRefused
from holdfast.client.verbs.zone import VERBS
from holdfast.client.verbs.zone_add import ZoneAddError, ZoneAddOptions
from holdfast.errors import UsageError
from tests.unit.client.verbs.fake_api import ACCOUNT_ID, IN_ZONE, ZONE, ZONE_ID, Failure, FakeApi, run

ADD = VERBS["add"]
ENTRYPOINT = f"{IN_ZONE}/rulesets/phases/http_request_origin/entrypoint"
ANSWERS: dict[str, object] = {
    "POST /zones": ZONE,
    f"PATCH {IN_ZONE}/settings/ssl": {"id": "ssl", "value": "strict"},
    f"PUT {ENTRYPOINT}": {"id": "x", "rules": []},
    f"POST {IN_ZONE}/dns_records": {"id": "x"},
    f"POST {IN_ZONE}/subscription": {"id": "x"},
    f"DELETE {IN_ZONE}": {"id": ZONE_ID},
}


def test_a_zone_alone_is_one_call() -> None:
    fake = FakeApi(ANSWERS)
    out, _ = run(fake, ADD, name="Example.com")
    assert fake.written() == [("POST /zones", {"name": "example.com", "type": "full"})]
    assert out == f"example.com: created in the account Main, id {ZONE_ID}\n"


def test_an_origin_is_written_with_the_records_last() -> None:
    fake = FakeApi(ANSWERS)
    out, _ = run(fake, ADD, name="example.com", origin="https://10.0.0.5:8443")
    record = {"type": "A", "content": "10.0.0.5", "proxied": True, "ttl": 1}
    rule = {
        "action": "route",
        "expression": "true",
        "description": "origin https://10.0.0.5:8443",
        "enabled": True,
        "action_parameters": {"origin": {"port": 8443}},
    }
    assert fake.written()[1:] == [
        (f"PATCH {IN_ZONE}/settings/ssl", {"value": "strict"}),
        (f"PUT {ENTRYPOINT}", {"rules": [rule]}),
        (f"POST {IN_ZONE}/dns_records", {**record, "name": "example.com"}),
        (f"POST {IN_ZONE}/dns_records", {**record, "name": "*.example.com"}),
    ]
    assert out.splitlines()[1:] == [
        "ssl: strict (TLS to the origin, its certificate verified)",
        "origin rule: every request to port 8443",
        "record: example.com A 10.0.0.5, proxied",
        "record: *.example.com A 10.0.0.5, proxied",
    ]


def test_the_words_say_sni_and_host_where_there_are_some() -> None:
    out, _ = run(FakeApi(ANSWERS), ADD, name="example.com", origin="https://a.example.net", host_header="b.example.net")
    assert "origin rule: every request to port 443, TLS for the name a.example.net, Host b.example.net" in out


def test_account_and_plan_are_looked_up_and_set() -> None:
    fake = FakeApi({**ANSWERS, "GET /accounts": [{"id": ACCOUNT_ID, "name": "Main"}]})
    out, _ = run(fake, ADD, name="example.com", account="Main", plan="Business")
    assert fake.written() == [
        ("POST /zones", {"name": "example.com", "type": "full", "account": {"id": ACCOUNT_ID}}),
        (f"POST {IN_ZONE}/subscription", {"rate_plan": {"id": "business"}}),
    ]
    assert "plan: business" in out


def test_an_account_that_must_be_named_is_asked_for_by_its_flag() -> None:
    refused = Failure(400, 1004, "account.id: expected the id of an account", pointer="/account/id")
    with pytest.raises(
        UsageError, match=r"^--account: expected the id or name of one of your accounts, .*got nothing$"
    ):
        run(FakeApi({"POST /zones": refused}), ADD, name="example.com")
    with pytest.raises(ApiRefused, match=r"account\.id"):
        run(FakeApi({"POST /zones": refused}), ADD, name="example.com", account=ACCOUNT_ID)


def test_json_is_the_zone() -> None:
    out, _ = run(FakeApi(ANSWERS), ADD, name="example.com", origin="http://10.0.0.5", as_json=True)
    assert json.loads(out) == ZONE


def test_a_failure_takes_the_zone_back() -> None:
    fake = FakeApi({**ANSWERS, f"PUT {ENTRYPOINT}": Failure(403, 10000, "Authentication error")})
    with pytest.raises(ZoneAddError) as caught:
        run(fake, ADD, name="example.com", origin="http://10.0.0.5")
    said = str(caught.value)
    assert said.startswith("cannot write the origin rule of example.com: code 10000")
    assert said.endswith("; the zone example.com was removed again")
    assert caught.value.exit_status == 2
    assert fake.asked[-1] == f"DELETE {IN_ZONE}"


def test_a_failure_that_cannot_be_taken_back_says_what_is_there() -> None:
    answers = {
        **ANSWERS,
        f"POST {IN_ZONE}/dns_records": Failure(500, 10500, "Internal error"),
        f"DELETE {IN_ZONE}": Failure(500, 10500, "Internal error"),
    }
    with pytest.raises(ZoneAddError) as caught:
        run(FakeApi(answers), ADD, name="example.com", origin="http://10.0.0.5")
    said = str(caught.value)
    assert "cannot write the record example.com: code 10500" in said
    assert "done so far: the zone itself, ssl: flexible" in said
    assert said.endswith(f"to undo: `holdfast zone remove {ZONE_ID}`")
    assert caught.value.exit_status == 1


def test_an_interrupt_takes_the_zone_back_too() -> None:
    def interrupt(_: object) -> object:
        raise KeyboardInterrupt

    fake = FakeApi({**ANSWERS, f"PUT {ENTRYPOINT}": interrupt})
    with pytest.raises(KeyboardInterrupt):
        run(fake, ADD, name="example.com", origin="http://10.0.0.5")
    assert fake.asked[-1] == f"DELETE {IN_ZONE}"


def test_a_zone_that_exists_is_left_alone() -> None:
    fake = FakeApi({**ANSWERS, "POST /zones": Failure(400, 1061, "example.com already exists", "/name")})
    with pytest.raises(Exception, match=r"code 1061: example\.com already exists \(at /name\)"):
        run(fake, ADD, name="example.com", origin="http://10.0.0.5")
    assert fake.asked == ["POST /zones"]


def test_an_answer_that_is_no_zone_leaves_nothing_to_take_back() -> None:
    fake = FakeApi({"POST /zones": httpx.Response(200, json={"success": True, "result": [1]})})
    with pytest.raises(Exception, match="a result of another form"):
        run(fake, ADD, name="example.com")
    assert fake.asked == ["POST /zones"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"name": "example.com", "insecure": True}, "--insecure: expected --origin with it"),
        ({"name": "example.com", "host_header": "a.example"}, "--host-header: expected --origin with it"),
        ({"name": "example.com", "origin": "10.0.0.5:80"}, "--origin: expected a URL"),
        ({"name": "example.com", "origin": "http://example.com"}, "--origin: expected a host outside"),
        ({"name": "http://example.com"}, "NAME: expected a host name"),
        ({"name": "example.com", "plan": "a b"}, "--plan: expected the name of a plan"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_asked(given: dict[str, str | bool], expected: str) -> None:
    with pytest.raises(UsageError, match=expected):
        ZoneAddOptions.parse(given)
