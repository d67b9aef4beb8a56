"""What an upgrade offers of subprotocols, and what is left of it."""

import pytest

from holdfast.edge.subprotocols import offered, reduced_offer
from tests.unit.requests import a_request


@pytest.mark.parametrize(
    ("lines", "names"),
    [
        ([], []),
        (["mqtt"], ["mqtt"]),
        (["b,a", " c\t"], ["b", "a", "c"]),
        (["mqtt, ,", ""], ["mqtt"]),
    ],
)
def test_names_are_those_of_all_lines_in_the_client_s_order(lines: list[str], names: list[str]) -> None:
    assert offered(a_request(headers=[("sec-websocket-PROTOCOL", line) for line in lines])) == names


@pytest.mark.parametrize(
    ("offer", "allowed", "told"),
    [
        ("c, a, b", "ab", "a, b"),
        ("a", "a", None),
        ("A, a", "a", "a"),
        ("b, a", "ab", None),
    ],
)
def test_the_origin_is_told_what_is_allowed_where_that_is_not_all(offer: str, allowed: str, told: str | None) -> None:
    request = a_request(headers=[("Sec-WebSocket-Protocol", offer)])
    assert reduced_offer(request, frozenset(allowed)) == ((("Sec-WebSocket-Protocol", told),) if told else ())
