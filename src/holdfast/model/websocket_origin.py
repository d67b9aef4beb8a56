"""Origins of browsers (`Origin`, RFC 6454), as a zone lists those whose pages may open WebSockets.

Law 1: an origin is compared as a whole: scheme, host and port. A port that is the scheme's own is left out, as browsers do.
Law 2: `*.` in front of a host stands for every name below it, however deep, and not for the host itself, as in a
Content-Security-Policy (CSP Level 3 §6.7.2.8).
Law 3: whatever the text, parsing returns an origin or raises ValueError, a sentence.
"""

from __future__ import annotations

import ipaddress
import re

from holdfast.model.hostname import parse_hostname

# What a browser sends for a page that has no origin of its own: a file, a sandboxed frame, some redirects.
OPAQUE = "null"
# Longest that is looked at: a scheme, a host name of 253 characters, a port.
MAX_CHARS = 300

_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_PARTS = re.compile(r"([a-z][a-z0-9+.-]{0,31})://(\[[0-9a-f:.]+\]|[^\s/?#@:\[\]]+)(?::([0-9]{1,5}))?", re.IGNORECASE)
_EXPECTED = 'an origin such as "https://example.com", "https://*.example.com", "http://localhost:3000" or "null"'


def parse_origin(text: str, *, wildcard: bool = False) -> str:
    """The origin in `text`, in lower case, its host in ASCII. `wildcard` allows a host that begins with `*.`."""
    if text == OPAQUE:
        return text
    parts = _PARTS.fullmatch(text) if len(text) <= MAX_CHARS else None
    if parts is None:
        raise ValueError(f"expected {_EXPECTED}, got {text[:80]!r}")
    scheme, port = parts[1].lower(), int(parts[3] or 0)
    try:
        host = _host(parts[2], wildcard=wildcard)
    except ValueError:
        raise ValueError(f"expected {_EXPECTED}, got {text[:80]!r}") from None
    if parts[3] and not 1 <= port <= 65535:
        raise ValueError(f"expected a port from 1 to 65535, got {text[:80]!r}")
    return f"{scheme}://{host}" if port in (0, _DEFAULT_PORTS.get(scheme)) else f"{scheme}://{host}:{port}"


def is_listed(origin: str, exact: frozenset[str], below: tuple[tuple[str, str], ...]) -> bool:
    """Whether a client's `Origin` is one of `exact`, or below one of `below`, as `listed` has them."""
    if origin in exact:
        return True
    try:
        parsed = parse_origin(origin)
    except ValueError:
        return False
    return parsed in exact or any(parsed.startswith(scheme) and parsed.endswith(end) for scheme, end in below)


def listed(origins: tuple[str, ...]) -> tuple[frozenset[str], tuple[tuple[str, str], ...]]:
    """Parsed origins as `is_listed` takes them: those that are exact, and beginning and end of those with a wildcard."""
    exact = frozenset(origin for origin in origins if "://*" not in origin)
    with_wildcard = (origin.partition("://*") for origin in origins if origin not in exact)
    return exact, tuple((f"{scheme}://", end) for scheme, _, end in with_wildcard)


def _host(text: str, *, wildcard: bool) -> str:
    if text.startswith("["):
        return f"[{ipaddress.IPv6Address(text[1:-1])}]"
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        return parse_hostname(text, wildcard=wildcard, single_label=True)
