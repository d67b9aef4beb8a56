"""Answers kept for a while: how long, how many, and which not at all."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from holdfast.workers.sdk import response as sdk
from holdfast.workers.sdk.errors import JsTypeError
from holdfast.workers.sdk.web import caches as module
from holdfast.workers.sdk.web.caches import CacheStorage, lifetime_s
from holdfast.workers.sdk.web.request import Request
from holdfast.workers.sdk.web.response import Response

URL = "https://a.test/x?y=1"


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    made = module._Store()
    made.clock = clock = Clock()
    monkeypatch.setattr(module, "store", made)
    yield clock
    assert made.statistics() == {
        "entries": len(made.entries),
        "bytes": sum(len(one.body) for one in made.entries.values()),
    }


async def test_an_answer_is_found_by_what_was_asked_for_until_its_time(clock: Clock) -> None:
    cache = CacheStorage().default
    assert await cache.match(URL) is None
    await cache.put(URL, sdk.Response("body", status=203, headers={"cache-control": "max-age=10", "x-a": "b"}))
    clock.now += 9
    for request in (URL, Request(URL), Request(URL, method="GET"), f"{URL}#fragment"):
        found = await cache.match(request)
        assert found is not None
        assert (found.status, await found.text(), found.headers.get("x-a")) == (203, "body", "b")
        assert (found.headers.get("cf-cache-status"), found.headers.get("age")) == ("HIT", "9")
    assert await cache.match(Request(URL, method="POST")) is None
    assert await cache.match(Request(URL, method="POST"), {"ignoreMethod": True}) is not None
    clock.now += 1
    assert await cache.match(URL) is None


@pytest.mark.usefixtures("clock")
async def test_an_answer_is_forgotten_and_caches_are_apart() -> None:
    storage = CacheStorage()
    named = await storage.open("v1")
    assert await storage.open("v1") is named
    await named.put(URL, Response("x"))
    assert await storage.default.match(URL) is None
    assert not await named.delete(Request(URL, method="POST"))
    assert [await named.delete(URL), await named.delete(URL)] == [True, False]


@pytest.mark.parametrize(
    ("status", "control", "seconds"),
    [
        (200, "", 7200),
        (404, "", 180),
        (500, "", 0),
        (500, "max-age=5", 5),
        (200, "public, max-age=5, s-maxage=9", 9),
        (200, "max-age=0", 0),
        (200, "private, max-age=5", 0),
        (200, "no-store", 0),
        (200, 'S-MaxAge="7"', 7),
    ],
)
def test_how_long_is_what_it_says_or_the_default(status: int, control: str, seconds: int) -> None:
    assert lifetime_s(Response("", status=status, headers={"cache-control": control})) == seconds
    assert lifetime_s(Response("", headers={"set-cookie": "a=b"})) == 0


@pytest.mark.usefixtures("clock")
async def test_what_is_kept_is_bounded_and_the_oldest_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 10)
    monkeypatch.setattr(module, "MAX_BODY_BYTES", 6)
    cache = CacheStorage().default
    for name in "ab":
        await cache.put(f"http://{name}/", Response("12345"))
    assert await cache.match("http://a/") is not None
    await cache.put("http://c/", Response("12345"))
    await cache.put("http://d/", Response("1234567"))
    assert [await cache.match(f"http://{name}/") is not None for name in "abcd"] == [True, False, True, False]
    monkeypatch.setattr(module, "MAX_CACHES", 0)
    with pytest.raises(JsTypeError, match="at most 0 names"):
        await CacheStorage().open("x")


@pytest.mark.parametrize(
    ("request_", "response", "error"),
    [
        (Request(URL, method="POST"), Response("x"), "non-GET"),
        (URL, Response("x", status=206), "range request"),
        (URL, Response("x", headers={"vary": "*"}), "Vary"),
        (URL, "text", "expected a Response, got str"),
    ],
)
@pytest.mark.usefixtures("clock")
async def test_what_cannot_be_kept_is_refused(request_: object, response: object, error: str) -> None:
    with pytest.raises(JsTypeError, match=error):
        await CacheStorage().default.put(request_, response)


@pytest.mark.usefixtures("clock")
async def test_an_answer_that_has_been_read_is_not_kept() -> None:
    answer = Response("x")
    await answer.text()
    with pytest.raises(JsTypeError, match="already used"):
        await CacheStorage().default.put(URL, answer)
