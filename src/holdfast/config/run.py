"""The configuration of `holdfast run` and of its roles, `edge` and `control`.

Law 1: one field is one key of the configuration file, one environment variable and one flag (`spellings`).
Law 2: a `Config` is proof: every value is parsed, and what must hold between two of them holds.
Law 3: nothing here reads a file or the environment but for the defaults of the machine; `sources` does.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from holdfast.config import spellings
from holdfast.config.database_url import DatabaseUrl
from holdfast.config.spellings import ReleaseOrder, usable_cpus
from holdfast.errors import UsageError
from holdfast.model.data_dir import MAX_SOCKET_PATH_BYTES, control_socket, default_data_dir, has_room_for_the_socket
from holdfast.model.listen_address import ListenAddress
from holdfast.model.option import Given, parsed_fields

DATABASE_FILE = "holdfast.db"


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What this installation is. Fields named `control_...` are the keys `control....`."""

    data_dir: Path = dataclasses.field(
        default_factory=lambda: default_data_dir(os.environ, Path.home()), metadata=spellings.DATA_DIR
    )
    database_url: DatabaseUrl | None = dataclasses.field(default=None, metadata=spellings.DATABASE_URL)
    listen: tuple[ListenAddress, ...] = dataclasses.field(
        default=(ListenAddress("127.0.0.1", 8080),), metadata=spellings.LISTEN
    )
    tls_listen: tuple[ListenAddress, ...] = dataclasses.field(default=(), metadata=spellings.TLS_LISTEN)
    threads: int = dataclasses.field(default_factory=usable_cpus, metadata=spellings.THREADS)
    log_file: Path | None = dataclasses.field(default=None, metadata=spellings.LOG_FILE)
    cert: tuple[Path, ...] = dataclasses.field(default=(), metadata=spellings.CERT)
    key: tuple[Path, ...] = dataclasses.field(default=(), metadata=spellings.KEY)
    origin_ca: Path | None = dataclasses.field(default=None, metadata=spellings.ORIGIN_CA)
    geoip_database: Path | None = dataclasses.field(default=None, metadata=spellings.GEOIP_DATABASE)
    resolvers: tuple[ListenAddress, ...] = dataclasses.field(default=(), metadata=spellings.RESOLVERS)
    origin_max_pending_connects: int = dataclasses.field(default=256, metadata=spellings.MAX_PENDING_CONNECTS)
    release_deadline: int = dataclasses.field(default=3600, metadata=spellings.RELEASE_DEADLINE)
    release_spread: int = dataclasses.field(default=60, metadata=spellings.RELEASE_SPREAD)
    release_order: ReleaseOrder = dataclasses.field(default=ReleaseOrder.OLDEST, metadata=spellings.RELEASE_ORDER)
    control_listen: ListenAddress = dataclasses.field(
        default=ListenAddress("127.0.0.1", 7070), metadata=spellings.CONTROL_LISTEN
    )
    control_cert: Path | None = dataclasses.field(default=None, metadata=spellings.CONTROL_CERT)
    control_key: Path | None = dataclasses.field(default=None, metadata=spellings.CONTROL_KEY)
    control_rate_limit: int = dataclasses.field(default=1200, metadata=spellings.CONTROL_RATE_LIMIT)
    control_ip_rate_limit: int = dataclasses.field(default=200, metadata=spellings.CONTROL_IP_RATE_LIMIT)
    control_event_days: int = dataclasses.field(default=30, metadata=spellings.CONTROL_EVENT_DAYS)
    control_event_rows: int = dataclasses.field(default=500_000, metadata=spellings.CONTROL_EVENT_ROWS)

    @classmethod
    def parse(cls, given: Mapping[str, Given]) -> Config:
        """A configuration from texts, by field name; what is missing takes its default. Raises UsageError."""
        empty = {name: () for name, raw in given.items() if spellings.is_none(name, raw)}
        return cls(**{**parsed_fields(cls, spellings.without_none(given)), **empty})

    def __post_init__(self) -> None:
        if not has_room_for_the_socket(self.data_dir):
            name = control_socket(self.data_dir).name
            expected = (
                f"a path of at most {MAX_SOCKET_PATH_BYTES - len(name) - 1} bytes, as the socket {name} lies in it"
            )
            raise UsageError("data_dir", str(self.data_dir), expected)
        spellings.check_serving(self.listen, self.tls_listen, self.cert, self.key, name=lambda key: key)
        if (self.control_cert is None) != (self.control_key is None):
            missing, present = (
                ("control.key", self.control_cert) if self.control_cert else ("control.cert", self.control_key)
            )
            raise UsageError(missing, None, f"the file that goes with {present}")
        fixed = self.control_listen if self.control_listen.port else None
        if fixed in (*self.listen, *self.tls_listen):
            raise UsageError("control.listen", str(fixed), "an address that is not in listen or tls_listen")

    @property
    def certificate_files(self) -> tuple[tuple[Path, Path], ...]:
        """(certificate, key) pairs, in the order given."""
        return tuple(zip(self.cert, self.key, strict=True))

    @property
    def database(self) -> DatabaseUrl:
        """The database: the one that is configured, else the file in the data directory."""
        return self.database_url or DatabaseUrl.of_file(self.data_dir / DATABASE_FILE)
