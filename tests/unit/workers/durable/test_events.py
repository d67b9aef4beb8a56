"""What may be acknowledged of a socket's events: what has ended, and everything before it."""

from hypothesis import given
from hypothesis import strategies as st

from holdfast.workers.durable.events import Progress


class Socket:
    """Only itself."""


@given(st.integers(1, 12).flatmap(lambda count: st.permutations(range(1, count + 1))))
def test_what_is_acknowledged_covers_what_has_ended_and_nothing_else(order: list[int]) -> None:
    progress, socket = Progress(), Socket()
    for seq in range(1, len(order) + 1):
        progress.began(socket, seq)  # type: ignore[arg-type]  # only its identity is used
    ended: set[int] = set()
    last = 0
    for seq in order:
        ended.add(seq)
        told = progress.ended(socket, seq)  # type: ignore[arg-type]  # as above
        covered = next(n for n in range(len(order) + 1) if n + 1 not in ended)
        assert told == (covered if covered > last else 0)
        last = max(last, told)
    assert last == len(order)


def test_sockets_do_not_wait_for_each_other_and_a_forgotten_one_takes_no_room() -> None:
    progress = Progress()
    first, second = Socket(), Socket()
    progress.began(first, 1)  # type: ignore[arg-type]  # only its identity is used
    progress.began(second, 1)  # type: ignore[arg-type]  # as above
    assert progress.ended(second, 1) == 1  # type: ignore[arg-type]  # as above
    assert len(progress) == 2
    for socket in (first, second):
        progress.forget(socket)  # type: ignore[arg-type]  # as above
    assert len(progress) == 0
    assert progress.ended(first, 1) == 0  # type: ignore[arg-type]  # as above
