"""An address to listen on: `127.0.0.1:8080` or `[::1]:8080`.

Law: a `ListenAddress` holds an IP literal, never a name: what is listened on does not depend on a resolver.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from holdfast.errors import UsageError

_EXAMPLE = "ADDRESS:PORT, such as 127.0.0.1:8080, 0.0.0.0:80 or [::1]:8080"


@dataclass(frozen=True, slots=True, order=True)
class ListenAddress:
    """An IP address (IPv6 without brackets; a scope as in "fe80::1%eth0" stays) and a port, 0 for any free one."""

    ip: str
    port: int

    @classmethod
    def parse(cls, text: str, *, field: str = "--listen") -> ListenAddress:
        """Parse what a person wrote. Raises UsageError, naming `field`, what was given and what was expected."""
        host, colon, port = text.rpartition(":")
        if not colon or not (port.isascii() and port.isdigit()):
            raise UsageError(field, text, _EXAMPLE)
        if len(port) > 5 or int(port) > 65535:
            raise UsageError(field, text, "a port from 0 (any free one) to 65535")
        return cls(_ip(host, text, field), int(port))

    @property
    def is_ipv6(self) -> bool:
        """Whether the socket must be AF_INET6."""
        return ":" in self.ip

    @property
    def is_wildcard(self) -> bool:
        """Whether this stands for every address of the machine (0.0.0.0 or ::)."""
        return ipaddress.ip_address(self.ip).is_unspecified

    def with_port(self, port: int) -> ListenAddress:
        """The same address at another port: what 0 turned out to be."""
        return ListenAddress(self.ip, port)

    def __str__(self) -> str:
        return f"[{self.ip}]:{self.port}" if self.is_ipv6 else f"{self.ip}:{self.port}"


def _ip(host: str, text: str, field: str) -> str:
    bracketed = host.startswith("[") and host.endswith("]")
    try:
        address = ipaddress.IPv6Address(host[1:-1]) if bracketed else ipaddress.IPv4Address(host)
    except ValueError:
        raise UsageError(field, text, _EXAMPLE) from None
    return str(address)
