"""The options of `holdfast up`.

Law 1: one field is one option. Its flag, environment variable, help and parser are its spelling (`spellings`); the
command line and the reference are made from that, and from nothing else.
Law 2: an `UpOptions` is proof: every value is parsed, and what must hold between two options holds.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from holdfast.config import spellings
from holdfast.config.spellings import ReleaseOrder, SslMode, usable_cpus
from holdfast.errors import UsageError
from holdfast.model.data_dir import default_data_dir
from holdfast.model.listen_address import ListenAddress
from holdfast.model.option import Given, parsed_fields
from holdfast.model.origin_url import OriginUrl


@dataclass(frozen=True, slots=True, kw_only=True)
class UpOptions:
    """What `holdfast up` was asked to do."""

    origin: OriginUrl | None = dataclasses.field(default=None, metadata=spellings.ORIGIN)
    worker: tuple[Path, ...] = dataclasses.field(default=(), metadata=spellings.WORKER)
    env: str | None = dataclasses.field(default=None, metadata=spellings.WORKER_ENV)
    watch: bool = dataclasses.field(default=False, metadata=spellings.WATCH)
    listen: tuple[ListenAddress, ...] = dataclasses.field(
        default=(ListenAddress("127.0.0.1", 8080),), metadata=spellings.LISTEN
    )
    tls_listen: tuple[ListenAddress, ...] = dataclasses.field(default=(), metadata=spellings.TLS_LISTEN)
    cert: tuple[Path, ...] = dataclasses.field(default=(), metadata=spellings.CERT)
    key: tuple[Path, ...] = dataclasses.field(default=(), metadata=spellings.KEY)
    data_dir: Path = dataclasses.field(
        default_factory=lambda: default_data_dir(os.environ, Path.home()), metadata=spellings.DATA_DIR
    )
    threads: int = dataclasses.field(default_factory=usable_cpus, metadata=spellings.THREADS)
    log_file: Path | None = dataclasses.field(default=None, metadata=spellings.LOG_FILE)
    origin_ca: Path | None = dataclasses.field(default=None, metadata=spellings.ORIGIN_CA)
    ssl: SslMode = dataclasses.field(default=SslMode.STRICT, metadata=spellings.SSL)
    origin_max_pending_connects: int = dataclasses.field(default=256, metadata=spellings.MAX_PENDING_CONNECTS)
    release_deadline: int = dataclasses.field(default=3600, metadata=spellings.RELEASE_DEADLINE)
    release_spread: int = dataclasses.field(default=60, metadata=spellings.RELEASE_SPREAD)
    release_order: ReleaseOrder = dataclasses.field(default=ReleaseOrder.OLDEST, metadata=spellings.RELEASE_ORDER)

    @classmethod
    def parse(cls, given: Mapping[str, Given]) -> UpOptions:
        """Options from what was given, by field name; what is missing or empty takes its default.

        Raises UsageError, naming the flag, for the first value that cannot be used.
        """
        empty = {name: () for name, raw in given.items() if spellings.is_none(name, raw)}
        return cls(**{**parsed_fields(cls, spellings.without_none(given)), **empty})

    def __post_init__(self) -> None:
        spellings.check_serving(
            self.listen, self.tls_listen, self.cert, self.key, name=lambda key: f"--{key.replace('_', '-')}"
        )
        if self.origin is None and not self.worker:
            raise UsageError("ORIGIN", None, "the URL of an origin, or a Worker by --worker")
        if self.watch and not self.worker:
            raise UsageError("--watch", "yes", "--worker, which says what to watch")
        if self.env is not None and not self.worker:
            raise UsageError("--env", self.env, "--worker, whose environment it is")
        if self.origin_ca and self.ssl is SslMode.FULL:
            raise UsageError("--ssl", self.ssl.value, "strict, since --origin-ca says whom to trust")

    @property
    def certificate_files(self) -> tuple[tuple[Path, Path], ...]:
        """(certificate, key) pairs, in the order given."""
        return tuple(zip(self.cert, self.key, strict=True))
