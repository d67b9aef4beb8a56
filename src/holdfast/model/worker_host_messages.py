"""What control and commands ask of the host of scripts, over its Unix socket (`data_dir.workers_host_socket`): lines of JSON.

A connection asks one thing after the other; each question has one answer. `Tail` has answers without end: it is over when either
side closes. `Inherit` is a successor's: the answer is `Inherited` and then descriptors (`holdfast.workers.host.handover`).

Law 1: a question is one line, of at most MAX_QUESTION_BYTES; what is none ends the connection.
Law 2: who deploys has written the version's directory before it asks, and does not touch it after. The host writes `active` when the version
serves, and not before.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from holdfast.model.worker_messages import BusyObject, Log

MAX_QUESTION_BYTES = 4096
# The figures of a thousand scripts (`workers.host.hosting.MAX_SCRIPTS`), 5 KB each or 60 KB where they have many classes.
MAX_ANSWER_BYTES = 64 * 1024 * 1024
# Lines that the host keeps of each script, for whoever begins to read.
KEPT_LINES = 200
# How long a deployment takes at most: loading, the retirement of the one before, serving.
DEPLOY_LIMIT_S = 120.0


class _Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", omit_defaults=True):
    """What all messages share: they are told apart by their tag."""


# --- Questions. `key` names a script's directory. ---


class Deploy(_Message, frozen=True, kw_only=True, tag="deploy"):
    """Serve this version of the script. Answered by `Done` when it serves, or `Refused`; then the one before serves on."""

    key: str
    version: str


class Restart(_Message, frozen=True, kw_only=True, tag="restart"):
    """Replace the script's process by another of the same version. Answered as `Deploy`."""

    key: str


class Delete(_Message, frozen=True, kw_only=True, tag="delete"):
    """End the script's process and remove its directory, objects and all. Answered by `Done`, also where there is no such script."""

    key: str


class Reschedule(_Message, frozen=True, kw_only=True, tag="reschedule"):
    """Read again when the script is to run by itself (`data_dir.worker_schedules_file`). Answered by `Done`, or `Refused`."""

    key: str


class ListScripts(_Message, frozen=True, kw_only=True, tag="list"):
    """Which scripts are there, and how are they? Answered by `Scripts`."""


class Tail(_Message, frozen=True, kw_only=True, tag="tail"):
    """Tell what the script logs: the last `lines` that are kept, then what comes. Answered by `Logged` and `Missed`, or `Refused`."""

    key: str
    lines: int = 0


class Inherit(_Message, frozen=True, kw_only=True, tag="inherit"):
    """Hand over the listening sockets."""


# --- Answers ---


class Done(_Message, frozen=True, kw_only=True, tag="done"):
    """It is done."""


class Refused(_Message, frozen=True, kw_only=True, tag="refused"):
    """It is not: a sentence, and the traceback of the user's code where that is why."""

    error: str
    traceback: str = ""


ScriptState = Literal["loading", "serving", "retiring", "waiting", "stopped"]


class ScriptStatus(_Message, frozen=True, kw_only=True, tag="script"):
    """One script now. `version` is the one to be served, `serving` the one that is, "" for none. `reason` is why none is. `restarts`
    counts crashes since the host began; `rss_bytes` and `cpu_ms` are the process's. `counters`, `objects` and `busiest` are as
    `worker_messages.Counters` told them last. `totals` and `classes` are those of all processes of the script since the host began
    (`worker_figures`), with what the host itself counts."""

    key: str
    name: str
    account: str
    version: str
    serving: str
    state: ScriptState
    pid: int = 0
    restarts: int = 0
    reason: str = ""
    rss_bytes: int = 0
    cpu_ms: int = 0
    counters: dict[str, int] = {}
    objects: dict[str, int] = {}
    totals: dict[str, int] = {}
    classes: dict[str, dict[str, int]] = {}
    busiest: tuple[BusyObject, ...] = ()


class Scripts(_Message, frozen=True, kw_only=True, tag="scripts"):
    """All scripts, by key."""

    scripts: tuple[ScriptStatus, ...]


class Logged(_Message, frozen=True, kw_only=True, tag="logged"):
    """One line of a script's log."""

    log: Log


class Missed(_Message, frozen=True, kw_only=True, tag="missed"):
    """So many lines are left out here: they came faster than they were read."""

    lines: int


class Inherited(_Message, frozen=True, kw_only=True, tag="inherited"):
    """The descriptors of so many scripts follow."""

    scripts: int


Question = Deploy | Restart | Delete | Reschedule | ListScripts | Tail | Inherit
Answer = Done | Refused | Scripts | Logged | Missed | Inherited
