"""Requests as the files of managed rules write them, in one line each, made into what the core would build.

    METHOD TARGET [VERSION] [ | Name: value ][ | +Name: value ][ | -Name ]...

`UPGRADE` is the GET of a browser that asks for a WebSocket. The target is a path with a query, or an address with scheme, host
and port. A field replaces the one that such a request has anyway; with "+" it is one more, with "-" it is left out. `\\xNN` in a
value is a byte, `\\\\` a backslash; `⟦text×N⟧` is the text N times, with "#" for the number of each.
"""

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from holdfast.model.request import Request, TlsFacts

_AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
_PAGE = (
    ("Host", ""),
    ("User-Agent", _AGENT),
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("Accept-Language", "en-US,en;q=0.5"),
    ("Accept-Encoding", "gzip, deflate, br, zstd"),
    ("Connection", "keep-alive"),
    ("Cookie", "session=0123456789abcdef; _ga=GA1.1.1234567890.1700000000"),
)
_UPGRADE = (
    ("Host", ""),
    ("User-Agent", _AGENT),
    ("Accept", "*/*"),
    ("Accept-Language", "en-US,en;q=0.5"),
    ("Accept-Encoding", "gzip, deflate, br, zstd"),
    ("Sec-WebSocket-Version", "13"),
    ("Origin", ""),
    ("Sec-WebSocket-Extensions", "permessage-deflate"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("Cookie", "session=0123456789abcdef; _ga=GA1.1.1234567890.1700000000"),
    ("Sec-Fetch-Dest", "empty"),
    ("Sec-Fetch-Mode", "websocket"),
    ("Sec-Fetch-Site", "same-origin"),
    ("Pragma", "no-cache"),
    ("Cache-Control", "no-cache"),
    ("Connection", "keep-alive, Upgrade"),
    ("Upgrade", "websocket"),
)
_REPEATED = re.compile("⟦([^⟦⟧]*)×([0-9]+)⟧")
_ESCAPE = re.compile(r"\\(?:x([0-9a-f]{2})|\\)")


def short_request(text: str) -> Request:
    """The request that `text` says."""
    while (found := _REPEATED.search(text)) is not None:
        repeated = "".join(found[1].replace("#", str(place)) for place in range(int(found[2])))
        text = text[: found.start()] + repeated + text[found.end() :]
    first, *fields = text.split(" | ")
    method, target, *rest = first.split()
    is_upgrade = method == "UPGRADE"
    scheme, authority, path, query = _parts(_ESCAPE.sub(_unescaped, target))
    given = [(name, authority if name == "Host" else value) for name, value in (_UPGRADE if is_upgrade else _PAGE)]
    given = [(name, f"{scheme}://{authority}" if name == "Origin" else value) for name, value in given]
    headers = _with(given, fields)
    host, port = _host_and_port(authority, scheme)
    tls = TlsFacts("TLSv1.3", "TLS13_AES_256_GCM_SHA384", host) if scheme == "https" else None
    return Request(
        "230b030023ae2822-LOC",
        "GET" if is_upgrade else method,
        scheme,
        host,
        path,
        query,
        rest[0] if rest else "HTTP/1.1",
        tuple(headers),
        "203.0.113.7",
        51234,
        port,
        tls,
        is_upgrade,
    )


def _parts(target: str) -> tuple[str, str, str, str]:
    """Scheme, authority, path and query; nothing of them is decoded or put right."""
    if target.startswith(("http://", "https://")):
        scheme, _, rest = target.partition("://")
        authority, slash, rest = rest.partition("/")
        target = slash + rest
    else:
        scheme, authority = "https", "example.com"
    path, _, query = target.partition("?")
    return scheme, authority, path or "/", query


def _host_and_port(authority: str, scheme: str) -> tuple[str, int]:
    found = urlsplit(f"//{authority}")
    host = found.hostname or ""
    return f"[{host}]" if ":" in host else host, found.port or (443 if scheme == "https" else 80)


def _with(headers: Sequence[tuple[str, str]], fields: Sequence[str]) -> list[tuple[str, str]]:
    found = list(headers)
    for field in fields:
        if field.startswith("-"):
            found = [one for one in found if one[0].lower() != field[1:].strip().lower()]
            continue
        name, _, value = field.removeprefix("+").partition(":")
        line = name.strip(), _ESCAPE.sub(_unescaped, value.strip())
        places = [at for at, one in enumerate(found) if one[0].lower() == line[0].lower()]
        if field.startswith("+") or not places:
            found.append(line)
        else:
            found[places[0]] = line
    return found


def _unescaped(match: re.Match[str]) -> str:
    return chr(int(match[1], 16)) if match[1] else "\\"
