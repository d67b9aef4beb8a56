"""How long the edge's `decide` takes for the catch-all zone: `python -m bench.decide` prints it.

The request is what a browser sends. The measured callable is the one the core calls, and the result is the best
of several runs: what else the machine does only ever adds to a run.
"""

from __future__ import annotations

import timeit

from holdfast.edge.policy import Policy
from holdfast.edge.snapshot import compile_snapshot
from holdfast.model.origin_url import OriginUrl
from holdfast.model.request import Request, TlsFacts

_HEADERS = (
    ("Host", "chat.example.com"),
    ("Connection", "Upgrade"),
    ("Pragma", "no-cache"),
    ("Cache-Control", "no-cache"),
    ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Safari/537.36"),
    ("Upgrade", "websocket"),
    ("Origin", "https://chat.example.com"),
    ("Sec-WebSocket-Version", "13"),
    ("Accept-Encoding", "gzip, deflate, br, zstd"),
    ("Accept-Language", "en-GB,en;q=0.9"),
    ("Cookie", "session=4f0c6e1c0b7a4a64b5a5c0e4; theme=dark"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"),
)


def upgrade_request() -> Request:
    """A browser's upgrade of a chat over TLS."""
    return Request(
        "8f1b2c3d4e5f6071-LOC",
        "GET",
        "https",
        "chat.example.com",
        "/rooms/42",
        "since=1700000000",
        "HTTP/1.1",
        _HEADERS,
        "203.0.113.7",
        51_234,
        443,
        TlsFacts("TLSv1.3", "TLS_AES_128_GCM_SHA256", "chat.example.com"),
        is_upgrade=True,
    )


def decide_us(*, calls: int = 20_000, runs: int = 7) -> float:
    """Microseconds for one decision, the best of `runs` of `calls`."""
    policy = Policy(compile_snapshot(OriginUrl.parse("http://127.0.0.1:9000"), instance="bench"))
    request = upgrade_request()
    return min(timeit.repeat(lambda: policy.decide(request), number=calls, repeat=runs)) / calls * 1e6


if __name__ == "__main__":
    print(f"decide, catch-all zone: {decide_us():.2f} µs")
