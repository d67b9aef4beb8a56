"""The configuration of `run` as an operator meets it: a file, variables, flags; `config` and `init`."""

import json
from pathlib import Path

import pytest

from tests.integration import wire
from tests.integration.certificates import Authority
from tests.integration.command import run_to_end
from tests.integration.origin import Origin
from tests.integration.origin_paths import PATHS
from tests.integration.run import CONTROL, Run

NO_FILE = {"HOLDFAST_CONFIG": ""}


def test_a_file_a_variable_and_a_flag_make_one_installation(tmp_path: Path) -> None:
    file = tmp_path / "holdfast.toml"
    log = tmp_path / "records.jsonl"
    file.write_text(f'data_dir = "{tmp_path}/from-file"\nlog_file = "{tmp_path}/no/such/directory/log"\n')
    environment = {"HOLDFAST_CONFIG": str(file), "HOLDFAST_LOG_FILE": str(log)}
    with Run(tmp_path / "from-flag", environment=environment) as run:
        assert run.ask("GET", "/healthz")[0] == 200
    assert (tmp_path / "from-flag" / "holdfast.db").exists()
    assert not (tmp_path / "from-file").exists()
    assert '"event":"child_started"' in log.read_text()
    assert not any(line.startswith("{") for line in run.log_lines)


def test_children_are_what_they_were_whatever_becomes_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "holdfast.toml"
    file.write_text(f'database_url = "sqlite+aiosqlite:///{tmp_path}/mine.db"\n')
    with Run(tmp_path, "--config", file) as run:
        token = run.token
        file.write_text("nonsense")
        first = run.child(CONTROL)
        run.signal(first)
        run.child(CONTROL, restarts=1)
        assert run.ask("GET", "/client/v4/zones", token=token)[0] == 200
    assert (tmp_path / "mine.db").exists()


def test_a_variable_that_is_none_is_a_record(tmp_path: Path) -> None:
    with Run(tmp_path, environment={**NO_FILE, "HOLDFAST_CONTROL_LISTN": "x"}) as run:
        record = run.record(lambda one: one["event"] == "configuration_warning")
        assert "did you mean HOLDFAST_CONTROL_LISTEN?" in record["reason"]


def test_the_api_is_served_over_tls(tmp_path: Path, authority: Authority) -> None:
    pair = authority.issue("127.0.0.1")
    with Run(tmp_path, "--control-cert", pair.cert, "--control-key", pair.key) as run:
        assert any(line.startswith("ready: https://127.0.0.1:") for line in run.ready_lines)
        host, port = run.api
        told = run_to_end(
            ["zone", "list", "--json", "--api", f"https://{host}:{port}", "--cacert", authority.file],
            environment={"HOLDFAST_TOKEN": run.token},
        )
        assert (told.returncode, told.stdout.strip()) == (0, "[]"), told.stderr


@pytest.mark.parametrize(("trusts", "status"), [(True, 101), (False, 526)])
def test_origins_are_verified_by_the_authorities_that_are_configured(
    trusts: bool, status: int, tmp_path: Path, authority: Authority
) -> None:
    pair = authority.issue("example.test", "127.0.0.1")
    more: list[str | Path] = ["--origin-ca", authority.file] if trusts else []
    with (
        Origin(PATHS, tls=pair.server_context()) as origin,
        Run(tmp_path, *more) as run,
    ):
        run.record(lambda record: record["event"] == "control_connected")
        told = run_to_end(
            ["zone", "add", "example.test", "--origin", origin.url],
            environment={"HOLDFAST_API": f"http://127.0.0.1:{run.api[1]}", "HOLDFAST_TOKEN": run.token},
        )
        assert told.returncode == 0, told
        with wire.connect(run.plain) as client:
            client.send(wire.upgrade("/echo"))
            assert client.read_answer().status == status


@pytest.mark.parametrize(
    ("text", "status", "sentence"),
    [
        ("threads = 2\n", 0, ""),
        ("threads = 0\n", 2, "holdfast.toml: threads: expected a number from 1 to 64, got '0'"),
        ("[control]\nlissten = 1\n", 2, "holdfast.toml: control.lissten: there is no such key (did you mean"),
        ("threads = \n", 2, "holdfast.toml: expected TOML: Invalid value (at line 1, column"),
    ],
)
def test_config_check_says_whether_it_can_be_used(text: str, status: int, sentence: str, tmp_path: Path) -> None:
    file = tmp_path / "holdfast.toml"
    file.write_text(text)
    for verb in (["config", "check"], ["config", "show"], *([["run"], ["edge"], ["control"]] if status else [])):
        ended = run_to_end([*verb, "--config", file])
        assert ended.returncode == status, ended
        assert sentence in ended.stderr
        assert len(ended.stderr.splitlines()) == bool(sentence)


def test_config_show_tells_where_each_value_came_from_and_no_password(tmp_path: Path) -> None:
    environment = {
        **NO_FILE,
        "HOLDFAST_DATABASE_URL": "postgresql+asyncpg://me:hunter2@h/n",
        "HOLDFAST_SECRET_KEY": "x",
    }
    told = run_to_end(["config", "show", "--json", "--threads", "3"], environment=environment)
    shown = json.loads(told.stdout)
    assert shown["threads"] == {"value": 3, "from": "--threads"}
    assert shown["database_url"]["from"] == "HOLDFAST_DATABASE_URL"
    assert shown["control.listen"] == {"value": "127.0.0.1:7070", "from": "default"}
    assert "hunter2" not in told.stdout + told.stderr


def test_init_makes_an_installation_that_run_uses_and_never_shows_its_token_again(tmp_path: Path) -> None:
    made = run_to_end(["init", "--data", tmp_path, "--json"])
    assert made.returncode == 0, made
    token = json.loads(made.stdout)["token"]
    again = run_to_end(["init", "--data", tmp_path, "--json"])
    assert (again.returncode, again.stdout) == (2, "")
    assert again.stderr.startswith("holdfast init: there is an installation in sqlite+aiosqlite:///")
    assert token not in again.stderr
    with Run(tmp_path) as run:
        assert not any("token" in line for line in run.ready_lines)
        assert run.ask("GET", "/client/v4/zones", token=token)[0] == 200


def test_a_key_that_was_lost_ends_the_start_with_a_sentence_and_no_new_key(tmp_path: Path) -> None:
    assert run_to_end(["init", "--data", tmp_path], environment=NO_FILE).returncode == 0
    kept = (tmp_path / "secret.key").rename(tmp_path / "kept.key")
    addresses = ["--listen", "127.0.0.1:0", "--control-listen", "127.0.0.1:0"]
    told = run_to_end(["run", "--data", tmp_path, *addresses], environment=NO_FILE)
    assert told.returncode == 2
    assert told.stderr.splitlines()[-1].startswith(
        "holdfast run: the key that the database is sealed with is missing: put back the secret.key"
    )
    assert "Traceback" not in told.stderr
    assert not (tmp_path / "secret.key").exists()
    kept.rename(tmp_path / "secret.key")
    with Run(tmp_path) as run:
        assert run.ask("GET", "/healthz")[0] == 200
        run.record(lambda one: one["event"] == "control_connected")


def test_a_database_that_was_written_over_ends_the_start_with_a_sentence(tmp_path: Path) -> None:
    assert run_to_end(["init", "--data", tmp_path], environment=NO_FILE).returncode == 0
    file = tmp_path / "holdfast.db"
    file.write_bytes(bytes(range(256)) * 64 + file.read_bytes()[16384:])
    addresses = ["--listen", "127.0.0.1:0", "--control-listen", "127.0.0.1:0"]
    told = run_to_end(["run", "--data", tmp_path, *addresses], environment=NO_FILE)
    assert told.returncode == 2
    assert told.stderr.splitlines()[-1].endswith("holdfast.db: the file is no SQLite database")
    assert "Traceback" not in told.stderr
