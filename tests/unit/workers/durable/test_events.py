"""What may be acknowledged of a socket's events: what has ended, and everything before it."""

from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.workers.durable.events import Progress, SocketEvent, fitting
from holdfast.workers.durable.services import Socket


def socket() -> Socket:
    """Only its identity is used."""
    return cast("Socket", object())


def event(of: Socket, seq: int) -> SocketEvent:
    return SocketEvent(of, ("webSocketMessage",), (), seq)


@given(st.integers(1, 12).flatmap(lambda count: st.permutations(range(1, count + 1))))
def test_what_is_acknowledged_covers_what_has_ended_and_nothing_else(order: list[int]) -> None:
    progress, one = Progress(), socket()
    events = {seq: event(one, seq) for seq in range(1, len(order) + 1)}
    for begun in events.values():
        progress.began(begun)
    ended: set[int] = set()
    last = 0
    for seq in order:
        ended.add(seq)
        told = progress.ended(events[seq])
        covered = next(n for n in range(len(order) + 1) if n + 1 not in ended)
        assert told == (covered if covered > last else 0)
        last = max(last, told)
    assert last == len(order)
    assert len(progress) == 0


def test_sockets_do_not_wait_for_each_other_and_one_with_nothing_to_do_takes_no_room() -> None:
    progress = Progress()
    first, second = event(socket(), 1), event(socket(), 1)
    progress.began(first)
    progress.began(second)
    assert len(progress) == 2
    assert progress.ended(second) == 1
    assert progress.ended(first) == 1
    assert len(progress) == 0
    assert progress.ended(first) == 0


class Handlers:
    """As they are written."""

    def none(self) -> None: ...
    def one(self, first: int) -> None: ...
    def default(self, first: int, second: int = 0) -> None: ...
    def all(self, *args: int) -> None: ...

    @staticmethod
    def static(first: int, second: int) -> None: ...


@pytest.mark.parametrize(("name", "taken"), [("none", 0), ("one", 1), ("default", 2), ("all", 3), ("static", 3)])
def test_a_handler_gets_as_many_arguments_as_it_takes(name: str, taken: int) -> None:
    assert fitting(getattr(Handlers(), name), (1, 2, 3)) == (1, 2, 3)[:taken]
