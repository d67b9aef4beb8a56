"""`js.caches`: answers kept for a while by what was asked for, in the memory of the script's process.

Law 1: what is kept is bounded: MAX_ENTRIES answers, MAX_BYTES together, MAX_BODY_BYTES each; the one that was asked for longest ago goes first.
Law 2: an answer is kept as long as its Cache-Control says, else as the original's defaults have it for its status, and never what is private.
Law 3: nothing here outlives the process: a cache may always be empty.

Source: Cloudflare, "Cache API"; "Default cache behavior" (edge TTL); RFC 9111 §5.2.
"""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from holdfast.workers.sdk.errors import BodyUsedError, JsTypeError
from holdfast.workers.sdk.web.bodies import Payload
from holdfast.workers.sdk.web.headers import Headers
from holdfast.workers.sdk.web.request import Request
from holdfast.workers.sdk.web.response import Response

# Precedents: the original takes 50 calls and 512 MB an answer; here it is memory of the process, whose default limit is 128 MB.
MAX_ENTRIES = 1_000
MAX_BYTES = 32 * 1024 * 1024
MAX_BODY_BYTES = 4 * 1024 * 1024
# Names of caches; beyond them `open` fails.
MAX_CACHES = 100
# Seconds by status, where the answer says nothing.
DEFAULT_TTL_S: Mapping[int, int] = {200: 7_200, 301: 7_200, 302: 1_200, 303: 1_200, 404: 180, 410: 180}

_AGE = re.compile(r"(?:^|,)\s*(s-maxage|max-age)\s*=\s*\"?(\d{1,10})", re.IGNORECASE)
_FORBIDDEN = re.compile(r"(?:^|,)\s*(?:no-store|no-cache|private)\s*(?:,|=|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Kept:
    status: int
    status_text: str
    headers: Headers
    body: bytes
    stored_s: float
    until_s: float


class _Store:
    """What all caches of a process keep."""

    def __init__(self) -> None:
        self.clock: Callable[[], float] = time.monotonic
        self.entries: OrderedDict[tuple[str, str], _Kept] = OrderedDict()
        self.bytes = 0

    def take(self, key: tuple[str, str]) -> _Kept | None:
        kept = self.entries.get(key)
        if kept is None or kept.until_s <= self.clock():
            self.drop(key)
            return None
        self.entries.move_to_end(key)
        return kept

    def keep(self, key: tuple[str, str], kept: _Kept) -> None:
        self.drop(key)
        self.entries[key] = kept
        self.bytes += len(kept.body)
        while len(self.entries) > MAX_ENTRIES or self.bytes > MAX_BYTES:
            self.drop(next(iter(self.entries)))

    def drop(self, key: tuple[str, str]) -> bool:
        kept = self.entries.pop(key, None)
        self.bytes -= 0 if kept is None else len(kept.body)
        return kept is not None

    def statistics(self) -> dict[str, int]:
        """How many answers, and their bytes."""
        return {"entries": len(self.entries), "bytes": self.bytes}


store = _Store()


class Cache:
    """One cache. `default` is that of all requests; others have names."""

    def __init__(self, name: str) -> None:
        self._name = name

    async def match(self, request: object, options: object = None) -> Response | None:
        """The answer that was put for this, or None. Another method than GET has none, unless `options` say `ignoreMethod`."""
        method, url = _asked(request)
        if method != "GET" and not _ignores_method(options):
            return None
        kept = store.take((self._name, url))
        if kept is None:
            return None
        headers = Headers(kept.headers)
        headers.set("cf-cache-status", "HIT")
        headers.set("age", str(int(store.clock() - kept.stored_s)))
        return Response.received(kept.status, kept.status_text, headers, Payload(kept.body), url)

    async def put(self, request: object, response: object) -> None:
        """Keep an answer for this, as long as it allows. TypeError for another method than GET, for 206, for `Vary: *`."""
        method, url = _asked(request)
        answer = getattr(response, "js_object", response)
        if not isinstance(answer, Response):
            raise JsTypeError(f"cache.put(request, response): expected a Response, got {type(response).__name__}")
        if method != "GET":
            raise JsTypeError("Cannot cache response to non-GET request.")
        if answer.status == 206:
            raise JsTypeError("Cannot cache response to a range request (206 Partial Content).")
        if "*" in (answer.headers.get("vary") or ""):
            raise JsTypeError("Cannot cache response with 'Vary: *' header.")
        if answer.bodyUsed:
            raise BodyUsedError
        body, ttl_s = await answer.payload.read(), lifetime_s(answer)
        if ttl_s > 0 and len(body) <= MAX_BODY_BYTES:
            now = store.clock()
            kept = _Kept(answer.status, answer.statusText, Headers(answer.headers), body, now, now + ttl_s)
            store.keep((self._name, url), kept)

    async def delete(self, request: object, options: object = None) -> bool:
        """Forget it; whether it was there."""
        method, url = _asked(request)
        if method != "GET" and not _ignores_method(options):
            return False
        return store.drop((self._name, url))


class CacheStorage:
    """`js.caches`."""

    def __init__(self) -> None:
        self.default = Cache("")
        self._named: dict[str, Cache] = {}

    async def open(self, name: str) -> Cache:
        """The cache of that name. TypeError beyond MAX_CACHES of them."""
        if name not in self._named and len(self._named) >= MAX_CACHES:
            raise JsTypeError(f"caches.open(name): expected at most {MAX_CACHES} names")
        return self._named.setdefault(str(name), Cache(str(name)))


caches = CacheStorage()


def lifetime_s(answer: Response) -> int:
    """How many seconds an answer may be kept; 0 where it may not."""
    control = answer.headers.get("cache-control") or ""
    if _FORBIDDEN.search(control) or answer.headers.has("set-cookie"):
        return 0
    ages = {name.lower(): int(value) for name, value in _AGE.findall(control)}
    return ages.get("s-maxage", ages.get("max-age", DEFAULT_TTL_S.get(answer.status, 0)))


def _asked(request: object) -> tuple[str, str]:
    """Method and URL of a request, or of a URL."""
    found = getattr(request, "js_object", request)
    one = found if isinstance(found, Request) else Request(str(found))
    return one.method, one.url.partition("#")[0]


def _ignores_method(options: object) -> bool:
    return bool(
        options.get("ignoreMethod") if isinstance(options, Mapping) else getattr(options, "ignoreMethod", False)
    )
