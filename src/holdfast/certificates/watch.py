"""Notice certificates that were replaced on disk, and give them to the edge.

Law 1: the edge never serves a worse pair than it has: files that cannot be used change nothing but the log.
Law 2: a replacement is read when it has stood still for one poll, so that a pair whose second file comes a moment
later, or is still being written, is not mistaken for a bad one.
Law 3: nothing here waits. The caller polls, about once a second.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from pathlib import Path

from holdfast.certificates.pair import CertificatePair, load_pair
from holdfast.errors import CertificateError

# (inode, size, modification time) of a file: an atomic rename changes the first, a write in place the others.
_Stamp = tuple[int, int, int] | None
_Stamps = tuple[_Stamp, ...]


class CertificateWatch:
    """The pairs of `files` ((certificate, key) each) and what was last read of them.

    `log` gets the name and the fields of a log record.
    """

    def __init__(self, files: Sequence[tuple[Path, Path]], *, log: Callable[[str, dict[str, str]], None]) -> None:
        self._files = tuple(files)
        self._log = log
        # Taken before the first read: what changes between the two is seen by the first polls.
        self._seen = self._read = self._stamps()

    def load(self, now: dt.datetime) -> list[CertificatePair]:
        """All pairs, to start with. Raises CertificateError for the first that cannot be used."""
        return [load_pair(cert_file, key_file, now=now) for cert_file, key_file in self._files]

    def poll(self, now: dt.datetime, publish: Callable[[Sequence[CertificatePair]], None]) -> None:
        """Look at the files; if they changed, and then stood still, call `publish` with all pairs, in order.

        `publish` may raise ValueError to say that it cannot use them. `now` is in UTC.
        """
        stamps = self._stamps()
        stands_still, self._seen = stamps == self._seen, stamps
        if stands_still and stamps != self._read:
            self._read = stamps
            self._reload(now, publish)

    def _reload(self, now: dt.datetime, publish: Callable[[Sequence[CertificatePair]], None]) -> None:
        pairs: list[CertificatePair] = []
        for cert_file, key_file in self._files:
            try:
                pairs.append(load_pair(cert_file, key_file, now=now))
            except CertificateError as error:
                self._reject(cert_file, key_file, str(error))
                return
        try:
            publish(pairs)
        except ValueError as error:
            self._reject(*self._files[0], f"the edge cannot use what was read: {error}")
            return
        for (cert_file, _), pair in zip(self._files, pairs, strict=True):
            fields = {"cert": str(cert_file), "names": " ".join(pair.names), "not_after": pair.not_after.isoformat()}
            self._log("certificate_loaded", fields)
            for warning in pair.warnings:
                self._log("certificate_warning", {"cert": str(cert_file), "reason": warning})

    def _reject(self, cert_file: Path, key_file: Path, reason: str) -> None:
        self._log("certificate_rejected", {"cert": str(cert_file), "key": str(key_file), "reason": reason})

    def _stamps(self) -> _Stamps:
        return tuple(_stamp(file) for pair in self._files for file in pair)


def _stamp(file: Path) -> _Stamp:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
