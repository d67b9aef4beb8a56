"""How long the edge's `decide` takes, for the catch-all zone and for one of 10,000: `python -m bench.decide` prints it.

The request is what a browser sends. The measured callable is the one the core calls, and the result is the best
of several runs: what else the machine does only ever adds to a run.
"""

from __future__ import annotations

import time
import timeit

import msgspec

from holdfast.edge.compile import compile_zone
from holdfast.edge.policy import Policy
from holdfast.edge.snapshot import compile_snapshot, empty_snapshot
from holdfast.model.origin_url import OriginUrl
from holdfast.model.request import Request, TlsFacts
from holdfast.model.zone_document import RecordDocument, ZoneDocument

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
    return _best_us(policy, upgrade_request(), calls, runs)


def a_zone(number: int) -> ZoneDocument:
    """One zone of many, with three records."""
    name, address = f"zone-{number}.example.com", f"10.0.{number >> 8 & 255}.{number & 255}"
    return ZoneDocument(
        id=f"{number:032x}",
        name=name,
        records=(
            RecordDocument(name=name, type="A", content=address, proxied=True),
            RecordDocument(name=f"chat.{name}", type="A", content=address, proxied=True),
            RecordDocument(name=f"*.{name}", type="CNAME", content=name, proxied=True),
        ),
    )


def zones_figures(*, zones: int = 10_000, calls: int = 20_000, runs: int = 7) -> tuple[float, dict[str, float]]:
    """Seconds to compile this many zones, and microseconds for one decision by the host it is for."""
    documents = [a_zone(number) for number in range(zones)]
    began = time.perf_counter()
    compiled = [compile_zone(document, key=None) for document in documents]
    compile_s = time.perf_counter() - began
    policy = Policy(empty_snapshot(instance="bench").with_changes(compiled))
    request, zone = upgrade_request(), compiled[zones // 2].name
    figures = {}
    for host in (zone, f"chat.{zone}", f"any.{zone}"):
        tls = TlsFacts("TLSv1.3", "TLS_AES_128_GCM_SHA256", host)
        asked = msgspec.structs.replace(request, host=host, tls=tls)
        figures[host] = _best_us(policy, asked, calls, runs)
    return compile_s, figures


def _best_us(policy: Policy, request: Request, calls: int, runs: int) -> float:
    return min(timeit.repeat(lambda: policy.decide(request), number=calls, repeat=runs)) / calls * 1e6


def _print_figures() -> None:
    print(f"decide, catch-all zone: {decide_us():.2f} µs")
    compile_s, by_host = zones_figures()
    print(f"compile 10,000 zones: {compile_s:.2f} s")
    for host, micros in by_host.items():
        print(f"decide, {host} of 10,000 zones: {micros:.2f} µs")


if __name__ == "__main__":
    _print_figures()
