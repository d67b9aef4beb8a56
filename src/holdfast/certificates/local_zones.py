"""Certificates for zones that brought none, from the authority of this machine: so that TLS works before anybody buys one.

Law 1: while an edge serves they are made a few at a time, off the way of requests. They are kept (`local_zones_file`), for the
next edge to show them from its first connection on; before it takes any, it makes those that are missing.
Law 2: a zone that has a certificate of its own gets none, and beyond MAX_ZONES zones nobody does: such an installation
has a certificate authority.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from holdfast.certificates.local_ca import LEAF_LIFE, RENEW_BEFORE, Authority, make_leaf, read_authority
from holdfast.certificates.local_zones_file import key_pem_of, local_pair, read_local_zones, write_local_zones
from holdfast.certificates.pair import CertificatePair
from holdfast.errors import reason_of

MAX_ZONES = 500
# Signed in one call: about a millisecond each, during which Python's other threads wait.
AT_ONCE = 20


class LocalZoneCertificates:
    """The certificates made so far, by zone. `directory` is the local authority's (`local_ca`); `warn` is told, in a sentence, when
    they cannot be kept there, which harms nothing until the next start."""

    def __init__(self, directory: Path, *, warn: Callable[[str], None]) -> None:
        self._directory = directory
        self._warn = warn
        self._made: dict[str, CertificatePair] = {}
        # One key for all: they are of one machine.
        self._key: ec.EllipticCurvePrivateKey | None = None

    def pairs(self, zones: Iterable[str]) -> list[CertificatePair]:
        """Those that there are for `zones` (names)."""
        return [pair for zone in zones if (pair := self._made.get(zone)) is not None]

    def begin(self, zones: Iterable[str], now: dt.datetime, *, goes_on: Callable[[], bool]) -> None:
        """Take those that were kept, and make all that are missing, while it `goes_on`. For an edge that does not serve yet.

        `now` is in UTC. Raises CertificateError where the authority cannot be read.
        """
        wanted = list(zones)[:MAX_ZONES]
        if not wanted or (authority := read_authority(self._directory)) is None:
            return
        if (kept := read_local_zones(self._directory, authority)) is not None:
            self._key, self._made = kept
        if self._has_signed(authority, wanted, now, goes_on):
            self._write()

    def keep_up(self, zones: Iterable[str], now: dt.datetime) -> bool:
        """Make some that are missing or end soon, and forget those of other zones; whether there are new ones.

        `now` is in UTC. Raises CertificateError where the authority cannot be read.
        """
        wanted = list(zones)[:MAX_ZONES]
        self._made = {zone: self._made[zone] for zone in wanted if zone in self._made}
        missing = [zone for zone in wanted if self._ends_soon(zone, now)][:AT_ONCE]
        if not missing or (authority := read_authority(self._directory)) is None:
            return False
        self._has_signed(authority, missing, now, lambda: True)
        self._write()
        return True

    def _has_signed(
        self, authority: Authority, zones: Iterable[str], now: dt.datetime, goes_on: Callable[[], bool]
    ) -> bool:
        """Sign what of `zones` is missing or ends soon, while it goes on; whether there was anything."""
        if self._key is None:
            self._key = ec.generate_private_key(ec.SECP256R1())
        key_pem, has_signed = key_pem_of(self._key), False
        for zone in zones:
            if self._ends_soon(zone, now):
                if not goes_on():
                    break
                leaf = make_leaf(authority, self._key, frozenset({zone, f"*.{zone}"}), now=now, life=LEAF_LIFE)
                self._made[zone] = local_pair(leaf, key_pem)
                has_signed = True
        return has_signed

    def _ends_soon(self, zone: str, now: dt.datetime) -> bool:
        pair = self._made.get(zone)
        return pair is None or now >= pair.not_after - RENEW_BEFORE

    def _write(self) -> None:
        if self._key is None:
            return
        try:
            write_local_zones(self._directory, self._made.values(), key_pem_of(self._key))
        except OSError as error:
            self._warn(f"the certificates of zones cannot be kept in {self._directory}: {reason_of(error)}")
