"""The options of `waf`: a part of the configuration, by the same names."""

from pathlib import Path

import pytest

from holdfast.config.waf import LoadOptions, RemoveOptions, ShowOptions, WafOptions


@pytest.mark.parametrize("kind", [WafOptions, ShowOptions, RemoveOptions])
def test_its_options_are_those_of_the_configuration(kind: type[WafOptions]) -> None:
    options = kind.parse({"data_dir": "/srv/h"})
    assert options.config.data_dir == Path("/srv/h")
    assert options.config.database.text == "sqlite+aiosqlite:////srv/h/holdfast.db"


def test_a_folder_is_loaded_with_a_setup_of_its_own_or_another() -> None:
    options = LoadOptions.parse({"directory": "/srv/crs", "data_dir": "/srv/h"})
    assert (options.directory, options.setup) == (Path("/srv/crs"), None)
    assert LoadOptions.parse({"directory": "x", "setup": "/etc/a.conf"}).setup == Path("/etc/a.conf")


def test_what_is_shown_may_be_for_programs() -> None:
    assert ShowOptions.parse({"as_json": True}).as_json


def test_what_rules_execute_is_removed_only_by_force() -> None:
    assert not RemoveOptions.parse({}).is_forced
    assert RemoveOptions.parse({"is_forced": True}).is_forced
