"""Bodies of requests and of answers, in each form, read once."""

from __future__ import annotations

from typing import Any

import pytest

from holdfast.workers.sdk.errors import BodyUsedError, JsException
from holdfast.workers.sdk.web.request import Request
from holdfast.workers.sdk.web.response import Response


def made(kind: str, body: object, **headers: str) -> Any:
    if kind == "request":
        return Request("http://a/", method="POST", body=body, headers=headers)
    return Response(body, headers=headers)


@pytest.mark.parametrize("kind", ["request", "response"])
@pytest.mark.parametrize(
    ("method", "expected"),
    [("text", "[1]"), ("json", [1]), ("arrayBuffer", b"[1]"), ("bytes", b"[1]")],
)
async def test_a_body_is_read_in_the_form_that_is_asked_for_and_once(kind: str, method: str, expected: object) -> None:
    one = made(kind, "[1]")
    assert not one.bodyUsed
    assert await getattr(one, method)() == expected
    assert one.bodyUsed
    with pytest.raises(BodyUsedError):
        await one.text()


@pytest.mark.parametrize("kind", ["request", "response"])
async def test_a_body_is_a_blob_with_its_type_a_form_or_a_stream(kind: str) -> None:
    blob = await made(kind, "x", **{"content-type": "text/css"}).blob()
    assert (await blob.text(), blob.type) == ("x", "text/css")
    form = await made(kind, "a=1", **{"content-type": "application/x-www-form-urlencoded"}).formData()
    assert form["a"] == "1"
    assert [bytes(chunk) async for chunk in made(kind, "x").body] == [b"x"]


@pytest.mark.parametrize("kind", ["request", "response"])
@pytest.mark.parametrize("text", ["", "{", "[" * 100_000])
async def test_what_is_no_json_is_a_syntax_error_there_and_a_value_error_here(kind: str, text: str) -> None:
    with pytest.raises(ValueError, match=r".+") as caught:
        await made(kind, text).json()
    assert isinstance(caught.value, JsException)
    assert caught.value.name == "SyntaxError"


async def test_a_byte_order_mark_is_left_out_and_what_is_no_utf_8_replaced() -> None:
    assert await Response(b"\xef\xbb\xbfa\xff").text() == "a\ufffd"
