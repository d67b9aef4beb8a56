"""Options as texts: the way there and back, and what a person is shown."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.config.run import Config
from holdfast.config.sources import effective
from holdfast.config.texts import as_lines, shown, texts_of
from holdfast.config.up import UpOptions
from holdfast.model.option import Given

NOWHERE = Path("/nonexistent")

_GIVEN: st.SearchStrategy[dict[str, Given]] = st.fixed_dictionaries(
    {"listen": st.sampled_from([["none"], ["127.0.0.1:0", "[::1]:80"]])},
    optional={
        "tls_listen": st.just(["0.0.0.0:443"]),
        "threads": st.sampled_from(["1", "64"]),
        "data_dir": st.sampled_from(["/srv/x y", "relative"]),
        "log_file": st.just("edge.log"),
        "database_url": st.sampled_from(["sqlite+aiosqlite:///x.db", "postgresql+asyncpg://a:b@h/n"]),
        "resolvers": st.just(["9.9.9.9", "[::1]:5353"]),
        "control_listen": st.just("[::1]:0"),
        "control_rate_limit": st.just("0"),
        "geoip_database": st.just("g.mmdb"),
    },
)


@given(_GIVEN)
def test_what_a_child_is_given_makes_the_same_configuration(given_: dict[str, Given]) -> None:
    if given_["listen"] == ["none"]:
        given_ = {**given_, "tls_listen": ["127.0.0.1:443"]}
    config = Config.parse(given_)
    assert Config.parse(texts_of(config)) == config


@pytest.mark.parametrize("origin", ["https://h:8443/base", "unix:/run/a.sock", "http://[::1]:9"])
def test_the_options_of_up_go_the_same_way(origin: str) -> None:
    options = UpOptions.parse({"origin": origin, "ssl": "full", "tls_listen": ["127.0.0.1:0"], "listen": ["none"]})
    assert UpOptions.parse(texts_of(options)) == options


def test_what_is_shown_can_stand_in_a_file_and_means_the_same(tmp_path: Path) -> None:
    environ = {"HOLDFAST_TLS_LISTEN": "127.0.0.1:443", "HOLDFAST_DATA_DIR": 'quote"d', "HOLDFAST_LISTEN": "none"}
    found = effective({}, environ, system_file=NOWHERE)
    file = tmp_path / "holdfast.toml"
    file.write_text("\n".join(as_lines(shown(found))))
    assert tomllib.loads(file.read_text())["control"]["listen"] == "127.0.0.1:7070"
    again = effective({}, {}, file=file)
    assert again.config.listen == ()
    assert (again.config.data_dir, again.config.tls_listen) == (Path('quote"d'), found.config.tls_listen)


def test_where_a_value_came_from_is_shown_and_a_password_is_not() -> None:
    environ = {"HOLDFAST_DATABASE_URL": "postgresql+asyncpg://me:secret@h/n"}
    found = effective({"threads": "3"}, environ, system_file=NOWHERE)
    assert shown(found)["threads"] == {"value": 3, "from": "--threads"}
    assert shown(found)["database_url"] == {
        "value": "postgresql+asyncpg://me:***@h/n",
        "from": "HOLDFAST_DATABASE_URL",
    }
    lines = as_lines(shown(found))
    assert any(line.startswith("threads = 3") and line.endswith("# --threads") for line in lines)
    assert any(line.startswith("# log_file: not set") for line in lines)
    assert not any("secret" in line for line in lines)
