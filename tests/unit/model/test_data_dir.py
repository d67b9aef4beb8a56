"""Where files are, by the XDG base directory specification."""

from pathlib import Path

import pytest

from holdfast.model.data_dir import default_data_dir, has_room_for_the_socket, local_ca_file


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
