"""The options of `holdfast worker dev`: those of `up --worker --watch` that somebody needs who edits a Worker.

Law: it is `up` and nothing else: what these options mean is what `UpOptions` make of them.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from holdfast.config import spellings
from holdfast.config.up import UpOptions
from holdfast.config.wrangler import read_worker
from holdfast.model.data_dir import default_data_dir, local_home
from holdfast.model.listen_address import ListenAddress
from holdfast.model.option import Given, parsed_fields, spelled
from holdfast.model.origin_url import OriginUrl

# Where wrangler's own `dev` listens.
USUAL_IP, USUAL_PORT = "127.0.0.1", 8787
LOG_NAME = "dev.log"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerDevOptions:
    """Which project, and where it is served. `listen` () is what the project's `dev` says, else port 8787."""

    path: Path = dataclasses.field(
        metadata=spelled(
            "PATH", "DIR|FILE", "A directory with wrangler.toml or .jsonc, or a .py file.", spellings.path_of
        )
    )
    env: str | None = dataclasses.field(default=None, metadata=spellings.WORKER_ENV)
    origin: OriginUrl | None = dataclasses.field(
        default=None,
        metadata=spelled(
            "--origin", "URL", "Put the Worker in front of this, as `up` has it.", spellings.ORIGIN["spelling"].parse
        ),
    )
    listen: tuple[ListenAddress, ...] = dataclasses.field(
        default=(), metadata={"spelling": dataclasses.replace(spellings.LISTEN["spelling"], default="127.0.0.1:8787")}
    )
    data_dir: Path = dataclasses.field(
        default_factory=lambda: default_data_dir(os.environ, Path.home()), metadata=spellings.DATA_DIR
    )

    @classmethod
    def parse(cls, given: Mapping[str, Given]) -> WorkerDevOptions:
        """Options from what was given, by field name. Raises UsageError."""
        return cls(**parsed_fields(cls, given))

    @property
    def log_file(self) -> Path:
        """Where records go. Its directory is made by whoever serves."""
        return local_home(self.data_dir) / LOG_NAME

    def as_up(self) -> UpOptions:
        """What `holdfast up` is asked to do. Raises UsageError, and SetupError for a project that cannot be read."""
        listen = self.listen or (_address_of(self.path, self.env),)
        return UpOptions(
            origin=self.origin,
            worker=(self.path,),
            env=self.env,
            watch=True,
            listen=listen,
            data_dir=self.data_dir,
            threads=1,
            # The terminal is for what the Worker says.
            log_file=self.log_file,
        )


def _address_of(path: Path, env: str | None) -> ListenAddress:
    dev = read_worker(path, env).settings.dev
    ip = USUAL_IP if dev.ip in {"", "localhost"} else dev.ip
    return ListenAddress.parse(
        f"[{ip}]:{dev.port or USUAL_PORT}" if ":" in ip else f"{ip}:{dev.port or USUAL_PORT}", field="dev.ip"
    )
