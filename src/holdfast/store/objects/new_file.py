"""How the file of an object comes about: at once for the process that makes it, on the disk with its first commit.

Making it must not wait for the disk: it happens at the first write, on the thread that runs user code. So it is synced by the commit, before
anything of the journal is. Until then a power cut may leave any part of it, or nothing:

Law 1: before its first commit has begun, a file is a beginning of `schema.empty_file()`, perhaps with holes of zeros; nobody was told of it.
       Such a file is made again. Anything else is somebody's data, and is never written over. A beginning without holes is not written
       either: what was committed since may be in its journal alone, and be moved here by whoever closes it in this moment.
Law 2: nothing is committed to a file that is not on the disk with its directory.
Law 3: the descriptor that wrote it stays open as long as SQLite has the file: POSIX drops all locks of a process on a file as soon as any
       descriptor of it is closed.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from holdfast.store.objects import schema

if TYPE_CHECKING:
    from pathlib import Path


# What a disk writes at once: a hole begins and ends at multiples of it.
BLOCK_BYTES = 512


class NewFile:
    """A file that was made and may not be on the disk yet. Whoever has it calls `sync` before committing, `close` after SQLite's."""

    def __init__(self, path: Path) -> None:
        """Make the file, for its owner alone (0600), and its directory (0700). Raises OSError."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = path
        self._is_synced = False
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            self._write()
        except OSError:
            self.close()
            raise

    def _write(self) -> None:
        whole = schema.empty_file()
        found = os.pread(self._descriptor, len(whole) + 1, 0)
        if found == whole or not _is_beginning(found, whole):
            return
        content = memoryview(whole)
        while content:
            content = content[os.write(self._descriptor, content) :]

    def sync(self) -> None:
        """Bring it to the disk, with the directories it is in; blocks. Raises OSError."""
        if not self._is_synced:
            os.fsync(self._descriptor)
            for directory in self._path.parents[:2]:
                _sync_directory(directory)
            self._is_synced = True

    def close(self) -> None:
        """Let go of it."""
        os.close(self._descriptor)


def is_to_be_made(path: Path) -> bool:
    """Whether there is no file, or one that was never committed to. Raises OSError."""
    whole = schema.empty_file()
    try:
        if path.stat().st_size > len(whole):
            return False
        content = path.read_bytes()
    except FileNotFoundError:
        return True
    return _is_beginning(content, whole)


def _is_beginning(content: bytes, whole: bytes) -> bool:
    """Whether it is what comes first of `whole`, perhaps with holes of zeros."""
    if len(content) > len(whole):
        return False
    blocks = (slice(at, min(at + BLOCK_BYTES, len(content))) for at in range(0, len(content), BLOCK_BYTES))
    return all(content[block] == whole[block] or not any(content[block]) for block in blocks)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
