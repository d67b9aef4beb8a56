"""What Pyodide's proxies have, on the objects of the web platform."""

import pytest

from holdfast.workers.sdk.proxied import Proxied
from holdfast.workers.sdk.web.blobs import Blob, File
from holdfast.workers.sdk.web.forms import FormData
from holdfast.workers.sdk.web.headers import Headers
from holdfast.workers.sdk.web.request import Request
from holdfast.workers.sdk.web.response import Response
from holdfast.workers.sdk.web.search_params import URLSearchParams
from holdfast.workers.sdk.web.streams import ReadableStream
from holdfast.workers.sdk.web.urls import URL


@pytest.mark.parametrize(
    "one",
    [
        Blob(["a"]),
        File(["a"], "a.txt"),
        FormData({"a": "b"}),
        Headers({"a": "b"}),
        Request("http://a.test"),
        Response("a"),
        URLSearchParams("a=b"),
        ReadableStream.of_bytes(b""),
        URL("http://a.test"),
    ],
)
def test_what_python_has_no_other_form_of_stays_what_it_is(one: Proxied) -> None:
    assert one.to_py() is one.to_py(depth=1) is one
    assert (one.typeof, one.js_id) == ("object", one.js_id)


def test_fields_become_a_dictionary_by_way_of_to_py() -> None:
    assert dict(Headers({"A": "1", "b": "2"}).to_py()) == {"a": "1", "b": "2"}
