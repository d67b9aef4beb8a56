"""What settings come to for open WebSockets, and that the core's handle of it is made once."""

from typing import TYPE_CHECKING, Any, cast

import msgspec
import pytest

from holdfast.edge.tunnel import Tunnel, TunnelTerms, tunnel_of
from holdfast.model.setting_value import WholeNumber
from holdfast.model.websocket_documents import DirectionRates, MessageRuleDocument, RateLimits
from holdfast.model.websocket_settings import WEBSOCKET_SETTINGS
from holdfast.model.zone_document import ZoneSettings

if TYPE_CHECKING:
    from holdfast._native import TunnelOptions

KEPT = {"keepalive_interval_s": 30.0}
RATES = RateLimits(
    to_origin=DirectionRates(messages_per_second=20, bytes_per_second=1000),
    to_client=DirectionRates(messages_per_second=5, bytes_per_second=2000),
    action="close",
)


def changed(tunnel: Tunnel | None) -> dict[str, Any]:
    """What is on."""
    terms, nothing = tunnel.terms if tunnel else TunnelTerms(), TunnelTerms()
    return {
        name: getattr(terms, name) for name in terms.__struct_fields__ if getattr(terms, name) != getattr(nothing, name)
    }


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, KEPT),
        ({"websocket_keepalive_misses": 5}, KEPT | {"keepalive_misses": 5}),
        ({"websocket_keepalive_interval": 1}, {"keepalive_interval_s": 1.0}),
        ({"websocket_keepalive_interval": 0, "websocket_keepalive_misses": 5}, {}),
        ({"websocket_idle_timeout": 300}, KEPT | {"idle_timeout_s": 300.0}),
        ({"websocket_max_age": 3600}, KEPT | {"max_age_s": 3600.0}),
        ({"websocket_max_age": 60, "websocket_max_age_jitter": 0}, KEPT | {"max_age_s": 60.0, "max_age_jitter": 0.0}),
        ({"websocket_max_age_jitter": 50}, KEPT),
        ({"websocket_read_stall_timeout": 9}, KEPT | {"read_stall_timeout_s": 9.0}),
        ({"websocket_write_stall_timeout": 8}, KEPT | {"write_stall_timeout_s": 8.0}),
        ({"websocket_max_message_bytes": 65536}, KEPT | {"max_message_bytes": 65536}),
        (
            {"websocket_rate_limits": RATES},
            KEPT
            | {
                "messages_per_s_to_origin": 20.0,
                "bytes_per_s_to_origin": 1000.0,
                "messages_per_s_to_client": 5.0,
                "bytes_per_s_to_client": 2000.0,
                "over_rate": "close",
            },
        ),
        ({"websocket_rate_limits": RateLimits(action="close")}, KEPT),
        ({"websocket_max_connections": 7}, KEPT | {"max_zone_connections": 7}),
        ({"websocket_max_connections_per_address": 6}, KEPT | {"max_address_connections": 6}),
        ({"websocket_allowed_origins": ("null",), "websockets": "off"}, KEPT),
    ],
    ids=str,
)
def test_each_setting_has_its_term_and_no_other(settings: dict[str, Any], expected: dict[str, Any]) -> None:
    assert changed(tunnel_of(ZoneSettings(**settings), paused=False)) == expected


def test_a_paused_zone_keeps_its_legs_alive_and_bounds_nothing() -> None:
    everything = ZoneSettings(
        websocket_keepalive_interval=10,
        websocket_idle_timeout=300,
        websocket_max_age=3600,
        websocket_max_message_bytes=1,
        websocket_max_connections=1,
        websocket_message_rules=(MessageRuleDocument(id="a", pattern="x"),),
        websocket_rate_limits=RATES,
    )
    assert changed(tunnel_of(everything, paused=True)) == {"keepalive_interval_s": 10.0}
    assert tunnel_of(ZoneSettings(websocket_keepalive_interval=0), paused=True) is None


def test_rules_that_are_enabled_are_made_with_the_terms() -> None:
    rules = (MessageRuleDocument(id="a", pattern="x"), MessageRuleDocument(id="b", pattern="y", enabled=False))
    tunnel = tunnel_of(ZoneSettings(websocket_message_rules=rules), paused=False)
    assert tunnel is not None
    assert [rule.native.id for rule in tunnel.rules] == ["a"]
    again = tunnel_of(ZoneSettings(websocket_message_rules=rules), paused=False)
    assert again is not None
    assert (again is tunnel, again.rules == tunnel.rules) == (False, True)
    assert tunnel.options() is not None
    assert tunnel_of(ZoneSettings(websocket_message_rules=rules[1:]), paused=False) is tunnel_of(
        ZoneSettings(), paused=False
    )


def test_zones_that_say_the_same_share_one_handle() -> None:
    one = tunnel_of(ZoneSettings(ssl="full"), paused=False)
    other = tunnel_of(ZoneSettings(websocket_max_age_jitter=20), paused=False)
    assert one is not None
    assert one is other


def test_the_core_is_asked_for_a_handle_once() -> None:
    made = cast("TunnelOptions", object())
    assert Tunnel(TunnelTerms(), made=made).options() is made


def test_every_term_is_one_that_the_core_knows_at_its_bounds_too() -> None:
    ones = {
        name: 1
        for name in TunnelTerms.__struct_fields__
        if name not in ("over_rate", "max_age_jitter", "message_rules")
    }
    everything = msgspec.convert(ones, TunnelTerms)
    assert Tunnel(everything).options() is not None
    for value in ("low", "high"):
        settings = ZoneSettings(
            **{
                name: getattr(parse, value)
                for name, parse in WEBSOCKET_SETTINGS.items()
                if isinstance(parse, WholeNumber)
            },
            websocket_rate_limits=RATES,
        )
        tunnel = tunnel_of(settings, paused=False)
        assert tunnel is not None
        assert tunnel.options() is tunnel.options()
