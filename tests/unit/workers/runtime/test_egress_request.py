"""The head of a request on its way out. What the edge makes of it is in `test_egress.py`."""

from collections.abc import AsyncIterator
from typing import Any

import h11
import pytest

from holdfast.model.worker_egress import EGRESS_FIELD, BoundCall, Egress, RequestContext, read_egress
from holdfast.workers.runtime.egress_request import Outgoing, head_of
from holdfast.workers.sdk.errors import NetworkError
from holdfast.workers.sdk.web.url_parsing import parse

SCRIPT = "abcdef012345"


async def chunks() -> AsyncIterator[bytes]:
    yield b"abc"


def outgoing(method: str = "GET", url: str = "https://user:pw@a.test:8443/p?q#here", **rest: Any) -> Outgoing:
    return Outgoing(method, parse(url), **{"headers": [], **rest})


def told(head: h11.Request) -> Egress:
    return read_egress(dict(head.headers)[EGRESS_FIELD.lower().encode()].decode())


def test_the_target_is_absolute_and_says_nothing_that_is_the_askers_own() -> None:
    head = head_of(outgoing(headers=[(b"X-A", b"1"), (b"X-A", b"2")]), SCRIPT, None, None)
    assert (head.method, head.target) == (b"GET", b"http://a.test:8443/p?q")
    assert list(head.headers)[:3] == [(b"host", b"a.test:8443"), (b"x-a", b"1"), (b"x-a", b"2")]
    assert told(head) == Egress(scheme="https", script=SCRIPT)


def test_it_is_said_for_which_request_by_which_binding_and_whether_the_upstream_waits() -> None:
    context = RequestContext(ray="r", script=SCRIPT, zone="z", host="h", client_ip="192.0.2.1", depth=2)
    call = BoundCall(binding="OTHER", proof="p")
    said = told(head_of(outgoing(is_upgrade=True), SCRIPT, context, call))
    assert (said.ray, said.zone, said.host, said.client_ip, said.depth) == ("r", "z", "h", "192.0.2.1", 2)
    assert (said.park, said.call) == (True, call)


@pytest.mark.parametrize(
    ("host", "spelled"),
    [("127.1", "127.0.0.1"), ("[::ffff:7f00:1]", "[::ffff:7f00:1]"), ("", "localhost"), ("a b", "a b")],
)
def test_the_clients_host_is_spelled_as_that_of_a_url_is(host: str, spelled: str) -> None:
    context = RequestContext(ray="r", script=SCRIPT, host=host)
    assert told(head_of(outgoing(), SCRIPT, context, None)).host == spelled


@pytest.mark.parametrize(
    ("request_", "framing"),
    [
        ({"method": "POST", "body": b"abc"}, [(b"content-length", b"3")]),
        ({"method": "POST", "body": b""}, [(b"content-length", b"0")]),
        ({"method": "PATCH"}, [(b"content-length", b"0")]),
        ({"method": "DELETE"}, []),
        ({"method": "PUT", "body": chunks()}, [(b"transfer-encoding", b"chunked")]),
        ({"method": "PUT", "body": chunks(), "length": 4}, [(b"content-length", b"4")]),
    ],
)
def test_a_body_is_framed_by_what_is_known_of_it(request_: dict[str, Any], framing: list[tuple[bytes, bytes]]) -> None:
    head = head_of(outgoing(**request_), SCRIPT, None, None)
    assert [one for one in head.headers if one[0] in {b"content-length", b"transfer-encoding"}] == framing


@pytest.mark.parametrize(("method", "headers"), [("GE T", []), ("GET", [(b"a b", b"c")]), ("GET", [(b"a", b"b\r\nc")])])
def test_what_cannot_be_a_head_is_refused(method: str, headers: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(NetworkError, match="The request cannot be sent"):
        head_of(outgoing(method, headers=headers), SCRIPT, None, None)


@pytest.mark.parametrize(
    ("request_", "can_be_repeated"),
    [
        ({}, True),
        ({"method": "PUT", "body": b"x"}, True),
        ({"method": "PUT", "body": chunks()}, False),
        ({"method": "POST"}, False),
        ({"is_upgrade": True}, False),
    ],
)
def test_what_changes_nothing_more_the_second_time_may_be_asked_twice(
    request_: dict[str, Any], *, can_be_repeated: bool
) -> None:
    assert outgoing(**request_).can_be_repeated is can_be_repeated
