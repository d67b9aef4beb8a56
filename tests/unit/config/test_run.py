"""`Config`: its defaults, and what must hold between its values."""

import dataclasses
from pathlib import Path

import pytest

from holdfast.config.run import Config
from holdfast.config.spellings import usable_cpus
from holdfast.errors import UsageError
from holdfast.model.listen_address import ListenAddress
from holdfast.model.option import Given, spelling_of


def test_nothing_has_to_be_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/srv/data")
    config = Config.parse({})
    assert config.data_dir == Path("/srv/data/holdfast")
    assert config.database.text == "sqlite+aiosqlite:////srv/data/holdfast/holdfast.db"
    assert (config.listen, config.tls_listen) == ((ListenAddress("127.0.0.1", 8080),), ())
    assert config.control_listen == ListenAddress("127.0.0.1", 7070)
    assert (config.control_rate_limit, config.control_ip_rate_limit) == (1200, 200)
    assert (config.control_event_days, config.control_event_rows) == (30, 500_000)
    assert config.threads == usable_cpus()


@pytest.mark.parametrize(
    ("given", "field", "said"),
    [
        ({"listen": ["none"]}, "listen", "at least one address, here or with tls_listen"),
        ({"cert": ["a.pem"], "tls_listen": ["127.0.0.1:1"]}, "key", "goes with a.pem"),
        ({"cert": ["a.pem"], "key": ["a.key"]}, "tls_listen", "since cert is given"),
        ({"control_cert": "a.pem"}, "control.key", "goes with a.pem"),
        ({"control_key": "a.key"}, "control.cert", "goes with a.key"),
        ({"control_listen": "127.0.0.1:8080"}, "control.listen", "not in listen or tls_listen"),
        ({"listen": ["127.0.0.1:1"], "tls_listen": ["127.0.0.1:1"]}, "listen", "each address once"),
    ],
)
def test_what_cannot_hold_names_the_key(given: dict[str, Given], field: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        Config.parse(given)
    assert caught.value.field == field
    assert said in str(caught.value)


def test_free_ports_do_not_clash() -> None:
    config = Config.parse({"listen": ["127.0.0.1:0", "127.0.0.1:0"], "control_listen": "127.0.0.1:0"})
    assert len(config.listen) == 2


def test_every_field_has_a_key_a_flag_and_a_variable_of_its_own() -> None:
    spellings = [spelling_of(field) for field in dataclasses.fields(Config)]
    for names in (
        [one.key for one in spellings],
        [one.flag for one in spellings],
        [one.environment for one in spellings],
    ):
        assert len(set(names)) == len(names)
        assert all(names)
    assert [field.name for field in dataclasses.fields(Config)] == [one.key.replace(".", "_") for one in spellings]


def test_a_key_is_spelled_the_same_in_the_environment() -> None:
    variables = {spelling_of(field).key: spelling_of(field).environment for field in dataclasses.fields(Config)}
    assert variables["control.listen"] == "HOLDFAST_CONTROL_LISTEN"
    assert variables["data_dir"] == "HOLDFAST_DATA_DIR"


def test_a_data_directory_whose_path_leaves_no_room_for_the_socket_is_refused() -> None:
    with pytest.raises(
        UsageError, match=r"^data_dir: expected a path of at most 94 bytes, as the socket control\.sock"
    ):
        Config.parse({"data_dir": "/" + "x" * 94})
    assert str(Config.parse({"data_dir": "/" + "x" * 93}).data_dir) == "/" + "x" * 93
