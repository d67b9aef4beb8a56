"""Requests to test with: what the core would build for a browser's upgrade, but for what a test says."""

from collections.abc import Sequence

from holdfast.model.request import Request, TlsFacts

TLS = TlsFacts("TLSv1.3", "TLS13_AES_256_GCM_SHA384", "example.com")

# Seen from Chromium on `new WebSocket("wss://example.com/echo")`.
BROWSER_UPGRADE = (
    ("Host", "example.com"),
    ("Connection", "Upgrade"),
    ("Pragma", "no-cache"),
    ("Cache-Control", "no-cache"),
    (
        "User-Agent",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36",
    ),
    ("Upgrade", "websocket"),
    ("Origin", "https://example.com"),
    ("Sec-WebSocket-Version", "13"),
    ("Accept-Encoding", "gzip, deflate, br, zstd"),
    ("Accept-Language", "en-US,en;q=0.9"),
    ("Cookie", "session=0123456789abcdef"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"),
)


def a_request(
    *,
    headers: Sequence[tuple[str, str]] = BROWSER_UPGRADE,
    host: str = "example.com",
    path: str = "/echo",
    scheme: str = "https",
    client_ip: str = "203.0.113.7",
    ray: str = "230b030023ae2822-LOC",
    is_upgrade: bool = True,
) -> Request:
    """A request as the core would give it."""
    return Request(
        ray,
        "GET",
        scheme,
        host,
        path,
        "",
        "HTTP/1.1",
        tuple(headers),
        client_ip,
        51234,
        8443 if scheme == "https" else 8080,
        TLS if scheme == "https" else None,
        is_upgrade,
    )
