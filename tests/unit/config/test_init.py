"""The options of `init`: a part of the configuration, by the same names."""

from pathlib import Path

from holdfast.config.init import InitOptions


def test_its_options_are_those_of_the_configuration() -> None:
    options = InitOptions.parse({"data_dir": "/srv/h", "as_json": True})
    assert options.as_json
    assert options.config.data_dir == Path("/srv/h")
    assert options.config.database.text == "sqlite+aiosqlite:////srv/h/holdfast.db"
    url = "postgresql+asyncpg://me:secret@h/n"
    assert InitOptions.parse({"database_url": url}).config.database.text == url
