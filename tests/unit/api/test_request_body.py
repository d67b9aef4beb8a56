"""`holdfast.api.request_body`: bodies have bounds, each and together."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message

from holdfast.api.faults import ApiFault
from holdfast.api.request_body import MAX_BODY_BYTES, MAX_HELD_BYTES, UNCOUNTED_BYTES, BodyBudget, read_body


def read(budget: BodyBudget, *parts: bytes, headers: tuple[tuple[bytes, bytes], ...] = ()) -> bytes | None:
    """What is read of a body in `parts`."""
    messages: list[Message] = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    messages.append({"type": "http.request", "body": b"", "more_body": False})

    async def receive() -> Message:
        return messages.pop(0)

    async def body() -> bytes | None:
        with budget.share() as share:
            return await read_body({"headers": list(headers)}, receive, share)

    return asyncio.run(body())


@given(st.lists(st.binary(max_size=50), max_size=8))
def test_a_body_is_its_parts_and_nothing_is_held_after(parts: list[bytes]) -> None:
    budget = BodyBudget(limit_bytes=0)
    assert read(budget, *parts) == b"".join(parts)
    assert budget.statistics() == {"held_bytes": 0}


@pytest.mark.parametrize(
    ("parts", "headers"),
    [
        ([b" " * MAX_BODY_BYTES, b" "], ()),
        ([], ((b"content-length", b"%d" % (MAX_BODY_BYTES + 1)),)),
        ([], ((b"content-length", b"9" * 5000),)),
    ],
)
def test_one_that_is_too_long_is_refused_announced_or_not(
    parts: list[bytes], headers: tuple[tuple[bytes, bytes], ...]
) -> None:
    budget = BodyBudget()
    with pytest.raises(ApiFault, match="longer than") as refused:
        read(budget, *parts, headers=headers)
    assert (refused.value.status, budget.statistics()) == (413, {"held_bytes": 0})


def test_what_is_held_never_passes_the_bound() -> None:
    budget = BodyBudget()
    full = MAX_HELD_BYTES // (MAX_BODY_BYTES - UNCOUNTED_BYTES)
    with ExitStack() as held:
        for _ in range(full):
            held.enter_context(budget.share()).grow(MAX_BODY_BYTES)
        with pytest.raises(ApiFault, match="Too many request bodies") as refused:
            held.enter_context(budget.share()).grow(MAX_BODY_BYTES)
        assert (refused.value.status, refused.value.headers["Retry-After"]) == (503, "1")
        assert budget.statistics()["held_bytes"] <= MAX_HELD_BYTES
        held.enter_context(budget.share()).grow(UNCOUNTED_BYTES)
    assert budget.statistics() == {"held_bytes": 0}
