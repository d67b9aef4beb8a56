"""The options of `holdfast init`."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from holdfast.config import spellings
from holdfast.config.database_url import DatabaseUrl
from holdfast.config.run import Config
from holdfast.model.data_dir import default_data_dir
from holdfast.model.option import Given, parsed_fields, switch


@dataclass(frozen=True, slots=True, kw_only=True)
class InitOptions:
    """What `holdfast init` was asked to do."""

    data_dir: Path = dataclasses.field(
        default_factory=lambda: default_data_dir(os.environ, Path.home()), metadata=spellings.DATA_DIR
    )
    database_url: DatabaseUrl | None = dataclasses.field(default=None, metadata=spellings.DATABASE_URL)
    as_json: bool = dataclasses.field(
        default=False, metadata=switch("--json", "For programs: {account_id, token} as JSON.")
    )

    new_token: bool = dataclasses.field(
        default=False,
        metadata=switch("--new-token", "Where there is an installation already: make its owner another token."),
    )

    @classmethod
    def parse(cls, given: Mapping[str, Given]) -> InitOptions:
        """Options from what was given, by field name. Raises UsageError."""
        return cls(**parsed_fields(cls, given))

    @property
    def config(self) -> Config:
        """The configuration that these are part of."""
        return Config(data_dir=self.data_dir, database_url=self.database_url)
