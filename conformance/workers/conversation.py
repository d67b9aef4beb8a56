"""A client of a scenario: one connection over a plain socket, each answer as one line of a transcript.

Law 1: it decides nothing by itself: no pong, no Close but by `say_close`, no second try; so both servers are asked the same.
Law 2: what differs from run to run (dates, accept keys, pages of errors) is no part of a line.
"""

import json
import os
import socket
import time
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Self

from websockets.frames import Frame, Opcode
from websockets.utils import accept_key

Address = tuple[str, int]

# Longest wait for what must come, and the wait after which silence is believed, by who has the machine for himself.
LIMIT_S, SILENCE_S = 60.0, 0.7
# A longer message is told by its size.
SHOWN_BYTES = 60
ANSWER_FIELDS = ("upgrade", "sec-websocket-protocol", "sec-websocket-extensions")


def upgrade_fields(**changes: str | None) -> dict[str, str]:
    """The fields of an upgrade, changed by name (`_` for `-`); None takes one out."""
    fields = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": b64encode(os.urandom(16)).decode(),
    }
    for name, value in changes.items():
        fields.pop(name.replace("_", "-"), None)
        if value is not None:
            fields[name.replace("_", "-")] = value
    return fields


def shown_message(data: bytes, *, is_text: bool) -> str:
    """A message as one line."""
    if len(data) > SHOWN_BYTES:
        return f"{'text' if is_text else 'binary'} of {len(data)} bytes"
    return f"text {json.dumps(data.decode(), ensure_ascii=False)}" if is_text else f"binary {data.hex() or 'empty'}"


def shown_close(data: bytes) -> str:
    """A Close frame as one line."""
    if not data:
        return "close empty"
    return (
        f"close {int.from_bytes(data[:2], 'big')} {json.dumps(data[2:].decode(errors='replace'), ensure_ascii=False)}"
    )


class Conversation:
    """One connection and its first answer (`head`). All waits have a limit. `patience`: how many times longer than said it waits
    for what may not come."""

    def __init__(
        self,
        address: Address,
        path: str,
        fields: Mapping[str, str],
        *,
        method: str = "GET",
        body: bytes = b"",
        patience: float = 1.0,
    ) -> None:
        self._patience = patience
        self._socket = socket.create_connection(address, timeout=LIMIT_S)
        self._received = bytearray()
        self._key = fields.get("Sec-WebSocket-Key", "")
        lines = [f"{method} {path} HTTP/1.1", f"Host: {address[0]}:{address[1]}"]
        lines += [f"{name}: {value}" for name, value in fields.items()]
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        self.head = self._answer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.drop()

    def say(self, message: str | bytes) -> None:
        """Send a message in one frame."""
        is_text = isinstance(message, str)
        self.frame(Opcode.TEXT if is_text else Opcode.BINARY, message.encode() if isinstance(message, str) else message)

    def frame(self, opcode: Opcode, data: bytes, *, is_last: bool = True) -> None:
        """Send a frame. If the other side has ended the connection, `hear` says so."""
        self._socket.settimeout(LIMIT_S)
        with suppress(ConnectionError):
            self._socket.sendall(Frame(opcode, data, is_last).serialize(mask=True))

    def say_close(self, code: int | None = None, reason: str = "") -> None:
        """Send a Close, and wait for nothing."""
        self.frame(Opcode.CLOSE, b"" if code is None else code.to_bytes(2, "big") + reason.encode())

    def hear(self, wait_s: float = LIMIT_S) -> str:
        """The next message or control frame, `end`, or `silence`. A Close is not answered."""
        try:
            opcode, data = self._message(time.monotonic() + (wait_s if wait_s == LIMIT_S else wait_s * self._patience))
        except TimeoutError:
            return "silence"
        except (EOFError, ConnectionError):
            return "end"
        if opcode is Opcode.CLOSE:
            return shown_close(data)
        if opcode in {Opcode.TEXT, Opcode.BINARY}:
            return shown_message(data, is_text=opcode is Opcode.TEXT)
        return f"{opcode.name.lower()} {data.hex() or 'empty'}"

    def ask(self, message: str | bytes) -> str:
        """Say it; what is heard next."""
        self.say(message)
        return self.hear()

    def drop(self) -> None:
        """End the connection without a Close."""
        self._socket.close()

    def _answer(self) -> str:
        until = time.monotonic() + LIMIT_S
        try:
            while b"\r\n\r\n" not in self._received:
                self._receive(until)
        except (EOFError, ConnectionError):
            return "end"
        head, _, rest = bytes(self._received).partition(b"\r\n\r\n")
        self._received = bytearray(rest)
        first, *lines = head.decode("latin-1").split("\r\n")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        status = int(first.split()[1])
        said = [f"status {status}", *(f"{name}: {fields[name]}" for name in ANSWER_FIELDS if name in fields)]
        if status == 101 and fields.get("sec-websocket-accept") != accept_key(self._key):
            said.append("with a wrong Sec-WebSocket-Accept")
        return ", ".join(said)

    def _message(self, until: float) -> tuple[Opcode, bytes]:
        opcode, data, is_last = self._frame(until)
        while not is_last:
            _, more, is_last = self._frame(until)
            data += more
        return opcode, data

    def _frame(self, until: float) -> tuple[Opcode, bytes, bool]:
        first, second = self._exactly(2, until)
        size = second & 127
        if size > 125:
            size = int.from_bytes(self._exactly(2 if size == 126 else 8, until), "big")
        return Opcode(first & 15), self._exactly(size, until), bool(first & 128)

    def _exactly(self, size: int, until: float) -> bytes:
        while len(self._received) < size:
            self._receive(until)
        data = bytes(self._received[:size])
        del self._received[:size]
        return data

    def _receive(self, until: float) -> None:
        self._socket.settimeout(max(0.001, until - time.monotonic()))
        if not (data := self._socket.recv(1 << 20)):
            raise EOFError
        self._received += data
