"""`js.Response`: its statuses, its bodies, and the one with a WebSocket."""

from http import HTTPStatus
from typing import Any

import pytest

from holdfast.workers.runtime.sockets import WebSocketPair
from holdfast.workers.sdk.errors import BodyUsedError, JsRangeError, JsTypeError
from holdfast.workers.sdk.web.dates import Date
from holdfast.workers.sdk.web.response import Response, reason_phrase


async def test_it_is_made_in_every_way() -> None:
    for response in (
        Response("text", status=404, headers={"X-A": "1"}, statusText="Gone fishing"),
        Response.new("text", {"status": HTTPStatus.NOT_FOUND, "headers": [("X-A", "1")], "statusText": "Gone fishing"}),
        Response.new("text", Response(None, status=404, headers={"X-A": "1"}, statusText="Gone fishing")),
    ):
        assert (response.status, response.ok, response.statusText) == (404, False, "Gone fishing")
        assert (response.headers.get("x-a"), await response.text()) == ("1", "text")


async def test_json_makes_one_and_reads_one() -> None:
    response = Response.json({"a": [1, "ü"]}, status=201)
    assert (response.status, response.headers.get("content-type")) == (201, "application/json")
    assert await response.clone().text() == '{"a":[1,"ü"]}'
    assert (await response.json()).a == [1, "ü"]
    assert (
        await Response.json([float("nan"), Date.new(0), "\ud800"]).bytes()
        == rb'[null,"1970-01-01T00:00:00.000Z","\ud800"]'
    )
    assert Response.json(1, {"headers": {"Content-Type": "x/y"}}).headers.get("content-type") == "x/y"


@pytest.mark.parametrize("status", [101, 100, 199, 600, 0, 1000])
def test_a_status_out_of_range_is_refused(status: int) -> None:
    with pytest.raises(JsRangeError, match="in the range 200 to 599"):
        Response(None, status=status)


@pytest.mark.parametrize("status", [204, 205, 304])
def test_some_statuses_have_no_body(status: int) -> None:
    assert Response(None, status=status).payload.is_null
    assert Response("", status=status).payload.is_null
    with pytest.raises(JsTypeError, match="null body status"):
        Response("x", status=status)


@pytest.mark.parametrize("text", ["a\r\nX: y", "a\nb", "\0", "\x7f"])
def test_a_status_text_that_would_break_the_head_is_refused(text: str) -> None:
    with pytest.raises(JsTypeError, match="Invalid statusText"):
        Response(None, statusText=text)


def test_a_websocket_goes_with_101_and_nothing_else() -> None:
    client, _ = WebSocketPair.new()
    assert Response.new(None, {"status": 101, "webSocket": client}).webSocket is client
    for options in ({"webSocket": client}, {"status": 200, "webSocket": client}):
        with pytest.raises(JsRangeError, match=r"^Responses with a WebSocket must have status code 101\.$"):
            Response(None, options)
    with pytest.raises(JsTypeError, match="Cannot clone"):
        Response(None, status=101, webSocket=client).clone()


def test_a_redirect_has_a_location() -> None:
    response = Response.redirect("https://A.test/x y", 307)
    assert (response.status, response.headers.get("location")) == (307, "https://a.test/x%20y")
    with pytest.raises(JsRangeError, match="200 is not a redirect"):
        Response.redirect("https://a.test/", 200)
    with pytest.raises(JsTypeError, match="Invalid URL"):
        Response.redirect("nowhere")


async def test_a_clone_is_read_by_itself() -> None:
    response = Response("text", headers={"a": "b"})
    copy = response.clone()
    assert (await copy.bytes(), await response.arrayBuffer()) == (b"text", b"text")
    with pytest.raises(BodyUsedError):
        response.clone()


async def test_the_body_is_read_as_what_it_is() -> None:
    response = Response("a=1", headers={"content-type": "application/x-www-form-urlencoded"})
    assert (await response.clone().formData())["a"] == "1"
    assert (await response.clone().blob()).data == b"a=1"
    assert response.body is not None
    assert [chunk async for chunk in response.body] == [b"a=1"]
    assert response.bodyUsed


def test_an_error_is_one() -> None:
    error: Any = Response.error()
    assert (error.type, error.status, error.js_object is error, repr(error)) == (
        "error",
        0,
        True,
        "Response(status=0, url='')",
    )


@pytest.mark.parametrize(("status", "phrase"), [(404, "Not Found"), (299, "")])
def test_reason_phrases_are_those_of_http(status: int, phrase: str) -> None:
    assert reason_phrase(status) == phrase
