"""The host's ends of a process's link and output, on real sockets and pipes."""

import asyncio
import os
import socket
from collections.abc import Callable

from holdfast.model.worker_messages import MAX_LOG_CHARACTERS, Loaded, ProcessMessage, Retire, Serve, line
from holdfast.workers.host.link import Link, OutputPipe

LIMIT_S = 30.0


class Ears:
    """What was heard, and a way to wait for it."""

    def __init__(self) -> None:
        self.said: list[ProcessMessage | str] = []
        self.ended: list[str] = []
        self._news = asyncio.Event()

    def hear(self, what: ProcessMessage | str) -> None:
        self.said.append(what)
        self._news.set()

    def end(self, sentence: str) -> None:
        self.ended.append(sentence)
        self._news.set()

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(LIMIT_S):
            while not is_so():
                self._news.clear()
                await self._news.wait()


async def _conversed(ears: Ears, said: bytes) -> bytes:
    """Say and hear: a process says `said`, and ends; what the host had told it."""
    ours, theirs = socket.socketpair()
    link = Link(ours, ears.hear, ears.end)
    link.tell(Serve())
    link.tell(Retire(limit_s=1.0))
    theirs.sendall(said)
    theirs.shutdown(socket.SHUT_WR)
    await ears.until(lambda: bool(ears.ended))
    heard = theirs.recv(1000)
    theirs.close()
    link.tell(Serve())  # to nobody
    link.close()
    return heard


def test_both_sides_hear_each_other_and_the_end_is_told_once() -> None:
    async def scenario() -> None:
        ears = Ears()
        heard = await _conversed(ears, line(Loaded(handlers=("fetch",))))
        assert heard == line(Serve()) + line(Retire(limit_s=1.0))
        assert (ears.said, ears.ended) == ([Loaded(handlers=("fetch",))], [""])

    asyncio.run(scenario())


def test_what_is_no_message_ends_the_link_with_a_sentence() -> None:
    async def scenario() -> None:
        ears = Ears()
        await _conversed(ears, line(Loaded()) + b"nonsense\n")
        assert ears.said == [Loaded()]
        assert ears.ended[0].startswith("it does not keep to the protocol: a line holds no message")

    asyncio.run(scenario())


def test_what_is_not_taken_at_once_is_taken_later() -> None:
    async def scenario() -> None:
        ours, theirs = socket.socketpair()
        ears = Ears()
        link = Link(ours, ears.hear, ears.end)
        many = 20_000
        for _ in range(many):
            link.tell(Serve())
        loop = asyncio.get_running_loop()
        theirs.setblocking(False)  # noqa: FBT003  socket's own signature
        got = 0
        async with asyncio.timeout(LIMIT_S):
            while got < many * len(line(Serve())):
                got += len(await loop.sock_recv(theirs, 65536))
        assert got == many * len(line(Serve()))
        link.close()
        theirs.close()

    asyncio.run(scenario())


def test_what_is_printed_comes_line_by_line() -> None:
    async def scenario() -> None:
        reading, writing = os.pipe()
        ears = Ears()
        pipe = OutputPipe(reading, ears.hear)
        os.write(writing, b"one\ntw")
        os.write(writing, "o \xfc\xff\nlast".encode("latin-1"))
        os.close(writing)
        await ears.until(lambda: len(ears.said) == 3)
        assert ears.said == ["one", "two \ufffd\ufffd", "last"]
        pipe.close()

    asyncio.run(scenario())


def test_a_line_without_end_comes_in_parts() -> None:
    async def scenario() -> None:
        reading, writing = os.pipe()
        ears = Ears()
        pipe = OutputPipe(reading, ears.hear)
        os.write(writing, b"x" * (MAX_LOG_CHARACTERS + 1))
        await ears.until(lambda: bool(ears.said))
        assert sum(len(str(one)) for one in ears.said) == MAX_LOG_CHARACTERS + 1
        os.close(writing)
        pipe.close()

    asyncio.run(scenario())


def test_one_that_says_something_without_end_lets_others_have_their_turn() -> None:
    async def scenario() -> None:
        ours, theirs = socket.socketpair()
        said = line(Loaded())

        def say_more(_: ProcessMessage) -> None:
            heard.append(None)
            # As a process would that is faster than its host; far more than one turn is for.
            if len(heard) < 200_000:
                theirs.sendall(said)

        heard = list[None]()
        link = Link(ours, say_more, lambda _: None)
        theirs.sendall(said)
        link.read()
        assert len(heard) < 200_000
        link.close()
        theirs.close()

    asyncio.run(scenario())


def test_all_is_heard_of_one_that_has_ended() -> None:
    async def scenario() -> None:
        ours, theirs = socket.socketpair()
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1024 * 1024)
        theirs.setblocking(False)  # noqa: FBT003  socket's own signature
        ears = Ears()
        link = Link(ours, ears.hear, ears.end)
        written, said = 0, line(Loaded())
        try:
            while True:
                written += theirs.send(said * 1000)
        except BlockingIOError:
            theirs.close()
        link.read_to_the_end()
        assert (len(ears.said), ears.ended) == (written // len(said), [""])

    asyncio.run(scenario())
