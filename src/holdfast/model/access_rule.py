"""IP access rules: what each is about, spelled in one way, and how many there may be. Pure.

Law 1: a configuration has one spelling, so that an owner has one rule for it. Networks are not rounded: a rule for another
network than was written would be a surprise.
Law 2: whatever is given, parsing returns the value or raises ValueError with a sentence that says what was expected.
Law 3: what is kept is what an edge takes (`holdfast.edge.firewall.access_rules`); a test compares the two.

Source: Cloudflare API v4, "IP Access rules"; Cloudflare WAF, "IP Access rules", "Parameters".
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Literal, get_args

Mode = Literal["block", "challenge", "whitelist", "js_challenge", "managed_challenge"]
Target = Literal["ip", "ip6", "ip_range", "asn", "country"]
MODES: tuple[Mode, ...] = get_args(Mode)
TARGETS: tuple[Target, ...] = get_args(Target)

# Rules of one owner. Each write publishes all of them, a megabyte at this number. Precedent: Cloudflare has 50,000.
MAX_RULES = 10_000
MAX_NOTES_CHARS = 1000
MAX_VALUE_CHARS = 64

_RANGES = {4: (16, 24), 6: (32, 48, 64)}
# A country as ISO 3166-1 writes it; the original knows Tor as T1, and where nothing is known XX.
_COUNTRY = re.compile(r"[A-Z]{2}|T1")
_ASN = re.compile(r"(?:AS)?(0|[1-9][0-9]{0,9})", re.IGNORECASE)
_MAX_ASN = 2**32 - 1


def parse_value(target: str, given: str) -> str:
    """The value of a configuration as it is kept. Raises ValueError, a sentence."""
    return _PARSERS[target](given)


def _ipv4(given: str) -> str:
    address = _address(given)
    if not isinstance(address, ipaddress.IPv4Address):
        advice = ": an IPv6 address has the target ip6" if address else ""
        raise _unlike("an IPv4 address such as 192.0.2.7", given, advice)
    return str(address)


def _ipv6(given: str) -> str:
    address = _address(given)
    if not isinstance(address, ipaddress.IPv6Address) or address.scope_id:
        advice = ": an IPv4 address has the target ip" if isinstance(address, ipaddress.IPv4Address) else ""
        raise _unlike("an IPv6 address such as 2001:db8::7", given, advice)
    if address.ipv4_mapped is not None:
        raise _unlike(f"the IPv4 address {address.ipv4_mapped} with the target ip", given)
    return address.compressed


def _address(given: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(given)
    except ValueError:
        return None


def _ip_range(given: str) -> str:
    expected = "a network such as 192.0.2.0/24 or 2001:db8::/48"
    address, _, length = given.partition("/")
    if not (length.isascii() and length.isdecimal() and len(length) <= 3):
        raise _unlike(expected, given)
    try:
        network = ipaddress.ip_network(given, strict=False)
    except ValueError:
        raise _unlike(expected, given) from None
    if network.prefixlen not in _RANGES[network.version]:
        lengths = " or ".join(f"/{one}" for one in _RANGES[network.version])
        raise _unlike(f"a network with a prefix of {lengths} (IPv{network.version})", given)
    if ipaddress.ip_address(address) != network.network_address:
        raise _unlike(f"the network {network}, whose host part is zero", given)
    return network.compressed


def _asn(given: str) -> str:
    match = _ASN.fullmatch(given)
    if match is None or not 0 < int(match[1]) <= _MAX_ASN:
        raise _unlike("an autonomous system such as AS64512", given)
    return f"AS{match[1]}"


def _country(given: str) -> str:
    if not _COUNTRY.fullmatch(given.upper()) or not given.isascii():
        raise _unlike("a country of two letters such as DE, T1 (Tor) or XX (unknown)", given)
    return given.upper()


def _unlike(expected: str, given: str, advice: str = "") -> ValueError:
    return ValueError(f"expected {expected}, got {given[:60]!r}{advice}")


_PARSERS: Mapping[str, Callable[[str], str]] = {
    "ip": _ipv4,
    "ip6": _ipv6,
    "ip_range": _ip_range,
    "asn": _asn,
    "country": _country,
}
