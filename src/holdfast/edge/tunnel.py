"""How the WebSockets of a zone are kept and bounded: its settings as the core takes them, and the core's handle of them.

Law 1: one handle for each set of terms, whoever has them: zones that say the same share it. One with rules on messages is
large, so it is its zone's alone and goes with it; the rules in it are shared.
Law 2: it is made when the first upgrade needs it (`edge/zone.py`, law 2), and what it is made of has been checked by then.
Law 3: where nothing is on there are no terms and no handle, and a tunnel costs what it cost without any of this.
Law 4: what keeps a leg alive is no feature, so a paused zone has it; what ends or bounds a WebSocket is one, and is off.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import msgspec

from holdfast.model.websocket_documents import MessageRuleDocument
from holdfast.model.zone_document import ZoneSettings

if TYPE_CHECKING:
    from holdfast._native import TunnelOptions
    from holdfast.rules.message_rules import CompiledRule


class TunnelTerms(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What the core is to do about open WebSockets, by the names that `_native.TunnelOptions` has for it; 0 is off."""

    keepalive_interval_s: float = 0.0
    keepalive_misses: int = 3
    idle_timeout_s: float = 0.0
    max_age_s: float = 0.0
    max_age_jitter: float = 0.1
    read_stall_timeout_s: float = 0.0
    write_stall_timeout_s: float = 0.0
    max_message_bytes: int = 0
    messages_per_s_to_origin: float = 0.0
    bytes_per_s_to_origin: float = 0.0
    messages_per_s_to_client: float = 0.0
    bytes_per_s_to_client: float = 0.0
    over_rate: Literal["throttle", "close"] = "throttle"
    max_zone_connections: int = 0
    max_address_connections: int = 0
    message_rules: tuple[MessageRuleDocument, ...] = ()


_NOTHING = TunnelTerms()


class Tunnel(msgspec.Struct, gc=False, eq=False):
    """Terms, and the core's handle of them from the first time that it is asked for. Its `rules` are made with the terms: a
    large schema takes some milliseconds."""

    terms: TunnelTerms
    rules: tuple[CompiledRule, ...] = ()
    made: TunnelOptions | None = None

    def options(self) -> TunnelOptions:
        """The core's handle. Raises ValueError for terms that no setting leads to."""
        if self.made is None:
            # Loaded here and not with this module: the values, and all phases, do without the core.
            from holdfast._native import TunnelOptions  # noqa: PLC0415

            rules = tuple(rule.native for rule in self.rules)
            self.made = TunnelOptions(**msgspec.structs.asdict(self.terms) | {"message_rules": rules})
        return self.made


def tunnel_of(settings: ZoneSettings, *, paused: bool) -> Tunnel | None:
    """What becomes of the WebSockets of a zone with these settings; None where nothing is on."""
    terms = _kept_alive(settings) if paused else _bounded(settings)
    if terms == _NOTHING:
        return None
    return _ruled(terms) if terms.message_rules else _tunnel(terms)


# As many as `features_of` remembers.
@lru_cache(maxsize=1024)
def _tunnel(terms: TunnelTerms) -> Tunnel:
    return Tunnel(terms)


def _ruled(terms: TunnelTerms) -> Tunnel:
    # Loaded with the first rule: most zones have none.
    from holdfast.rules.message_rules import compiled  # noqa: PLC0415

    return Tunnel(terms, tuple(map(compiled, terms.message_rules)))


def _kept_alive(settings: ZoneSettings) -> TunnelTerms:
    if settings.websocket_keepalive_interval == 0:
        return _NOTHING
    return TunnelTerms(
        keepalive_interval_s=float(settings.websocket_keepalive_interval),
        keepalive_misses=settings.websocket_keepalive_misses,
    )


def _bounded(settings: ZoneSettings) -> TunnelTerms:
    rates = settings.websocket_rate_limits
    terms = msgspec.structs.replace(
        _kept_alive(settings),
        idle_timeout_s=float(settings.websocket_idle_timeout),
        read_stall_timeout_s=float(settings.websocket_read_stall_timeout),
        write_stall_timeout_s=float(settings.websocket_write_stall_timeout),
        max_message_bytes=settings.websocket_max_message_bytes,
        messages_per_s_to_origin=float(rates.to_origin.messages_per_second),
        bytes_per_s_to_origin=float(rates.to_origin.bytes_per_second),
        messages_per_s_to_client=float(rates.to_client.messages_per_second),
        bytes_per_s_to_client=float(rates.to_client.bytes_per_second),
        max_zone_connections=settings.websocket_max_connections,
        max_address_connections=settings.websocket_max_connections_per_address,
        message_rules=tuple(rule for rule in settings.websocket_message_rules if rule.enabled),
    )
    # What has no effect alone must not make terms of nothing.
    if settings.websocket_max_age:
        jitter = settings.websocket_max_age_jitter / 100
        terms = msgspec.structs.replace(terms, max_age_s=float(settings.websocket_max_age), max_age_jitter=jitter)
    if rates != type(rates)(action=rates.action):
        terms = msgspec.structs.replace(terms, over_rate=rates.action)
    return terms
