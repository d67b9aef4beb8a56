"""`holdfast.model.setting`: what a setting may be, and that the edge's values and the API's are the same ones."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.setting import (
    SETTINGS,
    URL_NORMALIZATION,
    check_together,
    with_defaults,
    zone_settings,
)
from holdfast.model.setting_value import SettingError
from holdfast.model.zone_document import StrictTransportSecurity, UrlNormalization, ZoneSettings

HSTS = {"enabled": True, "max_age": 86400, "include_subdomains": True, "preload": False, "nosniff": True}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=10,
)


def test_the_registry_and_the_values_of_the_edge_have_the_same_names_and_defaults() -> None:
    assert {*SETTINGS, URL_NORMALIZATION} == set(ZoneSettings.__struct_fields__)
    assert URL_NORMALIZATION not in SETTINGS
    assert zone_settings(with_defaults({})) == ZoneSettings()


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("websockets", "off", "off"),
        ("websocket_off_response", "strip", "strip"),
        ("ssl", "strict", "strict"),
        ("min_tls_version", "1.3", "1.3"),
        ("proxy_read_timeout", 6000, 6000),
        ("proxy_read_timeout", 10.0, 10),
        ("ciphers", [], []),
        ("ciphers", ["ECDHE-RSA-AES128-GCM-SHA256"] * 2, ["ECDHE-RSA-AES128-GCM-SHA256"]),
        ("security_header", {"strict_transport_security": HSTS}, {"strict_transport_security": HSTS}),
    ],
)
def test_a_good_value_is_taken(name: str, value: Any, expected: Any) -> None:
    assert SETTINGS[name].parse(value) == expected


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("websockets", "ON", "expected 'on' or 'off', got 'ON'"),
        ("websockets", True, "expected 'on' or 'off', got True"),
        ("ssl", "origin_pull", "'flexible' or 'full' or 'strict'"),
        ("min_tls_version", "1.0", "does not speak TLS 1.0"),
        ("tls_1_3", "zrt", "0-RTT"),
        ("proxy_read_timeout", "300", "expected a number of seconds from 1 to 6000, got '300'"),
        ("proxy_read_timeout", 0, "from 1 to 6000, got 0"),
        ("proxy_read_timeout", 6001, "from 1 to 6000"),
        ("proxy_read_timeout", True, "got True"),
        ("proxy_read_timeout", 1.5, "whole seconds"),
        ("proxy_read_timeout", "9" * 100, "from 1 to 6000"),
        ("ciphers", ["AES128-SHA"] * 101, "at most 100 cipher suites, got 101"),
        ("ciphers", "ECDHE-RSA-AES128-GCM-SHA256", "a list of cipher suites"),
        ("ciphers", ["AES128-SHA"], "got 'AES128-SHA'"),
        ("security_header", {}, "strict_transport_security"),
        ("security_header", {"strict_transport_security": {"max_age": "1"}}, "max_age"),
        ("security_header", {"strict_transport_security": {"max_age": -1}}, "max_age"),
        ("security_header", {"strict_transport_security": {"maxage": 1}}, "no such member: 'maxage'"),
    ],
)
def test_a_bad_value_is_refused_and_what_was_expected_is_said(name: str, value: Any, said: str) -> None:
    with pytest.raises(SettingError) as error:
        SETTINGS[name].parse(value)
    assert said in str(error.value)


def test_how_urls_are_normalised_is_kept_with_the_settings() -> None:
    kept = {URL_NORMALIZATION: {"type": "rfc3986", "scope": "none"}}
    assert zone_settings(kept) == ZoneSettings(url_normalization=UrlNormalization(type="rfc3986", scope="none"))


def test_rules_on_messages_reach_the_edge_with_their_schema_as_text() -> None:
    value = SETTINGS["websocket_message_rules"].parse([{"type": "json_schema", "schema": {"a": [1]}}])
    (rule,) = zone_settings({"websocket_message_rules": value}).websocket_message_rules
    assert (rule.id, rule.schema) == (value[0]["id"], '{"a":[1]}')


@given(st.sampled_from(sorted(SETTINGS)), JSON)
def test_whatever_comes_a_parser_returns_a_value_that_parses_to_itself_or_says_why_not(name: str, value: Any) -> None:
    try:
        parsed = SETTINGS[name].parse(value)
    except SettingError as error:
        refusal = str(error)
        assert refusal.isprintable()
        return
    assert SETTINGS[name].parse(parsed) == parsed
    assert isinstance(zone_settings({name: parsed}), ZoneSettings)


def test_settings_that_leave_no_version_of_tls_are_refused_together() -> None:
    fine = with_defaults({"min_tls_version": "1.3"})
    check_together(fine)
    with pytest.raises(SettingError, match=r"no version of TLS"):
        check_together({**fine, "tls_1_3": "off"})


def test_the_security_header_of_the_api_is_the_edges_value() -> None:
    settings = zone_settings({"security_header": {"strict_transport_security": HSTS}})
    assert settings.security_header == msgspec.convert(HSTS, StrictTransportSecurity)


def test_a_setting_that_is_no_longer_known_is_left_out() -> None:
    assert zone_settings({"rocket_loader": "on"}) == ZoneSettings()
