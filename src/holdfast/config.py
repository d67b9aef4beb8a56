"""The options of `holdfast up`, each spelled once.

Law 1: one field is one option. Its flag, environment variable, help and parser stand in its metadata; the command line
and the reference are made from that, and from nothing else.
Law 2: an `UpOptions` is proof: every value is parsed, and what must hold between two options holds.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from holdfast.errors import UsageError
from holdfast.model.data_dir import default_data_dir
from holdfast.model.listen_address import ListenAddress
from holdfast.model.option import Given, parsed_fields, spelled
from holdfast.model.origin_url import OriginUrl

# Two threads each (HTTP and tunnels). Precedent: no machine we know gains from more loops than cores, and 64 cores
# already outrun a network card.
MAX_THREADS = 64

# What `--listen` takes to mean "no plain address": for an edge that serves TLS only.
NO_ADDRESS = "none"


class SslMode(StrEnum):
    """How the leg to an https origin is secured, in the words of Cloudflare's zone setting `ssl`."""

    STRICT = "strict"
    FULL = "full"


def usable_cpus() -> int:
    """How many processors this process may use (sched_getaffinity), at most MAX_THREADS."""
    return min(len(os.sched_getaffinity(0)), MAX_THREADS)


def _listen(text: str, flag: str) -> ListenAddress:
    return ListenAddress.parse(text, field=flag)


def _origin(text: str, flag: str) -> OriginUrl:
    return OriginUrl.parse(text, field=flag)


def _path(text: str, flag: str) -> Path:
    if not text or "\0" in text:
        raise UsageError(flag, text, "the path of a file or directory")
    return Path(text).expanduser()


def _threads(text: str, flag: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= MAX_THREADS):
        raise UsageError(flag, text, f"a number from 1 to {MAX_THREADS}")
    return int(text)


def _ssl_mode(text: str, flag: str) -> SslMode:
    try:
        return SslMode(text)
    except ValueError:
        raise UsageError(flag, text, " or ".join(SslMode)) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpOptions:
    """What `holdfast up` was asked to do."""

    origin: OriginUrl = dataclasses.field(
        metadata=spelled(
            "ORIGIN",
            "ORIGIN",
            "Where requests go: http://, https://, ws:// or wss:// with host, port and base path, or unix:/path.",
            _origin,
        )
    )
    listen: tuple[ListenAddress, ...] = dataclasses.field(
        default=(ListenAddress("127.0.0.1", 8080),),
        metadata=spelled(
            "--listen",
            "ADDR:PORT",
            f"Serve ws:// and http:// here. Repeatable; port 0 takes any free one; {NO_ADDRESS!r} for TLS only.",
            _listen,
            is_many=True,
            default="127.0.0.1:8080",
        ),
    )
    tls_listen: tuple[ListenAddress, ...] = dataclasses.field(
        default=(),
        metadata=spelled(
            "--tls-listen", "ADDR:PORT", "Serve wss:// and https:// here. Repeatable.", _listen, is_many=True
        ),
    )
    cert: tuple[Path, ...] = dataclasses.field(
        default=(),
        metadata=spelled(
            "--cert",
            "FILE",
            "Certificate chain (PEM), its own certificate first; goes with --key. Repeatable: the client's SNI chooses,"
            " the first is for all others. Without one, a local authority is made in the data directory.",
            _path,
            is_many=True,
        ),
    )
    key: tuple[Path, ...] = dataclasses.field(
        default=(),
        metadata=spelled(
            "--key",
            "FILE",
            "Private key (PEM, not encrypted) of the --cert given in the same place.",
            _path,
            is_many=True,
        ),
    )
    data_dir: Path = dataclasses.field(
        default_factory=lambda: default_data_dir(os.environ, Path.home()),
        metadata=spelled("--data", "DIR", "Where Holdfast keeps its files.", _path, default="$XDG_DATA_HOME/holdfast"),
    )
    threads: int = dataclasses.field(
        default_factory=usable_cpus,
        metadata=spelled(
            "--threads",
            "N",
            f"How many loops share the connections, 1 to {MAX_THREADS}.",
            _threads,
            default="processors",
        ),
    )
    log_file: Path | None = dataclasses.field(
        default=None,
        metadata=spelled("--log", "FILE", "Append records here, one JSON object a line.", _path, default="stderr"),
    )
    origin_ca: Path | None = dataclasses.field(
        default=None,
        metadata=spelled(
            "--origin-ca", "FILE", "Trust these authorities (PEM) for an https origin, not the system's.", _path
        ),
    )
    ssl: SslMode = dataclasses.field(
        default=SslMode.STRICT,
        metadata=spelled(
            "--ssl",
            "|".join(SslMode),
            "Verify the certificate of an https origin, or take any.",
            _ssl_mode,
            default=SslMode.STRICT.value,
        ),
    )

    @classmethod
    def parse(cls, given: Mapping[str, Given]) -> UpOptions:
        """Options from what was given, by field name; what is missing or empty takes its default.

        Raises UsageError, naming the flag, for the first value that cannot be used.
        """
        serves_no_plain = given.get("listen") == [NO_ADDRESS]
        values = parsed_fields(cls, {**given, "listen": None} if serves_no_plain else given)
        return cls(**{**values, "listen": ()} if serves_no_plain else values)

    def __post_init__(self) -> None:
        if len(self.cert) != len(self.key):
            missing, present = ("--key", self.cert) if len(self.cert) > len(self.key) else ("--cert", self.key)
            raise UsageError(missing, None, f"the file that goes with {present[-1]}")
        if self.cert and not self.tls_listen:
            raise UsageError("--tls-listen", None, "the address to serve TLS on, since --cert is given")
        if not self.listen and not self.tls_listen:
            raise UsageError("--listen", NO_ADDRESS, "at least one address, here or with --tls-listen")
        fixed = [address for address in (*self.listen, *self.tls_listen) if address.port]
        for index, address in enumerate(fixed):
            if address in fixed[:index]:
                raise UsageError("--listen", str(address), "each address once, over --listen and --tls-listen")
        if self.origin_ca and self.ssl is SslMode.FULL:
            raise UsageError("--ssl", self.ssl.value, "strict, since --origin-ca says whom to trust")

    @property
    def certificate_files(self) -> tuple[tuple[Path, Path], ...]:
        """(certificate, key) pairs, in the order given."""
        return tuple(zip(self.cert, self.key, strict=True))
