"""The Workers of `examples/workers` do what their READMEs say, for clients that are not ours."""

import asyncio
import json
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from holdfast.workers.sdk import importing
from tests.integration.frames import CLOSE, FrameReader
from tests.integration.origin import Origin
from tests.integration.waiting import PATIENT
from tests.integration.worker_examples import EXAMPLES, LIMIT_S, ServedExample, client, example_up, heard, told, until

NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/worker.py"))


async def status_of(served: ServedExample, path: str) -> int:
    """With what a handshake is refused."""
    with pytest.raises(InvalidStatus) as refused:
        async with client(served, path):
            pass
    return refused.value.response.status_code


@pytest.mark.timeout(150)
def test_the_examples_pass_strict_mypy(tmp_path: Path) -> None:
    source = Path(importing.USER_PATH).parents[3]
    ran = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", "", "--strict", "--namespace-packages",
         "--explicit-package-bases", "--python-version", "3.11", "--cache-dir", str(tmp_path / "cache"),
         *(f"{name}/worker.py" for name in NAMES)],
        cwd=EXAMPLES, env={**os.environ, "MYPYPATH": os.pathsep.join([importing.USER_PATH, str(source), str(EXAMPLES / "editor")])},
        capture_output=True, text=True, timeout=140, check=False,
    )  # fmt: skip
    assert ran.stdout.startswith("Success"), ran.stdout + ran.stderr


@pytest.mark.parametrize("name", NAMES)
def test_a_readme_is_short_and_says_how_the_example_is_run(name: str) -> None:
    lines = (EXAMPLES / name / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 30
    assert any(line.startswith(("holdfast up", "make run")) and f"examples/workers/{name}" in line for line in lines)


def test_a_chat_tells_who_is_there_and_what_was_said() -> None:
    async def scenario(served: ServedExample) -> None:
        async with client(served, "/rooms/lobby?as=ann") as ann:
            assert await told(ann) == {"here": ["ann"], "said": []}
            async with client(served, "/rooms/lobby?as=bob") as bob, client(served, "/rooms/other?as=eve") as eve:
                assert await told(bob) == {"here": ["ann", "bob"], "said": []}
                assert await told(ann) == {"came": "bob"}
                await bob.send(json.dumps({"say": "héllo"}))
                (row,) = (await told(ann))["said"]
                assert (row["id"], row["who"], row["text"]) == (1, "bob", "héllo")
                assert await told(bob) == {"said": [row]}
                # Another room hears nothing of it.
                assert await told(eve) == {"here": ["eve"], "said": []}
                # Of somebody's windows the last one counts.
                async with client(served, "/rooms/lobby?as=bob") as again:
                    assert await told(again) == {"here": ["ann", "bob"], "said": [row]}
            assert await told(ann) == {"went": "bob"}
            await ann.send(json.dumps({"say": "again"}))
            (newer,) = (await told(ann))["said"]
            async with client(served, f"/rooms/lobby?as=bob&since={row['id']}") as bob:
                assert await told(bob) == {"here": ["ann", "bob"], "said": [newer]}

    with example_up("chat") as served:
        asyncio.run(scenario(served))


def test_a_chat_refuses_what_it_cannot_keep_and_answers_pings_without_waking() -> None:
    async def scenario(served: ServedExample) -> None:
        async with client(served, "/rooms/lobby?as=ann") as ann:
            await told(ann)
            for refused in (
                "no JSON",
                "[]",
                '{"say": ""}',
                '{"say": 1}',
                json.dumps({"say": "x" * 2_001}),
                b"\xff\xfe",
                '{"say": "\\ud800"}',
                "[" * 100_000,
            ):
                await ann.send(refused)
                assert list(await told(ann)) == ["refused"]
            await ann.send("ping")
            assert await heard(ann) == "pong"
        for since in ("\u00b2", "9" * 20, "-1", "x", ""):
            async with client(served, f"/rooms/lobby?as=eve&since={quote(since)}") as eve:
                assert (await told(eve))["said"] == []
        assert await status_of(served, "/rooms/lobby") == 400
        assert await status_of(served, f"/rooms/lobby?as={'x' * 33}") == 400
        assert await status_of(served, "/rooms/?as=ann") == 404
        assert served.get("/rooms/lobby?as=ann").status_code == 426

    with example_up("chat") as served:
        asyncio.run(scenario(served))


@pytest.fixture(scope="module")
def canvas() -> Iterator[ServedExample]:
    with example_up("canvas") as served:
        yield served


SNAPSHOT, CHANGES = 0, 1
WIDTH, HEIGHT = 96, 64


class Drawing:
    """A canvas as a client has it: what a page does, in Python."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self.revision = 0
        self.batches = 0
        self.cells = bytearray()

    async def begin(self) -> "Drawing":
        """Have the whole."""
        while not self.cells:
            await self.hear()
        return self

    async def hear(self) -> None:
        """Take one message. Fails where a batch is missing."""
        message = await heard(self._socket)
        if isinstance(message, str):
            return
        kind, revision = struct.unpack_from("<BI", message)
        if kind == SNAPSHOT:
            assert struct.unpack_from("<BB", message, 5) == (WIDTH, HEIGHT)
            self.cells[:] = message[7:]
        else:
            assert (kind, revision) == (CHANGES, self.revision + 1)
            self.batches += 1
            for x, y, colour in struct.iter_unpack("<BBB", message[5:]):
                self.cells[y * WIDTH + x] = colour
        self.revision = revision

    async def paint(self, *cells: tuple[int, int, int]) -> None:
        await self._socket.send(b"".join(struct.pack("<BBB", *cell) for cell in cells))

    async def until_has(self, *cells: tuple[int, int, int]) -> None:
        """Hear on until all of these are painted so."""
        while any(self.cells[y * WIDTH + x] != colour for x, y, colour in cells):
            await self.hear()


def test_a_canvas_is_the_same_for_all_who_draw_and_batches_what_they_paint() -> None:
    async def scenario(served: ServedExample) -> None:
        path = "/canvases/lobby"
        async with client(served, path) as first, client(served, path) as second:
            ann, bob = await Drawing(first).begin(), await Drawing(second).begin()
            assert ann.cells == bob.cells == bytearray(WIDTH * HEIGHT)
            lines = [(x, 10, 4) for x in range(WIDTH)], [(20, y, 11) for y in range(HEIGHT) if y != 10]
            for cell in lines[0]:
                await ann.paint(cell)
            await bob.paint(*lines[1])
            await ann.until_has(*lines[0], *lines[1])
            await bob.until_has(*lines[0], *lines[1])
            assert ann.cells == bob.cells
            assert ann.batches < len(lines[0])
            async with client(served, path) as third:
                assert (await Drawing(third).begin()).cells == ann.cells

    with example_up("canvas") as served:
        asyncio.run(scenario(served))


def test_a_canvas_sends_a_batch_without_cells_when_all_have_paused(canvas: ServedExample) -> None:
    async def scenario() -> None:
        async with client(canvas, "/canvases/paused") as socket:
            ann = await Drawing(socket).begin()
            await ann.paint((1, 1, 3))
            await ann.until_has((1, 1, 3))
            assert ann.revision == 1
            # Who went without the last batch sees it by this one's number.
            assert await until(socket, lambda one: isinstance(one, bytes)) == struct.pack("<BI", CHANGES, 2)

    asyncio.run(scenario())


def test_a_canvas_lives_on_when_its_process_is_killed_while_somebody_paints() -> None:
    async def scenario(served: ServedExample) -> None:
        async with client(served, "/canvases/lobby") as socket:
            ann = await Drawing(socket).begin()
            await ann.paint((1, 1, 3))
            await ann.until_has((1, 1, 3))
            # Under way when the process dies: its batch is written 50 ms later at the earliest.
            await ann.paint((2, 2, 5))
            os.kill(served.process, signal.SIGKILL)
            await ann.paint((3, 3, 6))
            # Whatever became of the first's batch, the whole has both: the edge kept the message, or the disk the cell.
            while tuple(ann.cells[place * WIDTH + place] for place in (1, 2, 3)) != (3, 5, 6):
                await socket.send(b"")
                message = await until(socket, lambda one: isinstance(one, bytes) and one[0] == SNAPSHOT)
                assert isinstance(message, bytes)
                ann.cells[:] = message[7:]

    with example_up("canvas") as served:
        asyncio.run(scenario(served))


@pytest.mark.parametrize("message", ["text", b"\1\2", bytes(3 * 129), b"\x60\0\0", b"\0\x40\0", b"\0\0\x10"])
def test_a_canvas_closes_a_client_that_sends_no_cells(message: str | bytes, canvas: ServedExample) -> None:
    async def scenario() -> None:
        async with client(canvas, "/canvases/lobby") as socket:
            await socket.send(message)
            with pytest.raises(ConnectionClosed) as closed:
                await until(socket, lambda _: False)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1008

    asyncio.run(scenario())


@pytest.fixture(scope="module")
def limiter(origin: Origin) -> Iterator[ServedExample]:
    with example_up("rate_limiter", origin.url) as served:
        yield served


def test_a_rate_limiter_lets_ten_upgrades_pass_and_the_origin_has_them(limiter: ServedExample) -> None:
    async def scenario() -> None:
        assert limiter.get("/status/200").status_code == 200
        left = limiter.get("/limiter/left").json()
        assert left == {"may": True, "left": 10, "wait_ms": 0}
        opened, refused = 0, list[InvalidStatus]()
        # One more comes back each second, however slow this machine is: it is asked faster than that, or not within the limit.
        async with asyncio.timeout(LIMIT_S):
            while not refused:
                try:
                    async with client(limiter, "/echo") as socket:
                        opened += 1
                        await socket.send("héllo")
                        assert await heard(socket) == "héllo"
                except InvalidStatus as error:
                    refused.append(error)
        assert opened >= 10
        answer = refused[0].response
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "1")
        assert answer.body == b"Too many WebSockets. Try again later.\n"
        # What is no upgrade is not counted.
        assert limiter.get("/status/404").status_code == 404

    asyncio.run(scenario())


def test_a_rate_limiter_counts_an_ipv6_network_of_a_customer_as_one_client() -> None:
    addresses = ["192.0.2.7", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::1", "2001:db8:1:3::1"]
    code = "import sys, worker; print(*map(worker.client_of, sys.argv[1:]))"
    ran = subprocess.run(
        [sys.executable, "-B", "-c", code, *addresses], capture_output=True, text=True, timeout=100, check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([importing.USER_PATH, str(EXAMPLES / "rate_limiter")])},
    )  # fmt: skip
    assert ran.stdout.split() == ["192.0.2.7", "2001:db8:1:2::/64", "2001:db8:1:2::/64", "2001:db8:1:3::/64"]


@pytest.fixture(scope="module")
def proxy(origin: Origin) -> Iterator[ServedExample]:
    with example_up("rewriting_proxy", origin.url) as served:
        yield served


@pytest.mark.parametrize(
    ("said", "answered"),
    [
        ("nothing to see", "nothing to see"),
        ("pay 4111 1111 1111 1111 now", "pay (card …1111) now"),
        ("5500-0000-0000-0004", "(card …0004)"),
        ("4111 1111 1111 1112", "4111 1111 1111 1112"),
        ("order 12345678901234567890123", "order 12345678901234567890123"),
        (b"4111 1111 1111 1111", b"4111 1111 1111 1111"),
        ("", ""),
    ],
)
def test_a_proxy_rewrites_each_message(said: str | bytes, answered: str | bytes, proxy: ServedExample) -> None:
    async def scenario() -> None:
        async with client(proxy, "/echo") as socket:
            # Dropped on the way: the answer to what follows is the first that comes.
            await socket.send("-----BEGIN RSA PRIVATE KEY-----\nMIIE")
            await socket.send(said)
            assert await heard(socket) == answered

    asyncio.run(scenario())


def test_a_proxy_gives_the_same_address_the_same_pseudonym(proxy: ServedExample) -> None:
    async def scenario() -> None:
        async with client(proxy, "/echo") as socket:
            await socket.send("192.0.2.7 and 192.0.2.8 and 192.0.2.7")
            first, second, third = str(await heard(socket)).split(" and ")
            assert first == third != second
            assert first.startswith("guest-")

    asyncio.run(scenario())


def test_a_proxy_hands_over_what_the_origin_says_of_handshake_and_close(proxy: ServedExample) -> None:
    async def scenario() -> None:
        async with client(proxy, "/echo?protocol=chat", subprotocols=["other", "chat"]) as socket:
            assert socket.subprotocol == "chat"
        assert await status_of(proxy, "/status/401") == 401
        for path, code, reason in (("/close/4321?reason=moving", 4321, "moving"), ("/close/1000", 1000, "")):
            async with client(proxy, path) as socket:
                with pytest.raises(ConnectionClosed) as closed:
                    await heard(socket)
                assert closed.value.rcvd is not None
                assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (code, reason)
        assert proxy.get("/status/200").status_code == 200

    asyncio.run(scenario())


def test_a_proxy_passes_long_messages_on_and_looks_into_no_text_that_is_too_long(proxy: ServedExample) -> None:
    async def scenario() -> None:
        async with client(proxy, "/echo", max_size=None) as socket:
            for long in (bytes(10 * 1024 * 1024), "1 " * 128 * 1024):
                await socket.send(long)
                assert await heard(socket) == long
            await socket.send("1" * (256 * 1024 + 1))
            with pytest.raises(ConnectionClosed) as closed:
                await heard(socket)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1009

    asyncio.run(scenario())


def test_a_proxy_closes_a_client_that_does_not_read_before_it_fills_memory(
    proxy: ServedExample, origin: Origin, token: str
) -> None:
    async def scenario() -> None:
        # A GiB in what the origin sends as fast as it is taken; the client takes a message, and then nothing.
        path = f"/flood?bytes={1 << 30}&{token}"
        async with connect(proxy.url(path), ping_interval=None, max_queue=1, compression=None, **PATIENT) as socket:
            seen = await asyncio.to_thread(origin.find, token)
            await asyncio.to_thread(seen.until, lambda one: closed_with(one.after_head), what="a Close of the Worker")
            assert closed_with(seen.after_head) == 1013
            with pytest.raises(ConnectionClosed) as closed:
                await until(socket, lambda _: False)
            assert closed.value.rcvd is not None
            assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1013, "this side reads too slowly")

    asyncio.run(scenario())


def closed_with(sent: bytes) -> int | None:
    """The code of the Close among these bytes of a client, if there is one."""
    closes = [frame for frame in FrameReader().feed(sent) if frame.opcode == CLOSE]
    return closes[0].close_code if closes else None
