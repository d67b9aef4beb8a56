"""The options of `holdfast waf`: which installation, and where the rules are."""

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
from holdfast.model.option import Given, parsed_fields, spelled, switch

_DIR = spelled(
    "DIR",
    "DIR",
    "A folder with a release of the OWASP Core Rule Set, such as /usr/share/modsecurity-crs.",
    spellings.path_of,
)
_SETUP = spelled(
    "--setup",
    "FILE",
    "The crs-setup.conf to use.",
    spellings.path_of,
    default="that of DIR, else its example",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WafOptions:
    """Which installation a verb of `holdfast waf` is about."""

    data_dir: Path = dataclasses.field(
        default_factory=lambda: default_data_dir(os.environ, Path.home()), metadata=spellings.DATA_DIR
    )
    database_url: DatabaseUrl | None = dataclasses.field(default=None, metadata=spellings.DATABASE_URL)

    @classmethod
    def parse(cls, given: Mapping[str, Given]) -> WafOptions:
        """Options from what was given, by field name. Raises UsageError."""
        return cls(**parsed_fields(cls, given))

    @property
    def config(self) -> Config:
        """The configuration that these are part of."""
        return Config(data_dir=self.data_dir, database_url=self.database_url)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowOptions(WafOptions):
    """What `holdfast waf show` was asked to do."""

    as_json: bool = dataclasses.field(default=False, metadata=switch("--json", "For programs: a list of rulesets."))

    @classmethod
    def parse(cls, given: Mapping[str, Given]) -> ShowOptions:
        """As for `WafOptions`."""
        return cls(**parsed_fields(cls, given))


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveOptions(WafOptions):
    """What `holdfast waf remove-crs` was asked to do."""

    is_forced: bool = dataclasses.field(default=False, metadata=switch("--force", "Also while rules execute it."))

    @classmethod
    def parse(cls, given: Mapping[str, Given]) -> RemoveOptions:
        """As for `WafOptions`."""
        return cls(**parsed_fields(cls, given))


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions(WafOptions):
    """What `holdfast waf load-crs` was asked to do."""

    directory: Path = dataclasses.field(metadata=_DIR)
    setup: Path | None = dataclasses.field(default=None, metadata=_SETUP)

    @classmethod
    def parse(cls, given: Mapping[str, Given]) -> LoadOptions:
        """As for `WafOptions`."""
        return cls(**parsed_fields(cls, given))
