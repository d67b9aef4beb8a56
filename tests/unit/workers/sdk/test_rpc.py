"""What may be sent to another object, and how it arrives."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from holdfast.workers.sdk.rpc import python_from_rpc, python_to_rpc


def test_values_stay_what_they_are() -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    value = {"a": [1, 2.5, True, None, "x", b"y", {1, 2}, moment], "f": len}
    assert python_to_rpc(value) == value
    assert python_from_rpc({"a": {"b": 1}}).a.b == 1


async def coroutine() -> None: ...


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ((1, 2), "<class 'tuple'> cannot be sent over RPC."),
        ({"a": [(1,)]}, "<class 'tuple'> cannot be sent over RPC."),
        ([bytearray()], "<class 'bytearray'> cannot be sent over RPC."),
        (re.compile("x"), "<class 're.Pattern'> cannot be sent over RPC."),
    ],
)
def test_what_the_original_refuses_is_refused(value: Any, complaint: str) -> None:
    with pytest.raises(TypeError, match=re.escape(complaint)):
        python_to_rpc(value)


def test_an_awaitable_is_refused() -> None:
    work = coroutine()
    try:
        with pytest.raises(TypeError, match="Awaitable <class 'coroutine'> cannot be sent over RPC"):
            python_to_rpc([work])
    finally:
        work.close()


def test_a_circle_ends() -> None:
    circle: list[Any] = []
    circle.append(circle)
    sent = python_to_rpc(circle)
    assert sent[0] is sent
