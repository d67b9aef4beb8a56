"""Settings of WebSockets: their ranges, and what is said beyond them."""

from typing import Any

import pytest

from holdfast.model.setting_value import SettingError, WholeNumber
from holdfast.model.websocket_settings import WEBSOCKET_SETTINGS
from holdfast.model.zone_document import ZoneSettings

UNLIMITED = {
    "to_origin": {"messages_per_second": 0, "bytes_per_second": 0},
    "to_client": {"messages_per_second": 0, "bytes_per_second": 0},
    "action": "throttle",
}
NUMBERS = {name: parse for name, parse in WEBSOCKET_SETTINGS.items() if isinstance(parse, WholeNumber)}


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_is_taken_up_to_its_bounds_and_no_further(name: str) -> None:
    parse = NUMBERS[name]
    for value in (parse.low, parse.high, getattr(ZoneSettings(), name)):
        assert parse(value) == value
    for value in (parse.low - 1, parse.high + 1):
        with pytest.raises(SettingError, match=rf"^expected a number of \w+ from {parse.low} to {parse.high}, got "):
            parse(value)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("websocket_allowed_origins", ["HTTPS://Example.com:443", "https://example.com"], ["https://example.com"]),
        ("websocket_allowed_origins", ["https://*.example.com", "null"], ["https://*.example.com", "null"]),
        ("websocket_allowed_subprotocols", ["mqtt", "MQTT"], ["mqtt", "MQTT"]),
        (
            "websocket_rate_limits",
            {"to_origin": {"messages_per_second": 20}},
            UNLIMITED | {"to_origin": {"messages_per_second": 20, "bytes_per_second": 0}},
        ),
        ("websocket_rate_limits", {}, UNLIMITED),
        ("websocket_rate_limits", {"to_origin": {}}, UNLIMITED),
        ("websocket_rate_limits", {"to_client": {}, "action": "close"}, UNLIMITED | {"action": "close"}),
    ],
)
def test_a_good_value_is_taken(name: str, value: Any, expected: Any) -> None:
    assert WEBSOCKET_SETTINGS[name](value) == expected
    assert WEBSOCKET_SETTINGS[name](expected) == expected


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("websocket_allowed_origins", ["https://example.com/"], "0: expected an origin such as"),
        ("websocket_allowed_origins", [None], "0: expected an origin such as 'https://example.com', got None"),
        ("websocket_allowed_origins", "https://example.com", "expected a list of origins such as"),
        ("websocket_allowed_origins", ["null"] * 101, "expected at most 100 origins, got 101"),
        ("websocket_allowed_subprotocols", ["a b"], "0: expected a subprotocol such as"),
        ("websocket_allowed_subprotocols", ["mqtt", ""], "1: expected a subprotocol such as"),
        ("websocket_allowed_subprotocols", ["x" * 101], "of at most 100 characters"),
        ("websocket_rate_limits", {"to_origin": {"messages": 1}}, "to_origin: no such member: 'messages'"),
        ("websocket_rate_limits", {"to_client": {"bytes_per_second": -1}}, "to_client: bytes_per_second: expected a num"),
        ("websocket_rate_limits", {"action": "drop"}, "action: expected 'throttle' or 'close', got 'drop'"),
        ("websocket_rate_limits", {"to_origin": 5}, "to_origin: expected an object such as"),
    ],
)  # fmt: skip
def test_a_bad_value_is_refused_and_what_was_expected_is_said(name: str, value: Any, said: str) -> None:
    with pytest.raises(SettingError) as error:
        WEBSOCKET_SETTINGS[name](value)
    assert said in str(error.value)


def test_every_one_has_a_default_that_is_one_of_its_values() -> None:
    defaults = ZoneSettings()
    assert {name for name in ZoneSettings.__struct_fields__ if name.startswith("websocket_")} == {
        *WEBSOCKET_SETTINGS,
        "websocket_off_response",
    }
    assert (defaults.websocket_keepalive_interval, defaults.websocket_keepalive_misses) == (30, 3)
    off = {name for name, parse in NUMBERS.items() if parse.low == 0 and getattr(defaults, name) == 0}
    assert NUMBERS.keys() - off == {
        "websocket_keepalive_interval",
        "websocket_keepalive_misses",
        "websocket_max_age_jitter",
    }
