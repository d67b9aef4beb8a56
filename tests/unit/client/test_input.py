"""Lines in: from a prompt, and from a pipe cut anywhere."""

import asyncio
import os
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from holdfast.client.input import piped_lines, typed_lines


async def _all(lines: AsyncIterator[str]) -> list[str]:
    async with asyncio.timeout(30):
        return [line async for line in lines]


async def _piped(pieces: list[bytes]) -> list[str]:
    """The lines of a pipe that is written piece by piece."""
    reader, writer = os.pipe()
    try:
        reading = asyncio.create_task(_all(piped_lines(reader)))
        for piece in pieces:
            await asyncio.to_thread(os.write, writer, piece)
        os.close(writer)
        return await reading
    finally:
        os.close(reader)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (b"", []),
        (b"one\ntwo\n", ["one", "two"]),
        (b"one\r\n\r\nlast", ["one", "", "last"]),
        (b"\n", [""]),
        ("wörld\n".encode(), ["wörld"]),
        (b"\xff\n", ["\ufffd"]),
    ],
)
async def test_lines_of_a_pipe_come_without_their_ends(text: bytes, lines: list[str]) -> None:
    assert await _piped([text]) == lines


@given(st.lists(st.binary(min_size=1, max_size=8), max_size=5))
def test_any_chopping_gives_the_same_lines(pieces: list[bytes]) -> None:
    whole = b"".join(pieces)
    assert asyncio.run(_piped(pieces)) == asyncio.run(_piped([whole] if whole else []))


async def test_a_file_is_read_as_a_pipe_is(tmp_path: os.PathLike[str]) -> None:
    path = os.path.join(tmp_path, "lines")  # noqa: PTH118
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        os.write(descriptor, b"x" * 200_000 + b"\ny")
        os.lseek(descriptor, 0, os.SEEK_SET)
        assert [len(line) for line in await _all(piped_lines(descriptor))] == [200_000, 1]
    finally:
        os.close(descriptor)


@pytest.mark.parametrize("end", ["\x04", "\x03"], ids=["Ctrl-D", "Ctrl-C"])
async def test_a_prompt_gives_lines_until_a_person_leaves(end: str) -> None:
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        keys.send_text("hello\r\rworld\r" + end)
        assert await _all(typed_lines()) == ["hello", "world"]
