"""Where clients are: the country of an address, by an operator's database (MaxMind DB format).

Law 1: a look-up never raises and never waits: what is not known is UNKNOWN. Answers are remembered, up to MAX_KNOWN.
Law 2: the file is read into memory of our own. Whatever happens to it afterwards, cut short or written over, happens to
the file only: a mapped file that is cut short would end the process.
Law 3: a new file is taken up by `poll`, which is called off the way of requests. One that cannot be read changes nothing,
and is a record in the log.

Source: MaxMind, "MaxMind DB file format" 2.0; Cloudflare, "IP geolocation" (`XX` unknown, `T1` Tor).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import maxminddb

from holdfast.errors import SetupError

Log = Callable[[str, Mapping[str, str | int]], None]

UNKNOWN = "XX"
# Addresses remembered; beyond it all are forgotten. A look-up takes about 2 µs, so this is for busy clients only.
MAX_KNOWN = 16_384
# The largest databases sold (every address, with cities) have less than this.
MAX_DATABASE_BYTES = 1024 * 1024 * 1024

# ISO 3166-1 alpha-2, and what Cloudflare and others add to it: T1, A1, O1.
_CODE = re.compile(r"[A-Z][A-Z0-9]")

# Of a file: enough to see that it is another one, or was written to.
_Stamp = tuple[int, int, int, int]


class GeoIp:
    """A database of countries. `country_of` is for the policy thread, `poll` for one other."""

    def __init__(self, file: Path, reader: maxminddb.Reader, stamp: _Stamp, *, log: Log) -> None:
        self._file = file
        self._log = log
        self._stamp = stamp
        # Swapped as one, so that no answer of an old database is remembered for a new one.
        self._held: tuple[maxminddb.Reader, dict[str, str]] = (reader, {})

    @classmethod
    def open(cls, file: Path, *, log: Log) -> Self:
        """The database in `file`. Raises SetupError, a sentence."""
        try:
            stamp = _stamp(file)
            return cls(file, _read(file), stamp, log=log)
        except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
            raise SetupError(f"the GeoIP database {file} cannot be used: {_reason(error)}") from error

    def country_of(self, address: str) -> str:
        """The code of the country that `address` is in, two upper-case characters, or UNKNOWN."""
        reader, known = self._held
        country = known.get(address)
        if country is None:
            if len(known) >= MAX_KNOWN:
                known.clear()
            country = known[address] = _country(reader, address)
        return country

    def poll(self) -> None:
        """Take up the file if it has changed."""
        try:
            stamp = _stamp(self._file)
            if stamp == self._stamp:
                return
            # Before it is read: one that cannot be is complained of once, and what is written meanwhile is another.
            self._stamp = stamp
            self._held = (_read(self._file), {})
        except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
            self._complain(error)

    def _complain(self, error: Exception) -> None:
        if isinstance(error, FileNotFoundError):
            # Between two versions, or gone: either way the last one serves.
            return
        self._log("geoip_warning", {"file": str(self._file), "reason": _reason(error)})


def _stamp(file: Path) -> _Stamp:
    status = file.stat()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _read(file: Path) -> maxminddb.Reader:
    with file.open("rb") as opened:
        data = opened.read(MAX_DATABASE_BYTES + 1)
    if len(data) > MAX_DATABASE_BYTES:
        raise ValueError(f"it is over {MAX_DATABASE_BYTES // 1024**2} MiB, which no such database is")
    # The fast reader maps a file; this one is memory with a name, and nobody else's to change.
    descriptor = os.memfd_create("geoip", os.MFD_CLOEXEC)
    with os.fdopen(descriptor, "wb") as copy:
        copy.write(data)
        copy.flush()
        return maxminddb.open_database(f"/proc/self/fd/{copy.fileno()}", maxminddb.MODE_AUTO)


def _country(reader: maxminddb.Reader, address: str) -> str:
    try:
        found: Any = reader.get(address)
    except (ValueError, TypeError, maxminddb.InvalidDatabaseError, UnicodeError):
        # Not an address of a kind that the database has, or a record of it that is damaged.
        return UNKNOWN
    for name in ("country", "registered_country"):
        entry = found.get(name) if isinstance(found, dict) else None
        code = entry.get("iso_code") if isinstance(entry, dict) else None
        if isinstance(code, str) and _CODE.fullmatch(code):
            return code
    return UNKNOWN


def _reason(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split())
