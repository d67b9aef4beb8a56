"""`Fault`: the order of its fields is part of the boundary to the core."""

from holdfast.model.fault import Fault
from tests.unit.requests import a_request


def test_fields_stand_in_the_order_in_which_the_core_gives_them() -> None:
    request = a_request()
    fault = Fault(530, 1016, "the name does not resolve", "http://origin", request)
    assert (fault.status, fault.code, fault.reason, fault.origin) == (
        530,
        1016,
        "the name does not resolve",
        "http://origin",
    )
    assert fault.request is request
    assert fault.kind == ""
    assert Fault(429, 429, "too many", "http://origin", request, "address_connections").kind == "address_connections"
