"""The URL standard's parser (WHATWG URL §4.4) for what the web uses: text and a base in, a record out.

Law 1: `parse(str(parse(text)))` is `parse(text)`: a URL that was written by us is read the same.
Law 2: no text raises anything but UrlError.
Hosts are lower-cased, percent-decoded and, where they are not ASCII, IDNA-encoded by Python's codec (2003).
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, replace
from urllib.parse import unquote_to_bytes

from holdfast.workers.sdk.errors import JsTypeError

# Special schemes and the ports they need not name (URL §3.1).
DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443, "ftp": 21, "file": None}

# The percent-encode sets (URL §1.3), beyond controls and what is not ASCII.
_FRAGMENT = frozenset(' "<>`')
_QUERY = frozenset(' "#<>')
_SPECIAL_QUERY = _QUERY | {"'"}
_PATH = _QUERY | frozenset("?^`{}")
USERINFO = _PATH | frozenset("/:;=@[\\]|")
_OPAQUE: frozenset[str] = frozenset()

_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.\-]*):")
_FORBIDDEN_IN_HOST = re.compile(r"[\x00-\x20#/:<>?@\[\\\]^|%\x7f]")
_DOT, _DOTS = re.compile(r"(?:\.|%2e)\Z", re.IGNORECASE), re.compile(r"(?:\.|%2e){2}\Z", re.IGNORECASE)


class UrlError(JsTypeError):
    """A text that is no URL."""

    def __init__(self, text: str) -> None:
        super().__init__(f"Invalid URL string: {text[:200]!r}")


@dataclass(frozen=True, slots=True)
class UrlRecord:
    """A URL in its parts, each as it is written. `host` None: it has none; `path` starts with "/" where it is not opaque."""

    scheme: str
    username: str = ""
    password: str = ""
    host: str | None = None
    port: int | None = None
    path: str = ""
    query: str | None = None
    fragment: str | None = None
    is_opaque: bool = False

    @property
    def is_special(self) -> bool:
        """Whether its scheme is one of the web's own."""
        return self.scheme in DEFAULT_PORTS

    def authority(self) -> str:
        """`host:port`, the port where it is not the scheme's own."""
        return (self.host or "") + (f":{self.port}" if self.port is not None else "")

    def __str__(self) -> str:
        text = f"{self.scheme}:"
        if self.host is not None:
            credentials = self.username + (f":{self.password}" if self.password else "")
            text += f"//{credentials}@" if credentials else "//"
            text += self.authority()
        elif self.path.startswith("//"):
            text += "/."
        text += self.path
        text += f"?{self.query}" if self.query is not None else ""
        return text + (f"#{self.fragment}" if self.fragment is not None else "")


def parse(text: str, base: UrlRecord | None = None) -> UrlRecord:
    """The URL that `text` is, seen from `base`. UrlError if it is none."""
    cleaned = re.sub(r"[\t\n\r]", "", text.strip("".join(map(chr, range(0x21)))))
    match = _SCHEME.match(cleaned)
    if match is None:
        if base is None:
            raise UrlError(text)
        return _relative(cleaned, base)
    scheme, rest = match[1].lower(), cleaned[match.end() :]
    if scheme not in DEFAULT_PORTS:
        return _not_special(scheme, rest)
    if base is not None and base.scheme == scheme and not rest.startswith(("/", "\\")):
        return _relative(rest, base)
    return _with_authority(UrlRecord(scheme), _after_slashes(_slashed(rest), scheme), text)


def percent_encode(text: str, also: frozenset[str]) -> str:
    """`text` with controls, what is not ASCII, and `also` percent-encoded as UTF-8."""
    return "".join(
        char if " " <= char <= "~" and char not in also else "".join(f"%{byte:02X}" for byte in _utf8(char))
        for char in text
    )


def parse_host(text: str, *, is_special: bool = True) -> str:
    """A host as it is written in a URL. UrlError if it is none."""
    if text.startswith("["):
        return f"[{_ipv6(text)}]"
    if not is_special:
        if _FORBIDDEN_IN_HOST.search(text.replace("%", "")):
            raise UrlError(text)
        return percent_encode(text, _OPAQUE)
    host = _ascii_host(unquote_to_bytes(text).decode("utf-8", "replace"), text)
    if not host or _FORBIDDEN_IN_HOST.search(host):
        raise UrlError(text)
    last = host.rstrip(".").rpartition(".")[2]
    return _ipv4(host, text) if last.isdigit() or re.match(r"0x[0-9a-f]*\Z", last) else host


def parse_port(text: str, scheme: str) -> int | None:
    """A port; None if it is the scheme's own. UrlError if it is none."""
    if not text:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 6 or int(text) > 65_535:
        raise UrlError(text)
    return None if DEFAULT_PORTS.get(scheme) == int(text) else int(text)


def with_path(record: UrlRecord, text: str) -> UrlRecord:
    """The record with another path, its dots resolved."""
    path = _slashed(text) if record.is_special else text
    return replace(record, path=_resolved(path if path.startswith("/") else f"/{path}"))


def with_query(record: UrlRecord, text: str | None) -> UrlRecord:
    """The record with another query, without its "?"."""
    encode_set = _SPECIAL_QUERY if record.is_special else _QUERY
    return replace(record, query=None if text is None else percent_encode(text, encode_set))


def with_fragment(record: UrlRecord, text: str | None) -> UrlRecord:
    """The record with another fragment, without its "#"."""
    return replace(record, fragment=None if text is None else percent_encode(text, _FRAGMENT))


def _relative(text: str, base: UrlRecord) -> UrlRecord:
    rest = _slashed(text) if base.is_special else text
    if base.is_opaque and not text.startswith("#"):
        raise UrlError(text)
    if rest.startswith("//"):
        return _with_authority(UrlRecord(base.scheme), _after_slashes(rest, base.scheme), text)
    path, query, fragment = _split(rest)
    if not path:
        kept = base if query is None else with_query(base, query)
        return with_fragment(kept, fragment)
    if not path.startswith("/"):
        path = base.path[: base.path.rfind("/") + 1] + path
    return with_fragment(with_query(with_path(replace(base, path=""), path), query), fragment)


def _after_slashes(rest: str, scheme: str) -> str:
    """What follows the slashes before a host: of special schemes as many as there are, of others (and files) two."""
    if scheme in DEFAULT_PORTS and scheme != "file":
        return rest.lstrip("/")
    return rest.removeprefix("//")


def _not_special(scheme: str, rest: str) -> UrlRecord:
    if rest.startswith("//"):
        return _with_authority(UrlRecord(scheme), rest[2:], f"{scheme}:{rest}")
    path, query, fragment = _split(rest)
    if path.startswith("/"):
        record = with_path(UrlRecord(scheme), path)
    else:
        record = UrlRecord(scheme, path=percent_encode(path, _OPAQUE), is_opaque=True)
    return with_fragment(with_query(record, query), fragment)


def _with_authority(record: UrlRecord, rest: str, whole: str) -> UrlRecord:
    end = next((at for at, char in enumerate(rest) if char in "/?#"), len(rest))
    credentials, at, address = rest[:end].rpartition("@")
    username, _, password = credentials.partition(":")
    if at and not address:
        raise UrlError(whole)
    host, port = _host_and_port(address, record)
    if record.is_special and record.scheme != "file" and not host:
        raise UrlError(whole)
    made = replace(
        record,
        username=percent_encode(username, USERINFO),
        password=percent_encode(password, USERINFO),
        host=host,
        port=port,
    )
    path, query, fragment = _split(rest[end:])
    made = with_path(made, path) if path or record.is_special else made
    return with_fragment(with_query(made, query), fragment)


def _host_and_port(address: str, record: UrlRecord) -> tuple[str, int | None]:
    match = re.match(r"(\[[^\]]*\]|[^:]*)(?::(.*))?\Z", address, re.DOTALL)
    if match is None:
        raise UrlError(address)
    host = parse_host(match[1], is_special=record.is_special) if match[1] else ""
    return host, parse_port(match[2] or "", record.scheme)


def _split(text: str) -> tuple[str, str | None, str | None]:
    before, hash_sign, fragment = text.partition("#")
    path, mark, query = before.partition("?")
    return path, query if mark else None, fragment if hash_sign else None


def _slashed(text: str) -> str:
    """Special URLs take a backslash for a slash, before their query."""
    path = _split(text)[0]
    return text if "\\" not in path else path.replace("\\", "/") + text[len(path) :]


def _resolved(path: str) -> str:
    kept: list[str] = []
    segments = path.split("/")[1:]
    for number, segment in enumerate(segments):
        is_last = number == len(segments) - 1
        if _DOTS.match(segment):
            kept[-1:] = []
        elif not _DOT.match(segment):
            kept.append(percent_encode(segment, _PATH))
            continue
        if is_last:
            kept.append("")
    return "/" + "/".join(kept)


def _ascii_host(host: str, whole: str) -> str:
    if host.isascii():
        return host.lower()
    try:
        return host.encode("idna").decode("ascii").lower()
    except UnicodeError:
        raise UrlError(whole) from None


def _ipv6(text: str) -> str:
    try:
        if not text.endswith("]") or "%" in text:
            raise UrlError(text)
        return ipaddress.IPv6Address(text[1:-1]).compressed
    except ValueError:
        raise UrlError(text) from None


def _ipv4(host: str, whole: str) -> str:
    """Numbers in decimal, octal or hexadecimal, one to four of them; the last fills what is left (URL §3.5)."""
    parts = host.removesuffix(".").split(".")
    if len(parts) > 4:
        raise UrlError(whole)
    numbers = [_number(part, whole) for part in parts]
    if any(number > 255 for number in numbers[:-1]) or numbers[-1] >= 256 ** (5 - len(numbers)):
        raise UrlError(whole)
    address = numbers[-1] + sum(number << (8 * (3 - place)) for place, number in enumerate(numbers[:-1]))
    return str(ipaddress.IPv4Address(address))


def _number(text: str, whole: str) -> int:
    radix, digits = 10, text
    if text[:2] == "0x":
        radix, digits = 16, text[2:] or "0"
    elif len(text) > 1 and text.startswith("0"):
        radix = 8
    if len(digits) > 20 or not re.match(r"[0-9a-f]+\Z", digits):
        raise UrlError(whole)
    try:
        return int(digits, radix)
    except ValueError:
        raise UrlError(whole) from None


def _utf8(char: str) -> bytes:
    # A lone surrogate becomes U+FFFD, as in every text of the web platform.
    return char.encode("utf-8") if not "\ud800" <= char <= "\udfff" else b"\xef\xbf\xbd"
