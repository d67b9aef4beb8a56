"""The certificates of one edge: given by the operator, or made here; then watched, renewed and passed on.

Law: what goes wrong while the edge runs is a record in the log, and the certificates it has stay.
"""

from __future__ import annotations

import datetime as dt
import socket
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.certificates.local_ca import LocalCertificate, ensure_local_certificate, local_names
from holdfast.certificates.pair import CertificatePair
from holdfast.certificates.watch import CertificateWatch
from holdfast.errors import CertificateError
from holdfast.event_log import EventLog, utc_now
from holdfast.model.data_dir import tls_dir

if TYPE_CHECKING:
    from holdfast._native import Certificate

# How long after a local certificate could not be renewed it is tried again. There are RENEW_BEFORE days for it.
_RENEW_RETRY = dt.timedelta(hours=1)
_NEVER = dt.datetime.max.replace(tzinfo=dt.UTC)


class ServedCertificates:
    """Pairs of certificate and key, and whatever keeps them fresh.

    `renew` makes the local certificate anew where it ends soon; it is None where the operator brought the files.
    """

    def __init__(
        self,
        watch: CertificateWatch,
        pairs: Sequence[CertificatePair],
        log: EventLog,
        *,
        renew: Callable[[dt.datetime], LocalCertificate] | None = None,
        renew_at: dt.datetime = _NEVER,
    ) -> None:
        self._watch = watch
        self._pairs = tuple(pairs)
        self._log = log
        self._renew = renew
        self._renew_at = renew_at

    @classmethod
    def of_files(cls, files: Sequence[tuple[Path, Path]], log: EventLog) -> ServedCertificates:
        """Read the operator's pairs, (certificate, key) each. Raises CertificateError."""
        watch = CertificateWatch(files, log=log.write)
        return cls(watch, _loaded(watch, log), log)

    @classmethod
    def local(cls, data_dir: Path, listen_ips: Iterable[str], log: EventLog, *, command: str) -> ServedCertificates:
        """Make the local pair, or take the one made before, and say where its authority is, if that is new.

        `listen_ips` are the addresses it is shown at; `command` is how what is said begins. Raises CertificateError.
        """
        names = local_names(socket.gethostname(), listen_ips)

        def renew(now: dt.datetime) -> LocalCertificate:
            return ensure_local_certificate(tls_dir(data_dir), names, now=now)

        local = renew(utc_now())
        if local.is_new_authority:
            sys.stderr.write(f"{command}: made a local certificate authority, for clients to trust: {local.ca_file}\n")
        watch = CertificateWatch([(local.cert_file, local.key_file)], log=log.write)
        return cls(watch, _loaded(watch, log), log, renew=renew, renew_at=local.renew_at)

    def native(self) -> list[Certificate]:
        """The pairs of now. Raises ValueError where the core cannot use one."""
        return native_certificates(self._pairs)

    def poll(self, publish: Callable[[Sequence[Certificate]], None]) -> None:
        """Renew the local certificate if it is time, and `publish` what changed on disk. About once a second.

        `publish` may raise ValueError to say that it cannot use them; then they are not served.
        """
        now = utc_now()
        if self._renew is not None and now >= self._renew_at:
            self._renew_local(self._renew, now)
        self._watch.poll(now, lambda pairs: self._take(pairs, publish))

    def _take(self, pairs: Sequence[CertificatePair], publish: Callable[[Sequence[Certificate]], None]) -> None:
        before = self._pairs
        certificates = native_certificates(pairs)
        self._pairs = tuple(pairs)
        try:
            publish(certificates)
        except ValueError:
            self._pairs = before
            raise

    def _renew_local(self, renew: Callable[[dt.datetime], LocalCertificate], now: dt.datetime) -> None:
        try:
            self._renew_at = renew(now).renew_at
        except CertificateError as error:
            self._renew_at = now + _RENEW_RETRY
            self._log.write("certificate_warning", {"reason": str(error)})


def native_certificates(pairs: Sequence[CertificatePair]) -> list[Certificate]:
    """The pairs as the core takes them. Raises ValueError, with a sentence, where it cannot use one."""
    # Loaded here and not with this module: `holdfast connect` and `--version` do without the core.
    from holdfast._native import Certificate  # noqa: PLC0415

    return [Certificate(names=pair.names, chain_pem=pair.chain_pem, key_pem=pair.key_pem) for pair in pairs]


def _loaded(watch: CertificateWatch, log: EventLog) -> list[CertificatePair]:
    pairs = watch.load(utc_now())
    for pair in pairs:
        for warning in pair.warnings:
            log.write("certificate_warning", {"reason": warning})
    return pairs
