"""`workers.Response`: what it takes and refuses, and how it is read."""

from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any

import pytest

from holdfast.workers.runtime.sockets import WebSocketPair
from holdfast.workers.sdk.errors import NetworkError
from holdfast.workers.sdk.response import FetchResponse, Response
from holdfast.workers.sdk.web.forms import FormData
from holdfast.workers.sdk.web.headers import Headers
from holdfast.workers.sdk.web.response import Response as WebResponse


async def test_it_takes_text_bytes_forms_streams_and_nothing() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"a"
        yield b"b"

    assert await Response("ü").text() == "ü"
    assert await Response(b"x").bytes() == b"x"
    assert (await Response(FormData({"a": "1"})).form_data())["a"] == "1"
    assert await Response(chunks()).text() == "ab"
    assert Response().body is None


@pytest.mark.parametrize("body", [5, {"a": 1}, ["a"], 1.5])
def test_it_refuses_other_bodies_with_the_originals_words(body: Any) -> None:
    with pytest.raises(TypeError, match=f"^Unsupported type in Response: {type(body).__name__}$"):
        Response(body)


@pytest.mark.parametrize("headers", [{"X-A": "1"}, [("X-A", "1")], Headers({"X-A": "1"})])
def test_it_has_status_and_headers_in_every_shape(headers: Any) -> None:
    response = Response("x", HTTPStatus.CREATED, "Made", headers)
    assert (response.status, response.status_text, response.statusText) == (201, "Made", "Made")
    assert response.headers["x-a"] == "1"
    response.headers["X-B"] = "2"
    assert (b"X-B", b"2") in response.js_object.headers.wire()
    assert repr(response) == "Response(status=201, status_text='Made', content_type='text/plain;charset=UTF-8')"


@pytest.mark.parametrize(
    ("options", "error", "complaint"),
    [
        ({"status": 101}, ValueError, "in the range 200 to 599"),
        ({"status": 99}, ValueError, "in the range 200 to 599"),
        ({"headers": 5}, TypeError, "Received unexpected type for headers argument"),
        ({"headers": {"a b": "c"}}, TypeError, "Invalid header name"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, Any], error: type[Exception], complaint: str) -> None:
    with pytest.raises(error, match=complaint):
        Response(None, **options)


def test_a_websocket_goes_with_101_alone() -> None:
    client, _ = WebSocketPair.new()
    answer = Response(None, status=101, web_socket=client)
    assert answer.web_socket is answer.webSocket is answer.js_object.webSocket is client
    with pytest.raises(ValueError, match=r"^Responses with a WebSocket must have status code 101\.$"):
        Response(None, status=200, web_socket=client)


def test_javascripts_response_is_taken_without_options() -> None:
    inner = WebResponse("x", status=404)
    assert Response(inner).js_object is inner
    assert Response.new("x", {"status": 404}).status == 404
    with pytest.raises(ValueError, match=r"Expected no options when constructing Response from a js\.Response"):
        Response(inner, status=200)


async def test_json_makes_one_on_the_class_and_reads_one_on_an_instance() -> None:
    for make in (Response.json, Response.from_json, FetchResponse.json):
        response = make({"a": 1}, 201, "Made", {"X-A": "1"})
        assert (response.status, response.headers["content-type"], response.headers["x-a"]) == (
            201,
            "application/json",
            "1",
        )
        assert await response.json() == {"a": 1}
    assert Response.json([], headers={"content-type": "x/y"}).headers["content-type"] == "x/y"
    with pytest.raises(TypeError, match="not JSON serializable"):
        Response.json(object())


def test_a_redirect_has_a_location() -> None:
    response = Response.redirect("https://a.test/x", HTTPStatus.SEE_OTHER)
    assert (response.status, response.headers["location"]) == (303, "https://a.test/x")
    with pytest.raises(ValueError, match="is not a redirect status code"):
        Response.redirect("https://a.test/", 200)


@pytest.mark.parametrize(
    "name", ["text", "string", "bytes", "buffer", "memoryview", "blob", "json", "form_data", "formData"]
)
async def test_the_body_is_read_once_by_whatever_name(name: str) -> None:
    response = Response("x=1", headers={"content-type": "application/x-www-form-urlencoded"})
    copy = response.clone()
    assert not copy.body_used
    await copy.bytes()
    with pytest.raises(OSError, match="Body already used"):
        await getattr(copy, name)()
    if name != "json":
        got: Any = await getattr(response, name)()
        assert got in ("x=1", b"x=1") or getattr(got, "data", None) == b"x=1" or got["x"] == "1"


async def test_another_body_keeps_status_and_headers() -> None:
    response = Response("one", 404, "Nope", {"x": "1"}).replace_body("two")
    assert (response.status, response.status_text, response.headers["x"], await response.text()) == (
        404,
        "Nope",
        "1",
        "two",
    )


def test_statuses_of_errors_can_be_raised() -> None:
    Response("x").raise_for_status()
    with pytest.raises(NetworkError, match="404 Client Error: Not Found for url"):
        Response("x", status=404).raise_for_status()
    with pytest.raises(OSError, match="503 Server Error: Away for url"):
        Response("x", status=503, status_text="Away").raise_for_status()
    answer = Response.wrapping(WebResponse.error())
    assert (answer.ok, answer.redirected, answer.type, repr(answer)) == (
        False,
        False,
        "error",
        "Response(status=0, type='error')",
    )


@pytest.mark.parametrize(("status", "phrase"), [(200, "OK"), (404, "Not Found"), (299, "")])
def test_a_status_has_its_phrase_unless_another_is_given(status: int, phrase: str) -> None:
    assert Response("x", status=status).status_text == phrase
    assert Response("x", status=status, status_text="Mine").status_text == "Mine"
