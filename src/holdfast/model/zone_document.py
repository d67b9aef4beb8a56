"""What control publishes and an edge compiles: every zone and all that rules need besides, as plain values.

Law 1: a document is data. It holds nothing that must be looked up, and no secret in the clear: private keys are sealed
(`holdfast.sealing`), so that a document may lie on a disk and pass over a link.
Law 2: a document says what was configured, not what follows from it. What follows is compiled by the edge.
Law 3: fields are added with a default and never change their meaning, so that an edge reads what an older or newer
control wrote.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

import msgspec

from holdfast.model.rule_documents import (
    AccessRuleDocument,
    AccountDocument,
    ListDocument,
    ManagedDocument,
    RulesetDocument,
)
from holdfast.model.websocket_documents import MessageRuleDocument, RateLimits

Switch = Literal["on", "off"]

# The zone that answers for every host name no other zone has: what `holdfast up` is made of.
CATCH_ALL = "*"


class StrictTransportSecurity(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The HSTS half of the setting `security_header`. `max_age` in seconds."""

    enabled: bool = False
    max_age: int = 0
    include_subdomains: bool = False
    preload: bool = False
    nosniff: bool = False


class UrlNormalization(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """How URLs are normalised before rules see them; with the scope `none` they are not. Origins get what the client sent."""

    type: Literal["cloudflare", "rfc3986"] = "cloudflare"
    scope: Literal["incoming", "none"] = "incoming"


class ZoneSettings(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Every setting an edge acts on, by its API name, with its default. Times are in seconds, `websocket_max_age_jitter` in
    percent; 0 switches off what it is of (`model/websocket_settings.py`). `url_normalization` has a route of its own."""

    websockets: Switch = "on"
    websocket_off_response: Literal["refuse", "strip"] = "refuse"
    ssl: Literal["off", "flexible", "full", "strict"] = "flexible"
    min_tls_version: Literal["1.2", "1.3"] = "1.2"
    tls_1_3: Switch = "on"
    ciphers: tuple[str, ...] = ()
    always_use_https: Switch = "off"
    http2: Switch = "on"
    proxy_read_timeout: int = 125
    true_client_ip_header: Switch = "off"
    ip_geolocation: Switch = "on"
    origin_error_page_pass_thru: Switch = "off"  # noqa: S105  "pass" is a verb here
    security_header: StrictTransportSecurity = StrictTransportSecurity()
    url_normalization: UrlNormalization = UrlNormalization()
    websocket_keepalive_interval: int = 30
    websocket_keepalive_misses: int = 3
    websocket_idle_timeout: int = 0
    websocket_max_age: int = 0
    websocket_max_age_jitter: int = 10
    websocket_read_stall_timeout: int = 0
    websocket_write_stall_timeout: int = 0
    websocket_max_message_bytes: int = 0
    websocket_rate_limits: RateLimits = RateLimits()
    websocket_max_connections: int = 0
    websocket_max_connections_per_address: int = 0
    websocket_allowed_origins: tuple[str, ...] = ()
    websocket_allowed_subprotocols: tuple[str, ...] = ()
    websocket_message_rules: tuple[MessageRuleDocument, ...] = ()


class RecordDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One DNS record. `name` is the full host name, lower case, `*.example.com` for a wildcard; `content` an address or a
    name (lower case, no final dot); `ttl` in seconds, 1 for automatic."""

    name: str
    type: Literal["A", "AAAA", "CNAME"]
    content: str
    proxied: bool = False
    ttl: int = 1


class OriginRuleDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One rule of the phase `http_request_origin`, action `route`: where requests that match go instead.

    What is None stays as the record says. `host_header` is the Host the origin sees, `origin_host` a name or address to
    dial, `origin_port` its port, `sni` the name asked for and verified in TLS.
    """

    id: str
    expression: str
    enabled: bool = True
    host_header: str | None = None
    origin_host: str | None = None
    origin_port: int | None = None
    sni: str | None = None


class CertificateDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One certificate to show to clients that ask for one of `hosts`. `sealed_key` is the private key, sealed for this `id`.

    Of several that fit, the one with the highest `priority` is shown, then the newest (they come in that order).
    """

    id: str
    hosts: tuple[str, ...]
    chain_pem: str
    sealed_key: bytes
    priority: int = 0


class WorkerRouteDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Requests that match `pattern` (`worker_route.parse_pattern`) go to the script with this `key` and `name`; with the key "" to
    the origin, past less specific patterns."""

    pattern: str
    key: str = ""
    name: str = ""


class WorkerDomainDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The script with this `key` and `name` is the origin of the host name `host`."""

    host: str
    key: str
    name: str


class ZoneDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One zone. `id` is 32 hexadecimal digits; `name` its domain, lower case, or CATCH_ALL. `version` counts its changes.

    `plan` is the plan's legacy id. A `paused` zone is forwarded to where its records and origin rules say, without its other features.
    `rulesets` are its entrypoints of all phases but that of origin rules.
    """

    id: str
    name: str
    version: int = 0
    account_id: str = ""
    plan: str = "free"
    paused: bool = False
    settings: ZoneSettings = ZoneSettings()
    records: tuple[RecordDocument, ...] = ()
    origin_rules: tuple[OriginRuleDocument, ...] = ()
    rulesets: tuple[RulesetDocument, ...] = ()
    access_rules: tuple[AccessRuleDocument, ...] = ()
    certificates: tuple[CertificateDocument, ...] = ()
    worker_routes: tuple[WorkerRouteDocument, ...] = ()
    worker_domains: tuple[WorkerDomainDocument, ...] = ()


Document = ZoneDocument | AccountDocument | ListDocument | ManagedDocument
Kind = Literal["zone", "account", "list", "managed"]

# Each kind of document, and under which name the messages of the link have those of it, in the order that edges take them in.
KINDS: Final[Mapping[Kind, str]] = MappingProxyType(
    {"zone": "zones", "account": "accounts", "list": "lists", "managed": "managed"}
)


class SnapshotDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All documents at one moment. `source` names the database they are from; `revision` counts its changes, and means
    something within one source only. An id names one document, of whatever kind."""

    source: str
    revision: int
    zones: tuple[ZoneDocument, ...] = ()
    accounts: tuple[AccountDocument, ...] = ()
    lists: tuple[ListDocument, ...] = ()
    managed: tuple[ManagedDocument, ...] = ()
