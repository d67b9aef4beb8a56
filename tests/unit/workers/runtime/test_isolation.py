"""What user code may touch of the machine, event by event."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from holdfast.model.data_dir import workers_host_socket
from holdfast.workers.runtime.isolation import Refusal, scrub_environment

DATA, OWN = Path("/data"), (Path("/data/workers/k/objects"), Path("/data/workers/egress.sock"))


def test_secrets_of_the_environment_are_gone() -> None:
    environ = {"PATH": "/bin", "TZ": "UTC", "HOLDFAST_SECRET_KEY": "s", "AWS_SECRET": "s"}
    scrub_environment(environ)
    assert environ == {"PATH": "/bin", "TZ": "UTC"}


@pytest.mark.parametrize(
    ("event", "arguments"),
    [
        ("open", ("/data/secret.key", "r", 0)),
        ("open", (b"/data/secret.key", "r", 0)),
        ("open", (Path("/data/workers/k/../other/objects/a.sqlite"), "r", 0)),
        ("open", ("/data/workers/k/objects2", "r", 0)),
        ("os.listdir", ("/data",)),
        ("os.scandir", ("/data/",)),
        ("os.rename", ("/data/workers/k/objects/a", "/data/b", -1, -1)),
        ("sqlite3.connect", ("/data/holdfast.db",)),
        ("sqlite3.connect", ("file:/data/holdfast%2Edb?mode=ro",)),
        ("sqlite3.connect", ("file:///data/holdfast.db",)),
        ("sqlite3.connect", ("file://localhost/data/holdfast.db#x",)),
        ("os.chdir", ("/data",)),
        ("os.setxattr", ("/data/holdfast.db", "user.x", b"", 0)),
        ("socket.connect", (None, "/data/control.sock")),
        ("socket.connect", (None, b"/data/workers/host.sock")),
        ("subprocess.Popen", ("/bin/sh", [], None, None)),
        ("os.system", ("true",)),
        ("os.fork", ()),
    ],
)
def test_what_is_not_the_scripts_own_is_refused(event: str, arguments: tuple[Any, ...]) -> None:
    with pytest.raises(PermissionError, match=event):
        Refusal(DATA, OWN)(event, arguments)


@pytest.mark.parametrize(
    ("event", "arguments"),
    [
        ("open", ("/data/workers/k/objects/Room/1.sqlite", "r", 0)),
        ("open", (7, "r", 0)),
        ("sqlite3.connect", ("file:/data/workers/k/objects/Room/1.sqlite?mode=rw",)),
        ("sqlite3.connect", (":memory:",)),
        ("open", ("/usr/lib/python3/os.py", "r", 0)),
        ("os.listdir", ("/database",)),
        ("os.listdir", (None,)),
        ("socket.connect", (None, "/data/workers/egress.sock")),
        ("socket.connect", (None, ("192.0.2.1", 443))),
        ("socket.connect", (None, b"\0abstract")),
        ("import", ("holdfast",)),
    ],
)
def test_all_else_is_nobodys_business(event: str, arguments: tuple[Any, ...]) -> None:
    Refusal(DATA, OWN)(event, arguments)


def test_a_path_is_seen_from_where_it_starts(tmp_path: Path) -> None:
    (tmp_path / "data" / "workers").mkdir(parents=True)
    refusal, directory = Refusal(tmp_path / "data", []), os.open(tmp_path, os.O_RDONLY)
    try:
        for event, arguments in (
            ("os.open", ("data", directory)),
            ("os.mkdir", ("data/mine", 0o777, directory)),
            ("os.mkfifo", ("data/pipe", directory)),
            ("os.remove", ("data/workers", directory)),
            ("os.rename", ("a", "data/b", directory, directory)),
            ("os.rename", ("../" + tmp_path.name, "b", directory, -1)),
            ("os.utime", ("data", None, None, directory)),
        ):
            with pytest.raises(PermissionError, match=event):
                refusal(event, arguments)
        refusal("os.open", ("beside", directory))
        refusal("os.open", ("data", -1))
        refusal("os.open", ("data", 10**6))
    finally:
        os.close(directory)


def confined(tmp_path: Path, code: str) -> str:
    """What user code prints in a process of its own that may not touch what is below `tmp_path`; DATA is that."""
    source = (
        "import sys\nfrom pathlib import Path\nfrom holdfast.workers.runtime import isolation\n"
        f"DATA = {str(tmp_path)!r}\nisolation.confine(Path(DATA), [])\n{code}"
    )
    ended = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


@pytest.mark.parametrize("statement", ["attach '{}/secret.db' as other", "vacuum into '{}/copy.db'"])
@pytest.mark.parametrize(
    "opened",
    [
        "sqlite3.connect(':memory:')",
        "sqlite3.Connection(':memory:')",
        "sqlite3.connect(':memory:', factory=Mine)",
        "sqlite3.connect(':memory:', 5, 0, None, True, Mine)",
    ],
)
def test_a_database_of_ones_own_opens_no_other(tmp_path: Path, opened: str, statement: str) -> None:
    with sqlite3.connect(tmp_path / "secret.db") as secret:
        secret.execute("CREATE TABLE tokens (value)")
    code = (
        f"import sqlite3\nclass Mine(sqlite3.Connection): pass\nconnection = {opened}\n"
        "assert isinstance(connection, sqlite3.Connection)\nconnection.execute('create table mine (value)')\n"
        f"try:\n    connection.execute({statement!r}.format(DATA))\nexcept sqlite3.Error as error:\n    print(error)\n"
    )
    assert "too many attached databases" in confined(tmp_path, code)
    assert [path.name for path in tmp_path.iterdir()] == ["secret.db"]


@pytest.mark.parametrize(
    "question",
    [
        "importlib.import_module('holdfast.workers.host.script')",
        "importlib.import_module('.workers.host.script', 'holdfast')",
        "importlib.util.find_spec('holdfast.workers')",
        "runpy.run_module('holdfast.workers.host.script')",
        "pkgutil.resolve_name('holdfast.workers:host')",
    ],
)
def test_whoever_asks_for_a_module_by_its_name_gets_none_of_holdfasts(tmp_path: Path, question: str) -> None:
    code = f"import importlib, importlib.util, pkgutil, runpy\ntry:\n    {question}\nexcept ImportError as error:\n    print(error)\n"
    assert "holdfast.workers" in confined(tmp_path, code)


def test_modules_of_others_are_found_by_their_names(tmp_path: Path) -> None:
    assert (
        confined(tmp_path, "import importlib\nprint(importlib.import_module('json.decoder').__name__)\n")
        == "json.decoder"
    )


def test_what_has_everything_in_it_is_moved_away_by_nobody() -> None:
    refusal = Refusal(Path("/srv/of/data"), [Path("/srv/of/data/workers/k/objects")])
    for event, arguments in (
        ("os.rename", ("/srv/of", "/elsewhere", -1, -1)),
        ("os.rename", ("/srv/of/data", "/srv/of/other", -1, -1)),
        ("os.rmdir", ("/srv", -1)),
        ("shutil.rmtree", ("/srv/of", None)),
    ):
        with pytest.raises(PermissionError, match=event):
            refusal(event, arguments)
    refusal("os.listdir", ("/srv/of",))
    refusal("os.rename", ("/srv/of/another", "/srv/of/third", -1, -1))


def test_what_the_command_has_beside_its_data_is_its_own() -> None:
    refusal = Refusal(Path("/srv/up"), [])
    for event, arguments in (
        ("socket.connect", (None, "/srv/supervisor.sock")),
        ("open", ("/srv/supervisor.lock", "r", 0)),
        ("open", ("/srv/tls/ca-key.pem", "r", 0)),
        ("open", ("/srv/holdfast.db", "r", 0)),
        ("os.listdir", ("/srv",)),
    ):
        with pytest.raises(PermissionError, match=event):
            refusal(event, arguments)
    refusal("open", ("/srv.project/worker.py", "r", 0))
    Refusal(Path("/srv/data"), [])("open", ("/srv/project/worker.py", "r", 0))


def test_sockets_that_are_elsewhere_and_a_directory_by_another_name_are_the_same(tmp_path: Path) -> None:
    data = tmp_path / ("d" * 90)
    data.mkdir()
    (tmp_path / "link").symlink_to(data)
    assert not workers_host_socket(data).is_relative_to(data)
    with pytest.raises(PermissionError):
        Refusal(data, [])("socket.connect", (None, str(workers_host_socket(data))))
    for named in (data, tmp_path / "link"):
        with pytest.raises(PermissionError):
            Refusal(named, [])("open", (str(data / "holdfast.db"), "r", 0))
        with pytest.raises(PermissionError):
            Refusal(data, [])("open", (str(named / "holdfast.db"), "r", 0))
