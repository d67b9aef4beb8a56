"""Addresses an origin may have: an IP address, and whether there is anything behind it that an edge may dial.

Source: the registries of special addresses (RFC 6890), as far as they name nobody, and what clouds say of their machines' own services.
An IPv6 address that stands for one of IPv4 is as that one is.
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
        # The same secrets, not at an address of the link's own.
        "100.100.100.200/32",  # Alibaba Cloud
        "168.63.129.16/32",  # Azure, the machine's host
        "192.0.0.192/32",  # Oracle Cloud
    )
)
_NOWHERE_V6 = tuple(
    ipaddress.IPv6Network(network)
    for network in (
        "::/128",  # RFC 4291 §2.5.2: unspecified
        "fe80::/10",  # RFC 4291 §2.5.6: the link's own
        "ff00::/8",  # RFC 4291 §2.7: multicast
        "fd00:ec2::/64",  # AWS: fd00:ec2::254 is what 169.254.169.254 is
        "fd20:ce::254/128",  # Google Cloud
        "fd00:c1::a9fe:a9fe/128",  # Oracle Cloud
        "fd00:42::42/128",  # Scaleway
    )
)
# RFC 6052 §2.1: a translator makes IPv4 of it. RFC 4291 §2.5.5.1: the old way to write it.
_ENDS_IN_V4 = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("::/96"))


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
    """Whether no origin can be at `address`: unspecified, multicast, of one link only, or where a cloud keeps a machine's secrets."""
    if isinstance(address, ipaddress.IPv4Address):
        return any(address in network for network in _NOWHERE_V4)
    if any(address in network for network in _NOWHERE_V6):
        return True
    within = _within(address)
    return within is not None and is_nowhere(within)


def _within(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that `address` stands for."""
    if address == ipaddress.IPv6Address("::1"):
        return None
    if any(address in network for network in _ENDS_IN_V4):
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour
