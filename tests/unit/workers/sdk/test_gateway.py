"""What both adapters share: options, and where a request goes."""

from typing import Any

import pytest

from holdfast.model.worker_egress import RequestContext
from holdfast.workers.sdk.context import Invocation, running
from holdfast.workers.sdk.gateway import BaseOptions, Target, web_request
from holdfast.workers.sdk.request import Request
from holdfast.workers.sdk.web.request import Request as WebRequest


def test_options_are_the_originals() -> None:
    assert BaseOptions().encode_body == "automatic"
    wrong: Any = "never"
    with pytest.raises(ValueError, match=r"encode_body must be one of .*, got 'never'"):
        BaseOptions(encode_body=wrong)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://a.test/x%20y?q=1", ("https", "a.test", 443, "/x y", "/x%20y", "q=1")),
        ("http://[::1]:8080/", ("http", "[::1]", 8080, "/", "/", "")),
    ],
)
def test_a_request_is_taken_apart(url: str, expected: tuple[object, ...]) -> None:
    target = Target.of(WebRequest(url))
    assert (target.scheme, target.host, target.port, target.path, target.raw_path, target.query) == expected
    assert target.client == ""


async def test_the_client_is_the_one_that_the_edge_named() -> None:
    context = RequestContext(ray="r", script="s", client_ip="192.0.2.7")
    token = running.set(Invocation(None, lambda _: None, context))
    try:
        assert Target.of(WebRequest("https://a.test/")).client == "192.0.2.7"
    finally:
        running.reset(token)


def test_a_request_is_taken_in_either_form_and_nothing_else() -> None:
    inner = WebRequest("https://a.test/")
    assert web_request(inner) is web_request(Request(inner)) is inner
    with pytest.raises(TypeError, match="expected a Request, got str"):
        web_request("https://a.test/")
