"""What Pyodide's proxies have, on the objects of the web platform."""

import copy
from typing import Any

import pytest

from holdfast.workers.runtime.sockets import WebSocket
from holdfast.workers.sdk.buffers import ArrayBuffer, Uint8Array
from holdfast.workers.sdk.proxied import Proxied
from holdfast.workers.sdk.values import JsDict, JsList, as_js
from holdfast.workers.sdk.web.blobs import Blob, File
from holdfast.workers.sdk.web.dates import Date
from holdfast.workers.sdk.web.forms import FormData
from holdfast.workers.sdk.web.globals import Array, Map, Set
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


@pytest.mark.parametrize(
    ("one", "name"),
    [
        (Map.new([("a", 1)]), "Map"),
        (Set.new([1]), "Set"),
        (Array.of(1), "Array"),
        (as_js([1]), "Array"),
        (as_js({"a": 1}), "Object"),
        (Headers({}), "Headers"),
        (URL("http://a.test"), "URL"),
        (Response("a"), "Response"),
        (Date.new(0), "Date"),
        (ArrayBuffer(b""), "ArrayBuffer"),
        (Uint8Array.new(1), "Uint8Array"),
        (WebSocket(), "WebSocket"),
    ],
)
def test_a_constructor_has_javascripts_name_and_is_the_class(one: Any, name: str) -> None:
    constructor = one.constructor
    assert constructor.name == name
    assert {type(one): name}[constructor] == name
    assert constructor == one.constructor
    assert constructor not in [object, name]
    assert copy.copy(constructor) == constructor


def test_a_constructor_makes_another() -> None:
    assert Map.new([("a", 1)]).constructor.new([("b", 2)]) == {"b": 2}
    assert JsList([1]).constructor([2]) == [2]


def test_a_key_named_constructor_is_the_objects_own() -> None:
    assert JsDict(constructor="mine").constructor == "mine"
    assert JsDict().to_py() == {}


def test_maps_and_sets_become_dictionaries_and_sets_by_way_of_to_py() -> None:
    assert Map.new([("a", 1)]).to_py() == {"a": 1}
    assert Set.new([1, 2]).to_py(depth=1) == {1, 2}
