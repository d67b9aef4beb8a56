"""Where clients are: the place of an address, by an operator's database (MaxMind DB format).

Law 1: a look-up never raises and never waits: what is not known is None in the place. Answers are remembered, up to MAX_KNOWN.
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
from holdfast.rules.context import NOWHERE, Place

Log = Callable[[str, Mapping[str, str | int]], None]

# Addresses remembered; beyond it all are forgotten. A look-up takes about 10 µs.
MAX_KNOWN = 16_384
# The largest databases sold (every address, with cities) have less than this.
MAX_DATABASE_BYTES = 1024 * 1024 * 1024

# ISO 3166-1 alpha-2, and what Cloudflare and others add to it: T1, A1, O1.
_CODE = re.compile(r"[A-Z][A-Z0-9]")

# Of a file: enough to see that it is another one, or was written to.
_Stamp = tuple[int, int, int, int]


class GeoIp:
    """A database of addresses. `place_of` is for the policy thread, `poll` for one other."""

    def __init__(self, file: Path, reader: maxminddb.Reader, stamp: _Stamp, *, log: Log) -> None:
        self._file = file
        self._log = log
        self._stamp = stamp
        # Swapped as one, so that no answer of an old database is remembered for a new one.
        self._held: tuple[maxminddb.Reader, dict[str, Place]] = (reader, {})

    @classmethod
    def open(cls, file: Path, *, log: Log) -> Self:
        """The database in `file`. Raises SetupError, a sentence."""
        try:
            stamp = _stamp(file)
            return cls(file, _read(file), stamp, log=log)
        except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
            raise SetupError(f"the GeoIP database {file} cannot be used: {_reason(error)}") from error

    def place_of(self, address: str) -> Place:
        """Where `address` is, as far as the database tells."""
        reader, known = self._held
        place = known.get(address)
        if place is None:
            if len(known) >= MAX_KNOWN:
                known.clear()
            place = known[address] = _place(reader, address)
        return place

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


def _place(reader: maxminddb.Reader, address: str) -> Place:
    try:
        found: Any = reader.get(address)
    except (ValueError, TypeError, maxminddb.InvalidDatabaseError, UnicodeError):
        # Not an address of a kind that the database has, or a record of it that is damaged.
        return NOWHERE
    return _place_in(found) if isinstance(found, dict) else NOWHERE


def _place_in(found: dict[str, Any]) -> Place:
    """The place of a record as GeoIP2's and GeoLite2's databases of countries, cities and networks have it."""
    country = _inner(found, "country") or _inner(found, "registered_country")
    location, subdivisions = _inner(found, "location"), found.get("subdivisions")
    first, second = ([*subdivisions, {}, {}] if isinstance(subdivisions, list) else [{}, {}])[:2]
    code = _text(country, "iso_code")
    is_union = country.get("is_in_european_union")
    asn = found.get("autonomous_system_number")
    return Place(
        asn=asn if isinstance(asn, int) else None,
        city=_name(_inner(found, "city")),
        continent=_text(_inner(found, "continent"), "code"),
        country=code if code is not None and _CODE.fullmatch(code) else None,
        # A database that has this says it where it is true only.
        in_european_union=is_union if isinstance(is_union, bool) else (False if code else None),
        latitude=_text(location, "latitude"),
        longitude=_text(location, "longitude"),
        metro_code=_text(location, "metro_code"),
        postal_code=_text(_inner(found, "postal"), "code"),
        region=_name(first),
        region_code=_text(first, "iso_code"),
        subdivision_1=_subdivision(code, first),
        subdivision_2=_subdivision(code, second),
        timezone=_text(location, "time_zone"),
    )


def _inner(found: object, name: str) -> dict[str, Any]:
    value = found.get(name) if isinstance(found, dict) else None
    return value if isinstance(value, dict) else {}


def _name(found: object) -> str | None:
    return _text(_inner(found, "names"), "en")


def _text(found: object, name: str) -> str | None:
    """A value as rules have text: one character a byte of UTF-8."""
    value = found.get(name) if isinstance(found, dict) else None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return str(value).encode("utf-8", "replace").decode("latin-1")


def _subdivision(country: str | None, found: object) -> str:
    """ISO 3166-2: the country's code, a hyphen, and the subdivision's."""
    code = _text(found, "iso_code")
    return f"{country}-{code}" if country and code else ""


def _reason(error: Exception) -> str:
    if isinstance(error, maxminddb.InvalidDatabaseError):
        return "it is damaged, or no MaxMind DB file"
    return " ".join(((getattr(error, "strerror", None) or str(error)).lower()).split())
