"""`js.Request`: made of a URL or of another one, its body read once."""

import pytest

from holdfast.workers.sdk.errors import BodyUsedError, JsTypeError
from holdfast.workers.sdk.request import Request as SdkRequest
from holdfast.workers.sdk.web.bodies import Payload
from holdfast.workers.sdk.web.headers import Headers
from holdfast.workers.sdk.web.request import Request
from holdfast.workers.sdk.web.urls import URL
from holdfast.workers.values import decode, encode


async def test_it_is_made_with_options_in_every_way() -> None:
    options = {"method": "post", "headers": {"X-A": "1"}, "body": '{"a":1}', "redirect": "manual", "cf": {"b": 2}}
    for request in (
        Request("https://A.test", **options),
        Request.new("https://A.test", options),
        Request.new(URL("https://A.test"), list(options.items())),
        Request("https://a.test/", Request("https://x.test/", **options)),
    ):
        assert (request.method, request.url, request.headers.get("x-a")) == ("POST", "https://a.test/", "1")
        assert request.redirect == "manual"
        assert request.cf is not None
        assert request.cf.b == 2
        assert request.headers.get("content-type") == "text/plain;charset=UTF-8"
        assert await request.json() == {"a": 1}


async def test_a_request_of_another_takes_over_its_body() -> None:
    first = Request("https://a.test/", method="PUT", body="text", headers={"x": "1"})
    second = Request(first, headers={"y": "2"})
    assert first.bodyUsed
    assert (second.method, second.headers.entries(), await second.text()) == ("PUT", [("y", "2")], "text")
    with pytest.raises(BodyUsedError):
        Request(first)
    assert await Request(first, body="new").text() == "new"


async def test_a_request_is_made_for_another_url_with_anothers_method_fields_and_body() -> None:
    for wrap in (lambda request: request, SdkRequest):
        first = Request(
            "https://a.test/x", method="POST", body="text", headers={"Upgrade": "websocket"}, redirect="manual"
        )
        second = Request.new("https://b.test/y", wrap(first), cf={"a": 1})
        assert (second.url, second.method, second.redirect) == ("https://b.test/y", "POST", "manual")
        assert (second.headers.get("upgrade"), await second.text(), first.bodyUsed) == ("websocket", "text", True)
    third = Request(Request("https://c.test/"), Request("https://d.test/", headers={"x": "1"}))
    assert (third.url, third.headers.get("x")) == ("https://c.test/", "1")


async def test_a_clone_is_read_by_itself() -> None:
    request = Request("https://a.test/", method="POST", body=b"\xef\xbb\xbfx")
    copy = request.clone()
    assert (await request.text(), await copy.bytes()) == ("x", b"\xef\xbb\xbfx")
    with pytest.raises(BodyUsedError):
        request.clone()


async def test_the_body_is_read_as_what_it_is() -> None:
    request = Request(
        "https://a.test/", method="POST", body="a=1", headers={"content-type": "application/x-www-form-urlencoded"}
    )
    assert (await request.clone().formData())["a"] == "1"
    blob = await request.clone().blob()
    assert (blob.type, blob.data, await request.arrayBuffer()) == ("application/x-www-form-urlencoded", b"a=1", b"a=1")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"method": "A B"}, "Invalid HTTP method"),
        ({"method": ""}, "Invalid HTTP method"),
        ({"redirect": "sometimes"}, "Invalid redirect"),
        ({"body": "x"}, "cannot have a body"),
        ({"method": "HEAD", "body": "x"}, "cannot have a body"),
        ({"method": "POST", "body": 5}, "Unsupported type in Request: int"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, object], complaint: str) -> None:
    with pytest.raises(JsTypeError, match=complaint):
        Request("https://a.test/", options)


def test_what_is_no_url_is_refused() -> None:
    with pytest.raises(JsTypeError, match="Invalid URL string"):
        Request("/path")


def test_methods_are_written_in_capitals_where_the_standard_does() -> None:
    assert [Request("https://a.test/", method=name).method for name in ("patch", "purge")] == ["PATCH", "purge"]


def test_a_received_request_is_as_it_came() -> None:
    request = Request.received("GET", "https://A.test", Headers(), Payload(None), {"colo": "X"})
    assert (request.url, request.redirect, request.body, request.js_object is request) == (
        "https://A.test",
        "manual",
        None,
        True,
    )
    assert request.cf is not None
    assert (request.cf.colo, request.cf.country, request.cf.tlsVersion) == ("X", None, None)
    with pytest.raises(AttributeError, match="contry"):
        _ = request.cf.contry
    assert (dict(request.cf), decode(encode(request.cf))) == ({"colo": "X"}, {"colo": "X"})
    assert repr(request) == "Request(method='GET', url='https://A.test')"


def test_a_request_has_a_signal_that_its_clients_leaving_aborts() -> None:
    request = Request("https://a.test/")
    request.leave()
    assert not request.signal.aborted
    heard: list[str] = []
    request.signal.addEventListener("abort", lambda event: heard.append(event.target.reason.name))
    assert request.clone().signal is request.signal
    request.leave()
    request.leave()
    assert (heard, request.signal.aborted) == (["AbortError"], True)
