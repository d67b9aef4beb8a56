"""`holdfast setting`: a value is sent in the type the setting has, and old and new are told."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.client.verbs.setting import VERBS, SettingGetOptions, parsed, shown
from holdfast.errors import UsageError
from tests.unit.client.verbs.fake_api import IN_ZONE, ZONE, FakeApi, run

WEBSOCKETS = {"id": "websockets", "value": "on", "modified_on": None, "editable": True}


def _fake(setting: str, old: object, new: object) -> FakeApi:
    path = f"{IN_ZONE}/settings/{setting}"
    return FakeApi(
        {
            "GET /zones": [ZONE],
            f"GET {path}": {"id": setting, "value": old},
            f"PATCH {path}": {"id": setting, "value": new},
        }
    )


def test_settings_are_listed_with_their_values() -> None:
    hsts = {"id": "security_header", "value": {"strict_transport_security": {"enabled": False}}, "editable": True}
    out, _ = run(
        FakeApi({"GET /zones": [ZONE], f"GET {IN_ZONE}/settings": [WEBSOCKETS, hsts]}),
        VERBS["list"],
        zone="example.com",
    )
    assert [line.split() for line in out.splitlines()] == [
        ["ID", "VALUE", "EDITABLE", "MODIFIED"],
        ["websockets", "on", "yes", "-"],
        ["security_header", '{"strict_transport_security":{"enabled":false}}', "yes", "-"],
    ]


@pytest.mark.parametrize(("value", "said"), [("on", "on\n"), (125, "125\n"), (["a"], '["a"]\n'), ([], "[]\n")])
def test_get_prints_the_value_alone(value: object, said: str) -> None:
    fake = _fake("x", value, value)
    assert run(fake, VERBS["get"], zone="example.com", setting="x") == (said, "")


def test_get_as_json_is_the_whole_setting() -> None:
    fake = FakeApi({"GET /zones": [ZONE], f"GET {IN_ZONE}/settings/websockets": WEBSOCKETS})
    out, _ = run(fake, VERBS["get"], zone="example.com", setting="websockets", as_json=True)
    assert json.loads(out) == WEBSOCKETS


@pytest.mark.parametrize(
    ("setting", "old", "typed", "sent", "said"),
    [
        ("websockets", "on", "off", "off", "on -> off"),
        ("min_tls_version", "1.2", "1.3", "1.3", "1.2 -> 1.3"),
        ("proxy_read_timeout", 125, "30", 30, "125 -> 30"),
        ("ciphers", [], '["ECDHE-RSA-AES128-GCM-SHA256"]', ["ECDHE-RSA-AES128-GCM-SHA256"], '[] -> ["ECDHE'),
        ("security_header", {"a": 1}, '{"a": 2}', {"a": 2}, '{"a":1} -> {"a":2}'),
    ],
)
def test_set_sends_the_type_of_the_setting_and_says_old_and_new(
    setting: str, old: object, typed: str, sent: object, said: str
) -> None:
    fake = _fake(setting, old, sent)
    out, _ = run(fake, VERBS["set"], zone="example.com", setting=setting, value=typed)
    assert fake.written() == [(f"PATCH {IN_ZONE}/settings/{setting}", {"value": sent})]
    assert out.startswith(f"example.com: {setting}: {said}")


def test_the_new_value_is_the_one_that_the_api_says() -> None:
    out, _ = run(_fake("ssl", "off", "full"), VERBS["set"], zone="example.com", setting="ssl", value="FULL")
    assert out == "example.com: ssl: off -> full\n"


def test_dashes_of_a_settings_id_are_taken_for_underscores() -> None:
    given_options = {"zone": "example.com", "setting": "Min-TLS-Version"}
    assert SettingGetOptions.parse(given_options).setting == "min_tls_version"


@pytest.mark.parametrize("setting", ["", "../zones", "a b", "x" * 65, "é"])
def test_what_is_no_setting_is_refused(setting: str) -> None:
    with pytest.raises(UsageError, match="ID: expected the id of a setting"):
        SettingGetOptions.parse({"zone": "example.com", "setting": setting})


@given(st.text())
def test_any_text_stays_what_was_typed_where_the_setting_is_a_text(text: str) -> None:
    value = parsed(text, "on")
    assert isinstance(value, str)
    assert value == text or json.loads(text) == value


def test_json_that_is_too_deep_is_text() -> None:
    assert parsed("[" * 100_000, []) == "[" * 100_000


def test_a_value_shown_is_cut_and_printable() -> None:
    assert len(shown(["x" * 10_000])) < 2000
