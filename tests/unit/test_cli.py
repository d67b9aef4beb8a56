"""The command: its errors are one sentence, its flags are the options' fields."""

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast import __version__, cli
from holdfast.client.options import ConnectOptions
from holdfast.config.init import InitOptions
from holdfast.config.run import Config
from holdfast.config.sources import Effective
from holdfast.config.spellings import SslMode
from holdfast.config.up import UpOptions
from holdfast.config.waf import RemoveOptions
from holdfast.errors import ListenError
from holdfast.model.listen_address import ListenAddress
from holdfast.model.option import spelling_of


class Runs:
    """What the verbs were run with, instead of being run."""

    def __init__(self) -> None:
        self.up: list[UpOptions] = []
        self.connect: list[ConnectOptions] = []
        self.configured: list[tuple[str, Effective]] = []
        self.error: Exception | None = None

    def run_up(self, options: UpOptions) -> int:
        if self.error:
            raise self.error
        self.up.append(options)
        return 0

    def role(self, verb: str) -> Callable[[Effective], int]:
        def run(found: Effective) -> int:
            self.configured.append((verb, found))
            return 0

        return run

    def run_connect(self, options: ConnectOptions) -> int:
        self.connect.append(options)
        return 1


@pytest.fixture(autouse=True)
def runs(monkeypatch: pytest.MonkeyPatch) -> Runs:
    runs = Runs()
    monkeypatch.setattr("holdfast.app.stem.become_up", runs.run_up)
    monkeypatch.setattr("holdfast.client.connect.run_connect", runs.run_connect)
    monkeypatch.setattr("holdfast.app.stem.become_run", runs.role("run"))
    for verb in ("edge", "control"):
        monkeypatch.setattr(f"holdfast.app.run.run_{verb}", runs.role(verb))
    # No file of the machine's, whatever machine this is.
    monkeypatch.setenv("HOLDFAST_CONFIG", "")
    return runs


def test_flags_become_options(runs: Runs) -> None:
    arguments = "up http://127.0.0.1:9 --listen 127.0.0.1:1 --listen [::1]:1 --threads 2 --ssl full"
    assert cli.run(arguments.split()) == 0
    (options,) = runs.up
    assert options.listen == (ListenAddress("127.0.0.1", 1), ListenAddress("::1", 1))
    assert (options.threads, options.ssl) == (2, SslMode.FULL)


def test_the_environment_gives_what_the_command_line_does_not(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_THREADS", "3")
    monkeypatch.setenv("HOLDFAST_LISTEN", "127.0.0.1:1 127.0.0.1:2")
    assert cli.run(["up", "http://h", "--threads", "4"]) == 0
    (options,) = runs.up
    assert options.threads == 4
    assert [address.port for address in options.listen] == [1, 2]


@pytest.mark.parametrize("value", ["1", "true"])
def test_no_variable_forces_anything(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    asked: list[bool] = []

    def removed(options: RemoveOptions) -> int:
        asked.append(options.is_forced)
        return 0

    monkeypatch.setattr("holdfast.app.load_crs.run_remove_crs", removed)
    monkeypatch.setenv("HOLDFAST_FORCE", value)
    assert cli.run(["waf", "remove-crs"]) == 0
    assert cli.run(["waf", "remove-crs", "--force"]) == 0
    assert asked == [False, True]


@pytest.mark.parametrize("verb", ["run", "edge", "control"])
def test_a_role_runs_with_what_file_environment_and_flags_come_to(
    verb: str, runs: Runs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "holdfast.toml"
    file.write_text('log_file = "a.log"\ndata_dir = "/srv/a"\n')
    monkeypatch.setenv("HOLDFAST_DATA_DIR", "/srv/b")
    monkeypatch.setenv("HOLDFAST_CONTROL_LISTEN", "127.0.0.1:7")
    assert cli.run([verb, "--config", str(file), "--log", "c.log"]) == 0
    ((ran, found),) = runs.configured
    assert ran == verb
    assert (found.config.data_dir, found.config.log_file) == (Path("/srv/b"), Path("c.log"))
    assert found.config.control_listen.port == 7
    assert found.origins["log_file"] == "--log"


def test_the_configuration_is_shown_with_where_each_value_came_from(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOLDFAST_DATABASE_URL", "postgresql+asyncpg://me:secret@h/n")
    monkeypatch.setenv("HOLDFAST_QQ", "x")
    assert cli.run(["config", "show", "--threads", "3", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["threads"] == {"value": 3, "from": "--threads"}
    assert err == "holdfast config show: the environment variable 'HOLDFAST_QQ' is none of ours\n"
    assert cli.run(["config", "show"]) == 0
    assert 'database_url = "postgresql+asyncpg://me:***@h/n"  # HOLDFAST_DATABASE_URL' in capsys.readouterr().out


def test_a_configuration_that_can_be_used_is_said_to_be(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["config", "check"]) == 0
    assert capsys.readouterr().out == "The configuration can be used.\n"


def test_groups_are_listed_and_only_the_one_that_is_asked_for_is_loaded(capsys: pytest.CaptureFixture[str]) -> None:
    program = (
        "import sys; from holdfast import cli; cli.run(['--help']); cli.run(['config', 'show']);"
        "sys.exit(any(name.startswith(('holdfast.client.verbs.zone', 'httpx', 'sqlalchemy', 'holdfast._native'))"
        " for name in sys.modules))"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert told.returncode == 0, told.stderr
    for group in ("config", "zone", "setting", "record", "token", "cert"):
        assert f"\n  {group} " in told.stdout


def test_a_supervisor_is_small() -> None:
    program = (
        "import sys, holdfast.app.run, holdfast.app.up;"
        "print([name for name in sys.modules if name.split('.')[0] in"
        " {'fastapi', 'sqlalchemy', 'uvicorn', 'asyncio', 'cryptography', 'httpx'} or name == 'holdfast._native'])"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert told.stdout == "[]\n"


def test_an_edge_without_rules_loads_nothing_that_reads_rules() -> None:
    program = (
        "import sys, holdfast.app.edge_role, holdfast.edge.compile;"
        "print([name for name in sys.modules if name in {'re2', 'holdfast.rules.compile', 'holdfast.rules.patterns',"
        " 'holdfast.rules.lists', 'holdfast.rules.managed', 'holdfast.edge.firewall.rulesets', 'holdfast.limits.counters'}])"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert told.stdout == "[]\n"


def test_connect_has_short_flags_and_its_own_status(runs: Runs) -> None:
    assert cli.run(["connect", "h:1/x", "-H", "A: b", "-H", "C: d", "--subprotocol", "p"]) == 1
    (options,) = runs.connect
    assert options.headers == (("A", "b"), ("C", "d"))
    assert options.subprotocols == ("p",)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["up"], "holdfast up: ORIGIN: expected the URL of an origin, or a Worker by --worker, got nothing"),
        (["up", ""], "holdfast up: ORIGIN: expected a URL"),
        (["up", "http://h", "more"], "holdfast up: Got unexpected extra argument(s) (more)"),
        (["up", "http://h", "--bogus"], "holdfast up: No such option: --bogus"),
        (["up", "http://h", "--threads"], "holdfast up: Option '--threads' requires an argument"),
        (["up", "http://h", "--threads", "0"], "holdfast up: --threads: expected a number from 1 to 64, got '0'"),
        (["up", "http://h", "--threads", ""], "holdfast up: --threads: expected a number"),
        (["up", "http://h", "--listen", "x"], "holdfast up: --listen: expected ADDRESS:PORT"),
        (["connect", "ftp://h"], "holdfast connect: URL: expected a URL"),
        (["frob"], "holdfast: No such command 'frob'"),
        (["run", "--config", "no.toml"], "holdfast run: cannot read no.toml: no such file or directory"),
        (["run", "--config", ""], "holdfast run: --config: expected the path of a file or directory, got ''"),
        (["run", "--control-listen", "x"], "holdfast run: --control-listen: expected ADDRESS:PORT"),
        (["edge", "--control-listen", "127.0.0.1:1"], "holdfast edge: No such option: --control-listen"),
        (["control", "--listen", "127.0.0.1:1"], "holdfast control: No such option: --listen"),
        (["init", "--database-url", "x"], "holdfast init: --database-url: expected sqlite+aiosqlite:///PATH"),
        (["config", "check", "--threads", "0"], "holdfast config check: --threads: expected a number"),
        (["config", "frob"], "holdfast config frob: No such command 'frob'"),
        (["zone", "frob"], "holdfast zone frob: No such command 'frob'"),
        (["--frob"], "holdfast: No such option: --frob"),
    ],
)
def test_a_persons_mistake_is_one_sentence_and_status_2(
    arguments: Sequence[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(sentence)
    assert len(err.splitlines()) == 1


def test_what_stands_in_the_way_of_starting_is_one_sentence(runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    runs.error = ListenError("cannot listen on 127.0.0.1:1: the port is in use by another program")
    assert cli.run(["up", "http://h"]) == 2
    assert capsys.readouterr().err == (
        "holdfast up: cannot listen on 127.0.0.1:1: the port is in use by another program\n"
    )


def test_what_an_error_has_to_show_is_indented_below_its_sentence(
    runs: Runs, capsys: pytest.CaptureFixture[str]
) -> None:
    runs.error = ListenError("cannot deploy")
    runs.error.detail = 'File "a.py"\n    ^'
    assert cli.run(["up", "http://h"]) == 2
    assert capsys.readouterr().err == 'holdfast up: cannot deploy\n  File "a.py"\n      ^\n'


def test_an_interrupt_is_no_traceback(runs: Runs) -> None:
    runs.error = KeyboardInterrupt()  # type: ignore[assignment]
    assert cli.run(["up", "http://h"]) == 130


def test_a_fault_of_ours_is_not_dressed_up_as_the_persons(runs: Runs) -> None:
    runs.error = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        cli.run(["up", "http://h"])


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--version"]) == 0
    assert capsys.readouterr().out == f"holdfast {__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_names_the_commands(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(arguments) == 0
    out = capsys.readouterr().out
    assert "up " in out
    assert "connect " in out


@pytest.mark.parametrize(
    ("verb", "options"),
    [("up", UpOptions), ("connect", ConnectOptions), ("run", Config), ("init", InitOptions)],
)
def test_help_has_every_option(verb: str, options: type, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run([verb, "--help"]) == 0
    out = capsys.readouterr().out
    for field in dataclasses.fields(options):
        assert spelling_of(field).flag in out


@given(st.lists(st.text(st.characters(exclude_characters="\0"), max_size=12), max_size=4))
def test_any_arguments_end_in_a_status(arguments: list[str]) -> None:
    assert cli.run(["up", "http://h", "--log", "/nonexistent", *arguments]) in (0, 2)


def test_the_package_runs_as_a_module() -> None:
    finished = subprocess.run(
        [sys.executable, "-m", "holdfast", "up"], capture_output=True, text=True, check=False, timeout=60
    )
    assert (finished.returncode, finished.stdout) == (2, "")
    assert finished.stderr.startswith("holdfast up: ORIGIN: expected the URL of an origin")


def test_main_exits_with_the_status() -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["up"])
    assert caught.value.code == 2


@pytest.mark.parametrize(
    ("expression", "status"), [('http.host eq "example.com"', 0), ('http.host eq "x"', 1), ('http.hos eq "x"', 2)]
)
def test_a_rule_is_tried_without_an_api(expression: str, status: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["rule", "test", expression, "--url", "https://example.com/"]) == status
    said = capsys.readouterr()
    assert ("Filter parsing error (1:1):" in said.err) is (status == 2)
    assert ("example.com" in said.out) is (status < 2)


# --- release and drain ----------------------------------------------------------------------------------------------


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """What a supervisor was asked for, instead of being asked."""
    calls: list[tuple[object, ...]] = []

    def release(data_dir: Path, *, python: Path | None, waits: bool) -> int:
        calls.append(("release", data_dir, python, waits))
        return 0

    def drain(data_dir: Path, *, waits: bool) -> int:
        calls.append(("drain", data_dir, waits))
        return 0

    monkeypatch.setattr("holdfast.app.ask_supervisor.run_release", release)
    monkeypatch.setattr("holdfast.app.ask_supervisor.run_drain", drain)
    return calls


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("release --data d", ("release", Path("d"), None, True)),
        ("release --data d --python p --no-wait", ("release", Path("d"), Path("p"), False)),
        ("drain --data d", ("drain", Path("d"), True)),
        ("drain --data d --no-wait", ("drain", Path("d"), False)),
    ],
)
def test_a_release_and_a_drain_are_asked_of_whoever_has_the_directory(
    line: str, expected: tuple[object, ...], asked: list[tuple[object, ...]]
) -> None:
    assert cli.run(line.split()) == 0
    assert asked == [expected]


def test_the_directory_may_come_from_the_environment_or_the_file_of_run(
    asked: list[tuple[object, ...]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "holdfast.toml"
    file.write_text('data_dir = "/srv/a"\nlisten = ["127.0.0.1:1"]\n')
    assert cli.run(["drain", "--config", str(file)]) == 0
    monkeypatch.setenv("HOLDFAST_DATA_DIR", "/srv/b")
    assert cli.run(["drain", "--config", str(file)]) == 0
    assert asked == [("drain", Path("/srv/a"), True), ("drain", Path("/srv/b"), True)]


def test_an_interpreter_without_a_name_is_refused(
    asked: list[tuple[object, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["release", "--python", ""]) == 2
    assert capsys.readouterr().err == "holdfast release: --python: expected the path of a file or directory, got ''\n"
    assert asked == []


def test_who_is_asked_may_have_a_directory_that_run_could_not_have(
    asked: list[tuple[object, ...]], tmp_path: Path
) -> None:
    # `up` has no control, whose socket needs a short path.
    long = str(tmp_path / ("d" * 120))
    assert cli.run(["release", "--data", long]) == 0
    assert cli.run(["drain", "--data", long]) == 0
    assert asked == [("release", Path(long), None, True), ("drain", Path(long), True)]
