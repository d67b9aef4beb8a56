"""`holdfast setting`: a value is sent in the type the setting has, and old and new are told."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.client.verbs.setting import MAX_FILE_BYTES, VERBS, SettingGetOptions, SettingSetOptions, parsed, shown
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
        (
            "websocket_allowed_origins",
            [],
            "https://a.test, https://b.test",
            ["https://a.test", "https://b.test"],
            '[] -> ["h',
        ),
        ("websocket_allowed_subprotocols", ["mqtt"], "[]", [], '["mqtt"] -> []'),
        ("websocket_allowed_subprotocols", ["mqtt"], "", [], '["mqtt"] -> []'),
        ("websocket_max_age", 0, "3600", 3600, "0 -> 3600"),
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


def test_a_value_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "rules.json"
    file.write_text('[{"pattern": "x"}]\n')
    given_options = {"zone": "example.com", "setting": "x", "value": f"@{file}"}
    assert SettingSetOptions.parse(given_options).value == '[{"pattern": "x"}]'


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "no such file"), (b"\xff", "in UTF-8"), (b"x" * (MAX_FILE_BYTES + 1), "of at most 4096 KiB")],
    ids=["none", "bytes", "long"],
)
def test_a_file_that_cannot_be_the_value_is_refused(tmp_path: Path, content: bytes | None, said: str) -> None:
    file = tmp_path / "value"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UsageError, match=rf"VALUE: expected .*{said}"):
        SettingSetOptions.parse({"zone": "example.com", "setting": "x", "value": f"@{file}"})


def test_what_get_prints_is_whole_and_set_takes_it() -> None:
    value = ["x" * 40_000, "\x7f\u009b"]
    out, _ = run(_fake("x", value, value), VERBS["get"], zone="example.com", setting="x")
    assert out.isascii()
    assert parsed(out.strip(), []) == value


@given(st.text())
def test_any_text_stays_what_was_typed_where_the_setting_is_a_text(text: str) -> None:
    value = parsed(text, "on")
    assert isinstance(value, str)
    assert value == text or json.loads(text) == value


def test_json_that_is_too_deep_is_text() -> None:
    assert parsed("[" * 100_000, []) == "[" * 100_000


def test_a_value_shown_is_cut_and_printable() -> None:
    assert len(shown(["x" * 10_000])) < 2000
