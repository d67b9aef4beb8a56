"""Where requests go, parsed once: `http://host:port/base`, `https:`, `ws:`, `wss:` or `unix:/path`.

Law 1: parse, don't validate. An `OriginUrl` is proof that every part can be dialled as it stands.
Law 2: whatever the text, `OriginUrl.parse` returns a value or raises `UsageError`. It looks nothing up.
Law 3: `OriginUrl.parse(str(url)) == url`.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from holdfast.errors import UsageError

# A WebSocket URL names the same origin as the HTTP URL of that host: the handshake is HTTP (RFC 6455 §3).
_HTTP_SCHEMES = {"http": "http", "ws": "http", "https": "https", "wss": "https"}
_DEFAULT_PORTS = {"http": 80, "https": 443}

# sockaddr_un holds 108 bytes, the last of which is the terminating zero (unix(7)).
_MAX_UNIX_PATH_BYTES = 107
# RFC 1035 §2.3.4: 255 bytes on the wire are 253 characters of text.
_MAX_HOST_CHARS = 253

# Labels as RFC 1123 §2.1 has them, and "_", which names in private networks (containers, mostly) use.
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
# RFC 3986 §3.3: path-abempty.
_PATH = re.compile(r"(?:/(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})*)*")
_AUTHORITY = re.compile(r"(?P<host>\[[^\[\]]*\]|[^:\[\]]*)(?::(?P<port>[0-9]*))?")

_EXAMPLE = "a URL such as http://127.0.0.1:9000, https://example.com/base, or unix:/run/app.sock"


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginUrl:
    """A checked origin. `scheme` is "http" or "https". Either `host` and `port` (1-65535), or `unix_path`.

    `host` is lower case; an IPv6 address stands without brackets. `base_path` is "" or starts with "/" and does not
    end with one.
    """

    scheme: str
    host: str = ""
    port: int = 0
    unix_path: str | None = None
    base_path: str = ""

    @classmethod
    def parse(cls, text: str, *, field: str = "ORIGIN") -> OriginUrl:
        """Parse what a person wrote. Raises UsageError, naming `field`, what was given and what was expected."""
        if any(ord(char) <= 0x20 or ord(char) == 0x7F for char in text):
            raise UsageError(field, text, f"{_EXAMPLE}, without spaces or control characters")
        scheme, colon, rest = text.partition(":")
        scheme = scheme.lower()
        if colon and scheme == "unix":
            return cls(scheme="http", unix_path=_unix_path(rest, text, field))
        if not rest.startswith("//") or scheme not in _HTTP_SCHEMES:
            raise UsageError(field, text, _expected_scheme(text))
        return cls._parse_http(_HTTP_SCHEMES[scheme], rest.removeprefix("//"), text, field)

    @classmethod
    def _parse_http(cls, scheme: str, rest: str, text: str, field: str) -> OriginUrl:
        authority, slash, path = rest.partition("/")
        user_info, at, _ = authority.rpartition("@")
        if at:
            # What we say may end up in a log, and this part is likely a password.
            raise UsageError(field, text.replace(user_info, "***"), "a URL without a user name or password")
        if "?" in authority or "?" in path:
            raise UsageError(field, text, "a URL without a query")
        if "#" in rest:
            raise UsageError(field, text, "a URL without a fragment (#)")
        match = _AUTHORITY.fullmatch(authority)
        if match is None:
            raise UsageError(field, text, "host or host:port after //, an IPv6 address in brackets")
        return cls(
            scheme=scheme,
            host=_host(match["host"], text, field),
            port=_port(match["port"], _DEFAULT_PORTS[scheme], text, field),
            base_path=_base_path(slash + path, text, field),
        )

    def __str__(self) -> str:
        if self.unix_path is not None:
            return f"unix:{self.unix_path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.base_path}"


def _expected_scheme(text: str) -> str:
    """What to say to someone who left the scheme out, or used one that is not ours."""
    scheme = text.partition(":")[0].lower()
    if scheme not in _HTTP_SCHEMES and "://" not in text and text[:1] not in ("", "/") and text.isprintable():
        return f"a URL with its scheme (did you mean http://{text[:80]}?)"
    return f"{_EXAMPLE} (schemes: http, https, ws, wss, unix)"


def _unix_path(rest: str, text: str, field: str) -> str:
    # "unix:///run/x" has an empty authority, so it is the same path as "unix:/run/x" (RFC 3986 §3.2).
    path = rest.removeprefix("//") if rest.startswith("///") else rest
    if not path.startswith("/") or path.startswith("//") or path.endswith("/"):
        raise UsageError(field, text, "unix: and the absolute path of a socket, such as unix:/run/app.sock")
    if len(path.encode("utf-8", "surrogateescape")) > _MAX_UNIX_PATH_BYTES:
        raise UsageError(field, text, f"a socket path of at most {_MAX_UNIX_PATH_BYTES} bytes")
    return path


def _host(raw: str, text: str, field: str) -> str:
    if raw.startswith("["):
        return _ipv6(raw[1:-1], text, field)
    host = raw.lower()
    labels = host.removesuffix(".").split(".")
    if not host.isascii():
        raise UsageError(field, text, "a host name in ASCII (an international name in its xn-- form)")
    if len(host) > _MAX_HOST_CHARS or not all(_LABEL.fullmatch(label) for label in labels):
        raise UsageError(field, text, "a host name or an IP address after //")
    # A name whose last label is a number is meant as an IPv4 address, and must be one (RFC 1123 §2.1).
    if labels[-1].isdigit() and not _is_ipv4(host):
        raise UsageError(field, text, "an IPv4 address of four numbers from 0 to 255")
    return host


def _ipv6(raw: str, text: str, field: str) -> str:
    try:
        # A scope may be any text, so it has to be ASCII by our own rule.
        return str(ipaddress.IPv6Address(raw.encode("ascii").decode()))
    except ValueError:
        raise UsageError(field, text, "an IPv6 address between the brackets") from None


def _is_ipv4(host: str) -> bool:
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        return False
    return True


def _port(raw: str | None, default: int, text: str, field: str) -> int:
    if not raw:
        return default
    if len(raw) > 5 or not 1 <= int(raw) <= 65535:
        raise UsageError(field, text, "a port from 1 to 65535")
    return int(raw)


def _base_path(raw: str, text: str, field: str) -> str:
    if not _PATH.fullmatch(raw):
        raise UsageError(field, text, "a path of URL characters (others percent-encoded)")
    return raw.rstrip("/")
