"""Tokens by the command: what one was made for it may do, and nothing else."""

import json
from collections.abc import Iterator

import pytest

from tests.integration.installation import Installation


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    with Installation(tmp_path_factory.mktemp("cli")) as running:
        for name in ("mine.example", "other.example"):
            running.did("zone", "add", name)
        yield running


def made(installed: Installation, name: str, *arguments: str) -> str:
    """The value of a new token."""
    ended = installed.run("token", "create", "--name", name, *arguments)
    assert ended.returncode == 0, ended
    assert "this is the only time its value is shown" in ended.stderr
    assert ended.stdout.strip() not in ended.stderr
    return ended.stdout.strip()


def test_a_token_of_one_zone_may_do_there_what_it_was_made_for(installed: Installation) -> None:
    arguments = ("--permission", "Zone Read", "--permission", "zone settings write", "--zone", "mine.example")
    token = made(installed, "switch", *arguments)
    assert installed.did("setting", "set", "mine.example", "websockets", "off", token=token).endswith("on -> off\n")
    listed = json.loads(installed.did("zone", "list", "--json", token=token))
    assert [zone["name"] for zone in listed] == ["mine.example"]
    assert "ZONE: expected" in installed.refused("setting", "set", "other.example", "websockets", "off", token=token)
    zones = {zone["name"]: zone["id"] for zone in json.loads(installed.did("zone", "list", "--json"))}
    said = installed.refused("setting", "get", zones["other.example"], "websockets", token=token)
    assert "(HTTP 403)" in said


def test_what_permission_is_missing_is_said(installed: Installation) -> None:
    token = made(installed, "reader", "--permission", "Zone Read", "--zone", "mine.example")
    said = installed.refused("record", "add", "mine.example", "ws", "10.0.0.5", token=token)
    assert "the token lacks the permission 'DNS Write' here" in said
    assert "(HTTP 403)" in said


def test_a_token_is_listed_shown_and_verified_without_its_value(installed: Installation) -> None:
    arguments = ("--permission", "DNS Read", "--zone", "*", "--expires", "90d", "--ip", "127.0.0.0/8")
    token = made(installed, "dns", *arguments)
    out = installed.did("token", "verify", token=token)
    assert " is active, ends " in out
    shown = installed.did("token", "show", "dns")
    assert "DNS Read" in shown
    assert "127.0.0.0/8" in shown
    for said in (shown, installed.did("token", "list"), installed.did("token", "show", "dns", "--json")):
        assert token not in said


def test_a_rolled_token_is_void(installed: Installation) -> None:
    token = made(installed, "rolled", "--permission", "Zone Read", "--zone", "mine.example")
    fresh = installed.did("token", "roll", "rolled").strip()
    assert fresh != token
    assert "(HTTP 401)" in installed.refused("zone", "list", token=token)
    assert "mine.example" in installed.did("zone", "list", token=fresh)


def test_a_disabled_token_is_refused_until_it_is_enabled_and_a_removed_one_for_good(installed: Installation) -> None:
    token = made(installed, "off", "--permission", "Zone Read", "--zone", "mine.example", "--ip", "127.0.0.1")
    assert installed.did("token", "disable", "off") == "token off: active -> disabled\n"
    assert "is HOLDFAST_TOKEN a token of this API" in installed.refused("zone", "list", token=token)
    assert installed.did("token", "enable", "off") == "token off: disabled -> active\n"
    assert "mine.example" in installed.did("zone", "list", token=token)
    installed.did("token", "remove", "off")
    assert "(HTTP 401)" in installed.refused("zone", "list", token=token)
    assert "TOKEN: expected the name or id" in installed.refused("token", "show", "off")


def test_a_token_from_elsewhere_is_refused(installed: Installation) -> None:
    token = made(installed, "far", "--permission", "Zone Read", "--zone", "*", "--ip", "192.0.2.0/24")
    assert "(HTTP 401)" in installed.refused("zone", "list", token=token)


def test_an_unknown_permission_is_answered_with_what_there_is(installed: Installation) -> None:
    said = installed.refused("token", "create", "--name", "x", "--permission", "DNS Edit", "--zone", "*")
    assert "--permission: expected one of DNS Read, DNS Write" in said


def test_a_token_of_the_account_is_made_below_it(installed: Installation) -> None:
    account = json.loads(installed.did("zone", "show", "mine.example", "--json"))["account"]
    ended = installed.run(
        *("token", "create", "--of-account", account["name"], "--name", "robot", "--permission", "Zone Read"),
        *("--account", account["id"]),
    )
    assert ended.returncode == 0, ended
    token = ended.stdout.strip()
    assert "mine.example" in installed.did("zone", "list", token=token)
    assert "robot" in installed.did("token", "list", "--of-account", account["id"])
    assert " is active" in installed.did("token", "verify", "--of-account", account["id"], token=token)
    assert "robot" not in installed.did("token", "list")
