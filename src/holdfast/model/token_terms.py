"""Until when a token may be used, and from where; and which terms are at least as strict as others. Pure.

Law 1: terms are at least as strict as others if whenever and from wherever they allow a use, the others do.
Law 2: where that cannot be told for certain, they count as looser. Terms are always as strict as themselves.

Source: Cloudflare API v4, "Create Token": `expires_on` and `condition`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from holdfast.model.moment import Moment

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Until when a token may be used, and from where. `condition` is as the API has it: `request_ip` with `in`, `not_in`."""

    expires_on: Moment | None = None
    condition: Mapping[str, Any] = field(default_factory=dict)


def looser_term(granted: Terms, own: Terms) -> str | None:
    """Which of `granted` allows what `own` does not, "expires_on" or "condition"; None if all is as strict or stricter."""
    if own.expires_on is not None and (granted.expires_on is None or granted.expires_on > own.expires_on):
        return "expires_on"
    return None if _is_within(_Networks.of(granted), _Networks.of(own)) else "condition"


@dataclass(frozen=True, slots=True)
class _Networks:
    """From where a token may be used: from within `wanted`, or from anywhere if None, but not from `unwanted`."""

    wanted: tuple[Network, ...] | None
    unwanted: tuple[Network, ...]

    @classmethod
    def of(cls, terms: Terms) -> _Networks:
        # "request.ip" is how older clients spell it.
        given = terms.condition.get("request_ip") or terms.condition.get("request.ip") or {}
        wanted, unwanted = given.get("in") or (), given.get("not_in") or ()
        return cls(_merged(wanted) if wanted else None, _merged(unwanted))


def _merged(texts: Iterable[str]) -> tuple[Network, ...]:
    """The networks, neighbours as one: so a network that is within several of them is within one."""
    networks = [network_of(text) for text in texts]
    fours = [one for one in networks if isinstance(one, ipaddress.IPv4Network)]
    sixes = [one for one in networks if isinstance(one, ipaddress.IPv6Network)]
    return (*ipaddress.collapse_addresses(fours), *ipaddress.collapse_addresses(sixes))


def network_of(text: str) -> Network:
    """The network, or address, that `text` names. Raises ValueError.

    One of IPv4 written as IPv6 (RFC 4291 §2.5.5.2) is that of IPv4: as such a client's address is compared.
    """
    network = ipaddress.ip_network(text, strict=False)
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is None or network.prefixlen < _MAPPED_BITS:
        return network
    return ipaddress.IPv4Network((mapped, network.prefixlen - _MAPPED_BITS))


_MAPPED_BITS = 96


def _is_within(granted: _Networks, own: _Networks) -> bool:
    """Whether all that `granted` allows is allowed by `own`, too."""
    if own.wanted is not None and (
        granted.wanted is None or not all(_is_in(one, own.wanted) for one in granted.wanted)
    ):
        return False
    return all(_is_in(one, granted.unwanted) for network in own.unwanted for one in _shared(network, granted.wanted))


def _shared(network: Network, wanted: tuple[Network, ...] | None) -> list[Network]:
    """The parts of `network` that `wanted` names. Of two networks that meet, one is in the other."""
    if wanted is None or _is_in(network, wanted):
        return [network]
    return [one for one in wanted if _is_in(one, (network,))]


def _is_in(one: Network, networks: Iterable[Network]) -> bool:
    return any(one.version == other.version and one.subnet_of(other) for other in networks)  # type: ignore[arg-type]
