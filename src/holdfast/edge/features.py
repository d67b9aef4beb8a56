"""What the settings of a zone come to: settings as the API has them in, what the phases act on out.

Law 1: a setting that has no effect is not here, and one that has is nowhere else.
Law 2: a paused zone has no features. What protects the legs of a connection (TLS, how long an origin may be silent, the pings
that keep a WebSocket) and what says where the origin is (records, origin rules, and so the paths that these see) stay, for they are none.

Source: Cloudflare, "Zone settings"; HSTS is RFC 6797 §6.1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from holdfast.edge.compile_error import CompileError
from holdfast.edge.tunnel import tunnel_of
from holdfast.edge.zone import AllowedOrigins, Features, OriginTls, TlsSettings
from holdfast.model.message_rules import MAX_RULES, MAX_SCHEMAS_BYTES
from holdfast.model.setting import CIPHERS, MAX_READ_TIMEOUT_S
from holdfast.model.setting_value import SettingError, api_value
from holdfast.model.websocket_documents import MessageRuleDocument
from holdfast.model.websocket_origin import listed
from holdfast.model.websocket_settings import WEBSOCKET_SETTINGS
from holdfast.model.zone_document import StrictTransportSecurity, Switch, ZoneSettings

if TYPE_CHECKING:
    from holdfast.rules.url_normalization import UrlForm

_ORIGIN_TLS: Mapping[str, OriginTls] = {"off": "plain", "flexible": "plain", "full": "unverified", "strict": "verified"}
# Statuses of an origin that Cloudflare replaces by its own page (`origin_error_page_pass_thru`).
_EXPLAINED = (502, 504)

_CHOICES: Mapping[str, frozenset[str]] = {
    "websockets": frozenset({"on", "off"}),
    "websocket_off_response": frozenset({"refuse", "strip"}),
    "ssl": frozenset(_ORIGIN_TLS),
    "min_tls_version": frozenset({"1.2", "1.3"}),
    "tls_1_3": frozenset({"on", "off"}),
    "always_use_https": frozenset({"on", "off"}),
    "http2": frozenset({"on", "off"}),
    "true_client_ip_header": frozenset({"on", "off"}),
    "ip_geolocation": frozenset({"on", "off"}),
    "origin_error_page_pass_thru": frozenset({"on", "off"}),
}
_DEFAULTS = ZoneSettings()
_URL_NORMALIZATION: Mapping[str, frozenset[str]] = {
    "type": frozenset({"cloudflare", "rfc3986"}),
    "scope": frozenset({"incoming", "none"}),
}


def check_settings(zone: str, settings: ZoneSettings) -> None:
    """Raise CompileError where a value is none of the setting's, or two leave nothing together."""
    for name, choices in _CHOICES.items():
        value = getattr(settings, name)
        if value not in choices:
            raise CompileError(zone, f"settings.{name}", value, " or ".join(sorted(choices)))
    for member, choices in _URL_NORMALIZATION.items():
        value = getattr(settings.url_normalization, member)
        if value not in choices:
            raise CompileError(zone, f"settings.url_normalization.{member}", value, " or ".join(sorted(choices)))
    for cipher in settings.ciphers:
        if cipher not in CIPHERS:
            raise CompileError(zone, "settings.ciphers", cipher, f"names out of {', '.join(CIPHERS)}")
    if not 1 <= settings.proxy_read_timeout <= MAX_READ_TIMEOUT_S:
        expected = f"seconds from 1 to {MAX_READ_TIMEOUT_S}"
        raise CompileError(zone, "settings.proxy_read_timeout", settings.proxy_read_timeout, expected)
    if settings.security_header.max_age < 0:
        raise CompileError(zone, "settings.security_header.max_age", settings.security_header.max_age, "0 or more")
    if settings.min_tls_version == "1.3" and settings.tls_1_3 == "off":
        raise CompileError(zone, "settings.tls_1_3", "off", "on, as min_tls_version is 1.3")
    _check_websockets(zone, settings)


def _check_websockets(zone: str, settings: ZoneSettings) -> None:
    for name, parse in WEBSOCKET_SETTINGS.items():
        value = getattr(settings, name)
        # Most zones have set nothing, and ten thousand are compiled at once.
        if value == getattr(_DEFAULTS, name) or name == "websocket_message_rules":
            continue
        try:
            parse(api_value(value))
        except SettingError as error:
            raise CompileError(zone, f"settings.{name}", value, f"a value of the setting ({error})") from None
    if settings.websocket_message_rules:
        _check_message_rules(zone, settings.websocket_message_rules)


def _check_message_rules(zone: str, rules: Sequence[MessageRuleDocument]) -> None:
    # Loaded with the first rule: most zones have none.
    from holdfast.rules.message_rules import MessageRuleError, compiled  # noqa: PLC0415

    field = "settings.websocket_message_rules"
    if len(rules) > MAX_RULES:
        raise CompileError(zone, field, len(rules), f"at most {MAX_RULES} rules")
    if (size := sum(len(rule.schema) for rule in rules)) > MAX_SCHEMAS_BYTES:
        raise CompileError(zone, field, size, f"schemas of at most {MAX_SCHEMAS_BYTES} bytes together")
    for rule in rules:
        try:
            compiled(rule)
        except MessageRuleError as error:
            what = rule.pattern if rule.type == "text" else rule.schema
            raise CompileError(zone, f"{field}[{rule.id}]", what, f"a rule that compiles ({error})") from None


def features_of(settings: ZoneSettings, *, paused: bool) -> Features:
    """What the phases act on. `settings` have passed `check_settings`."""
    # What rules on messages are made of is large, and goes with its zone.
    make = _made.__wrapped__ if settings.websocket_message_rules else _made
    return make(settings, paused=paused)


# As many as there may be different settings among the zones that are compiled together; the rest is computed anew.
@lru_cache(maxsize=1024)
def _made(settings: ZoneSettings, *, paused: bool) -> Features:
    on = ZoneSettings(ssl=settings.ssl, proxy_read_timeout=settings.proxy_read_timeout) if paused else settings
    switched_off = on.websockets == "off"
    return Features(
        origin_tls=_ORIGIN_TLS[on.ssl],
        answer_timeout_s=float(on.proxy_read_timeout),
        # Without HTTPS there is nowhere to redirect to: `ssl` wins, else the two would send a client round for ever.
        always_https=on.always_use_https == "on" and on.ssl != "off",
        never_https=on.ssl == "off" and not paused,
        refuses_websockets=switched_off and on.websocket_off_response == "refuse",
        strips_upgrades=switched_off and on.websocket_off_response == "strip",
        true_client_ip=on.true_client_ip_header == "on",
        geolocation=on.ip_geolocation == "on" and not paused,
        explain_statuses=() if paused or _is_on(on.origin_error_page_pass_thru) else _EXPLAINED,
        # Where there is no HTTPS, a client that was told to insist on it would be locked out.
        response_headers=() if on.ssl == "off" else _response_headers(on.security_header),
        url_form=url_form_of(settings),
        allowed_origins=AllowedOrigins(*listed(on.websocket_allowed_origins)) if on.websocket_allowed_origins else None,
        allowed_subprotocols=frozenset(on.websocket_allowed_subprotocols) or None,
        tunnel=tunnel_of(settings, paused=paused),
    )


def url_form_of(settings: ZoneSettings) -> UrlForm:
    """How paths are normalised before rules see them."""
    asked = settings.url_normalization
    return "none" if asked.scope == "none" else asked.type


def tls_settings_of(zone: str, hosts: Iterable[str], settings: ZoneSettings) -> TlsSettings | None:
    """What handshakes for the zone and its `hosts` may settle on; None where that is what the edge does anyway."""
    if (settings.min_tls_version, settings.tls_1_3, settings.ciphers, settings.http2) == ("1.2", "on", (), "on"):
        return None
    return TlsSettings(
        # A wildcard is for one label here, so names further down are named one by one.
        names=tuple(dict.fromkeys((zone, f"*.{zone}", *hosts))),
        min_version=settings.min_tls_version,
        max_version="1.3" if settings.tls_1_3 == "on" else "1.2",
        ciphers=settings.ciphers,
        http2=_is_on(settings.http2),
    )


def _is_on(switch: Switch) -> bool:
    return switch == "on"


def _response_headers(security: StrictTransportSecurity) -> tuple[tuple[str, str], ...]:
    headers: list[tuple[str, str]] = []
    if security.enabled:
        value = f"max-age={security.max_age}"
        value += "; includeSubDomains" if security.include_subdomains else ""
        value += "; preload" if security.preload else ""
        headers.append(("Strict-Transport-Security", value))
    if security.nosniff:
        headers.append(("X-Content-Type-Options", "nosniff"))
    return tuple(headers)
