"""`holdfast.api.identifiers`: what can be an id, and what is no route."""

from typing import get_args

import pytest
from fastapi import Request

from holdfast.api.faults import ApiFault
from holdfast.api.identifiers import path_id


def _read(text: str) -> str:
    request = Request({"type": "http", "method": "GET", "path": f"/client/v4/things/{text}", "headers": []})
    annotated, depends = get_args(path_id("thing_id"))
    assert annotated is str
    read: str = depends.dependency(request, text)
    return read


def test_an_id_is_taken_as_it_is() -> None:
    assert _read("0123456789abcdef" * 2) == "0123456789abcdef" * 2


@pytest.mark.parametrize("text", ["", "x", "0" * 31, "0" * 33, "A" * 32, "0" * 31 + "\n", "\0", "٠" * 32])
def test_what_cannot_be_an_id_is_no_route(text: str) -> None:
    with pytest.raises(ApiFault, match="Could not route to /client/v4/things/") as refused:
        _read(text)
    assert refused.value.status == 404
