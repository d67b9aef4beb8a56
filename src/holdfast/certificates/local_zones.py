"""Certificates for zones that brought none, from the authority of this machine: so that TLS works before anybody buys one.

Law 1: they are made a few at a time, off the way of requests, and live in memory: the authority is what people trust.
Law 2: a zone that has a certificate of its own gets none, and beyond MAX_ZONES zones nobody does: such an installation
has a certificate authority.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from holdfast.certificates.local_ca import LEAF_LIFE, RENEW_BEFORE, Authority, make_leaf, read_authority
from holdfast.certificates.pair import CertificatePair, names_of

MAX_ZONES = 500
# Signed in one call: about a millisecond each, during which Python's other threads wait.
AT_ONCE = 20


class LocalZoneCertificates:
    """The certificates made so far, by zone. `directory` is the local authority's (`local_ca`)."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._made: dict[str, CertificatePair] = {}
        # One key for all: they are of one process, and end with it.
        self._key: ec.EllipticCurvePrivateKey | None = None

    def pairs(self, zones: Iterable[str]) -> list[CertificatePair]:
        """Those that there are for `zones` (names)."""
        return [pair for zone in zones if (pair := self._made.get(zone)) is not None]

    def keep_up(self, zones: Iterable[str], now: dt.datetime) -> bool:
        """Make some that are missing or end soon, and forget those of other zones; whether there are new ones.

        `now` is in UTC. Raises CertificateError where the authority cannot be read.
        """
        wanted = list(zones)[:MAX_ZONES]
        self._made = {zone: self._made[zone] for zone in wanted if zone in self._made}
        missing = [zone for zone in wanted if self._ends_soon(zone, now)][:AT_ONCE]
        if not missing or (authority := read_authority(self._directory)) is None:
            return False
        self._made |= {zone: self._signed(authority, zone, now) for zone in missing}
        return True

    def _ends_soon(self, zone: str, now: dt.datetime) -> bool:
        pair = self._made.get(zone)
        return pair is None or now >= pair.not_after - RENEW_BEFORE

    def _signed(self, authority: Authority, zone: str, now: dt.datetime) -> CertificatePair:
        if self._key is None:
            self._key = ec.generate_private_key(ec.SECP256R1())
        leaf = make_leaf(authority, self._key, frozenset({zone, f"*.{zone}"}), now=now, life=LEAF_LIFE)
        return CertificatePair(
            names=names_of(leaf),
            chain_pem=leaf.public_bytes(serialization.Encoding.PEM),
            key_pem=self._key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ),
            not_after=leaf.not_valid_after_utc,
            warnings=(),
        )
