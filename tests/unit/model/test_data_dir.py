"""Where files are, by the XDG base directory specification."""

from pathlib import Path

import pytest

from holdfast.model.data_dir import (
    SHORT_DIR,
    default_data_dir,
    has_room_for_the_socket,
    local_ca_file,
    worker_channel_socket,
    worker_key,
    worker_sockets_dir,
)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, "/home/me/.local/share/holdfast"),
        ({"XDG_DATA_HOME": ""}, "/home/me/.local/share/holdfast"),
        ({"XDG_DATA_HOME": "relative/path"}, "/home/me/.local/share/holdfast"),
        ({"XDG_DATA_HOME": "/srv/data"}, "/srv/data/holdfast"),
    ],
)
def test_the_default_follows_the_environment(environ: dict[str, str], expected: str) -> None:
    assert default_data_dir(environ, Path("/home/me")) == Path(expected)


def test_the_local_authority_is_where_clients_look_for_it() -> None:
    assert local_ca_file(Path("/d")) == Path("/d/tls/ca.pem")


def test_a_directory_whose_path_is_too_long_for_a_socket_is_told_apart() -> None:
    longest = 107 - len("/control.sock")
    assert has_room_for_the_socket(Path("/" + "x" * (longest - 1)))
    assert not has_room_for_the_socket(Path("/" + "x" * longest))
    assert not has_room_for_the_socket(Path("/" + "ü" * (longest // 2 + 1)))


def test_a_script_has_a_short_directory_of_its_own_whatever_it_is_called() -> None:
    key = worker_key("a" * 32, "chat")
    assert worker_channel_socket(Path("/d"), key) == Path(f"/d/workers/{key}/channel.sock")
    assert len(key) == len(worker_key("a" * 32, "x" * 255)) == 12
    assert len({key, worker_key("b" * 32, "chat"), worker_key("a" * 32, "chat2")}) == 3


def test_sockets_of_scripts_are_elsewhere_where_the_path_is_too_long_for_them() -> None:
    longest = 107 - len("/workers/0123456789ab/channel.sock")
    fits, does_not, another = (Path("/" + "x" * length) for length in (longest - 1, longest, longest + 1))
    assert worker_sockets_dir(fits) == fits / "workers"
    assert worker_sockets_dir(does_not).parent == SHORT_DIR
    assert worker_sockets_dir(does_not) != worker_sockets_dir(another)
    assert len(str(worker_channel_socket(Path("/" + "x" * 4000), "0123456789ab"))) <= 107
