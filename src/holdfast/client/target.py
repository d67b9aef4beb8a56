"""The URL a person connects to.

Law: a `Target` is a URL that can be dialled as it stands: ws or wss, a host, a port, a path, no fragment.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

from holdfast.errors import UsageError

_EXAMPLE = "a URL such as ws://127.0.0.1:8080/path or wss://example.com"
_WEBSOCKET_SCHEMES = {"ws": "ws", "wss": "wss", "http": "ws", "https": "wss"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A checked WebSocket URL (RFC 6455 §3). `host` is lower case, an IPv6 address without brackets."""

    url: str
    host: str
    is_tls: bool

    @classmethod
    def parse(cls, text: str, *, field: str = "URL") -> Target:
        """Parse what a person wrote. http(s) means ws(s); without a scheme it is ws. Raises UsageError."""
        if not text.isascii() or any(ord(char) <= 0x20 or ord(char) == 0x7F for char in text):
            raise UsageError(field, text, f"{_EXAMPLE}, without spaces, other characters percent-encoded")
        scheme, separator, rest = text.partition("://")
        if not separator:
            scheme, rest = "ws", text
        if scheme.lower() not in _WEBSOCKET_SCHEMES:
            raise UsageError(field, text, f"{_EXAMPLE} (schemes: ws, wss, http, https)")
        scheme = _WEBSOCKET_SCHEMES[scheme.lower()]
        parts = _split(f"{scheme}://{rest}", text, field)
        return cls(url=parts.geturl(), host=parts.hostname or "", is_tls=scheme == "wss")

    @property
    def port(self) -> int:
        """The port, by default that of the scheme (RFC 6455 §3)."""
        return urlsplit(self.url).port or (443 if self.is_tls else 80)

    def place(self, *, default_port: int) -> dict[str, Any]:
        """Where to connect, as the arguments of `websockets.connect`; `default_port` is for where none was given."""
        return {"host": self.host, "port": urlsplit(self.url).port or default_port}

    @property
    def is_local(self) -> bool:
        """Whether the host is this machine by its name or address alone: localhost (RFC 6761 §6.3) or loopback."""
        if self.host == "localhost" or self.host.endswith(".localhost"):
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def _split(url: str, text: str, field: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise UsageError(field, text, f"{_EXAMPLE}, with a port from 1 to 65535") from None
    if not parts.hostname or port == 0:
        raise UsageError(field, text, _EXAMPLE)
    if parts.fragment or "#" in url:
        raise UsageError(field, text, "a URL without a fragment (#), which WebSocket URLs do not have")
    return parts if parts.path else parts._replace(path="/")
