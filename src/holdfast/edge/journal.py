"""The edge's copy of the last snapshot on the disk, so that it starts, and serves, without control.

Law 1: a write to the disk delays nobody: a thread of the journal's own does it, after the news is in force. What makes
news durable is control's database; what is lost here is caught up with from there.
Law 2: what waits is bounded: beyond MAX_WAITING_BYTES it is forgotten and everything is written anew instead.
Law 3: the file is never without a good state: changes are appended, and a new full snapshot is written beside it and put
in its place. After damage, or a write that failed, nothing is appended until it has been written anew.
Law 4: a disk that fails is a record in the log, and is tried again.
Law 5: one process writes the file. Who hands over writes what waits, and nothing after that; who takes over begins with
everything.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from holdfast.edge.journal_format import Served, entry, replay

Log = Callable[[str, Mapping[str, str | int]], None]

# Changes that wait for the disk. One is about 400 bytes, so this is a second of very many.
MAX_WAITING_BYTES = 8 * 1024 * 1024
# Changes are appended until they outgrow the full snapshot, and this: a rewrite of little is not worth its two syncs.
MIN_GROWTH_BYTES = 256 * 1024
# Longest journal we read. Beyond it the file is none of ours, and taking it into memory would be the harm.
MAX_JOURNAL_BYTES = 1024 * 1024 * 1024

_FIRST_RETRY_S, _LAST_RETRY_S = 1.0, 30.0
_STOP_LIMIT_S = 5.0


class Journal:
    """The journal in `file`. `state` is asked for everything when it is written anew; it must be quick."""

    def __init__(self, file: Path, *, log: Log) -> None:
        self._file = file
        self._log = log
        self._changed = threading.Condition()
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._must_rewrite = True
        self._is_stopping = False
        self._is_handed_over = False
        self._full_bytes = self._appended_bytes = 0
        self._thread: threading.Thread | None = None

    def load(self) -> Served | None:
        """What was served last, as far as it can be read. Whatever is wrong is a record in the log."""
        try:
            with self._file.open("rb") as opened:
                journal = opened.read(MAX_JOURNAL_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._warn("cannot be read", error)
            return None
        replayed = replay(journal[:MAX_JOURNAL_BYTES])
        if replayed.good_bytes < len(journal):
            lost = len(journal) - replayed.good_bytes
            self._log("journal_warning", {"file": str(self._file), "reason": f"the last {lost} bytes are damaged"})
        elif replayed.served is not None:
            self._must_rewrite = False
            self._full_bytes = replayed.good_bytes
        return replayed.served

    def start(self, state: Callable[[], Served | None], *, anew: bool = False) -> None:
        """Begin to write; with everything where it is done `anew`, for others may have written since `load`."""
        self._must_rewrite = self._must_rewrite or anew
        self._thread = threading.Thread(target=self._run, args=(state,), name="journal", daemon=True)
        self._thread.start()

    def append(self, body: bytes) -> None:
        """Write the delta in this body of a frame, soon."""
        with self._changed:
            if self._is_handed_over:
                return
            self._waiting.append(body)
            self._waiting_bytes += len(body)
            if self._waiting_bytes > MAX_WAITING_BYTES:
                self._rewrite()
            self._changed.notify()

    def rewrite(self) -> None:
        """Write everything anew, soon."""
        with self._changed:
            self._rewrite()
            self._changed.notify()

    def hand_over(self) -> None:
        """Write what waits, and nothing more: another process is to write from now on."""
        self.stop()
        with self._changed:
            self._is_handed_over = True
            self._rewrite()

    def stop(self) -> None:
        """Write what waits, and end. Returns after some seconds though the disk hangs."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(_STOP_LIMIT_S)

    def statistics(self) -> dict[str, int]:
        """Bytes that wait, and bytes of the file's two parts."""
        with self._changed:
            return {
                "journal_waiting_bytes": self._waiting_bytes,
                "journal_full_bytes": self._full_bytes,
                "journal_appended_bytes": self._appended_bytes,
            }

    def _rewrite(self) -> None:
        self._waiting.clear()
        self._waiting_bytes = 0
        self._must_rewrite = True

    def _run(self, state: Callable[[], Served | None]) -> None:
        retry_s = 0.0
        while True:
            with self._changed:
                if not retry_s:
                    self._changed.wait_for(self._has_work)
                elif not self._is_stopping:
                    self._changed.wait_for(lambda: self._is_stopping, timeout=retry_s)
                bodies, self._waiting = self._waiting, []
                self._waiting_bytes = 0
                is_last = self._is_stopping
            try:
                self._write(bodies, state)
            except OSError as error:
                self._must_rewrite = True
                retry_s = min(max(_FIRST_RETRY_S, 2 * retry_s), _LAST_RETRY_S)
                self._warn("cannot be written", error)
            else:
                retry_s = 0.0
            if is_last:
                return

    def _has_work(self) -> bool:
        return self._is_stopping or bool(self._waiting) or self._must_rewrite

    def _write(self, bodies: list[bytes], state: Callable[[], Served | None]) -> None:
        added = b"".join(map(entry, bodies))
        grown = self._appended_bytes + len(added) > max(self._full_bytes, MIN_GROWTH_BYTES)
        if not (self._must_rewrite or grown):
            if added:
                _append(self._file, added)
                self._appended_bytes += len(added)
            return
        # Before the state is asked for: what comes after is written again, by itself or as a whole.
        self._must_rewrite = False
        served = state()
        if served is not None:
            full = entry(served.full_body())
            _replace(self._file, full)
            self._full_bytes, self._appended_bytes = len(full), 0

    def _warn(self, what: str, error: OSError) -> None:
        reason = f"{what}: {(error.strerror or str(error)).lower()}"
        self._log("journal_warning", {"file": str(self._file), "reason": reason})


def _append(file: Path, data: bytes) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    try:
        _write_all(descriptor, data)
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)


def _replace(file: Path, data: bytes) -> None:
    """Put a file of `data` in the place of `file`: whole, or not at all, also where the machine stops in between."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = file.with_name(f"{file.name}.{os.getpid()}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        try:
            _write_all(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        draft.replace(file)
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise
    _sync_directory(file.parent)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
