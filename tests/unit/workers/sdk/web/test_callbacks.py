"""Functions of user code: found by name wherever they were given, awaited where they are async."""

import asyncio
from types import SimpleNamespace

from holdfast.workers.sdk.web.callbacks import members_of, settled, started


async def value() -> int:
    return 5


async def test_an_outcome_is_what_it_is_or_what_it_becomes() -> None:
    assert (await settled(5), await settled(value()), await settled(asyncio.ensure_future(value()))) == (5, 5, 5)


async def test_what_is_started_runs_on_and_its_error_is_nobodys_without_an_awaiter() -> None:
    done = asyncio.Event()

    async def fails() -> None:
        done.set()
        raise ValueError("unheard")

    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, told: complaints.append(told))
    _ = started(fails())
    async with asyncio.timeout(30):
        await done.wait()
    assert await started(value()) == 5
    assert complaints == []


def test_a_member_is_a_keyword_a_key_or_an_attribute() -> None:
    assert members_of({"a": 1}, {"a": 2})("a") == 2
    assert members_of({"a": 1}, {})("a") == 1
    assert members_of(SimpleNamespace(a=1), {})("a") == 1
    assert (members_of(None, {})("a"), members_of({}, {})("a")) == (None, None)
