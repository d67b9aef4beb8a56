"""What the settings of WebSockets may be: how long they live, how much passes, who may open them.

Law 1: 0 switches off what it counts or times, everywhere.
Law 2: every bound has a reason or a precedent, said where it stands.

Source: these are ours; the original has none of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from holdfast.model.message_rules import parse_message_rules
from holdfast.model.setting_value import ListOf, ObjectOf, OneOf, Parse, SettingError, Value, WholeNumber, shown
from holdfast.model.websocket_origin import parse_origin

# Beyond an hour between two pings no middlebox keeps a silent connection: load balancers of the clouds give up after
# 60 to 4000 s.
MAX_INTERVAL_S = 3600
# Whoever misses ten pings in a row is gone, whatever the interval.
MAX_MISSES = 10
WEEK_S = 7 * 86400
YEAR_S = 365 * 86400
MAX_JITTER_PERCENT = 50
# No machine takes a message of a terabyte.
MAX_MESSAGE_BYTES = 1 << 40
# A connection does a few hundred thousand small messages in a second, and 100 Gbit/s are 12.5 GB.
MAX_MESSAGES_PER_S = 1_000_000
MAX_BYTES_PER_S = 100_000_000_000
# More than any machine has descriptors for.
MAX_CONNECTIONS = 10_000_000
# A list is searched for each upgrade, and shown by every error about it.
MAX_LISTED = 100
MAX_SUBPROTOCOL_CHARS = 100

# RFC 9110 §5.6.2: what a subprotocol is made of (RFC 6455 §4.1, item 10).
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def _subprotocol(value: Value) -> Value:
    if isinstance(value, str) and len(value) <= MAX_SUBPROTOCOL_CHARS and _TOKEN.fullmatch(value):
        return value
    expected = f"a subprotocol such as 'graphql-transport-ws', of at most {MAX_SUBPROTOCOL_CHARS} characters"
    raise SettingError(f"expected {expected}, got {shown(value)}")


def _origin(value: Value) -> Value:
    if not isinstance(value, str):
        raise SettingError(f"expected an origin such as 'https://example.com', got {shown(value)}")
    try:
        return parse_origin(value, wildcard=True)
    except ValueError as error:
        raise SettingError(str(error)) from None


_RATES = ObjectOf(
    {
        "messages_per_second": (WholeNumber("messages", 0, MAX_MESSAGES_PER_S), 0),
        "bytes_per_second": (WholeNumber("bytes", 0, MAX_BYTES_PER_S), 0),
    },
    example='{"messages_per_second": 20, "bytes_per_second": 65536}',
)
_NO_RATES = {"messages_per_second": 0, "bytes_per_second": 0}
_RATE_LIMITS = ObjectOf(
    {"to_origin": (_RATES, _NO_RATES), "to_client": (_RATES, _NO_RATES), "action": (OneOf(("throttle", "close")), "throttle")},
    example='{"to_origin": {"messages_per_second": 20}, "action": "throttle"}',
)  # fmt: skip

# The parser of each, by its name in the API and in `ZoneSettings`.
WEBSOCKET_SETTINGS: Final[Mapping[str, Parse]] = MappingProxyType(
    {
        "websocket_allowed_origins": ListOf(_origin, MAX_LISTED, "origins", '["https://example.com"]'),
        "websocket_allowed_subprotocols": ListOf(_subprotocol, MAX_LISTED, "subprotocols", '["graphql-transport-ws"]'),
        "websocket_idle_timeout": WholeNumber("seconds", 0, WEEK_S),
        "websocket_keepalive_interval": WholeNumber("seconds", 0, MAX_INTERVAL_S),
        "websocket_keepalive_misses": WholeNumber("pings", 1, MAX_MISSES),
        "websocket_max_age": WholeNumber("seconds", 0, YEAR_S),
        "websocket_max_age_jitter": WholeNumber("percent", 0, MAX_JITTER_PERCENT),
        "websocket_max_connections": WholeNumber("connections", 0, MAX_CONNECTIONS),
        "websocket_max_connections_per_address": WholeNumber("connections", 0, MAX_CONNECTIONS),
        "websocket_max_message_bytes": WholeNumber("bytes", 0, MAX_MESSAGE_BYTES),
        "websocket_message_rules": parse_message_rules,
        "websocket_rate_limits": _RATE_LIMITS,
        "websocket_read_stall_timeout": WholeNumber("seconds", 0, MAX_INTERVAL_S),
        "websocket_write_stall_timeout": WholeNumber("seconds", 0, MAX_INTERVAL_S),
    }
)
