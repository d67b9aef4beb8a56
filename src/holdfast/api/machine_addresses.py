"""The addresses of this machine, as its kernel tells them.

Law: reading never raises. What cannot be read is no address; what is of one link only is left out, since no origin
behind a router ever sees it.

Source: Linux, proc(5): `/proc/net/fib_trie`, `/proc/net/if_inet6`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from pathlib import Path

from holdfast.model.origin_address import Address

_FIB_TRIE = Path("/proc/net/fib_trie")
_IF_INET6 = Path("/proc/net/if_inet6")
# An address is a leaf of the trie, and the line below says that it is the machine's own.
_OWN_V4 = re.compile(r"\|-- ([0-9.]{7,15})\n\s+/32 host LOCAL")
_OWN_V6 = re.compile(r"^([0-9a-f]{32}) ", re.MULTILINE)


def machine_addresses() -> tuple[list[str], list[str]]:
    """The machine's IPv4 and IPv6 addresses, each as a network of one, in order."""
    return ipv4_of(_read(_FIB_TRIE)), ipv6_of(_read(_IF_INET6))


def ipv4_of(fib_trie: str) -> list[str]:
    """The addresses in the text of `/proc/net/fib_trie`."""
    return _networks({ipaddress.IPv4Address(text) for text in _OWN_V4.findall(fib_trie) if _is_v4(text)})


def ipv6_of(if_inet6: str) -> list[str]:
    """The addresses in the text of `/proc/net/if_inet6`."""
    return _networks({ipaddress.IPv6Address(bytes.fromhex(text)) for text in _OWN_V6.findall(if_inet6)})


def _networks(found: Iterable[Address]) -> list[str]:
    return [f"{address}/{address.max_prefixlen}" for address in sorted(found, key=int) if not address.is_link_local]


def _is_v4(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True


def _read(file: Path) -> str:
    try:
        return file.read_text("ascii", "replace")
    except OSError:
        return ""
