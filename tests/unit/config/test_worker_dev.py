"""`holdfast worker dev` is `holdfast up --worker --watch` on a port of its own."""

from pathlib import Path
from typing import Any

import pytest

from holdfast.config.up import UpOptions
from holdfast.config.worker_dev import WorkerDevOptions
from holdfast.errors import UsageError
from holdfast.model.listen_address import ListenAddress
from holdfast.model.origin_url import OriginUrl


def project(directory: Path, dev: str = "") -> Path:
    (directory / "wrangler.toml").write_text(f'name = "chat"\nmain = "worker.py"\n{dev}', encoding="utf-8")
    (directory / "worker.py").touch()
    return directory


@pytest.mark.parametrize(
    ("dev", "listen", "expected"),
    [
        ("", (), ListenAddress("127.0.0.1", 8787)),
        ('[dev]\nport = 9000\nip = "localhost"', (), ListenAddress("127.0.0.1", 9000)),
        ('[dev]\nip = "::1"', (), ListenAddress("::1", 8787)),
        ("[dev]\nport = 9000", ["127.0.0.1:0"], ListenAddress("127.0.0.1", 0)),
    ],
)
def test_where_it_listens(tmp_path: Path, dev: str, listen: list[str], expected: ListenAddress) -> None:
    options = WorkerDevOptions.parse({"path": str(project(tmp_path, dev)), "listen": listen})
    assert options.as_up().listen == (expected,)


def test_it_is_up(tmp_path: Path) -> None:
    given = {"path": str(project(tmp_path)), "data_dir": "/d", "origin": "http://127.0.0.1:9000"}
    assert WorkerDevOptions.parse(given).as_up() == UpOptions(
        origin=OriginUrl(scheme="http", host="127.0.0.1", port=9000),
        worker=(tmp_path,),
        watch=True,
        listen=(ListenAddress("127.0.0.1", 8787),),
        data_dir=Path("/d"),
        threads=1,
        log_file=Path("/d/up/dev.log"),
    )


def test_an_environment_says_where_it_listens_and_is_ups(tmp_path: Path) -> None:
    path = project(tmp_path, "[dev]\nport = 9000\n[env.staging.dev]\nport = 9001")
    up = WorkerDevOptions.parse({"path": str(path), "env": "staging"}).as_up()
    assert (up.env, up.listen) == ("staging", (ListenAddress("127.0.0.1", 9001),))
    with pytest.raises(UsageError, match=r"--env: expected an environment of .* \(there: staging\), got 'other'"):
        WorkerDevOptions.parse({"path": str(path), "env": "other"}).as_up()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"worker": ["/p"], "env": ""}, "--env: expected the name of an environment"),
        (
            {"origin": "http://127.0.0.1:1", "env": "staging"},
            "--env: expected --worker, whose environment it is, got 'staging'",
        ),
    ],
)
def test_an_environment_of_nothing_is_refused(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        UpOptions.parse(given)
    assert sentence in str(caught.value)


def test_an_address_that_is_none_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"dev\.ip: expected ADDRESS:PORT"):
        WorkerDevOptions.parse({"path": str(project(tmp_path, '[dev]\nip = "nowhere"'))}).as_up()
