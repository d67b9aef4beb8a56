"""WebSockets of Durable Objects outlive the code and the process behind them: deployments, crashes, endless loops, releases.

Each test has real clients on a real edge, and asks the object in the end what it was told: every message once, in order.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial

import pytest
from websockets.asyncio.client import ClientConnection, connect

from holdfast.app.local_project import KEPT_VERSIONS
from holdfast.model.worker_host_messages import Delete, Done, Refused
from holdfast.model.worker_messages import CLASS_NOT_EXPORTED
from tests.integration.releasing import released
from tests.integration.waiting import poll
from tests.integration.worker_up import ROOM, ServedWorker, worker_up

LIMIT_S = 60.0
# Messages that a speaker has under way.
WINDOW = 8
# When a speaker whose answers do not come goes on without them.
STALL_S = 5.0
WITHOUT_CLASSES = "from workers import WorkerEntrypoint\nclass Default(WorkerEntrypoint): pass\n"
# How often a process is killed while it is at work.
KILLS = 8


@pytest.fixture(scope="module")
def served() -> Iterator[ServedWorker]:
    """One for the tests that change nothing but its code."""
    with worker_up() as one:
        yield one


@asynccontextmanager
async def client(served: ServedWorker, path: str = "/a") -> AsyncIterator[ClientConnection]:
    async with connect(f"ws://{served.address}{path}", ping_interval=None, max_queue=None) as socket:
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
    poll(lambda: len(said(served, prefix)) > count, what=f"more than {count} that begin with {prefix}", limit_s=30.0)


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


def test_deployments_in_a_row_under_load_lose_no_socket_and_no_message(served: ServedWorker) -> None:
    versions = [f"d{number}" for number in range(10)]

    def deploy() -> None:
        for version in versions:
            assert served.deploy(version) == Done()

    speakers = asyncio.run(spoken(served, deploy, names=("deploy-a", "deploy-b", "deploy-c")))
    for one in speakers:
        assert one.unanswered == []
        # Each deployment is there when it is said to be, and none comes back.
        assert one.versions[-len(versions) :] == versions


def test_an_answer_that_takes_its_time_is_given_by_the_version_that_was_asked() -> None:
    slow = (
        "import asyncio\nfrom workers import DurableObject, Response, WorkerEntrypoint\nclass Room(DurableObject): pass\n"
        "class Default(WorkerEntrypoint):\n    async def fetch(self, request):\n"
        "        if request.url.endswith('/slow'):\n            print('begun')\n            await asyncio.sleep(6)\n"
        "        return Response('@VERSION@')\n"
    )

    async def scenario(served: ServedWorker) -> None:
        asked = asyncio.create_task(asyncio.to_thread(served.get, "/slow"))
        await asyncio.to_thread(poll, lambda: any("begun" in one for one in served.command.log_lines), what="its begin")
        for number in (1, 2):
            assert isinstance(await asyncio.to_thread(served.deploy, f"v{number}", slow), Done)
            assert (await asyncio.to_thread(served.get, "/")).text == f"v{number}"
        assert (await asked).text == "v0"

    with worker_up(code=slow) as served:
        asyncio.run(scenario(served))


def test_a_request_that_outlives_its_version_wakes_no_object_in_it() -> None:
    """The object is the next version's, whose requests are answered, and who calls it from the one before reaches it there."""
    late = ROOM.replace(
        "return await self.env.ROOM",
        "late = self.env.ROOM.getByName('lobby')\n"
        "        if request.url.endswith('/late'):\n"
        "            print('begun')\n            await asyncio.sleep(4)\n"
        "        if request.url.endswith(('/late', '/note')):\n            return Response(await late.note(VERSION))\n"
        "        return await self.env.ROOM",
    )
    late = late.replace(
        "class Default",
        "    async def note(self, text):\n"
        "        self.ctx.storage.sql.exec('INSERT INTO said (text) VALUES (?)', text)\n        return VERSION\n\n"
        "class Default",
    )

    async def scenario(served: ServedWorker) -> None:
        asked = asyncio.create_task(asyncio.to_thread(served.get, "/late"))
        await asyncio.to_thread(poll, lambda: any("begun" in one for one in served.command.log_lines), what="its begin")
        assert isinstance(await asyncio.to_thread(served.deploy, "v1", late), Done)
        while not asked.done():
            answer = await asyncio.to_thread(served.get, "/note")
            assert (answer.status_code, answer.text) == (200, "v1")
        assert (await asked).text == "v1"
        assert said(served, "v0") == ["v0"]

    with worker_up(code=f"import asyncio\n{late}") as served:
        asyncio.run(scenario(served))


def test_a_killed_process_costs_no_socket_and_no_message(served: ServedWorker) -> None:
    def kill() -> None:
        for _ in range(5):
            before = served.status()
            os.kill(before.pid, signal.SIGKILL)
            served.until_restarted(before)

    for one in asyncio.run(spoken(served, kill, names=("kill-a", "kill-b"))):
        assert one.unanswered == []


def test_a_process_that_is_killed_at_any_moment_has_said_everything_once_to_everybody(served: ServedWorker) -> None:
    """What is answered, and what others are told, is written down with what is kept: whichever of the two the process had come to."""
    heard_by: list[list[str]] = [[], []]

    async def listen(texts: list[str], is_there: asyncio.Event) -> None:
        async with client(served, "/listener") as socket:
            assert await told(socket, "who") == "listener guest"
            is_there.set()
            while (text := await heard(socket)) != "all gone over":
                texts.append(text)

    def kill() -> None:
        for _ in range(KILLS):
            before, heard_before = served.status(), len(said(served, "gone-"))
            os.kill(before.pid, signal.SIGKILL)
            served.until_restarted(before)
            # An event at which process after process dies would be passed over.
            until_said(served, "gone-", heard_before + 2 * WINDOW)

    async def scenario() -> None:
        there = [asyncio.Event() for _ in heard_by]
        listening = [asyncio.create_task(listen(*one)) for one in zip(heard_by, there, strict=True)]
        for one in there:
            await one.wait()
        for speaker in await spoken(served, kill, names=("gone-a", "gone-b", "gone-c")):
            assert speaker.unanswered == []
        async with client(served) as last:
            await told(last, "gone over")
        await asyncio.gather(*listening)

    asyncio.run(scenario())
    expected = [f"all {text}" for text in said(served, "gone-")]
    for texts in heard_by:
        assert texts == expected


def test_code_that_does_not_import_is_refused_with_its_traceback_and_what_serves_goes_on(served: ServedWorker) -> None:
    async def scenario() -> None:
        async with client(served) as socket:
            before = await told(socket, "refuse 1")
            refused = await asyncio.to_thread(served.deploy, "broken", "import nothing_of_that_name\n")
            assert isinstance(refused, Refused)
            assert "No module named 'nothing_of_that_name'" in refused.error
            assert 'worker.py", line 1, in <module>' in refused.traceback
            after = await told(socket, "refuse 2")
            assert after.partition(" ")[0] == before.partition(" ")[0]

    asyncio.run(scenario())


def test_code_without_a_class_that_has_objects_is_refused_and_its_sockets_stay(served: ServedWorker) -> None:
    async def scenario() -> None:
        async with client(served) as socket:
            before = await told(socket, "without 1")
            settings = (served.project / "wrangler.toml").read_text(encoding="utf-8")
            unbound = settings.replace('[[durable_objects.bindings]]\nname = "ROOM"\nclass_name = "Room"\n', "")
            (served.project / "wrangler.toml").write_text(unbound, encoding="utf-8")
            refused = await asyncio.to_thread(served.deploy, "none", WITHOUT_CLASSES)
            (served.project / "wrangler.toml").write_text(settings, encoding="utf-8")
            assert isinstance(refused, Refused)
            assert refused.error.startswith(f"{CLASS_NOT_EXPORTED} 'Room'")
            assert (await told(socket, "without 2")).partition(" ")[0] == before.partition(" ")[0]

    asyncio.run(scenario())


def test_sockets_of_a_script_that_is_removed_end_with_it() -> None:
    async def scenario(served: ServedWorker) -> None:
        async with client(served) as socket:
            await told(socket, "before")
            key = served.status().key
            assert await asyncio.to_thread(served.ask, Delete(key=key)) == Done()
            async with asyncio.timeout(10):
                await socket.wait_closed()
            assert socket.close_code == 1012
            assert str(socket.close_reason).startswith("worker_restarted: ")

    with worker_up() as served:
        asyncio.run(scenario(served))


def test_a_message_whose_handler_dies_is_tried_once_more_and_then_passed_over(served: ServedWorker) -> None:
    async def scenario() -> None:
        before = served.status().restarts
        async with client(served) as socket:
            await socket.send("die")
            assert (await told(socket, "die after")).endswith(" die after")
        assert served.status().restarts == before + 2

    asyncio.run(scenario())


def test_an_endless_loop_is_ended_after_its_processor_time_and_not_begun_again() -> None:
    async def scenario(served: ServedWorker) -> None:
        async with client(served) as looping, client(served, "/b") as other:
            assert await told(other, "loop before") == "v0 loop before"
            await looping.send("loop")
            assert await told(looping, "loop after") == "v0 loop after"
            assert await told(other, "loop other") == "v0 loop other"
        assert served.status().restarts == 1

    with worker_up(more="[limits]\ncpu_ms = 500") as served:
        asyncio.run(scenario(served))
        crashed = served.command.record(lambda record: record["event"] == "worker_crashed")
        assert "limits.cpu_ms is 500" in crashed["reason"]


def test_a_process_that_takes_too_much_memory_is_replaced_and_its_sockets_stay() -> None:
    async def scenario(served: ServedWorker) -> None:
        async with client(served) as socket:
            before = served.status()
            # Whether it is answered depends on when it is looked at the process.
            await socket.send("hog")
            await asyncio.to_thread(served.until_restarted, before)
            await socket.send("hog after")
            while await heard(socket) != "v0 hog after":
                pass
        assert said(served, "hog ") == ["hog after"]

    with worker_up(more="[limits]\nmemory_mb = 160") as served:
        asyncio.run(scenario(served))
        crashed = served.command.record(lambda record: record["event"] == "worker_crashed")
        assert "limits.memory_mb is 160" in crashed["reason"]


def test_a_project_that_is_watched_is_served_as_it_is_edited() -> None:
    async def scenario(served: ServedWorker) -> None:
        async with client(served) as socket:
            assert await told(socket, "edit 1") == "v0 edit 1"
            served.write("v1")
            served.printed("reloaded: room")
            assert await told(socket, "edit 2") == "v1 edit 2"
            served.write("v2", "import nothing_of_that_name\n")
            served.printed("the change is not taken up: ModuleNotFoundError")
            assert await told(socket, "edit 3") == "v1 edit 3"
            served.write("v3")
            served.printed("reloaded: room", times=2)
            assert await told(socket, "edit 4") == "v3 edit 4"

    with worker_up("--watch") as served:
        asyncio.run(scenario(served))


def test_a_release_replaces_edge_and_host_and_objects_are_where_they_were() -> None:
    async def scenario(served: ServedWorker) -> None:
        async with client(served) as kept:
            assert await told(kept, "release 1") == "v0 release 1"
            before = served.status().pid
            await asyncio.to_thread(released, served.data)
            assert served.status().pid != before
            assert await told(kept, "release 2") == "v0 release 2"
            async with client(served, "/b") as new:
                assert await told(new, "release 3") == "v0 release 3"
            assert said(served, "release ") == ["release 1", "release 2", "release 3"]

    with worker_up() as served:
        asyncio.run(scenario(served))


def test_a_host_that_is_killed_costs_no_socket_and_no_request() -> None:
    async def scenario(served: ServedWorker) -> None:
        async with client(served) as kept:
            assert await told(kept, "host 1") == "v0 host 1"
            for number in range(3):
                host = served.started("workers")
                os.kill(host, signal.SIGKILL)
                # Nobody listens for the Worker now: the request waits for the next host.
                answers = await asyncio.gather(*(asyncio.to_thread(served.get, "/version") for _ in range(4)))
                assert [one.text for one in answers] == ["v0"] * 4
                poll(partial(is_replaced, served, host), what="the next host", limit_s=30.0)
                assert await told(kept, f"host kept {number}") == f"v0 host kept {number}"

    with worker_up() as served:
        asyncio.run(scenario(served))


def test_a_host_that_is_killed_serves_what_was_deployed_and_not_what_the_command_began_with() -> None:
    async def scenario(served: ServedWorker) -> None:
        async with client(served) as kept:
            assert await told(kept, "late 1") == "v0 late 1"
            # So many that the one it began with is not kept on the disk.
            for number in range(KEPT_VERSIONS + 3):
                assert await asyncio.to_thread(served.deploy, f"late{number}") == Done()
            newest = f"late{KEPT_VERSIONS + 2}"
            host = served.started("workers")
            deploying = asyncio.create_task(asyncio.to_thread(served.deploy, "never"))
            os.kill(host, signal.SIGKILL)
            await asyncio.wait([deploying])
            poll(partial(is_replaced, served, host), what="the next host", limit_s=30.0)
            assert deploying.exception() is not None
            assert await told(kept, "late 2") == f"{newest} late 2"
            await asyncio.to_thread(released, served.data)
            assert await told(kept, "late 3") == f"{newest} late 3"

    with worker_up() as served:
        asyncio.run(scenario(served))


def is_replaced(served: ServedWorker, host: int) -> bool:
    return served.started("workers") != host


def test_a_worker_that_does_not_import_is_a_sentence_and_its_traceback() -> None:
    with pytest.raises(AssertionError, match="it ended at once"), worker_up(code="import nothing_of_that_name\n"):
        pass
