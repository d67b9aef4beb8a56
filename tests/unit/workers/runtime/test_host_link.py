"""The link with a host that is slow, silent or gone."""

import asyncio
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from holdfast.model.worker_messages import (
    MAX_LOG_CHARACTERS,
    Log,
    Retire,
    Retired,
    Serve,
    Serving,
    line,
    process_messages,
)
from holdfast.workers.runtime import host_link
from holdfast.workers.runtime.host_link import HostLink


@pytest.fixture
def ends() -> Iterator[tuple[HostLink, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.settimeout(30)
        yield HostLink(ours), theirs


def _read(theirs: socket.socket, count: int, reader: Any = None) -> list[Any]:
    found: list[Any] = []
    reader = reader or process_messages()
    while len(found) < count:
        found += reader.feed(theirs.recv(1 << 20))
    return found


async def test_what_the_host_says_is_heard_and_its_end_is_told_once(ends: Any) -> None:
    heard: asyncio.Queue[Any] = asyncio.Queue()
    ends[0].listen(heard.put_nowait)
    said = line(Serve()) + line(Retire(limit_s=3))
    ends[1].sendall(said[:9])
    ends[1].sendall(said[9:])
    assert [await asyncio.wait_for(heard.get(), 30) for _ in range(2)] == [Serve(), Retire(limit_s=3)]
    ends[1].close()
    assert await asyncio.wait_for(heard.get(), 30) is None
    ends[0].say(Serving())
    assert heard.empty()


async def test_a_host_that_says_nonsense_is_as_one_that_is_gone(ends: Any) -> None:
    heard: asyncio.Queue[Any] = asyncio.Queue()
    ends[0].listen(heard.put_nowait)
    ends[1].sendall(b"nonsense\n")
    assert await asyncio.wait_for(heard.get(), 30) is None


def test_a_line_of_the_log_is_cut_and_can_be_written(ends: Any) -> None:
    ends[0].log("warn", "x" * (MAX_LOG_CHARACTERS + 1), ray="r", entrypoint="Room")
    ends[0].log("log", "a\ud800b")
    cut, odd = _read(ends[1], 2)
    assert (cut.level, cut.ray, cut.entrypoint, len(cut.message) <= MAX_LOG_CHARACTERS) == ("warn", "r", "Room", True)
    assert cut.message.endswith(f"({MAX_LOG_CHARACTERS + 1} characters)")
    assert odd.message == "a?b"


async def test_lines_that_a_slow_host_does_not_take_are_counted(ends: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_link, "MAX_WAITING_BYTES", 1 << 20)
    ends[0].listen(lambda _: None)
    for number in range(200):
        ends[0].log("log", f"{number} " + "x" * 15_000)
    loop = asyncio.get_running_loop()
    reader = process_messages()
    messages: list[Any] = []
    kept = 0
    while not messages or "after" not in messages[-1].message:
        messages += await loop.run_in_executor(None, lambda: _read(ends[1], 1, reader))
        if not ends[0].waiting_bytes and not kept:
            kept = len(messages)
            ends[0].log("log", "after")
    told = int(messages[-1].message.partition("(")[2].partition(" ")[0])
    assert told + len(messages) - 1 == 200
    assert [one.message.partition(" ")[0] for one in messages[:-1]] == [
        str(number) for number in range(len(messages) - 1)
    ]


async def test_last_words_have_little_before_them_and_what_was_left_out_for_them_is_told(ends: Any) -> None:
    ends[0].listen(lambda _: None)
    for number in range(1000):
        ends[0].log("log", f"{number} " + "x" * 10_000)
    ends[0].make_room()
    assert ends[0].waiting_bytes < 2 * host_link.CHUNK_BYTES
    ends[0].log("error", "the last")
    finishing = asyncio.get_running_loop().run_in_executor(None, ends[0].finish, 30)
    messages: list[Any] = []
    reader = process_messages()
    while not messages or messages[-1].message != "the last":
        messages += await asyncio.to_thread(_read, ends[1], 1, reader)
    await finishing
    *kept, told, _ = messages
    assert [one.message.partition(" ")[0] for one in kept] == [str(number) for number in range(len(kept))]
    left_out = 1000 - len(kept)
    assert (told.message, ends[0].lines_left_out) == (f"({left_out} lines before this one were left out)", left_out)


def test_room_is_made_where_there_is_some_already(ends: Any) -> None:
    ends[0].log("log", "before")
    ends[0].make_room()
    ends[0].log("log", "after")
    assert [one.message for one in _read(ends[1], 2)] == ["before", "after"]


def test_the_last_words_are_said_when_there_is_no_loop(ends: Any) -> None:
    ends[0].log("log", "before")
    ends[0].say(Retired())
    ends[0].finish(5)
    found = _read(ends[1], 2)
    assert isinstance(found[0], Log)
    assert found[1] == Retired()
    assert ends[1].recv(1) == b""


def test_last_words_to_a_host_that_is_gone_are_nobodys(ends: Any) -> None:
    ends[1].close()
    ends[0].say(Retired())
    ends[0].finish(5)
    ends[0].finish(5)


async def test_threads_of_user_code_may_print(ends: Any) -> None:
    ends[0].listen(lambda _: None)
    loop = asyncio.get_running_loop()
    for number in range(3):
        await loop.run_in_executor(None, ends[0].log, "log", f"line {number}")
    found = await loop.run_in_executor(None, lambda: _read(ends[1], 3))
    assert [one.message for one in found] == ["line 0", "line 1", "line 2"]
