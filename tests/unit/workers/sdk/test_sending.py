"""What may be sent, and what a text is on its way."""

from array import array
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.workers.sdk import sending
from holdfast.workers.sdk.buffers import ArrayBuffer
from holdfast.workers.sdk.errors import JsRangeError, JsTypeError
from holdfast.workers.sdk.sending import sendable, well_formed


@pytest.mark.parametrize(
    ("message", "sent"),
    [
        ("text", "text"),
        ("größer 🎈", "größer 🎈"),
        ("\ud800x", "\ufffdx"),
        ("x\udc00", "x\ufffd"),
        ("\ud83c\udf88", "🎈"),
        (b"\0\1", b"\0\1"),
        (bytearray(b"ab"), b"ab"),
        (memoryview(b"abcd")[::2], b"ac"),
        (array("H", [1, 256]), b"\1\0\0\1"),
        (ArrayBuffer(b"ab"), b"ab"),
        (10**10, "10000000000"),
        (1.5, "1.5"),
        (2.0, "2"),
        (True, "true"),
    ],
)
def test_text_and_bytes_go_out(message: object, sent: str | bytes) -> None:
    assert sendable(message, by="send()") == sent


@pytest.mark.parametrize("wrong", [None, [1, 2], {}])
def test_what_is_neither_is_refused(wrong: Any) -> None:
    with pytest.raises(JsTypeError, match=rf"^broadcast\(\) takes text or bytes, not {type(wrong).__name__}$"):
        sendable(wrong, by="broadcast()")


@pytest.mark.parametrize("message", ["x" * 9, "é" * 5, b"x" * 9, bytearray(9), memoryview(bytes(9))])
def test_a_message_has_a_length(monkeypatch: pytest.MonkeyPatch, message: Any) -> None:
    monkeypatch.setattr(sending, "MAX_MESSAGE_BYTES", 8)
    assert sendable(message[:4], by="send()") == message[:4]
    with pytest.raises(JsRangeError, match=r"^send\(\) takes at most 8 bytes, a message of (9|10) was given$"):
        sendable(message, by="send()")


@given(st.text(st.characters(categories=["Cs", "Lu", "So"])))
def test_every_text_can_be_written_and_one_that_could_before_is_the_same(text: str) -> None:
    written = well_formed(text).encode().decode()
    assert well_formed(written) == written
    if not any("\ud800" <= character <= "\udfff" for character in text):
        assert written == text
