"""One zone as `decide` reads it: its records by host name, and what its settings come to.

Law 1: a compiled zone never changes but for one thing: a target remembers the origins that were made of it. Only the
policy thread asks for them, and what it remembers is bounded.
Law 2: a handle of the core is made when the first request needs it, so that ten thousand zones that nobody visits cost
a few dictionaries.
Law 3: nothing here refers back to what holds it, so no cycle can come about and the collector need not look (`gc=False`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Literal

import msgspec

from holdfast.edge.firewall.values import Firewall
from holdfast.edge.tunnel import Tunnel
from holdfast.edge.worker_scripts import ZoneWorkers
from holdfast.model.hostname import MAX_CHARS

if TYPE_CHECKING:
    from holdfast._native import Certificate, Origin
    from holdfast.rules.context import EvaluationContext
    from holdfast.rules.url_normalization import UrlForm

# How the origin's leg is made: plain, TLS with whoever answers, TLS with a certificate that is checked.
OriginTls = Literal["plain", "unverified", "verified"]

# Origins one target remembers: listening ports, times the settings that a zone and those that point to it have had.
# Beyond it all are forgotten, and made again as they are needed.
MAX_ORIGINS_EACH = 64


class Target(msgspec.Struct, gc=False, kw_only=True):
    """Where the requests of one host name go: `addresses`, or the name `alias`, or `ready`, an origin made before.

    `is_prohibited` says that an address is one that no origin can have.
    """

    name: str
    addresses: tuple[str, ...] = ()
    alias: str = ""
    is_proxied: bool = True
    is_prohibited: bool = False
    ready: Origin | None = None
    origins: dict[tuple[OriginTls, int, float], Origin] | None = None

    def is_same_as(self, other: Target) -> bool:
        """Whether both lead to the same place, so that the origins of one are those of the other."""
        mine = (self.name, self.addresses, self.alias, self.is_proxied, self.is_prohibited, self.ready)
        return mine == (
            other.name, other.addresses, other.alias, other.is_proxied, other.is_prohibited, other.ready,
        )  # fmt: skip

    def origin(self, tls: OriginTls, port: int, answer_timeout_s: float) -> Origin:
        """The core's handle. Raises ValueError for what the core cannot dial, which compiling has ruled out."""
        if self.ready is not None:
            return self.ready
        if self.origins is None or len(self.origins) >= MAX_ORIGINS_EACH:
            self.origins = {}
        key = (tls, port, answer_timeout_s)
        origin = self.origins.get(key)
        if origin is None:
            origin = self.origins[key] = self._made(tls, port, answer_timeout_s)
        return origin

    def _made(self, tls: OriginTls, port: int, answer_timeout_s: float) -> Origin:
        # Loaded here and not with this module: the values, and all phases, do without the core.
        from holdfast._native import Origin  # noqa: PLC0415

        scheme = "http" if tls == "plain" else "https"
        several = self.addresses if len(self.addresses) > 1 else ()
        host = self.alias or ("" if several else self.addresses[0])
        shown = host or self.name
        return Origin(
            label=f"{scheme}://[{shown}]:{port}" if ":" in shown else f"{scheme}://{shown}:{port}",
            scheme=scheme,
            host=host,
            addresses=several,
            port=port,
            verify=tls == "verified",
            answer_timeout_s=answer_timeout_s,
        )


class AllowedOrigins(msgspec.Struct, frozen=True, gc=False):
    """Origins of browsers whose pages may open WebSockets: `exact` ones, and those `below` a host (`model.websocket_origin`)."""

    exact: frozenset[str]
    below: tuple[tuple[str, str], ...]


class Features(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What the settings of a zone come to. Zones with the same settings share one.

    `always_https` and `never_https` redirect. `response_headers` are for answers over TLS. `answer_timeout_s` is how
    long the origin may stay silent. `allowed_origins` and `allowed_subprotocols` are of WebSockets: where they are None, all are.
    `tunnel` is how open ones are kept and bounded, None for neither.
    """

    origin_tls: OriginTls
    answer_timeout_s: float
    always_https: bool
    never_https: bool
    refuses_websockets: bool
    strips_upgrades: bool
    true_client_ip: bool
    geolocation: bool
    explain_statuses: tuple[int, ...]
    response_headers: tuple[tuple[str, str], ...]
    url_form: UrlForm
    allowed_origins: AllowedOrigins | None
    allowed_subprotocols: frozenset[str] | None
    tunnel: Tunnel | None


class OriginRule(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Where requests go instead that `matches` is true of; what is None, "" or 0 stays as it is."""

    matches: Callable[[EvaluationContext], bool]
    target: Target | None = None
    port: int = 0
    host_header: str = ""
    server_name: str = ""


class ServedCertificate(msgspec.Struct, frozen=True, gc=False):
    """A certificate in the core's hands. Two with one `digest` are of the same chain, key and names."""

    digest: bytes
    native: Certificate


class TlsSettings(msgspec.Struct, frozen=True, gc=False):
    """What handshakes for `names` may settle on. `ciphers` are OpenSSL's names of TLS 1.2 suites; () for all. Without
    `http2`, HTTP/1.1 is spoken, whatever a client offers."""

    names: tuple[str, ...]
    min_version: str
    max_version: str
    ciphers: tuple[str, ...]
    http2: bool = True


class CompiledZone(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One zone. `targets` are by host name, a wildcard's under `*.example.com`; `fallback` is for every other name.

    `certificates_left_out` says, by id, why a certificate is not shown. `plan` is as rules name it. `tls` is None where a zone leaves TLS as the edge has it.
    `workers` are the scripts in front of its origins, None where there are none, and where it `is_paused`.
    `rules` are its origin rules, `firewalls` its other rules: () where it has none, and where it `is_paused`; one otherwise.
    """

    id: str
    name: str
    account_id: str
    features: Features
    targets: Mapping[str, Target]
    has_wildcards: bool = False
    fallback: Target | None = None
    plan: str = ""
    is_paused: bool = False
    rules: tuple[OriginRule, ...] = ()
    firewalls: tuple[Firewall, ...] = ()
    certificates: tuple[ServedCertificate, ...] = ()
    certificates_left_out: Mapping[str, str] = {}
    tls: TlsSettings | None = None
    workers: ZoneWorkers | None = None

    def target_of(self, host: str) -> Target | None:
        """Where `host` goes: by its own record, else by the longest wildcard, else by the fallback."""
        target = self.targets.get(host)
        if target is not None:
            return target
        if self.has_wildcards and len(host) <= MAX_CHARS and "" not in (labels := host.split(".")):
            for at in range(1, len(labels)):
                target = self.targets.get(f"*.{'.'.join(labels[at:])}")
                if target is not None:
                    return target
        return self.fallback
