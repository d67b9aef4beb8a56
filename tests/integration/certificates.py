"""Certificates for tests: one authority (trustme), leaves written as PEM files, and contexts that trust or do not."""

import ssl
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import trustme


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate chain and its key, as files."""

    cert: Path
    key: Path

    def arguments(self) -> list[str]:
        """As `holdfast up` takes them."""
        return ["--cert", str(self.cert), "--key", str(self.key)]

    def server_context(self) -> ssl.SSLContext:
        """For an origin that serves TLS with this pair."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, self.key)
        return context

    def replace_with(self, other: "Pair") -> None:
        """Put another pair in this one's place, each file by an atomic rename, as certificate tools do."""
        for mine, new in ((self.cert, other.cert), (self.key, other.key)):
            fresh = mine.with_suffix(".new")
            fresh.write_bytes(new.read_bytes())
            fresh.replace(mine)


class Authority:
    """A certificate authority in a directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._ca = trustme.CA()
        self._count = 0
        self.file = directory / "ca.pem"
        self._ca.cert_pem.write_to_path(self.file)

    def issue(self, *names: str, not_after: datetime | None = None, common_name: str | None = None) -> Pair:
        """A new leaf for these names or addresses, valid until `not_after` (trustme's far future if None)."""
        self._count += 1
        not_before = None if not_after is None else not_after - timedelta(days=30)
        leaf = self._ca.issue_cert(*names, not_before=not_before, not_after=not_after, common_name=common_name)
        cert = self._directory / f"leaf-{self._count}.pem"
        key = self._directory / f"leaf-{self._count}-key.pem"
        for blob in leaf.cert_chain_pems:
            blob.write_to_path(cert, append=True)
        leaf.private_key_pem.write_to_path(key)
        return Pair(cert, key)

    def trusting(self, *, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
        """A client context that trusts this authority, for one TLS version only if given."""
        context = ssl.create_default_context(cafile=self.file)
        if version is not None:
            context.minimum_version = context.maximum_version = version
        return context
