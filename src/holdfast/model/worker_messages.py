"""What the host of script processes and one such process say to each other: newline-delimited JSON over a socket pair.

The process is given its end of the pair as the descriptor whose number is in VARIABLE. The host says `Load`; the process
answers `Loaded` or `LoadFailed`. Told `Serve`, it takes the objects' lock, accepts, and says `Serving`. Told `Retire`, it ends what
runs, lets go of the objects, says `Retired` and ends. `Log` and `Counters` come at any time.

Law 1: a message is one line of JSON, told apart by its tag; a field that is not known here is passed over, so that a host and a
process of two versions understand each other.
Law 2: a line longer than MAX_LINE_BYTES, or one that is no message, raises WorkerLinkError: that link is given up, and with
it the process.
Law 3: the end of the link is the end: a process whose host is gone retires, a host whose process is gone starts another.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Generic, Literal, TypeVar

import msgspec

VARIABLE = "HOLDFAST_WORKER_FD"
# Longest line. Precedent: the original allows 64 (free) or 128 (paid) variables of 5 KB each, which are 640 KB.
MAX_LINE_BYTES = 4 * 1024 * 1024
# Longest text of one log line; the process cuts what is longer. Precedent: the original's 256 KB for all logs of a request.
MAX_LOG_CHARACTERS = 16 * 1024
# Counters are told this often.
COUNTERS_EVERY_S = 5.0
MAX_BUSIEST = 20
# What a running event is marked with, in the file `Load.turn_file`; see `Turn`.
TURN_FILE_BYTES = 64
TURN_FORMAT = "<QQIB"
# Its last field: the loop waits; code of the event that is named has it; something else has.
TURN_WAITS, TURN_OF_EVENT, TURN_OF_ANOTHER = 0, 1, 2


class WorkerLinkError(Exception):
    """The peer does not keep to the protocol. `str` is a sentence; the link cannot go on."""


class _Value(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is part of messages."""


class DurableObjectBinding(_Value, frozen=True, kw_only=True):
    """`env.<name>` is the namespace of `class_name`; of another script where `script_name` is not ""."""

    name: str
    class_name: str
    script_name: str = ""


class ServiceBinding(_Value, frozen=True, kw_only=True):
    """`env.<name>` is the entrypoint of another script; `entrypoint` "" is its default one, `props` what that has as `ctx.props`."""

    name: str
    service: str
    entrypoint: str = ""
    props: dict[str, Any] = {}


class WorkerLimits(_Value, frozen=True, kw_only=True):
    """`cpu_ms`: milliseconds of processor time that one event may keep the process's loop busy (the original's 30 s). `memory_mb`:
    MiB of resident memory of the process; the original's 128 are an isolate's, and a Python process begins with 30.
    """

    cpu_ms: int = 30_000
    memory_mb: int = 512


class Event(_Value, frozen=True, kw_only=True):
    """One event of a session: its id and its number in that session (the channel's `sid` and `seq`)."""

    sid: int
    seq: int


class Turn(_Value, frozen=True, kw_only=True):
    """What the process's loop is at, as `turn_file` says: `struct "<QQIB"` (TURN_FORMAT) at its beginning, the rest zero.

    `number` rises with every event that gets the loop, and at least each second while the loop comes round at all. `sid` and `seq`
    are those of the session's event that had the loop last, 0 before there was one; `is_past`: it has let go of it. `is_running`: a
    user's code has the loop now. While it does and `number` stands still, the time is counted against `WorkerLimits.cpu_ms`.
    """

    number: int
    sid: int
    seq: int
    is_running: bool
    is_past: bool = False


class _Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", omit_defaults=True):
    """What all messages share: they are told apart by their tag."""


# --- The host says ---


class Load(_Message, frozen=True, kw_only=True, tag="load"):
    """Import this code, and tell what is in it; serve nothing yet.

    `key` names the script's directory, `name` the script, `version` the code. `code_dir` is absolute and the root of imports; `main` is
    the entry module's file, relative to it. `vars` are plain text and JSON, `secrets` texts (never logged). `http_fd` and `channel_fd`
    are listening Unix sockets, inherited. `egress_path` is where every `fetch()` connects. `objects_dir`
    holds the objects' files, `run_dir` is for what lives as long as the process. `storages`: class name -> "sqlite" | "legacy-kv";
    `namespaces`: class name -> the name that its objects are kept under, where that is another (a class that was renamed, or came from
    another script). `moved`: name of a class that is not here any more -> what ids of its objects are made with; bindings may name it.
    `awaited`: classes that the code must export besides.
    `turn_file`: 64 bytes to map, which the host reads (`Turn`). `is_dev`: somebody edits the code while it runs.
    """

    key: str
    name: str
    version: str
    code_dir: str
    main: str
    http_fd: int
    channel_fd: int
    egress_path: str
    objects_dir: str
    run_dir: str
    turn_file: str
    account: str = ""
    compatibility_date: str = ""
    compatibility_flags: tuple[str, ...] = ()
    vars: dict[str, Any] = {}
    secrets: dict[str, str] = {}
    durable_objects: tuple[DurableObjectBinding, ...] = ()
    services: tuple[ServiceBinding, ...] = ()
    storages: dict[str, str] = {}
    namespaces: dict[str, str] = {}
    moved: dict[str, str] = {}
    awaited: tuple[str, ...] = ()
    limits: WorkerLimits = WorkerLimits()
    is_dev: bool = False

    def __repr__(self) -> str:
        """Without secrets."""
        return f"Load({self.name!r}, version={self.version!r})"


class Serve(_Message, frozen=True, kw_only=True, tag="serve"):
    """The process before is gone: take the lock of `objects_dir`, accept.

    `died_in`: an event that has ended a process before (by a limit, or twice in a row by a crash): it is not to be delivered again; nor are
    those that did earlier (`died_before`).
    `is_after_crash`: the process before has crashed; events begin one at a time for a while, so that it is seen which one does it: each when
    the one before has ended, or after `wait_s` seconds.
    """

    died_in: Event | None = None
    died_before: tuple[Event, ...] = ()
    is_after_crash: bool = False
    wait_s: float = 0.0


class Scheduled(_Message, frozen=True, kw_only=True, tag="scheduled"):
    """Run the handler `scheduled` once: `cron` is due at `scheduled_ms`, Unix time in milliseconds."""

    cron: str
    scheduled_ms: int


class Retire(_Message, frozen=True, kw_only=True, tag="retire"):
    """End what runs within `limit_s` seconds (`preShutdown` with `reason`), commit, acknowledge, let go of the objects; answers that still
    go on, and what goes on behind answers, have `linger_s` more; then end. `is_last`: no process comes after this one, and sockets are given up."""

    limit_s: float
    linger_s: float = 2.0
    reason: Literal["codeUpdated", "inactive"] = "codeUpdated"
    is_last: bool = False


# --- The process says ---


# How the sentence of a `LoadFailed` begins that is about a class whose objects would be left without code. As the original says it.
CLASS_NOT_EXPORTED = "New version of script does not export class"


class Loaded(_Message, frozen=True, kw_only=True, tag="loaded"):
    """The code is imported. `handlers` are those of the default entrypoint ("fetch", "scheduled" …), `classes` the exported classes."""

    handlers: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()


class LoadFailed(_Message, frozen=True, kw_only=True, tag="load_failed"):
    """It cannot be imported, or is not what was promised: a sentence, and the traceback of the user's code ("" where there is none)."""

    error: str
    traceback: str = ""


class Serving(_Message, frozen=True, kw_only=True, tag="serving"):
    """It accepts."""


# In the directory of a process: where its code stood when it was to be ended (`runtime.hangs`).
STACK_NAME = "stack"
LogKind = Literal["console", "exception", "request", "scheduled", "object", "host"]
LogLevel = Literal["debug", "info", "log", "warn", "error"]


class Log(_Message, frozen=True, kw_only=True, tag="log"):
    """One line of a script's log. `level` as `console` names them, `ray` "" outside of a request, `entrypoint` the class or handler,
    `ts_ms` Unix time in milliseconds. `kind` "host": the host says it (a crash, a limit)."""

    level: LogLevel
    message: str
    ts_ms: int
    ray: str = ""
    entrypoint: str = ""
    kind: LogKind = "console"
    version: str = ""
    fields: dict[str, Any] = {}


class BusyObject(_Value, frozen=True, kw_only=True):
    """An object in memory: the events that it has handled since it is there, those that wait, and the bytes of its file."""

    class_name: str
    id: str
    name: str = ""
    sockets: int = 0
    events: int = 0
    errors: int = 0
    waiting: int = 0
    stored_bytes: int = 0


class Counters(_Message, frozen=True, kw_only=True, tag="counters"):
    """Figures since the process began, by name (`worker_figures`); of `objects`, by class name, how many are in memory; of `classes` the
    figures; and the busiest objects, MAX_BUSIEST at most. Told when something has changed."""

    counters: dict[str, int] = {}
    objects: dict[str, int] = {}
    classes: dict[str, dict[str, int]] = {}
    busiest: tuple[BusyObject, ...] = ()


class Retired(_Message, frozen=True, kw_only=True, tag="retired"):
    """Everything that there is once is let go of; the process ends when nothing is under way."""


HostMessage = Load | Serve | Scheduled | Retire
ProcessMessage = Loaded | LoadFailed | Serving | Log | Counters | Retired

_T = TypeVar("_T")
_ENCODER = msgspec.json.Encoder()


def line(message: msgspec.Struct, *, max_line_bytes: int = MAX_LINE_BYTES) -> bytes:
    """`message` as it goes over the link. Raises WorkerLinkError where it is longer than a line may be."""
    encoded = _ENCODER.encode(message)
    if len(encoded) >= max_line_bytes:
        raise WorkerLinkError(f"a message of {len(encoded)} bytes is longer than a line may be ({max_line_bytes})")
    return encoded + b"\n"


class LineReader(Generic[_T]):
    """Bytes in, messages of one type out, whatever the chopping. What is incomplete waits here."""

    def __init__(self, expected: Any, *, max_line_bytes: int = MAX_LINE_BYTES) -> None:  # noqa: ANN401  a union is no type
        self._decoder: msgspec.json.Decoder[_T] = msgspec.json.Decoder(expected)
        self._max_line_bytes = max_line_bytes
        self._pending = bytearray()
        # How much of what is pending is known to hold no end of a line.
        self._searched = 0

    def feed(self, data: bytes) -> Iterator[_T]:
        """The messages that `data` completes. Raises WorkerLinkError; then this reader is of no more use."""
        self._pending += data
        while (end := self._pending.find(b"\n", self._searched)) >= 0:
            text = bytes(self._pending[:end])
            del self._pending[: end + 1]
            self._searched = 0
            if len(text) > self._max_line_bytes:
                break
            yield self._decoded(text)
        else:
            self._searched = len(self._pending)
            if self._searched <= self._max_line_bytes:
                return
        raise WorkerLinkError(f"a line is longer than {self._max_line_bytes} bytes")

    def _decoded(self, text: bytes) -> _T:
        try:
            return self._decoder.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise WorkerLinkError(f"a line holds no message of this protocol: {error}") from error


def host_messages() -> LineReader[HostMessage]:
    """A reader of what the host says: the process's."""
    return LineReader(HostMessage)


def process_messages() -> LineReader[ProcessMessage]:
    """A reader of what a process says: the host's."""
    return LineReader(ProcessMessage)
