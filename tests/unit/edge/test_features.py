"""Settings: what each comes to, and what is none of its values."""

import re
from typing import Any

import pytest

from holdfast.edge.compile_error import CompileError
from holdfast.edge.features import check_settings, features_of, tls_settings_of
from holdfast.edge.zone import AllowedOrigins, Features
from holdfast.model.websocket_documents import MessageRuleDocument, RateLimits
from holdfast.model.zone_document import StrictTransportSecurity, UrlNormalization, ZoneSettings

DEFAULTS = features_of(ZoneSettings(), paused=False)
HSTS = StrictTransportSecurity(enabled=True, max_age=60)


def changed(features: Features) -> dict[str, Any]:
    """What differs from the features of a zone that has set nothing."""
    return {
        name: getattr(features, name)
        for name in Features.__struct_fields__
        if getattr(features, name) != getattr(DEFAULTS, name)
    }


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"websockets": "off"}, {"refuses_websockets": True}),
        ({"websockets": "off", "websocket_off_response": "strip"}, {"strips_upgrades": True}),
        ({"websocket_off_response": "strip"}, {}),
        ({"ssl": "off"}, {"never_https": True}),
        ({"ssl": "full"}, {"origin_tls": "unverified"}),
        ({"ssl": "strict"}, {"origin_tls": "verified"}),
        ({"always_use_https": "on"}, {"always_https": True}),
        ({"always_use_https": "on", "ssl": "off"}, {"never_https": True}),
        ({"proxy_read_timeout": 300}, {"answer_timeout_s": 300.0}),
        ({"true_client_ip_header": "on"}, {"true_client_ip": True}),
        ({"ip_geolocation": "off"}, {"geolocation": False}),
        ({"origin_error_page_pass_thru": "on"}, {"explain_statuses": ()}),
        ({"security_header": HSTS}, {"response_headers": (("Strict-Transport-Security", "max-age=60"),)}),
        ({"security_header": HSTS, "ssl": "off"}, {"never_https": True}),
        ({"security_header": StrictTransportSecurity(nosniff=True)}, {"response_headers": (("X-Content-Type-Options", "nosniff"),)}),
        ({"http2": "off"}, {}),
        ({"url_normalization": UrlNormalization(type="rfc3986")}, {"url_form": "rfc3986"}),
        ({"url_normalization": UrlNormalization(type="rfc3986", scope="none")}, {"url_form": "none"}),
        ({"websocket_allowed_subprotocols": ("mqtt",)}, {"allowed_subprotocols": frozenset({"mqtt"})}),
        (
            {"websocket_allowed_origins": ("null", "https://*.a.test")},
            {"allowed_origins": AllowedOrigins(frozenset({"null"}), (("https://", ".a.test"),))},
        ),
        ({"websocket_keepalive_interval": 0}, {"tunnel": None}),
        ({"websocket_max_age_jitter": 50}, {}),
    ],
    ids=str,
)  # fmt: skip
def test_each_setting_has_its_effect_and_no_other(settings: dict[str, Any], expected: dict[str, Any]) -> None:
    assert changed(features_of(ZoneSettings(**settings), paused=False)) == expected


def test_a_paused_zone_has_its_legs_and_no_features() -> None:
    everything = ZoneSettings(
        websockets="off", ssl="full", always_use_https="on", true_client_ip_header="on", security_header=HSTS,
        proxy_read_timeout=10, websocket_allowed_origins=("null",), websocket_allowed_subprotocols=("mqtt",),
    )  # fmt: skip
    assert changed(features_of(everything, paused=True)) == {
        "origin_tls": "unverified",
        "answer_timeout_s": 10.0,
        "geolocation": False,
        "explain_statuses": (),
    }
    assert not features_of(ZoneSettings(ssl="off"), paused=True).never_https
    # Its origin rules stay, and see the same paths.
    as_sent = ZoneSettings(url_normalization=UrlNormalization(scope="none"))
    assert features_of(as_sent, paused=True).url_form == "none"


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"websockets": "maybe"}, "websockets"),
        ({"ssl": "origin_pull"}, "ssl"),
        ({"min_tls_version": "1.0"}, "min_tls_version"),
        ({"ciphers": ("RC4-SHA",)}, "ciphers"),
        ({"proxy_read_timeout": 0}, "proxy_read_timeout"),
        ({"proxy_read_timeout": 10**9}, "proxy_read_timeout"),
        ({"security_header": StrictTransportSecurity(max_age=-1)}, "security_header.max_age"),
        ({"min_tls_version": "1.3", "tls_1_3": "off"}, "tls_1_3"),
        ({"http2": "maybe"}, "http2"),
        ({"websocket_keepalive_interval": -1}, "websocket_keepalive_interval"),
        ({"websocket_keepalive_misses": 0}, "websocket_keepalive_misses"),
        ({"websocket_max_message_bytes": 1 << 60}, "websocket_max_message_bytes"),
        ({"websocket_allowed_origins": ("https://a.test/",)}, "websocket_allowed_origins"),
        ({"websocket_allowed_subprotocols": ("a b",)}, "websocket_allowed_subprotocols"),
        ({"websocket_message_rules": (MessageRuleDocument(id="a", pattern="("),)}, "websocket_message_rules[a]"),
        (
            {"websocket_message_rules": (MessageRuleDocument(id="a", type="json_schema", schema="5"),)},
            "websocket_message_rules[a]",
        ),
        ({"websocket_message_rules": (MessageRuleDocument(id="a", pattern="x"),) * 21}, "websocket_message_rules"),
        (
            {"websocket_message_rules": (MessageRuleDocument(id="a", type="json_schema", schema=" " * 50_000),) * 3},
            "websocket_message_rules",
        ),
        ({"websocket_rate_limits": RateLimits(action="drop")}, "websocket_rate_limits"),  # type: ignore[arg-type]
        ({"url_normalization": UrlNormalization(type="rfc2396")}, "url_normalization.type"),  # type: ignore[arg-type]
        ({"url_normalization": UrlNormalization(scope="both")}, "url_normalization.scope"),  # type: ignore[arg-type]
    ],
)
def test_a_value_that_is_none_of_the_setting_s_is_refused(settings: dict[str, Any], field: str) -> None:
    with pytest.raises(CompileError, match=rf"^zone 'example\.com', settings\.{re.escape(field)}: expected "):
        check_settings("example.com", ZoneSettings(**settings))


def test_the_defaults_are_good() -> None:
    check_settings("example.com", ZoneSettings())


@pytest.mark.parametrize(
    ("settings", "versions"),
    [
        ({"min_tls_version": "1.3"}, ("1.3", "1.3")),
        ({"tls_1_3": "off"}, ("1.2", "1.2")),
        ({"http2": "off"}, ("1.2", "1.3")),
    ],
)
def test_tls_settings_are_there_where_they_change_something(
    settings: dict[str, Any], versions: tuple[str, str]
) -> None:
    hosts = ["example.com", "*.example.com", "a.b.example.com"]
    tls = tls_settings_of("example.com", hosts, ZoneSettings(**settings))
    assert tls is not None
    assert (tls.min_version, tls.max_version) == versions
    assert tls.http2 is (settings.get("http2") != "off")
    assert tls.names == ("example.com", "*.example.com", "a.b.example.com")
    assert tls_settings_of("example.com", hosts, ZoneSettings()) is None
