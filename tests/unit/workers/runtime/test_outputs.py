"""What a socket lets out is what was written down, under the number it was given there."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from holdfast.workers.channel.records import ToEdge
from holdfast.workers.runtime.outputs import Closing, Keeping, Sending

Make = Callable[[Any], Any]


class Socket:
    """One that outlives the process, or not."""

    def __init__(self, *, is_hibernatable: bool = True, is_here: bool = False) -> None:
        self.is_hibernatable = is_hibernatable
        self.did: list[tuple[Any, ...]] = []
        self.session = None if is_here else SimpleNamespace(sid=5, keep=lambda *what: self.did.append(what))

    def transmit(self, *what: Any) -> None:
        self.did.append(what)

    transmit_close = transmit


class Outbox:
    def __init__(self) -> None:
        self.added: list[tuple[Any, ...]] = []

    def add(self, *what: Any, code: int = 0) -> int:
        self.added.append((*what, code))
        return 41


CASES = [
    (lambda one: Sending(one, "hello"), (ToEdge.TEXT, [5], "hello", 0), ("hello", 41)),
    (lambda one: Sending(one, b"hello"), (ToEdge.BINARY, [5], b"hello", 0), (b"hello", 41)),
    (lambda one: Closing(one, 4000, "bye"), (ToEdge.CLOSE, [5], "bye", 4000), (4000, "bye", 41)),
    (lambda one: Keeping(one, b"state"), (ToEdge.STATE, [5], b"state", 0), (b"state", 41)),
]


@pytest.mark.parametrize(("make", "entry", "done"), CASES)
def test_what_waited_goes_out_under_its_number(make: Make, entry: tuple[Any, ...], done: tuple[Any, ...]) -> None:
    socket, outbox = Socket(), Outbox()
    output = make(socket)
    output.note(outbox)
    output()
    assert (outbox.added, socket.did) == ([entry], [done])


@pytest.mark.parametrize(("make", "_entry", "done"), CASES)
def test_what_did_not_wait_has_no_number(make: Make, _entry: tuple[Any, ...], done: tuple[Any, ...]) -> None:
    socket = Socket()
    make(socket)()
    assert socket.did == [(*done[:-1], 0)]


@pytest.mark.parametrize("socket", [Socket(is_hibernatable=False), Socket(is_here=True)])
def test_what_no_other_process_could_send_is_not_written_down(socket: Socket) -> None:
    outbox = Outbox()
    Sending(socket, "hello").note(outbox)  # type: ignore[arg-type]  # as much of one as is used
    assert outbox.added == []
