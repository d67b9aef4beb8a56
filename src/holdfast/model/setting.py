"""The settings of a zone: what each is called, what it may be, and what it is when nobody said.

Law 1: only what the edge acts on is here. `ZoneSettings` has the same names and defaults, and a test holds them together. It has
one more, which has a route of its own: URL_NORMALIZATION, with the members of `UrlNormalization`.
Law 2: a parser takes whatever JSON a client sent and returns the value as the API shows it, or raises SettingError, which
says what was expected.
Law 3: what must hold between two settings is checked by `check_together`, before anything is written.

Source: Cloudflare's zone settings of the same names; those that begin with `websocket_` are ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from holdfast.model.message_rules import message_rule_documents
from holdfast.model.setting_value import (
    ListOf,
    OneOf,
    Parse,
    SettingError,
    Value,
    WholeNumber,
    api_value,
    check_members,
    shown,
)
from holdfast.model.websocket_settings import MAX_LISTED, WEBSOCKET_SETTINGS
from holdfast.model.zone_document import StrictTransportSecurity, ZoneSettings

# OpenSSL's names of the TLS 1.2 suites the core has. TLS 1.3 has suites of its own, all always on.
CIPHERS = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
)
# Cloudflare's range of proxy_read_timeout, in seconds.
MAX_READ_TIMEOUT_S = 6000
# RFC 6797 §6.1.1 sets no bound; two years is the most that preload lists ask for, ten are never meant.
MAX_HSTS_AGE_S = 10 * 365 * 86400


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. `default` is an API value."""

    id: str
    default: Value
    parse: Parse


def _cipher(value: Value) -> Value:
    if value not in CIPHERS:
        raise SettingError(f"expected cipher suites out of {', '.join(CIPHERS)}, got {shown(value)}")
    return value


def _security_header(value: Value) -> Value:
    inner = value.get("strict_transport_security") if isinstance(value, dict) else None
    if not isinstance(inner, dict) or set(value) != {"strict_transport_security"}:
        raise SettingError(f'expected {{"strict_transport_security": {{…}}}}, got {shown(value)}')
    try:
        hsts = msgspec.convert(inner, StrictTransportSecurity)
    except msgspec.ValidationError as error:
        raise SettingError(f"strict_transport_security: {str(error).lower()}") from None
    check_members(inner, StrictTransportSecurity.__struct_fields__)
    if not 0 <= hsts.max_age <= MAX_HSTS_AGE_S:
        raise SettingError(f"max_age: expected seconds from 0 to {MAX_HSTS_AGE_S}, got {hsts.max_age}")
    return _header_value(hsts)


def _header_value(hsts: StrictTransportSecurity) -> Value:
    return {"strict_transport_security": msgspec.structs.asdict(hsts)}


_ON_OFF = OneOf(("on", "off"))
_OLD_TLS = {old: f"this edge does not speak TLS {old} (RFC 8996): expected '1.2' or '1.3'" for old in ("1.0", "1.1")}
_NO_0RTT = {"zrt": "this edge takes no 0-RTT data: expected 'on' or 'off'"}

_CIPHER_LIST = ListOf(_cipher, MAX_LISTED, "cipher suites", f"[{CIPHERS[0]!r}]")

_DEFAULTS = ZoneSettings()

_ALL = (
    Setting("always_use_https", _DEFAULTS.always_use_https, _ON_OFF),
    Setting("ciphers", list(_DEFAULTS.ciphers), _CIPHER_LIST),
    Setting("http2", _DEFAULTS.http2, _ON_OFF),
    Setting("ip_geolocation", _DEFAULTS.ip_geolocation, _ON_OFF),
    Setting("min_tls_version", _DEFAULTS.min_tls_version, OneOf(("1.2", "1.3"), _OLD_TLS)),
    Setting("origin_error_page_pass_thru", _DEFAULTS.origin_error_page_pass_thru, _ON_OFF),
    Setting("proxy_read_timeout", _DEFAULTS.proxy_read_timeout, WholeNumber("seconds", 1, MAX_READ_TIMEOUT_S)),
    Setting("security_header", _header_value(_DEFAULTS.security_header), _security_header),
    Setting("ssl", _DEFAULTS.ssl, OneOf(("off", "flexible", "full", "strict"))),
    Setting("tls_1_3", _DEFAULTS.tls_1_3, OneOf(("on", "off"), _NO_0RTT)),
    Setting("true_client_ip_header", _DEFAULTS.true_client_ip_header, _ON_OFF),
    Setting("websocket_off_response", _DEFAULTS.websocket_off_response, OneOf(("refuse", "strip"))),
    Setting("websockets", _DEFAULTS.websockets, _ON_OFF),
    *(Setting(name, api_value(getattr(_DEFAULTS, name)), parse) for name, parse in WEBSOCKET_SETTINGS.items()),
)

SETTINGS: Mapping[str, Setting] = {setting.id: setting for setting in sorted(_ALL, key=lambda setting: setting.id)}


# Kept like a setting, and in no list of them.
URL_NORMALIZATION = "url_normalization"


def check_together(values: Mapping[str, Value]) -> None:
    """Raise SettingError where settings that are fine alone leave nothing together. `values` are all of one zone."""
    if values["min_tls_version"] == "1.3" and values["tls_1_3"] == "off":
        raise SettingError("min_tls_version '1.3' and tls_1_3 'off' leave no version of TLS")


def zone_settings(values: Mapping[str, Value]) -> ZoneSettings:
    """The settings as the edge takes them. `values` are API values by id; those that are missing have their default."""
    given = {name: value for name, value in values.items() if name in SETTINGS or name == URL_NORMALIZATION}
    if "security_header" in given:
        given["security_header"] = given["security_header"]["strict_transport_security"]
    if "websocket_message_rules" in given:
        given["websocket_message_rules"] = message_rule_documents(given["websocket_message_rules"])
    return msgspec.convert(given, ZoneSettings)


def with_defaults(values: Mapping[str, Value]) -> dict[str, Value]:
    """Every setting's API value, in order of id."""
    return {name: values.get(name, setting.default) for name, setting in SETTINGS.items()}
