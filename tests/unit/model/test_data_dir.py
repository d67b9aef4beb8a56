"""Where files are, by the XDG base directory specification."""

from pathlib import Path

import pytest

from holdfast.model.data_dir import default_data_dir, local_ca_file


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
