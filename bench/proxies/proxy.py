"""What a proxy is to the benchmark."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bench.errors import MissingError
from bench.process import Child, accepts


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What every proxy is given: the ports, the origin, the certificate, and how many threads it may have."""

    directory: Path
    origin_port: int
    plain_port: int
    tls_port: int
    chain: Path
    key: Path
    threads: int

    @property
    def chain_and_key(self) -> Path:
        """The chain and the key in one file, for those who want them so."""
        path = self.directory / "chain-and-key.pem"
        path.write_bytes(self.chain.read_bytes() + self.key.read_bytes())
        path.chmod(0o600)
        return path


class Proxy(Protocol):
    """One proxy. `command` and `version` raise MissingError, with a sentence, where its program is not installed."""

    @property
    def name(self) -> str: ...

    def command(self, setting: Setting) -> Sequence[str]:
        """Write the configuration into `setting.directory`; how to start it in the foreground."""
        ...

    def is_ready(self, child: Child, setting: Setting, /) -> bool:
        """Whether it serves on both ports."""
        ...

    def version(self) -> str:
        """As it tells it."""
        ...


def find(program: str, *, otherwise: str, extra: Sequence[Path] = ()) -> str:
    """The path of `program`, on the PATH, in sbin or in `extra`. Raises MissingError with the sentence `otherwise`."""
    places = [Path("/usr/sbin"), Path("/usr/local/sbin"), *extra]
    for candidate in (shutil.which(program), *(shutil.which(program, path=str(place)) for place in places)):
        if candidate is not None:
            return candidate
    raise MissingError(otherwise)


def both_ports_accept(setting: Setting) -> bool:
    """Readiness of a proxy that does not tell it."""
    return accepts(setting.plain_port) and accepts(setting.tls_port)
