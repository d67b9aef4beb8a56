"""Questions to the host over its socket: what is answered, what is streamed, what ends a conversation."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from holdfast.control.worker_hosting import WorkerHosting
from holdfast.model.data_dir import workers_host_socket
from holdfast.model.worker_host_messages import (
    Answer,
    Delete,
    Deploy,
    Done,
    ListScripts,
    Logged,
    Question,
    Refused,
    Restart,
    Scripts,
    ScriptStatus,
    Tail,
)
from holdfast.model.worker_messages import LineReader, line
from holdfast.workers.host import sockets
from holdfast.workers.host.desk import Desk
from holdfast.workers.host.hosting import MAX_SCRIPTS
from tests.unit.workers.host.hosts import LIMIT_S, Hosting, hosting


class Asker:
    """Somebody who asks."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer
        self._lines: LineReader[Answer] = LineReader(Answer)
        self._answers: list[Answer] = []

    async def ask(self, question: Question) -> Answer | None:
        self.writer.write(line(question))
        return await self.hear()

    async def hear(self) -> Answer | None:
        """The next answer; None at the end."""
        async with asyncio.timeout(LIMIT_S):
            while not self._answers:
                data = await self._reader.read(65536)
                if not data:
                    return None
                self._answers += self._lines.feed(data)
        return self._answers.pop(0)


@asynccontextmanager
async def asking(data_dir: Path) -> AsyncIterator[tuple[Hosting, Asker]]:
    async with hosting(data_dir) as one:
        desk = Desk(one.host)
        await desk.open(sockets.bound(workers_host_socket(data_dir)))
        asker = Asker(*await asyncio.open_unix_connection(workers_host_socket(data_dir)))
        yield one, asker
        asker.writer.close()
        await desk.close()


def test_scripts_are_deployed_listed_restarted_and_deleted(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with asking(tmp_path) as (one, asker):
            one.write("v1")
            one.write("v2", "refuse no")
            assert await asker.ask(Deploy(key=one.key, version="v1")) == Done()
            assert await asker.ask(Deploy(key=one.key, version="v2")) == Refused(
                error="no", traceback='Traceback:\n  File "worker.py"\n'
            )
            assert await asker.ask(Restart(key=one.key)) == Done()
            listed = await asker.ask(ListScripts())
            assert isinstance(listed, Scripts)
            (status,) = listed.scripts
            assert (status.name, status.version, status.serving, status.state) == ("chat", "v1", "v1", "serving")
            assert status.rss_bytes > 0
            assert await asker.ask(Delete(key=one.key)) == Done()
            assert await asker.ask(ListScripts()) == Scripts(scripts=())

    asyncio.run(scenario())


def test_a_tail_is_what_was_kept_and_then_what_comes_until_the_script_is_gone(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with asking(tmp_path) as (one, asker):
            await one.deploy("v1", "log first")
            asker.writer.write(line(Tail(key=one.key, lines=200)))
            texts = list[str]()
            while "first" not in texts:
                answer = await asker.hear()
                assert isinstance(answer, Logged)
                texts.append(answer.log.message)
            await one.deploy("v2", "log second")
            while "second" not in texts:
                answer = await asker.hear()
                assert isinstance(answer, Logged)
                texts.append(answer.log.message)
            await one.host.delete(one.key)
            while (answer := await asker.hear()) is not None:
                assert isinstance(answer, Logged)

    asyncio.run(scenario())


def test_a_tail_of_no_script_is_refused(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with asking(tmp_path) as (_, asker):
            assert isinstance(await asker.ask(Tail(key="0123456789ab")), Refused)
            assert await asker.ask(ListScripts()) == Scripts(scripts=())

    asyncio.run(scenario())


@pytest.mark.parametrize("said", [b"nonsense\n", b"x" * 10_000, b'{"type":"done"}\n'])
def test_what_is_no_question_ends_the_conversation(tmp_path: Path, said: bytes) -> None:
    async def scenario() -> None:
        async with asking(tmp_path) as (_, asker):
            asker.writer.write(said)
            assert isinstance(await asker.hear(), Refused)
            assert await asker.hear() is None

    asyncio.run(scenario())


def test_the_figures_of_as_many_scripts_as_there_may_be_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = {f"a_figure_of_a_script_{number}": 10**9 + number for number in range(60)}
    every = Scripts(
        scripts=tuple(
            ScriptStatus(
                key=f"{number:012x}", name="n", account="a", version="v", serving="v", state="serving", counters=figures,
                totals=figures, classes={"Room": figures},
            )
            for number in range(MAX_SCRIPTS)
        )
    )  # fmt: skip

    # However long a busy machine takes to write and to read them, one after the other in one process.
    monkeypatch.setattr("holdfast.control.worker_hosting.FIGURES_LIMIT_S", 60.0)

    async def scenario() -> None:
        async with asking(tmp_path) as (one, _):
            monkeypatch.setattr(one.host, "scripts", lambda: every)
            assert await WorkerHosting(tmp_path).statuses() == every.scripts

    asyncio.run(scenario())
