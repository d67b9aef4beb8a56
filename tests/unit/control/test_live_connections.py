"""One list of several edges' own: the order is the core's, and the same however the connections are spread.

What is asked over the link, and of edges of all kinds, is in `tests/api/test_connections_listed.py`.
"""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.control.live_connections import order_of
from holdfast.model.connection import Carried, Connection, ConnectionSort
from tests.unit.connections import OPENED, a_connection

SORTS: tuple[ConnectionSort, ...] = get_args(ConnectionSort)
SMALL = st.integers(0, 3)
CARRIED = st.builds(Carried, SMALL, SMALL, SMALL, SMALL, SMALL)


@st.composite
def connections(draw: st.DrawFn) -> list[Connection]:
    numbers = draw(st.lists(st.integers(0, 50), unique=True, max_size=12))
    times = SMALL.map(lambda one: OPENED + one)
    return [
        a_connection(
            number,
            opened_at=draw(times),
            last_from_client_at=draw(times),
            last_from_origin_at=draw(times),
            rtt_client_us=draw(st.none() | SMALL),
            rtt_origin_us=draw(st.none() | SMALL),
            to_origin=draw(CARRIED),
            to_client=draw(CARRIED),
        )
        for number in numbers
    ]


@pytest.mark.parametrize("is_descending", [False, True])
@pytest.mark.parametrize("sort", SORTS)
@given(found=connections(), where=st.lists(st.integers(0, 2), min_size=12, max_size=12), depth=st.integers(0, 13))
def test_the_first_of_each_edge_hold_the_first_of_all(
    found: list[Connection], where: list[int], depth: int, sort: ConnectionSort, is_descending: bool
) -> None:
    order = order_of(sort, descending=is_descending)
    edges = [[one for one, place in zip(found, where, strict=False) if place == edge] for edge in range(3)]
    firsts = [one for edge in edges for one in sorted(edge, key=order)[:depth]]
    assert sorted(firsts, key=order)[:depth] == sorted(found, key=order)[:depth]


def numbers_by(sort: ConnectionSort, *found: Connection, descending: bool = False) -> list[int]:
    return [int(one.id[:16], 16) for one in sorted(found, key=order_of(sort, descending=descending))]


def test_what_is_not_known_is_last_in_either_direction() -> None:
    known, unknown, half = (
        a_connection(number, rtt_client_us=client, rtt_origin_us=origin)
        for number, client, origin in ((3, 5, 5), (1, None, None), (2, 5, None))
    )
    assert numbers_by("rtt", unknown, half, known) == [3, 1, 2]
    assert numbers_by("rtt", unknown, half, known, descending=True) == [3, 1, 2]


def test_equals_are_in_the_order_of_their_ids_in_either_direction() -> None:
    equals = [a_connection(number) for number in (3, 1, 2)]
    for sort in SORTS:
        assert numbers_by(sort, *equals) == numbers_by(sort, *equals, descending=True) == [1, 2, 3]


def test_the_least_idle_is_the_one_that_something_came_from_last() -> None:
    late, early = a_connection(1, last_from_origin_at=OPENED + 2), a_connection(2, last_from_client_at=OPENED + 1)
    assert numbers_by("idle", early, late) == [1, 2]
    assert numbers_by("idle", early, late, descending=True) == [2, 1]
