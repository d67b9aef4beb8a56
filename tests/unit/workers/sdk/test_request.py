"""`workers.Request`: the SDK's Python face of a request."""

import http.client
from http import HTTPMethod
from typing import Any

import pytest

from holdfast.workers.sdk.errors import BodyUsedError
from holdfast.workers.sdk.request import Request
from holdfast.workers.sdk.web.request import Request as WebRequest


async def test_it_is_made_of_a_url_of_another_and_of_javascripts() -> None:
    first = Request(
        "https://A.test", method=HTTPMethod.POST, headers={"X": "1"}, body='{"a": 1}', cf={"b": 2}, redirect="error"
    )
    assert first.method is HTTPMethod.POST
    assert first.method == "POST"
    assert (first.url, first.headers["x"], first.redirect, first.signal.aborted) == (
        "https://a.test/",
        "1",
        "error",
        False,
    )
    assert isinstance(first.headers, http.client.HTTPMessage)
    assert first.cf is not None
    assert first.cf.b == 2
    second = Request(first, method="PUT")
    assert (second.method, await second.json(parse_int=str), first.body_used) == ("PUT", {"a": "1"}, True)
    third = WebRequest("https://x.test/")
    assert Request(third).js_object is Request(third)._js_request is third
    with pytest.raises(ValueError, match=r"Expected no options when constructing Request from a js\.Request"):
        Request(third, method="PUT")
    assert repr(third) == repr(Request(third))


@pytest.mark.parametrize("name", ["text", "bytes", "buffer", "blob", "json", "form_data", "formData", "arrayBuffer"])
async def test_the_body_is_read_once_by_whatever_name(name: str) -> None:
    request = Request(
        "https://a.test/", method="POST", body="x=1", headers={"content-type": "application/x-www-form-urlencoded"}
    )
    copy = request.clone()
    await copy.bytes()
    with pytest.raises(OSError, match="Body already used") as caught:
        await getattr(copy, name)()
    assert isinstance(caught.value, BodyUsedError)
    if name != "json":
        got: Any = await getattr(request, name)()
        assert got in ("x=1", b"x=1") or getattr(got, "data", None) == b"x=1" or got["x"] == "1"
        assert request.bodyUsed


def test_methods_that_python_does_not_know_are_text() -> None:
    assert Request("https://a.test/", method="PURGE").method == "PURGE"


def test_headers_that_are_set_go_out() -> None:
    request = Request("https://a.test/", headers=[("A", "1")])
    request.headers["B"] = "2"
    assert request.js_object.headers.wire() == [(b"A", b"1"), (b"B", b"2")]


def test_what_nothing_was_asked_of_is_as_the_standard_has_it() -> None:
    request = Request("https://a.test/")
    assert (request.cache, request.credentials, request.destination, request.integrity) == (
        "default",
        "same-origin",
        "",
        "",
    )
    assert (request.is_history_navigation, request.keepalive, request.mode) == (False, False, "cors")
    assert (request.referrer, request.referrer_policy, request.body, request.cf) == ("about:client", "", None, None)
