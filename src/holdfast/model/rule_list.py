"""Lists that rules name as `$name`: what one may be called, what may be in it, and how much of it. Pure.

Law 1: an item has one spelling: `192.0.2.7/24` is kept as `192.0.2.0/24`, `192.0.2.7/32` as `192.0.2.7`, `2001:DB8::1` in lower
case. So whoever gives it in another finds the same item, and not a second.
Law 2: whatever is given, parsing returns items or raises ItemError, which points at the member at fault and says what was
expected.
Law 3: what is kept is what an edge makes a list of (`holdfast.rules.lists`); a test compares the two.

Source: Cloudflare API v4, "Lists"; Cloudflare WAF, "Custom lists". The original rounds networks and takes prefixes so.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Collection, Mapping

from holdfast.model.hostname import parse_hostname

IP, HOSTNAME, ASN, REDIRECT = "ip", "hostname", "asn", "redirect"
KINDS = (IP, HOSTNAME, ASN)
NAME = re.compile(r"[a-z0-9_]{1,50}")

# Items of one list.
MAX_ITEMS = 100_000
# Lists of an account, and items in all of them. Precedent: Cloudflare's Enterprise plan, 1,000 and 500,000.
MAX_LISTS = 1_000
MAX_ACCOUNT_ITEMS = 500_000
# Items of an installation: every edge holds them all, about 100 bytes each.
MAX_INSTALLATION_ITEMS = 5_000_000
MAX_COMMENT_CHARS = 500
MAX_DESCRIPTION_CHARS = 500

_PREFIXES: Mapping[int, Collection[int]] = {32: range(8, 33), 128: (*range(4, 65), 128)}
_OCTETS = {str(number): number for number in range(256)}
_MAX_ASN = 2**32 - 1
_MAX_SHOWN = 60

# Comments by value, in the order in which they were given.
Items = dict[str, str | None]


class ItemError(ValueError):
    """Items that cannot be. `pointer` is the member of the body at fault."""

    def __init__(self, pointer: str, message: str) -> None:
        super().__init__(message)
        self.pointer = pointer


def parse_items(kind: str, given: object) -> Items:
    """The items of a body: an array of objects, each with a member of the name of `kind`, and perhaps a comment.

    Of several that are the same item the last counts. Raises ItemError.
    """
    if not isinstance(given, list):
        raise ItemError("", f"the body: expected an array of items, got {_shown(given)}")
    if len(given) > MAX_ITEMS:
        raise ItemError("", f"the body: expected at most {MAX_ITEMS} items, got {len(given)}")
    parse, found = _PARSERS[kind], Items()
    for place, item in enumerate(given):
        if not isinstance(item, dict) or kind not in item:
            raise _no_item(kind, item, place)
        try:
            value = parse(item[kind])
        except ValueError as error:
            pointer = f"/{place}/{kind}" + ("/url_hostname" if _has_name(item[kind]) else "")
            raise ItemError(pointer, f"invalid value for {kind} at position {place}: {error}") from None
        comment = item.get("comment")
        if comment is not None and not (isinstance(comment, str) and len(comment) <= MAX_COMMENT_CHARS):
            expected = f"expected a text of at most {MAX_COMMENT_CHARS} characters, got {_shown(comment)}"
            raise ItemError(f"/{place}/comment", f"invalid value for comment at position {place}: {expected}")
        found[value] = comment or None
    return found


def member_of(kind: str, value: str) -> object:
    """A kept item as the API shows it."""
    if kind == ASN:
        return int(value)
    return {"url_hostname": value} if kind == HOSTNAME else value


def parse_ip(given: object) -> str:
    """An address or a network as it is kept. Raises ValueError, a sentence."""
    if not isinstance(given, str):
        raise ValueError(f"expected a text, got {_shown(given)}")
    if ".." in given:
        raise ValueError(f"expected an address or a network, and no range, got {_shown(given)}")
    address, slash, length = given.partition("/")
    try:
        number, bits = (_ipv6(address), 128) if ":" in address else (_ipv4(address), 32)
    except ValueError:
        expected = "an address or a network such as 192.0.2.0/24 or 2001:db8::/48"
        raise ValueError(f"expected {expected}, got {_shown(given)}") from None
    prefix = _prefix(length, bits, given) if slash else bits
    text = _written(number >> (bits - prefix) << (bits - prefix), bits, given)
    return text if prefix == bits else f"{text}/{prefix}"


def _ipv4(address: str) -> int:
    """RFC 6943 §3.1.1: four numbers, none of which begins with a zero that others take for octal."""
    try:
        one, two, three, four = address.split(".")
        return _OCTETS[one] << 24 | _OCTETS[two] << 16 | _OCTETS[three] << 8 | _OCTETS[four]
    except KeyError:
        raise ValueError(address) from None


def _ipv6(address: str) -> int:
    parsed = ipaddress.IPv6Address(address)
    if parsed.scope_id:
        raise ValueError(address)
    return int(parsed)


def _prefix(length: str, bits: int, given: str) -> int:
    if not (length.isascii() and length.isdecimal() and len(length) <= 3 and str(int(length)) == length):
        raise ValueError(f"expected the length of a prefix after the slash, got {_shown(given)}")
    if int(length) not in _PREFIXES[bits]:
        wanted = (
            "IPv4 networks have a prefix of /8 to /32" if bits == 32 else "IPv6 networks have a prefix of /4 to /64"
        )
        raise ValueError(f"{wanted}, got {_shown(given)}")
    return int(length)


def _written(number: int, bits: int, given: str) -> str:
    if bits == 32:
        return f"{number >> 24}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    address = ipaddress.IPv6Address(number)
    if address.ipv4_mapped is not None:
        # RFC 4291 §2.5.5.2. Clients are known by their IPv4 address, so it would never match.
        raise ValueError(f"expected the IPv4 address {address.ipv4_mapped} itself, got {_shown(given)}")
    return address.compressed


def parse_hostname_item(given: object) -> str:
    """The host name of `{"url_hostname": "*.example.com"}`. Raises ValueError, a sentence."""
    if not isinstance(given, dict) or not _has_name(given):
        raise ValueError(f'expected an object such as {{"url_hostname": "www.example.com"}}, got {_shown(given)}')
    if given.get("exclude_exact_hostname") not in (None, True):
        raise ValueError("exclude_exact_hostname is true here: give example.com beside *.example.com")
    return parse_hostname(given["url_hostname"], wildcard=True)


def _has_name(given: object) -> bool:
    return isinstance(given, dict) and isinstance(given.get("url_hostname"), str)


def parse_asn(given: object) -> str:
    """The number of an autonomous system. Raises ValueError, a sentence."""
    if isinstance(given, bool) or not isinstance(given, int) or not 0 <= given <= _MAX_ASN:
        raise ValueError(f"expected a number from 0 to {_MAX_ASN}, got {_shown(given)}")
    return str(given)


_PARSERS: Mapping[str, Callable[[object], str]] = {IP: parse_ip, HOSTNAME: parse_hostname_item, ASN: parse_asn}


def _no_item(kind: str, item: object, place: int) -> ItemError:
    if not isinstance(item, dict):
        return ItemError(f"/{place}", f"item at position {place}: expected an object, got {_shown(item)}")
    other = next((one for one in (*KINDS, REDIRECT) if one in item), None)
    reason = f"the list is of kind {kind}, and the item has the member {other}" if other else "it has none"
    return ItemError(f"/{place}/{kind}", f"item at position {place}: expected a member {kind}: {reason}")


def _shown(value: object) -> str:
    if isinstance(value, list | dict):
        return "an array" if isinstance(value, list) else "an object"
    return repr(value)[:_MAX_SHOWN]
