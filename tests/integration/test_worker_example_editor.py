"""The editor of `examples/workers`: writers who write at once, die in between, or speak Yjs end with the same text."""

import asyncio
import itertools
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
    create_update_message,
    handle_sync_message,
)
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from tests.integration.worker_examples import ServedExample, client, example_up, heard, told, until


class Writer:
    """What the page of the editor does, in Python, by somebody who does not type while he waits for an answer."""

    def __init__(self, writer: int) -> None:
        self.writer, self.text, self.base = writer, "", 0
        self._asked: list[tuple[int, int, str]] = []
        self._is_asked = False
        self._socket: ClientConnection | None = None

    async def come(self, socket: ClientConnection) -> None:
        """Say again what got no answer, or ask for what is new."""
        self._socket = socket
        await self.say()
        await self.answered()

    async def write(self, *edits: tuple[int, int, str]) -> None:
        """Do this to the text, say so, and take what others did."""
        self.type(*edits)
        await self.say()
        await self.answered()

    def type(self, *edits: tuple[int, int, str]) -> None:
        """Do this to the text."""
        assert not self._is_asked
        for edit in edits:
            self._do(*edit)
            self._asked.append(edit)

    async def say(self) -> None:
        """Say what was typed, or what was said before and got no answer."""
        assert self._socket is not None
        self._is_asked = True
        await self._socket.send(json.dumps({"base": self.base, "edits": self._asked}))

    async def answered(self) -> None:
        assert self._socket is not None
        while (answer := await told(self._socket)) == {"news": True}:
            pass
        if "whole" in answer:
            assert self.base == 0, "a number was forgotten"
            self.text = answer["whole"]
        for edit in answer.get("edits", ()):
            self._do(*edit)
        self.base = answer["base"]
        self._asked.clear()
        self._is_asked = False

    @property
    def is_asked(self) -> bool:
        """Whether what was said last got no answer."""
        return self._is_asked

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


def path_of(document: str, writer: int) -> str:
    return f"/docs/{document}?client=writer-{writer}"


@asynccontextmanager
async def writer(served: ServedExample, document: str, number: int) -> AsyncIterator[Writer]:
    async with client(served, path_of(document, number)) as socket:
        one = Writer(number)
        await one.come(socket)
        yield one


def test_writers_of_a_text_who_write_at_once_end_with_the_same_text(editor: ServedExample) -> None:
    async def much(one: Writer, words: list[str], seed: int) -> None:
        chance = random.Random(seed)
        for word in words:
            await one.write((chance.randint(0, len(one.text)), 0, word))
            if one.text and chance.random() < 0.3:
                await one.write((0, 1, one.text[0]), (len(one.text), 0, ""))

    async def scenario() -> None:
        async with (
            writer(editor, "much", 1) as ann,
            writer(editor, "much", 2) as bob,
            writer(editor, "much", 3) as eve,
        ):
            alphabet = ["ab", "é😀", "\n\u4e2d"]
            writers = [ann, bob, eve]
            await asyncio.gather(*(much(one, [alphabet[at]] * 40, at) for at, one in enumerate(writers)))
            # Each asks once more, and has what the others wrote last.
            for one in writers:
                await one.write()
            assert ann.text == bob.text == eve.text
            assert len(ann.text) + 40 >= 240
            for character in "b😀\u4e2d":
                assert ann.text.count(character) >= 40
        async with writer(editor, "much", 4) as new:
            assert new.text == ann.text

    asyncio.run(scenario())


def test_edits_at_the_same_place_are_all_kept_and_deletions_meet(editor: ServedExample) -> None:
    async def scenario() -> None:
        async with writer(editor, "same", 1) as ann, writer(editor, "same", 2) as bob:
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
        one = Writer(number + 1)
        async with client(editor, path_of("killed", one.writer)) as socket:
            await one.come(socket)
            one.type((0, 0, f"<{number}>"))
            await one.say()
            os.kill(editor.process, signal.SIGKILL)
        # It saw no answer, whether there was one or not.
        async with client(editor, path_of("killed", one.writer)) as socket:
            await one.come(socket)
            assert one.text.count(f"<{number}>") == 1

    async def scenario() -> None:
        for number in range(4):
            await round_of(number)
        async with writer(editor, "killed", 9) as reader:
            assert sorted(reader.text) == sorted("".join(f"<{number}>" for number in range(4)))

    asyncio.run(scenario())


FILLER = "-" * 40
# Each character that is typed is another, so that it shows when one is there twice.
FIRST_TYPED, LAST_TYPED = 0x4E00, 0x9FFF


class Party:
    """Writers of one document who come and go."""

    def __init__(self, served: ServedExample, document: str, chance: random.Random) -> None:
        self._served, self._document, self._chance = served, document, chance
        self._characters = map(chr, range(FIRST_TYPED, LAST_TYPED))
        self.written = list[str]()
        self.writers = [Writer(number) for number in (1, 2, 3)]

    def scattered(self, text: str) -> Iterator[tuple[int, int, str]]:
        """Edits at places far from each other: what is typed, and a little of the filler taken away."""
        for _ in range(self._chance.randint(0, 4)):
            at, delete = self._chance.randint(0, len(text)), self._chance.randint(0, 2)
            if text[at : at + delete] != "-" * delete:
                delete = 0
            insert = "".join(itertools.islice(self._characters, self._chance.randint(1, 3)))
            self.written.extend(insert)
            yield at, delete, insert
            text = text[:at] + insert + text[at + delete :]

    async def visit(self, one: Writer, *, is_heard: bool) -> None:
        """Online for some exchanges; the last may get no answer."""
        async with client(self._served, path_of(self._document, one.writer)) as socket:
            await one.come(socket)
            for _ in range(self._chance.randint(0, 3)):
                await one.write(*self.scattered(one.text))
            if not is_heard:
                one.type(*self.scattered(one.text))
                await one.say()

    async def turn(self) -> None:
        """Some come, all at once; then all write offline who do not wait for an answer."""
        visitors = self._chance.sample(self.writers, self._chance.randint(1, 3))
        await asyncio.gather(*(self.visit(one, is_heard=self._chance.random() < 0.5) for one in visitors))
        for one in self.writers:
            # Offline, who knows no text yet has none to write in.
            if one.base and not one.is_asked:
                one.type(*self.scattered(one.text))


@pytest.mark.timeout(180)
@pytest.mark.parametrize("seed", range(3))
def test_whoever_is_offline_dies_or_is_not_answered_finds_each_character_once(seed: int, editor: ServedExample) -> None:
    async def scenario() -> None:
        document = f"random-{seed}"
        party = Party(editor, document, random.Random(seed))
        async with writer(editor, document, 100) as first:
            await first.write((0, 0, FILLER))
        for number in range(20):
            await party.turn()
            if number % 4 == 3:
                os.kill(editor.process, signal.SIGKILL)
        for one in party.writers:
            await party.visit(one, is_heard=True)
        async with writer(editor, document, 101) as reader:
            for one in party.writers:
                async with client(editor, path_of(document, one.writer)) as socket:
                    await one.come(socket)
                assert one.text == reader.text
        assert sorted(reader.text.replace("-", "")) == sorted(party.written)
        assert reader.text.count("-") < len(FILLER)

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
            async with writer(editor, "shared", 1) as page:
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


def test_a_page_whose_number_nobody_knows_is_told_the_whole_and_its_edits_are_not_in_it(editor: ServedExample) -> None:
    async def scenario() -> None:
        async with writer(editor, "forgotten", 1) as one:
            await one.write((0, 0, "kept"))
        async with client(editor, path_of("forgotten", 2)) as socket:
            for base in (0, 17, one.base + 1, 2**70, -1):
                await socket.send(json.dumps({"base": base, "edits": [[0, 0, "lost"]]}))
                assert await told(socket) == {"base": one.base, "whole": "kept"}

    asyncio.run(scenario())


def test_a_page_sees_an_image_of_an_editor_as_one_character_and_may_delete_it(editor: ServedExample) -> None:
    async def scenario() -> None:
        mine: Doc[Any] = Doc()
        text = mine.get("text", type=Text)
        text += "aéz"
        text.insert_embed(3, {"image": "x"})
        page = Writer(1)
        async with client(editor, "/yjs/embed") as socket, client(editor, path_of("embed", 1)) as pages:
            await page.come(pages)
            await socket.send(create_update_message(mine.get_update()))
            await until(pages, lambda one: one == json.dumps({"news": True}))
            await page.write()
            await page.write((0, 0, "<"))
            assert page.text == "<aé\ufffcz"
            await page.write((5, 0, ">"), (4, 0, "\ufffc"))
            async with writer(editor, "embed", 2) as other:
                assert other.text == page.text == "<aé\ufffc\ufffcz>"
                await other.write((3, 1, ""), (3, 1, "é"))
                await page.write()
                assert other.text == page.text == "<aééz>"

    asyncio.run(scenario())


def test_what_a_page_says_of_the_same_number_a_second_time_changes_nothing(editor: ServedExample) -> None:
    async def scenario() -> None:
        async with writer(editor, "again", 1) as one:
            await one.write((0, 0, "base"))
            base = one.base
            await one.write((2, 0, "a"))
            await one.write((0, 0, "!"))
        for said in ("a", "other", "😀"):
            async with client(editor, path_of("again", 1)) as socket:
                await socket.send(json.dumps({"base": base, "edits": [[2, 0, said]]}))
                assert await told(socket) == {"base": one.base, "edits": [[0, 0, "!"]]}
        async with writer(editor, "again", 2) as reader:
            assert reader.text == "!baase"

    asyncio.run(scenario())


def test_an_update_of_yjs_that_contradicts_another_closes_its_client_and_harms_no_text(editor: ServedExample) -> None:
    async def scenario() -> None:
        docs = [Doc[Any](client_id=77) for _ in range(2)]
        for doc, text in zip(docs, ("a", "😀"), strict=True):
            doc["text"] = Text(text)
        # The second as one would say it who had heard of the first: it begins within a character.
        updates = [docs[0].get_update(), docs[1].get_update(docs[0].get_state())]
        async with client(editor, "/yjs/contradicted") as socket:
            for update in updates:
                await socket.send(create_update_message(update))
            with pytest.raises(ConnectionClosed) as closed:
                await until(socket, lambda _: False)
            assert closed.value.rcvd is not None
            assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1008, "an update contradicts another")
        async with writer(editor, "contradicted", 1) as one:
            assert one.text == "a"
            await one.write((1, 0, "b"))
        async with writer(editor, "contradicted", 2) as two:
            assert two.text == "ab"

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/docs/bad?client=writer-1", "no JSON"),
        ("/docs/bad?client=writer-1", "[]"),
        ("/docs/bad?client=writer-1", '{"base": NOW, "edits": [[0, 1, ""]]}'),
        ("/docs/bad?client=writer-1", '{"base": NOW, "edits": [[-1, 0, "x"]]}'),
        ("/docs/bad?client=writer-1", '{"base": NOW, "edits": [[0, 0, "' + "x" * 50_001 + '"]]}'),
        ("/docs/bad?client=writer-1", '{"base": NOW, "edits": [' + ", ".join(['[0, 0, "x"]'] * 101) + "]}"),
        ("/docs/bad?client=writer-1", b"\xff"),
        ("/yjs/bad", "text"),
        ("/yjs/bad", b"\x00"),
        ("/yjs/bad", b"\x00\x02"),
        ("/yjs/bad", b"\x01" + bytes(1024 * 1024)),
        ("/yjs/bad", b"\x00\x02\x03abc"),
        ("/yjs/bad", b"\x00\x02\xff\xff\xff\xff\xff"),
        ("/docs/bad?client=writer-2", '{"base": "0", "edits": []}'),
        ("/docs/bad?client=writer-2", '{"base": NOW, "edits": [[0, 0, "\\ud83d"]]}'),
        ("/docs/bad?client=writer-2", "[" * 100_000),
    ],
)
def test_an_editor_closes_a_client_that_makes_no_sense(path: str, message: str | bytes, editor: ServedExample) -> None:
    async def scenario() -> None:
        async with client(editor, path) as socket:
            sent = message
            if isinstance(sent, str) and path.startswith("/docs/"):
                one = Writer(9)
                await one.come(socket)
                sent = sent.replace("NOW", str(one.base))
            await socket.send(sent)
            with pytest.raises(ConnectionClosed) as closed:
                await until(socket, lambda _: False)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1008
        async with writer(editor, "bad", 9) as reader:
            assert reader.text == ""

    asyncio.run(scenario())
