"""Clients of a Worker's room for tests: what they are told, what the room has written down, and speakers who go on whatever happens."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from websockets.asyncio.client import ClientConnection, connect

from tests.integration.waiting import PATIENT, poll
from tests.integration.worker_up import ServedWorker

LIMIT_S = 60.0
# Messages that a speaker has under way.
WINDOW = 8
# When a speaker whose answers do not come goes on without them.
STALL_S = 5.0


@asynccontextmanager
async def client(served: ServedWorker, path: str = "/a") -> AsyncIterator[ClientConnection]:
    async with connect(f"ws://{served.address}{path}", ping_interval=None, max_queue=None, **PATIENT) as socket:
        yield socket


async def told(socket: ClientConnection, message: str) -> str:
    """What the room answers to `message`."""
    await socket.send(message)
    return await heard(socket)


async def heard(socket: ClientConnection, *, limit_s: float = LIMIT_S) -> str:
    async with asyncio.timeout(limit_s):
        return str(await socket.recv())


def said(served: ServedWorker, prefix: str) -> list[str]:
    """What the object has written down of what begins so."""
    return [text for text in served.get("/said").json() if text.startswith(prefix)]


def until_said(served: ServedWorker, prefix: str, count: int) -> None:
    """Wait until the object has written down more than so many of them."""
    poll(lambda: len(said(served, prefix)) > count, what=f"more than {count} that begin with {prefix}", limit_s=LIMIT_S)


class Speaker:
    """A client that says `<name> <number>` on and on, with some messages under way, and hears an answer to each."""

    def __init__(self, served: ServedWorker, name: str, *, window: int = WINDOW) -> None:
        self._served, self.name, self._window = served, name, window
        self.sent = self._given_up = 0
        self.answers: list[str] = []

    async def speak(self, goes_on: Callable[[], bool]) -> None:
        """Until it need not go on, and the last answer is there."""
        async with client(self._served, f"/{self.name}") as socket:
            while goes_on():
                while self.sent - max(self._answered, self._given_up) < self._window:
                    await socket.send(f"{self.name} {self.sent}")
                    self.sent += 1
                try:
                    self.answers.append(await heard(socket, limit_s=STALL_S))
                except TimeoutError:
                    self._given_up = self.sent
            await socket.send("who")
            while (answer := await heard(socket)) != f"{self.name} guest":
                self.answers.append(answer)

    @property
    def _answered(self) -> int:
        """Up to which message there are answers."""
        return int(self.answers[-1].rpartition(" ")[2]) + 1 if self.answers else 0

    @property
    def unanswered(self) -> list[str]:
        """Messages without an answer. Fails where answers are not in order, or come twice."""
        answered = [answer.partition(" ")[2] for answer in self.answers]
        assert answered == sorted(set(answered), key=lambda text: int(text.rpartition(" ")[2]))
        return sorted({f"{self.name} {number}" for number in range(self.sent)} - set(answered))

    def check(self) -> None:
        """Every message was heard by the object, once, in order."""
        assert said(self._served, f"{self.name} ") == [f"{self.name} {number}" for number in range(self.sent)]

    @property
    def versions(self) -> list[str]:
        """Which versions answered, in order, each once for each time that it came."""
        found = list[str]()
        for answer in self.answers:
            version = answer.partition(" ")[0]
            if found[-1:] != [version]:
                found.append(version)
        return found


async def spoken(served: ServedWorker, meanwhile: Callable[[], None], *, names: tuple[str, ...]) -> list[Speaker]:
    """Speakers who speak for as long as `meanwhile`, and some."""
    speakers = [Speaker(served, name) for name in names]
    is_over = False
    speaking = asyncio.gather(*(one.speak(lambda: not is_over) for one in speakers))
    try:
        async with asyncio.timeout(LIMIT_S):
            while not all(one.answers for one in speakers) and not speaking.done():
                await asyncio.wait([speaking], timeout=0.01)
        await asyncio.to_thread(meanwhile)
    finally:
        is_over = True
        await speaking
    for one in speakers:
        one.check()
    return speakers
