"""Frames: what one process says to another of a call."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.workers import values
from holdfast.workers.remote.messages import ALIVE, MAX_FRAME_BYTES, BadFrame, Frames, frame, no_functions
from holdfast.workers.sdk.errors import DOMException

MESSAGES: list[dict[str, Any]] = [{"call": "a", "args": [1, "x"], "kwargs": {}}, {"done": None}, {}]


@given(st.lists(st.integers(min_value=1, max_value=7)), st.booleans())
def test_any_chopping_gives_the_same_messages(sizes: list[int], is_alive: bool) -> None:
    wire = b"".join(frame(one) + (ALIVE if is_alive else b"") for one in MESSAGES)
    frames, at = Frames(), 0
    found: list[dict[str, Any]] = []
    for size in [*sizes, len(wire)]:
        found += frames.feed(wire[at : at + size])
        at += size
    assert found == MESSAGES


@given(st.binary(max_size=64))
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    with suppress(BadFrame):
        assert all(isinstance(message, dict) for message in Frames().feed(data))


@pytest.mark.parametrize(
    ("wire", "text"),
    [
        ((MAX_FRAME_BYTES + 1).to_bytes(4, "little"), "longer than it may be"),
        (b"\x01\0\0\0\xff", "holds no value"),
        (len(values.encode([1])).to_bytes(4, "little") + values.encode([1]), "expected a map"),
    ],
)
def test_what_is_no_frame_is_refused(wire: bytes, text: str) -> None:
    with pytest.raises(BadFrame, match=text):
        list(Frames().feed(wire))


def test_what_is_too_long_is_refused_by_who_sends_it() -> None:
    with pytest.raises(
        DOMException, match=r"limited to 32MiB, but the size of this value was: 335544\d\d bytes"
    ) as caught:
        frame({"done": "x" * MAX_FRAME_BYTES})
    assert caught.value.name == "DataCloneError"


@pytest.mark.parametrize("value", [print, object(), [lambda: None], {"a": iter(())}, {1: type}])
def test_what_is_no_value_is_refused(value: object) -> None:
    with pytest.raises(DOMException) as caught:
        frame({"done": value})
    assert caught.value.name == "DataCloneError"
    with pytest.raises(DOMException, match='Could not serialize object of type "function"') as caught:
        no_functions(test_what_is_no_value_is_refused)
    assert caught.value.name == "DataCloneError"
    assert caught.value.message.startswith("Could not serialize object")
