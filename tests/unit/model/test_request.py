"""`Request` and `TlsFacts`: the order of their fields is part of the boundary to the core."""

import msgspec
import pytest

from holdfast.model.request import Request, TlsFacts
from tests.unit.requests import a_request


def test_fields_stand_in_the_order_in_which_the_core_gives_them() -> None:
    assert Request.__struct_fields__ == (
        "ray", "method", "scheme", "host", "path", "query", "version", "headers", "client_ip", "client_port",
        "edge_port", "tls", "is_upgrade", "is_egress",
    )  # fmt: skip
    assert TlsFacts.__struct_fields__ == ("version", "cipher", "server_name")


def test_a_request_cannot_be_changed() -> None:
    request = a_request()
    with pytest.raises(AttributeError):
        request.host = "other.example"  # type: ignore[misc]
    assert msgspec.structs.replace(request, host="other.example").host == "other.example"
    assert request.host == "example.com"


def test_header_values_are_found_in_any_case_and_in_order() -> None:
    request = a_request(headers=[("Accept", "a"), ("ACCEPT", "b"), ("X-Accept", "c"), ("accept", "")])
    assert request.header_values("aCCept") == ("a", "b", "")
    assert request.header_values("absent") == ()
