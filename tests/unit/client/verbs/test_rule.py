"""`holdfast rule test`: what is tried, where it is asked, what is printed, and the exit status that is the answer."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from holdfast.client.verbs.output import Output
from holdfast.client.verbs.rule import BadExpression, RuleTestOptions, Trial, app, ask_zone, request_of, test_rule
from holdfast.errors import HoldfastError, UsageError
from holdfast.model.option import Given
from holdfast.model.request_text import GivenRequest
from tests.unit.client.verbs.fake_api import IN_ZONE, ZONE, Failure, FakeApi, opened

# It is a verb, and no test.
run_rule_test = test_rule
del test_rule

TRACE = f"POST {IN_ZONE}/security/trace"
REQUEST = {"method": "GET", "url": "https://example.com/chat"}
WHOLE_TRACE = {
    "decision": "respond",
    "decided_by": "managed_rules",
    "status": 403,
    "rule_id": "f" * 32,
    "phases": [
        {
            "name": "custom_rules",
            "rulesets": [
                {
                    "rules": [
                        {
                            "id": "a" * 32,
                            "action": "log",
                            "outcome": "matched",
                            "fields": [["http.host", "example.com"]],
                        },
                        {
                            "id": "b" * 32,
                            "action": "block",
                            "outcome": "skipped",
                            "description": "no robots",
                            "by": "r1",
                        },
                    ]
                }
            ],
        },
        {
            "name": "managed_rules",
            "rulesets": [
                {
                    "rules": [
                        {
                            "id": "c" * 32,
                            "action": "execute",
                            "outcome": "matched",
                            "matches": [
                                {"id": "f" * 32, "action": "block", "ref": "holdfast-1901", "description": "UNION"}
                            ],
                        }
                    ]
                }
            ],
        },
    ],
}


def options(**given: Given) -> RuleTestOptions:
    return RuleTestOptions.parse(given)


def locally(*, as_json: bool = False, **given: Given) -> tuple[int, str, str]:
    """The exit status, stdout and stderr of a trial on this machine, of an expression that is its own verdict."""
    tried: list[GivenRequest] = []

    def try_it(expression: str, request: GivenRequest) -> Trial:
        tried.append(request)
        if expression not in ("true", "false"):
            raise BadExpression(f"Filter parsing error (1:1):\n{expression}\n^^^ unknown identifier")
        return Trial(expression == "true", (("http.host", request.request.host), ("http.cookie", None)))

    out, notices = io.StringIO(), io.StringIO()
    output = Output(out, notices, as_json=as_json, is_terminal=False)
    status = run_rule_test(options(as_json=as_json, **given), try_it, output)
    return status, out.getvalue(), notices.getvalue()


def asked(answer: object, **given: Given) -> tuple[int, str, str, Any]:
    """The same of a trial by the API, and the body it was asked with."""
    fake = FakeApi({"GET /zones": [ZONE], TRACE: answer})
    out, notices = io.StringIO(), io.StringIO()
    output = Output(out, notices, as_json=False, is_terminal=False)
    with opened(fake) as api:
        status = ask_zone(options(zone="example.com", **given), api, output)
    return status, out.getvalue(), notices.getvalue(), fake.bodies[-1]


@pytest.mark.parametrize(("expression", "status", "word"), [("true", 0, "match"), ("false", 1, "no match")])
def test_an_expression_is_tried_on_this_machine(expression: str, status: int, word: str) -> None:
    found, out, notices = locally(expression=expression, url="https://example.com/")
    lines = [line.split(maxsplit=1) for line in out.splitlines()]
    assert (found, notices) == (status, "")
    assert lines == [["result:", word], ["http.host:", "example.com"], ["http.cookie:", "(missing)"]]


def test_as_json_there_is_nothing_but_json() -> None:
    _, out, _ = locally(expression="true", url="https://example.com/", as_json=True)
    fields = [{"name": "http.host", "value": "example.com"}, {"name": "http.cookie", "value": None}]
    assert json.loads(out) == {"matched": True, "fields": fields}


def test_what_is_wrong_with_an_expression_is_shown_with_its_carets() -> None:
    status, out, notices = locally(expression="http.hos", url="https://example.com/")
    assert (status, out) == (2, "")
    assert notices == "Filter parsing error (1:1):\nhttp.hos\n^^^ unknown identifier\n"


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"url": "https://a.example/"}, "EXPR"),
        ({"expression": "true"}, "--request"),
        ({"expression": "true", "url": "https://a.example/", "request": "x"}, "--request"),
        ({"expression": "true", "url": "https://a.example/", "recorded": "5"}, "--recorded"),
        ({"expression": "true", "recorded": "0"}, "--recorded"),
        ({"expression": "true", "headers": ["no field"]}, "--header"),
        ({"expression": "true", "country": "NLD"}, "--country"),
    ],
)
def test_what_must_change_is_named(given: dict[str, Any], field: str) -> None:
    with pytest.raises(UsageError) as error:
        locally(**given)
    assert error.value.field == field


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"url": "here"}, "--url"),
        ({"url": "https://a:99999/"}, "^--url"),
        ({"url": "ws://[::1/"}, "^--url"),
        ({"url": "https://a.example/\x1b"}, "^--url: .* the edge answers 400 before it asks rules"),
        ({"url": "https://a.example/" + "a" * 17_000}, "^--url: .* the edge answers 414"),
        ({"url": "https://a.example/", "headers": ["Host: a b"]}, "^--header: /headers/Host"),
        ({"url": "https://a.example/", "headers": ["Host: a", "Host: a"]}, "^--header: /headers/Host"),
        ({"url": "wss://a.example/", "headers": ["Connection: close"]}, "^--header: /headers/Connection"),
        ({"url": "wss://a.example/", "method": "PUT"}, "^--method"),
        ({"url": "https://a.example/", "client_ip": "there"}, "--client-ip"),
        ({"url": "https://a.example/", "method": "G T"}, "--method"),
        ({"request": "/nowhere/at/all"}, "--request: cannot read"),
    ],
)
def test_a_request_that_cannot_be_made_is_one_sentence(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(HoldfastError, match=sentence) as error:
        locally(expression="true", **given)
    assert error.value.exit_status == 2


def test_a_file_is_a_request_and_flags_change_it(tmp_path: Path) -> None:
    file = tmp_path / "head.txt"
    file.write_text("GET /chat HTTP/1.1\nHost: example.com\nUpgrade: h2c\n", encoding="utf-8")
    given = request_of(options(request=str(file), headers=["upgrade: tls", "X: 1"], method="PUT", country="nl"))
    assert given.request.headers == (("Host", "example.com"), ("upgrade", "tls"), ("X", "1"))
    assert (given.request.method, given.request.path, given.country) == ("PUT", "/chat", "NL")


def test_a_change_may_make_a_handshake_of_it(tmp_path: Path) -> None:
    file = tmp_path / "request.json"
    file.write_text('{"url": "wss://example.com/chat", "headers": {"Upgrade": "WebSocket"}}', encoding="utf-8")
    assert request_of(options(request=str(file))).request.is_upgrade
    other = request_of(options(request=str(file), headers=["Upgrade: h2c", "Connection: close"]))
    assert not other.request.is_upgrade


def test_the_host_is_what_a_field_says(tmp_path: Path) -> None:
    file = tmp_path / "head.txt"
    file.write_bytes(b"GET /chat HTTP/1.1\nHost: a.example\nX: \xff\n")
    by_url = request_of(options(url="https://a.example:8443/", headers=["Host: B.example."])).request
    by_file = request_of(options(request=str(file), headers=["Host: B.example."])).request
    for found in (by_url, by_file):
        assert (found.host, found.header_values("host")) == ("b.example", ("B.example.",))
    assert by_file.header_values("x") == ("\xff",)


@pytest.mark.parametrize(("matched", "status"), [([True], 0), ([False], 1), ([False, True], 0), ([False, False], 1)])
def test_a_zone_is_asked_about_an_expression(matched: list[bool], status: int) -> None:
    results = [
        {"request": REQUEST, "matched": one, "fields": [{"name": "http.host", "value": "example.com"}]}
        for one in matched
    ]
    found, out, _, body = asked({"results": results, "left_out": 0}, expression="ssl", recorded="9")
    assert (found, body) == (status, {"expression": "ssl", "recorded": 9})
    assert "example.com" in out


def test_a_zone_is_asked_about_a_request_rule_by_rule() -> None:
    answer = {"results": [{"request": REQUEST, "trace": WHOLE_TRACE}], "left_out": 2}
    status, out, notices, body = asked(answer, url="https://example.com/chat")
    assert status == 1
    assert body["request"]["url"] == "https://example.com:443/chat"
    rows = [line.split("  ") for line in out.splitlines()]
    cells = [[cell.strip() for cell in row if cell.strip()] for row in rows]
    assert cells[0] == ["REQUEST", "PHASE", "RULE", "ACTION", "OUTCOME", "WHY"]
    target = "GET https://example.com/chat"
    assert cells[1:] == [
        [target, "custom_rules", "a" * 32, "log", "matched", "http.host = example.com"],
        [target, "custom_rules", "no robots", "block", "skipped", "by r1"],
        [target, "managed_rules", "c" * 32, "execute", "matched", "-"],
        [target, "managed_rules", "holdfast-1901 UNION", "block", "matched", "-"],
        [target, "managed_rules", "f" * 32, "respond", "answered with 403", "-"],
    ]
    assert "2 requests were left out" in notices


def test_a_zone_that_lets_through_is_0_and_one_without_requests_is_not() -> None:
    forwarded = {"decision": "forward", "decided_by": "forward", "origin": "192.0.2.1:443", "phases": []}
    status, out, _, _ = asked({"results": [{"request": REQUEST, "trace": forwarded}]}, url="https://example.com/")
    assert status == 0
    assert "forwarded to 192.0.2.1:443" in out
    status, out, notices, _ = asked({"results": [], "left_out": 0}, recorded="5")
    assert (status, out) == (1, "")
    assert "no recorded requests" in notices


def test_what_the_api_refuses_is_said() -> None:
    failure = Failure(400, 20127, "Filter parsing error (1:1): x", "/expression")
    with pytest.raises(HoldfastError, match="Filter parsing error"):
        asked(failure, expression="x", url="https://example.com/")


def test_what_the_api_says_of_an_expression_is_shown_with_its_carets() -> None:
    message = "Filter parsing error (2:3): or http.hos ^^^^^^^^ unknown identifier"
    failure = Failure(400, 20127, message, "/expression")
    status, out, notices, _ = asked(failure, expression="ssl\nor  http.hos", url="https://example.com/")
    assert (status, out) == (2, "")
    assert notices == "Filter parsing error (2:3):\nor  http.hos\n  ^^^^^^^^ unknown identifier\n"


def test_recorded_ones_and_a_given_one_are_not_both_tried() -> None:
    with pytest.raises(UsageError, match="--recorded"):
        asked({}, recorded="5", url="https://example.com/")


def test_the_group_has_its_verb_and_its_help() -> None:
    group = app(try_locally=lambda *_: Trial(True, ()), help="Rules.")  # noqa: FBT003
    assert [command.name for command in group.registered_commands] == ["test"]
