"""A project of a Worker, placed for the host of scripts."""

import os
from pathlib import Path

import msgspec
import pytest

from holdfast.app.local_project import KEPT_VERSIONS, placed, placed_all
from holdfast.errors import HoldfastError
from holdfast.model.data_dir import local_home, worker_key, worker_version_dir
from holdfast.model.moment import written
from holdfast.model.worker_script import ScriptVersion

CONFIGURATION = """
name = "chat"
main = "src/worker.py"
vars = { GREETING = "hello", LEVEL = "low" }
[[durable_objects.bindings]]
name = "ROOM"
class_name = "Room"
"""


def project(directory: Path, *, code: str = "x = 1\n", configuration: str = CONFIGURATION) -> Path:
    (directory / "src").mkdir(parents=True, exist_ok=True)
    (directory / "wrangler.toml").write_text(configuration, encoding="utf-8")
    (directory / "src" / "worker.py").write_text(code, encoding="utf-8")
    return directory


def described(data_dir: Path, key: str, version: str) -> ScriptVersion:
    file = worker_version_dir(local_home(data_dir), key, version) / "script.json"
    assert file.stat().st_mode & 0o777 == 0o600
    return msgspec.json.decode(file.read_bytes(), type=ScriptVersion)


def test_a_project_becomes_a_version_that_is_complete(tmp_path: Path) -> None:
    here = project(tmp_path / "p")
    (here / ".dev.vars").write_text("LEVEL=high\nTOKEN=hush\n", encoding="utf-8")
    worker, read = placed(here, tmp_path / "d")
    assert (worker.key, worker.name) == (worker_key("", "chat"), "chat")
    version = described(tmp_path / "d", worker.key, worker.version)
    assert version.vars == {"GREETING": "hello", "LEVEL": "high", "TOKEN": "hush"}
    assert version.storages == {"Room": "sqlite"}
    assert version.main == "worker.py"
    code = worker_version_dir(local_home(tmp_path / "d"), worker.key, worker.version) / "code"
    assert {name: (code / name).read_bytes() for name in read.files} == dict(read.files)


def test_a_version_knows_itself_where_its_project_asks_for_that(tmp_path: Path) -> None:
    here = project(tmp_path / "p", configuration=f'version_metadata = {{ binding = "VERSION" }}\n{CONFIGURATION}')
    worker, _ = placed(here, tmp_path / "d")
    version = described(tmp_path / "d", worker.key, worker.version)
    made = written(version.created_ms * 1_000)
    assert version.vars["VERSION"] | {"timestamp": made} == {"id": worker.version, "tag": "", "timestamp": made}
    assert version.vars["VERSION"]["timestamp"][:23] == made[:23]


@pytest.mark.parametrize(
    "said",
    [
        '[[migrations]]\ntag = "v1"\ntransferred_classes = [{ from = "Old", from_script = "older", to = "Room" }]\n',
        '[exports.Room]\ntype = "durable-object"\nstorage = "sqlite"\nstate = "expecting-transfer"\ntransfer_from = "older"\n',
    ],
)
def test_a_class_that_comes_from_another_worker_is_new_where_a_project_is_tried_out(tmp_path: Path, said: str) -> None:
    here = project(tmp_path / "p", configuration=f"{CONFIGURATION}\n{said}")
    worker, _ = placed(here, tmp_path / "d")
    assert described(tmp_path / "d", worker.key, worker.version).storages == {"Room": "sqlite"}


def test_the_times_at_which_a_project_runs_by_itself_go_along(tmp_path: Path) -> None:
    here = project(tmp_path / "p", configuration=f'triggers.crons = ["0 * * * *"]\n{CONFIGURATION}')
    assert placed(here, tmp_path / "d")[0].crons == ("0 * * * *",)


def test_the_same_project_is_the_same_version_and_another_is_another(tmp_path: Path) -> None:
    here = project(tmp_path / "p")
    first, _ = placed(here, tmp_path / "d")
    assert placed(here, tmp_path / "d")[0] == first
    changed = [
        placed(project(here, code="x = 2\n"), tmp_path / "d")[0],
        placed(project(here, configuration=CONFIGURATION.replace("low", "lower")), tmp_path / "d")[0],
    ]
    assert len({first.version, *(one.version for one in changed)}) == 3
    assert {one.key for one in changed} == {first.key}


def test_old_versions_are_forgotten_but_not_the_one_that_serves(tmp_path: Path) -> None:
    here, versions = project(tmp_path / "p"), list[str]()
    directory = tmp_path
    for number in range(KEPT_VERSIONS + 4):
        worker, _ = placed(project(here, code=f"x = {number}\n"), tmp_path / "d")
        directory = worker_version_dir(local_home(tmp_path / "d"), worker.key, worker.version)
        os.utime(directory, (number, number))
        versions.append(worker.version)
        if not number:
            (directory.parent.parent / "active").write_text(worker.version, encoding="ascii")
    left = {one.name for one in directory.parent.iterdir()}
    assert left == {versions[0], *versions[-KEPT_VERSIONS - 1 :]}


@pytest.mark.parametrize(
    ("configuration", "sentence"),
    [
        ("name = 'chat'", "main"),
        (CONFIGURATION + '[[migrations]]\ntag = "v1"\ndeleted_classes = ["Other"]\n', "the Worker chat: "),
    ],
)
def test_what_cannot_be_used_is_a_sentence_and_leaves_nothing(
    tmp_path: Path, configuration: str, sentence: str
) -> None:
    (tmp_path / "p").mkdir()
    here = project(tmp_path / "p", configuration=configuration)
    if sentence == "main":
        (here / "src" / "worker.py").unlink()
    with pytest.raises(HoldfastError, match=sentence):
        placed(here, tmp_path / "d")
    assert not (tmp_path / "d").exists()


BINDINGS = """
services = [{ binding = "STORE", service = "store" }, { binding = "GONE", service = "gone" }, { binding = "ME", service = "chat" }]
[[durable_objects.bindings]]
name = "SHELF"
class_name = "Shelf"
script_name = "store"
[[durable_objects.bindings]]
name = "ROOM"
class_name = "Room"
script_name = "store"
[[durable_objects.bindings]]
name = "LOST"
class_name = "Shelf"
script_name = "gone"
"""


def test_several_projects_are_served_together_and_it_is_said_what_their_bindings_miss(tmp_path: Path) -> None:
    chat = project(tmp_path / "p", configuration=f'name = "chat"\nmain = "src/worker.py"\n{BINDINGS}')
    store = project(tmp_path / "s", configuration=CONFIGURATION.replace("chat", "store").replace("Room", "Shelf"))
    worker, warnings = placed_all([chat, store], tmp_path / "d")
    assert (worker.name, [one.name for one in worker.beside]) == ("chat", ["store"])
    assert list(warnings) == [
        "the Worker chat: services: GONE names the Worker 'gone', which is not served here: add --worker with its project",
        "the Worker chat: durable_objects: ROOM names 'Room', which is no Durable Object class of 'store'; it has: Shelf",
        "the Worker chat: durable_objects: LOST names the Worker 'gone', which is not served here: add --worker with its project",
    ]


def test_an_environment_of_a_project_is_a_worker_of_its_own(tmp_path: Path) -> None:
    here = project(tmp_path / "p", configuration=f'{CONFIGURATION}\n[env.staging.vars]\nGREETING = "hi"\n')
    (here / ".dev.vars").write_text("TOKEN=all\n", encoding="utf-8")
    (here / ".dev.vars.staging").write_text("TOKEN=staged\n", encoding="utf-8")
    worker, _ = placed_all([here], tmp_path / "d", "staging")
    assert (worker.key, worker.name) == (worker_key("", "chat-staging"), "chat-staging")
    version = described(tmp_path / "d", worker.key, worker.version)
    assert version.vars == {"GREETING": "hi", "TOKEN": "staged"}


def test_two_projects_of_one_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(HoldfastError, match="two of the projects are called 'chat'; expected names that differ"):
        placed_all([project(tmp_path / "a"), project(tmp_path / "b")], tmp_path / "d")
