"""The lines between the host of scripts and a script's process."""

import json
import struct

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.worker_messages import (
    MAX_LINE_BYTES,
    TURN_FILE_BYTES,
    TURN_FORMAT,
    Counters,
    DurableObjectBinding,
    Event,
    HostMessage,
    LineReader,
    Load,
    Loaded,
    LoadFailed,
    Log,
    ProcessMessage,
    Retire,
    Retired,
    Serve,
    Serving,
    WorkerLimits,
    WorkerLinkError,
    host_messages,
    line,
    process_messages,
)

LOAD = Load(
    key="0123456789ab",
    name="chat",
    version="v1",
    code_dir="/d/workers/0123456789ab/versions/v1/code",
    main="worker.py",
    http_fd=5,
    channel_fd=6,
    egress_path="/d/workers/egress.sock",
    objects_dir="/d/workers/0123456789ab/objects",
    run_dir="/d/workers/0123456789ab/run/1",
    turn_file="/d/workers/0123456789ab/run/1/turn",
    vars={"GREETING": "hello", "LEVELS": [1, {"a": None}]},
    secrets={"TOKEN": "hush"},
    durable_objects=(DurableObjectBinding(name="ROOM", class_name="Room"),),
    storages={"Room": "sqlite"},
    limits=WorkerLimits(cpu_ms=500, memory_mb=64),
)
FROM_THE_HOST: tuple[HostMessage, ...] = (
    LOAD,
    Serve(),
    Serve(died_in=Event(sid=2**64 - 1, seq=2**32 - 1)),
    Retire(limit_s=10.0),
    Retire(limit_s=1.5, linger_s=30.0, reason="inactive"),
)
FROM_A_PROCESS: tuple[ProcessMessage, ...] = (
    Loaded(handlers=("fetch",), classes=("Room",)),
    LoadFailed(error="SyntaxError: invalid syntax", traceback='Traceback\n  File "worker.py"\n'),
    Serving(),
    Log(level="error", message="two\nlines, ünd \u2028", ts_ms=1_790_000_000_000, ray="8f", kind="exception"),
    Counters(counters={"requests": 3}, objects={"Room": 1}),
    Retired(),
)


@given(st.lists(st.integers(1, 2000), max_size=20))
def test_any_chopping_gives_the_same_messages(sizes: list[int]) -> None:
    whole = b"".join(line(message) for message in FROM_A_PROCESS)
    reader, at = process_messages(), 0
    came: list[ProcessMessage] = []
    for size in [*sizes, len(whole)]:
        came += reader.feed(whole[at : at + size])
        at += size
    assert tuple(came) == FROM_A_PROCESS


def test_what_the_host_says_comes_as_it_was_said() -> None:
    assert tuple(host_messages().feed(b"".join(line(message) for message in FROM_THE_HOST))) == FROM_THE_HOST


def test_a_message_is_one_line() -> None:
    assert all(line(message).count(b"\n") == 1 for message in (*FROM_THE_HOST, *FROM_A_PROCESS))


def test_a_field_of_a_later_version_is_passed_over() -> None:
    said = json.loads(line(Serve())) | {"novelty": 1}
    assert list(host_messages().feed(json.dumps(said).encode() + b"\n")) == [Serve()]


@pytest.mark.parametrize(
    "data", [b"\n", b"{}\n", b'{"type":"novelty"}\n', b'{"type":"retire"}\n', b"\xff\n", b"[" * 100_000 + b"\n"]
)
def test_what_is_no_message_ends_the_link(data: bytes) -> None:
    with pytest.raises(WorkerLinkError, match="a line holds no message"):
        list(host_messages().feed(data))


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_line_that_is_too_long_ends_the_link_before_it_takes_the_memory(end: bytes) -> None:
    reader: LineReader[HostMessage] = LineReader(HostMessage, max_line_bytes=100)
    assert list(reader.feed(b"x" * 100)) == []
    with pytest.raises(WorkerLinkError, match="longer than 100 bytes"):
        list(reader.feed(b"x" + end))


def test_a_message_that_is_too_long_is_not_said() -> None:
    with pytest.raises(WorkerLinkError, match="longer than a line may be"):
        line(Log(level="log", message="x" * MAX_LINE_BYTES, ts_ms=0))


def test_secrets_are_not_shown() -> None:
    assert "hush" not in repr(LOAD)
    assert "hush" not in str(LOAD)


def test_a_turn_fits_its_file() -> None:
    assert struct.calcsize(TURN_FORMAT) <= TURN_FILE_BYTES
    assert msgspec.json.decode(msgspec.json.encode(Event(sid=1, seq=2)), type=Event) == Event(sid=1, seq=2)
