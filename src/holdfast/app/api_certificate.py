"""The certificate of the API: read, watched, and shown anew when its files are replaced, as an ACME client does.

Law 1: files that cannot be used change nothing but the log (`CertificateWatch`).
Law 2: a replacement is a context of its own, to which each handshake is led: of a context that had one pair and got
another of another kind, OpenSSL would go on to show the old one to some.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from pathlib import Path

from holdfast.certificates.pair import CertificatePair
from holdfast.certificates.watch import CertificateWatch
from holdfast.event_log import EventLog, utc_now

# How often the files are looked at. Precedent: the edge's own certificates.
POLL_S = 1.0


class ApiCertificate:
    """The pair of `cert` and `key`. Raises CertificateError, which names the file, where it cannot be used."""

    def __init__(self, cert: Path, key: Path, log: EventLog) -> None:
        self._files = cert, key
        self._watch = CertificateWatch([(cert, key)], log=log.write)
        self._newest: ssl.SSLContext | None = None
        for pair in self._watch.load(utc_now()):
            for warning in pair.warnings:
                log.write("certificate_warning", {"cert": str(cert), "reason": warning})

    def renew(self, context: ssl.SSLContext) -> None:
        """Have handshakes of `context` get the newest pair that was read."""
        # Called of each handshake, also where the client names no host.
        context.sni_callback = self._lead

    def poll(self) -> None:
        """Look whether the files were replaced, and take what they have then. About once a second."""
        self._watch.poll(utc_now(), self._take)

    async def keep_watching(self) -> None:
        """Poll until cancelled."""
        while True:
            await asyncio.sleep(POLL_S)
            self.poll()

    def _take(self, _pairs: Sequence[CertificatePair]) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            context.load_cert_chain(*self._files)
        except OSError as error:  # of which ssl.SSLError is one
            raise ValueError(str(error)) from error
        self._newest = context

    def _lead(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        if self._newest is not None:
            connection.context = self._newest
