"""`holdfast worker`: a project deployed, its routes made, and secrets that are shown nowhere."""

import io
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from holdfast.client.api.answer import ApiFailed, ApiRefused
from holdfast.client.verbs import worker as subject
from holdfast.client.verbs.output import Output
from holdfast.client.verbs.worker import SECRET_VERBS, VERBS, deploying, log_line
from holdfast.errors import UsageError
from holdfast.model.worker_script import RouteSetting, WorkerSettings
from tests.unit.client.verbs.fake_api import ACCOUNT_ID, IN_ZONE, ZONE, Failure, FakeApi, opened, run

SCRIPTS = f"/accounts/{ACCOUNT_ID}/workers/scripts"
CHAT = f"{SCRIPTS}/chat"
MADE: dict[str, object] = {"id": "chat", "deployment_id": "d" * 32, "startup_time_ms": 12}
ACCOUNTS = [{"id": ACCOUNT_ID, "name": "Main"}]


@dataclass
class AProject:
    settings: WorkerSettings
    files: Mapping[str, bytes] = field(default_factory=lambda: {"entry.py": b"x = 1"})
    warnings: Sequence[str] = ()


def fake(**answers: object) -> FakeApi:
    return FakeApi(
        {
            "GET /accounts": ACCOUNTS,
            "GET /zones": [ZONE],
            f"PUT {CHAT}": MADE,
            f"GET {IN_ZONE}/workers/routes": [],
            f"PUT {CHAT}/routes": ["example.com/*"],
            **answers,
        }
    )


def deployed(api: FakeApi, project: AProject, **given: Any) -> tuple[str, str]:
    asked: list[tuple[Path, str | None]] = []

    def read(path: Path, env: str | None) -> AProject:
        asked.append((path, env))
        return project

    said = run(api, deploying(read), path="./chat", **given)
    assert asked == [(Path("chat"), given.get("env"))]
    return said


def a_project(**settings: Any) -> AProject:
    return AProject(WorkerSettings(name="chat", main="entry.py", **settings))


def test_a_project_is_uploaded_as_a_form() -> None:
    api = fake()
    out, notices = deployed(api, a_project(vars={"A": "b"}), env="staging", message="first")
    assert out == f"chat: deployed version {'d' * 32} in 12 ms\n"
    assert notices == ""
    ((key, body),) = api.written()
    assert key == f"PUT {CHAT}"
    assert isinstance(body, bytes)
    for piece in (
        b'name="metadata"',
        b'"main_module": "entry.py"',
        b'filename="entry.py"',
        b"x = 1",
        b'"workers/message": "first"',
    ):
        assert piece in body


def test_another_name_and_account_may_be_given() -> None:
    api = fake(**{f"PUT {SCRIPTS}/other": MADE})
    deployed(api, a_project(), name="other", account=ACCOUNT_ID)
    assert api.asked == [f"PUT {SCRIPTS}/other"]


def test_it_is_said_when_the_script_runs_by_itself() -> None:
    api = fake(**{f"PUT {CHAT}/schedules": {"schedules": []}})
    out, _ = deployed(api, a_project(crons=("* * * * *", "0 0 L * *")))
    assert "chat runs by itself at * * * * *, 0 0 L * * (UTC)" in out
    assert api.asked[-1] == f"PUT {CHAT}/schedules"


def test_an_empty_list_of_crons_removes_those_that_there_are() -> None:
    api = fake(**{f"PUT {CHAT}/schedules": {"schedules": []}})
    out, _ = deployed(api, a_project(crons=()))
    assert "chat runs by itself at no time (UTC)" in out
    assert api.written()[-1] == (f"PUT {CHAT}/schedules", [])


def test_crons_that_are_not_said_stay() -> None:
    api = fake()
    out, _ = deployed(api, a_project())
    assert "by itself" not in out
    assert f"PUT {CHAT}/schedules" not in api.asked


def test_what_means_nothing_here_is_told() -> None:
    project = a_project(required_secrets=("TOKEN", "KEY"))
    project.warnings = ("wrangler.toml: url: not known here, and passed over",)
    _, notices = deployed(fake(**{f"GET {CHAT}/secrets": [{"name": "KEY"}]}), project)
    assert notices.splitlines() == [
        "wrangler.toml: url: not known here, and passed over",
        "chat: these secrets are required, and not set: TOKEN",
    ]


def test_what_has_been_done_is_told_where_the_next_step_fails() -> None:
    api = fake(**{f"PUT {CHAT}/schedules": Failure(503, 10503, "it is away")})
    said = io.StringIO()
    project = a_project(routes=(RouteSetting(pattern="example.com/*"),), crons=("* * * * *",))
    verb = deploying(lambda *_: project)
    output, options = (
        Output(io.StringIO(), said, as_json=False, is_terminal=False),
        verb.options.parse({"path": "chat"}),
    )
    with opened(api) as connected, pytest.raises(ApiFailed, match="cannot schedule chat: code 10503"):
        verb.run(options, connected, output)
    assert said.getvalue().splitlines() == [
        f"chat: deployed version {'d' * 32} in 12 ms",
        "example.com/* goes to chat",
    ]


def test_a_version_that_does_not_run_is_told_with_the_reason() -> None:
    with pytest.raises(ApiRefused, match="cannot deploy the Worker chat: code 10021: ImportError"):
        deployed(fake(**{f"PUT {CHAT}": Failure(400, 10021, "ImportError: no")}), a_project())


def test_of_several_accounts_one_must_be_named() -> None:
    accounts = [*ACCOUNTS, {"id": "f" * 32, "name": "Other"}]
    with pytest.raises(UsageError, match="--account: expected the id of one of 2"):
        run(fake(**{"GET /accounts": accounts}), VERBS["list"])
    with pytest.raises(UsageError, match="--account: expected an account"):
        run(fake(**{"GET /accounts": []}), VERBS["list"])


def test_workers_are_listed_and_removed() -> None:
    found = {
        "id": "chat",
        "entry_point": "entry.py",
        "compatibility_date": "2026-11-01",
        "migration_tag": None,
        "modified_on": "2026-11-26T08:00:00.5Z",
    }
    api = fake(**{f"GET {SCRIPTS}": [found], f"DELETE {CHAT}": None})
    out, _ = run(api, VERBS["list"])
    assert out.splitlines()[1].split() == ["chat", "entry.py", "2026-11-01", "-", "2026-11-26T08:00:00Z"]
    run(api, VERBS["delete"], name="chat")
    out, _ = run(api, VERBS["delete"], name="chat", force=True)
    assert out == "chat: removed, and its routes\n"
    assert api.asked[-3:] == [f"DELETE {CHAT}", "GET /accounts", f"DELETE {CHAT}?force=true"]


def test_objects_that_have_most_to_do_come_first_whatever_their_class() -> None:
    base = f"/accounts/{ACCOUNT_ID}/workers/durable_objects/namespaces"
    spaces = [
        {"id": "1" * 32, "script": "chat", "class": "Room"},
        {"id": "2" * 32, "script": "other", "class": "Room"},
        {"id": "3" * 32, "script": "chat", "class": "Log"},
    ]
    of_each = {"sockets": 1, "errors": 0, "waiting": 0, "stored_bytes": 4096}
    rooms = [{"id": "a" * 64, "name": "lobby", "events": 3, **of_each}]
    logs = [{"id": "b" * 64, "name": None, "events": 8, **of_each}]
    api = fake(
        **{
            f"GET {base}": spaces,
            f"GET {base}/{'1' * 32}/busiest": rooms,
            f"GET {base}/{'3' * 32}/busiest": logs,
        }
    )
    out, _ = run(api, VERBS["top"], name="chat")
    assert [text.split()[:4] for text in out.splitlines()[1:]] == [
        ["Log", "b" * 64, "1", "8"],
        ["Room", "lobby", "1", "3"],
    ]
    there: dict[str, object] = {f"GET {base}": [], f"GET {CHAT}/settings": {}}
    assert "no object is in memory" in "".join(run(fake(**there), VERBS["top"], name="chat"))
    there[f"GET {CHAT}/settings"] = Failure(404, 10007, "This Worker does not exist on your account.")
    with pytest.raises(ApiRefused, match="10007"):
        run(fake(**there), VERBS["top"], name="chat")


def test_a_secret_comes_from_standard_input_and_is_shown_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("s3cret\n"))
    api = fake(
        **{
            f"PUT {CHAT}/secrets": {"name": "TOKEN"},
            f"DELETE {CHAT}/secrets/TOKEN": None,
            f"GET {CHAT}/secrets": [{"name": "TOKEN"}],
        }
    )
    out, notices = run(api, SECRET_VERBS["put"], name="chat", secret="TOKEN")
    assert api.written() == [(f"PUT {CHAT}/secrets", {"name": "TOKEN", "text": "s3cret", "type": "secret_text"})]
    assert "s3cret" not in out + notices
    assert run(api, SECRET_VERBS["list"], name="chat")[0].splitlines()[1] == "TOKEN"
    assert run(api, SECRET_VERBS["delete"], name="chat", secret="TOKEN")[0].startswith("chat: TOKEN is removed")


@pytest.mark.parametrize(
    ("content", "errors", "got"),
    [
        (b"", "strict", "nothing"),
        (b"\n", "strict", "nothing"),
        (b"s3cret" * 1000, "strict", "'5122 bytes'"),
        (b"s3cret\xff", "strict", "'bytes of another kind'"),
        # As standard input is read where the locale is "C".
        (b"s3cret\xff", "surrogateescape", "'bytes of another kind'"),
    ],
)
def test_what_is_no_secret_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, content: bytes, errors: str, got: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content), encoding="utf-8", errors=errors))
    with pytest.raises(UsageError) as caught:
        run(fake(), SECRET_VERBS["put"], name="chat", secret="TOKEN")
    sentence = "the secret on standard input: expected a text of at most 5120 bytes, in UTF-8, got"
    assert str(caught.value) == f"{sentence} {got}"
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("verb", "given", "words"),
    [
        (VERBS["delete"], {"name": "No Name"}, "NAME: expected the name of a Worker"),
        (VERBS["tail"], {"name": "chat", "lines": "x"}, "--lines: expected a number from 0 to 200"),
        (SECRET_VERBS["delete"], {"name": "chat", "secret": "A-B"}, "SECRET: expected a name such as"),
        (deploying(lambda *_: a_project()), {"path": ""}, "PATH: expected a directory"),
        (deploying(lambda *_: a_project()), {"path": "x", "message": "a\nb"}, "--message: expected a text of at most"),
    ],
)
def test_a_wrong_option_is_refused_by_name(verb: Any, given: dict[str, str], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        run(fake(), verb, **given)
    assert words in str(caught.value)


def test_a_line_of_a_log_is_printable(monkeypatch: pytest.MonkeyPatch) -> None:
    message = {"type": "log", "level": "error", "entrypoint": "Room", "ray": "r", "message": "a\x1b[2Jb"}
    assert log_line(message) == "error Room r: a\\x1b[2Jb"
    told = [message, {"type": "missed", "lines": 3}]
    monkeypatch.setattr("holdfast.client.connection_stream.follow", lambda *_, **__: iter(told))
    out, notices = run(fake(), VERBS["tail"], name="chat")
    assert (out, notices) == ("error Room r: a\\x1b[2Jb\n", "3 lines were missed\n")
    assert run(fake(), VERBS["tail"], name="chat", as_json=True)[0].count("\n") == 2


def test_a_traceback_of_a_log_is_indented_below_its_line() -> None:
    message = {
        "level": "error",
        "entrypoint": "Default",
        "message": 'Traceback:\n  File "a.py"\n    ^\x1b\nerror: forged\n',
    }
    assert log_line(message) == 'error Default: Traceback:\n    File "a.py"\n      ^\\x1b\n  error: forged'


def test_the_group_has_its_verbs_and_those_of_secrets() -> None:
    group = subject.app(read=lambda *_: a_project(), help="x")
    assert [command.name for command in group.registered_commands] == ["deploy", "list", "top", "tail", "delete"]
    assert [one.name for one in group.registered_groups] == ["secret"]
