"""The editor of `examples/workers`: writers who write at once, die in between, or speak Yjs end with the same text."""

import asyncio
import json
import os
import random
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pycrdt import (
    Doc,
    Text,
    YMessageType,
    YSyncMessageType,
    create_awareness_message,
    create_sync_message,
    handle_sync_message,
)
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from tests.integration.worker_examples import ServedExample, client, example_up, heard, told, until


class Writer:
    """What the page of the editor does, in Python, without anybody who types while it waits."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self.text, self.number = "", 0

    async def begin(self) -> int:
        """Have the text; which of this page's exchanges are in it."""
        whole = await told(self._socket)
        self.text = whole["whole"]
        return int(whole["number"])

    async def write(self, *edits: tuple[int, int, str]) -> None:
        """Do this to the text, say so, and take what others did."""
        for edit in edits:
            self._do(*edit)
        await self.say(*edits)
        await self.answered()

    async def say(self, *edits: tuple[int, int, str]) -> None:
        self.number += 1
        await self._socket.send(json.dumps({"number": self.number, "edits": edits}))

    async def answered(self) -> None:
        while (answer := await told(self._socket)) == {"news": True}:
            pass
        assert answer["number"] == self.number
        for edit in answer["edits"]:
            self._do(*edit)

    def _do(self, at: int, delete: int, insert: str) -> None:
        self.text = self.text[:at] + insert + self.text[at + delete :]


def body_of(message: str | bytes) -> bytes:
    """Of a message of Yjs, without its kind."""
    assert isinstance(message, bytes)
    return message[1:]


@pytest.fixture(scope="module")
def editor() -> Iterator[ServedExample]:
    with example_up("editor") as served:
        yield served


@asynccontextmanager
async def writer(served: ServedExample, document: str, name: str) -> AsyncIterator[Writer]:
    async with client(served, f"/docs/{document}?client=writer-{name}") as socket:
        one = Writer(socket)
        await one.begin()
        yield one


def test_writers_of_a_text_who_write_at_once_end_with_the_same_text(editor: ServedExample) -> None:
    async def much(one: Writer, words: list[str], seed: int) -> None:
        chance = random.Random(seed)
        for word in words:
            await one.write((chance.randint(0, len(one.text)), 0, word))
            if one.text and chance.random() < 0.3:
                await one.write((0, 1, one.text[0]), (len(one.text), 0, ""))

    async def scenario() -> None:
        names = ["ann", "bob", "eve"]
        async with (
            writer(editor, "much", "ann") as ann,
            writer(editor, "much", "bob") as bob,
            writer(editor, "much", "eve") as eve,
        ):
            alphabet = ["ab", "é😀", "\n\u4e2d"]
            writers = [ann, bob, eve]
            await asyncio.gather(*(much(one, [alphabet[at]] * 40, at) for at, one in enumerate(writers)))
            # Each asks once more, and has what the others wrote last.
            for one in writers:
                await one.write()
            assert ann.text == bob.text == eve.text
            assert len(names) * 80 <= len(ann.text) + 40
            for character in "b😀\u4e2d":
                assert ann.text.count(character) >= 40
        async with writer(editor, "much", "new-one") as new:
            assert new.text == ann.text

    asyncio.run(scenario())


def test_edits_at_the_same_place_are_all_kept_and_deletions_meet(editor: ServedExample) -> None:
    async def scenario() -> None:
        async with writer(editor, "same", "ann-ann") as ann, writer(editor, "same", "bob-bob") as bob:
            await ann.write((0, 0, "one two three"))
            await bob.write()
            assert bob.text == "one two three"
            # Bob has not heard of it when he writes.
            await ann.write((4, 4, "2 "))
            await bob.write((0, 7, "1"), (1, 0, "!"))
            await ann.write()
            assert ann.text == bob.text
            assert "2" in ann.text
            assert ann.text.startswith("1!")
            assert "two" not in ann.text
            assert ann.text.endswith(" three")

    asyncio.run(scenario())


@pytest.mark.timeout(120)
def test_what_was_written_when_the_process_died_is_in_the_text_once(editor: ServedExample) -> None:
    async def round_of(number: int) -> None:
        path = f"/docs/killed?client=killed-{number}"
        async with client(editor, path) as socket:
            one = Writer(socket)
            await one.begin()
            await one.say((0, 0, f"<{number}>"))
            os.kill(editor.process, signal.SIGKILL)
            try:
                async with asyncio.timeout(5):
                    message = await until(socket, lambda one: "news" not in json.loads(one))
            except TimeoutError:
                message = ""
        if message and json.loads(message).get("number") == 1:
            return
        # No answer, or the whole without it: it comes back, and is told whether it was heard.
        async with client(editor, path) as socket:
            again = Writer(socket)
            if await again.begin() == 0:
                await again.write((0, 0, f"<{number}>"))

    async def scenario() -> None:
        for number in range(4):
            await round_of(number)
        async with writer(editor, "killed", "reader") as reader:
            assert sorted(reader.text) == sorted("".join(f"<{number}>" for number in range(4)))

    asyncio.run(scenario())


def test_a_yjs_client_and_a_page_write_in_the_same_text(editor: ServedExample) -> None:
    async def scenario() -> None:
        mine: Doc[Any] = Doc()
        text = mine.get("text", type=Text)
        text += "from yjs "
        async with client(editor, "/yjs/shared") as socket, client(editor, "/yjs/shared") as other:
            # Who has what, both ways.
            await socket.send(create_sync_message(mine))
            while (message := await heard(socket))[1] != YSyncMessageType.SYNC_STEP2:
                answer = handle_sync_message(body_of(message), mine)
                assert answer is not None
                await socket.send(answer)
            async with writer(editor, "shared", "page") as page:
                assert page.text == "from yjs "
                await page.write((9, 0, "and é from the page"))
                while str(text) != page.text:
                    message = await until(socket, lambda one: one[0] == YMessageType.SYNC)
                    handle_sync_message(body_of(message), mine)
            assert str(text) == "from yjs and é from the page"
            # Who is where is for the others.
            await socket.send(create_awareness_message(b"here"))
            await until(other, lambda one: one == create_awareness_message(b"here"))

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/docs/bad?client=bad-client", "no JSON"),
        ("/docs/bad?client=bad-client", "[]"),
        ("/docs/bad?client=bad-client", '{"number": 1, "edits": [[0, 1, ""]]}'),
        ("/docs/bad?client=bad-client", '{"number": 1, "edits": [[-1, 0, "x"]]}'),
        ("/docs/bad?client=bad-client", json.dumps({"number": 1, "edits": [[0, 0, "x" * 50_001]]})),
        ("/docs/bad?client=bad-client", json.dumps({"number": 1, "edits": [[0, 0, "x"]] * 101})),
        ("/docs/bad?client=bad-client", b"\xff"),
        ("/yjs/bad", "text"),
        ("/yjs/bad", b"\x00"),
        ("/yjs/bad", b"\x00\x02"),
        ("/yjs/bad", b"\x01" + bytes(1024 * 1024)),
        ("/yjs/bad", b"\x00\x02\x03abc"),
        ("/yjs/bad", b"\x00\x02\xff\xff\xff\xff\xff"),
        ("/docs/bad?client=some-client", json.dumps({"number": 2**70, "edits": [[0, 0, "a"]]})),
        ("/docs/bad?client=some-client", "[" * 100_000),
    ],
)
def test_an_editor_closes_a_client_that_makes_no_sense(path: str, message: str | bytes, editor: ServedExample) -> None:
    async def scenario() -> None:
        async with client(editor, path) as socket:
            await socket.send(message)
            with pytest.raises(ConnectionClosed) as closed:
                await until(socket, lambda _: False)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1008
        async with writer(editor, "bad", "reader") as reader:
            assert reader.text == ""

    asyncio.run(scenario())
