"""What becomes of requests, sockets and code when a Worker is deployed, refused, edited or removed.

That deployments lose no message is told in `test_workers_survive.py`.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.model.worker_host_messages import Delete, Done, Refused
from holdfast.model.worker_messages import CLASS_NOT_EXPORTED
from tests.integration.speakers import client, said, told
from tests.integration.waiting import poll
from tests.integration.worker_up import ROOM, ServedWorker, worker_up

WITHOUT_CLASSES = "from workers import WorkerEntrypoint\nclass Default(WorkerEntrypoint): pass\n"


@pytest.fixture(scope="module")
def served() -> Iterator[ServedWorker]:
    """One for the tests that change nothing but its code."""
    with worker_up() as one:
        yield one


def test_an_answer_that_takes_its_time_is_given_by_the_version_that_was_asked(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    slow = (
        "import asyncio, os\nfrom workers import DurableObject, Response, WorkerEntrypoint\nclass Room(DurableObject): pass\n"
        "class Default(WorkerEntrypoint):\n    async def fetch(self, request):\n"
        "        if request.url.endswith('/slow'):\n            print('begun')\n"
        f"            while not os.path.exists('{gate}'):\n                await asyncio.sleep(0.05)\n"
        "        return Response('@VERSION@')\n"
    )

    async def scenario(served: ServedWorker) -> None:
        asked = asyncio.create_task(asyncio.to_thread(served.get, "/slow"))
        await asyncio.to_thread(poll, lambda: any("begun" in one for one in served.command.log_lines), what="its begin")
        for number in (1, 2):
            assert isinstance(await asyncio.to_thread(served.deploy, f"v{number}", slow), Done)
            assert (await asyncio.to_thread(served.get, "/")).text == f"v{number}"
        gate.touch()
        assert (await asked).text == "v0"

    with worker_up(code=slow) as served:
        asyncio.run(scenario(served))


def test_a_request_that_outlives_its_version_wakes_no_object_in_it(tmp_path: Path) -> None:
    """The object is the next version's, whose requests are answered, and who calls it from the one before reaches it there."""
    gate = tmp_path / "gate"
    late = ROOM.replace(
        "return await self.env.ROOM",
        "late = self.env.ROOM.getByName('lobby')\n"
        "        if request.url.endswith('/late'):\n"
        "            print('begun')\n"
        f"            while not os.path.exists('{gate}'):\n                await asyncio.sleep(0.05)\n"
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
            # It goes on once the next version has answered.
            gate.touch()
        assert (await asked).text == "v1"
        assert said(served, "v0") == ["v0"]

    with worker_up(code=f"import asyncio\n{late}") as served:
        asyncio.run(scenario(served))


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


def test_code_that_ends_its_process_right_after_it_was_imported_is_refused_and_the_version_before_serves_again() -> (
    None
):
    ends = f"import os, signal\nos.kill(os.getpid(), signal.SIGTERM)\n{ROOM}"

    async def scenario(served: ServedWorker) -> None:
        async with client(served) as socket:
            before = await told(socket, "ends 1")
            refused = await asyncio.to_thread(served.deploy, "ends", ends)
            assert isinstance(refused, Refused)
            assert (before, await told(socket, "ends 2")) == ("v0 ends 1", "v0 ends 2")

    with worker_up() as served:
        asyncio.run(scenario(served))


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
            async with asyncio.timeout(30):
                await socket.wait_closed()
            assert socket.close_code == 1012
            assert str(socket.close_reason).startswith("worker_restarted: ")

    with worker_up() as served:
        asyncio.run(scenario(served))


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


def test_a_worker_that_does_not_import_is_a_sentence_and_its_traceback() -> None:
    with pytest.raises(AssertionError, match="it ended at once"), worker_up(code="import nothing_of_that_name\n"):
        pass
