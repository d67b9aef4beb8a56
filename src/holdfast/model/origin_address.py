"""Addresses an origin may have: an IP address, and whether there is anything behind it that an edge may dial.

Source: the registries of special addresses (RFC 6890), as far as they name nobody.
"""

from __future__ import annotations

import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NOWHERE_V4 = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # RFC 1122 §3.2.1.3: this host
        "169.254.0.0/16",  # RFC 3927: the link's own; where clouds keep the secrets of a machine
        "224.0.0.0/3",  # RFC 5771, RFC 1112 §4: multicast, reserved, broadcast
    )
)
_NOWHERE_V6 = tuple(
    ipaddress.IPv6Network(network)
    for network in (
        "::/128",  # RFC 4291 §2.5.2: unspecified
        "fe80::/10",  # RFC 4291 §2.5.6: the link's own
        "ff00::/8",  # RFC 4291 §2.7: multicast
    )
)


def parse_address(text: str) -> Address | None:
    """The IP address in `text`; None where there is none."""
    # A scope names an interface of one machine, and a configuration is for all.
    if "%" in text:
        return None
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def is_nowhere(address: Address) -> bool:
    """Whether no origin can be at `address`: unspecified, multicast, or of one link only."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is None:
            return any(address in network for network in _NOWHERE_V6)
        address = address.ipv4_mapped
    return any(address in network for network in _NOWHERE_V4)
