"""Where values come from: which source wins, and the sentence for each way a source can be wrong."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.config.sources import DEFAULT, FILE_VARIABLE, Effective, effective
from holdfast.errors import HoldfastError
from holdfast.model.listen_address import ListenAddress

NOWHERE = Path("/nonexistent/holdfast.toml")


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The working directory, so that errors name a file without its directory."""
    monkeypatch.chdir(tmp_path)
    return Path("holdfast.toml")


def of_file(file: Path, text: str | bytes, **environ: str) -> Effective:
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return effective({}, environ, file=file, system_file=NOWHERE)


def test_each_source_wins_over_the_one_before(here: Path) -> None:
    here.write_text('threads = 1\nlisten = ["127.0.0.1:1"]\n[control]\nrate_limit = 0\n')
    environ = {"HOLDFAST_THREADS": "2", "HOLDFAST_LISTEN": "127.0.0.1:2 [::1]:2", "HOLDFAST_LOG_FILE": ""}
    found = effective({"threads": "3", "listen": None, "log_file": None}, environ, file=here, system_file=NOWHERE)
    assert found.config.threads == 3
    assert found.config.listen == (ListenAddress("127.0.0.1", 2), ListenAddress("::1", 2))
    assert found.config.control_rate_limit == 0
    origins = {name: found.origins[name] for name in ("threads", "listen", "control_rate_limit", "log_file")}
    assert origins == {
        "threads": "--threads",
        "listen": "HOLDFAST_LISTEN",
        "control_rate_limit": "holdfast.toml",
        "log_file": DEFAULT,
    }


def test_the_file_is_the_named_one_else_the_variables_else_the_systems(tmp_path: Path) -> None:
    named, variables, systems = (tmp_path / name for name in ("named.toml", "variable.toml", "system.toml"))
    for number, file in enumerate((named, variables, systems), 1):
        file.write_text(f"threads = {number}\n")
    environ = {FILE_VARIABLE: str(variables)}
    assert effective({}, environ, file=named, system_file=systems).config.threads == 1
    assert effective({}, environ, system_file=systems).config.threads == 2
    assert effective({}, {}, system_file=systems).config.threads == 3
    assert effective({}, {FILE_VARIABLE: ""}, system_file=systems).origins["threads"] == DEFAULT


def test_every_key_can_stand_in_a_file(here: Path) -> None:
    found = of_file(
        here,
        """
        data_dir = "/srv/holdfast"
        database_url = "postgresql+asyncpg://me:secret@h/n"
        listen = []
        tls_listen = "0.0.0.0:443"
        threads = 2
        log_file = "edge.log"
        cert = ["a.pem", "b.pem"]
        key = ["a.key", "b.key"]
        origin_ca = "ca.pem"
        geoip_database = "geo.mmdb"
        resolvers = ["9.9.9.9"]

        [origin]
        max_pending_connects = 100

        [release]
        deadline = 10
        spread = 5
        order = "idlest"

        [control]
        listen = "127.0.0.1:7071"
        cert = "c.pem"
        key = "c.key"
        rate_limit = 0
        ip_rate_limit = 50
        event_days = 7
        event_rows = 1000
        """,
    )
    assert set(found.origins.values()) == {"holdfast.toml"}
    assert found.config.listen == ()
    assert found.config.certificate_files == ((Path("a.pem"), Path("a.key")), (Path("b.pem"), Path("b.key")))
    assert found.config.control_ip_rate_limit == 50


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("threads = 0", "holdfast.toml: threads: expected a number from 1 to 64, got '0'"),
        ("threads = true", "holdfast.toml: threads: expected a text in quotes, or a number, got 'True'"),
        ("threads = 1.5", "holdfast.toml: threads: expected a text in quotes, or a number, got '1.5'"),
        ("data_dir = 5", "holdfast.toml: data_dir: expected a text in quotes, got '5'"),
        ("cert = 5", "holdfast.toml: cert: expected a text in quotes, or a list of them, got '5'"),
        ("listen = [1]", "holdfast.toml: listen: expected a text in quotes, or a list of them, got '[1]'"),
        ('listen = ["x"]', "holdfast.toml: listen: expected ADDRESS:PORT, such as"),
        ("listen = 8080", "holdfast.toml: listen: expected a text in quotes, or a list of them, got '8080'"),
        ('[control]\nlisten = "7070"', "holdfast.toml: control.listen: expected ADDRESS:PORT"),
        ('control.listen = ["127.0.0.1:1"]', "holdfast.toml: control.listen: expected a text in quotes, got"),
        ('lissten = "x"', "holdfast.toml: lissten: there is no such key (did you mean listen?)"),
        ("[control]\nratelimit = 1", "holdfast.toml: control.ratelimit: there is no such key (did you mean"),
        ("[contrl]\nlisten = 1", "holdfast.toml: contrl: there is no such key (did you mean"),
        ("[zzz.yyy]\nx = 1", "holdfast.toml: zzz: there is no such key"),
        ("control = 1", "holdfast.toml: control: there is no such key"),
        ("data_dir = ''", "holdfast.toml: data_dir: expected the path of a file or directory, got ''"),
        ("threads = 1\nthreads = 2\n\n", "holdfast.toml: expected TOML: Cannot overwrite a value (at line 2"),
        ("threads 1", "holdfast.toml: expected TOML: "),
        (b"a = '\xff'", "holdfast.toml: expected TOML in UTF-8: "),
        ("cert = 'a.pem'", "key: expected the file that goes with a.pem, got nothing"),
    ],
)
def test_what_is_wrong_in_a_file_is_named_by_its_key(text: str | bytes, sentence: str, here: Path) -> None:
    with pytest.raises(HoldfastError) as caught:
        of_file(here, text)
    assert str(caught.value).startswith(sentence)
    assert caught.value.exit_status == 2


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        ({"HOLDFAST_THREADS": "x"}, "HOLDFAST_THREADS: expected a number from 1 to 64, got 'x'"),
        ({"HOLDFAST_CONTROL_LISTEN": "x"}, "HOLDFAST_CONTROL_LISTEN: expected ADDRESS:PORT"),
        ({"HOLDFAST_LISTEN": "127.0.0.1:1,127.0.0.1:2"}, "HOLDFAST_LISTEN: expected ADDRESS:PORT"),
        ({"HOLDFAST_CONFIG": "/nonexistent/x.toml"}, "cannot read /nonexistent/x.toml: no such file or directory"),
    ],
)
def test_what_is_wrong_in_the_environment_is_named_by_its_variable(environ: dict[str, str], sentence: str) -> None:
    with pytest.raises(HoldfastError) as caught:
        effective({}, environ, system_file=NOWHERE)
    assert str(caught.value).startswith(sentence)


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(HoldfastError, match="is a directory"):
        effective({}, {}, file=tmp_path)


def test_a_flag_that_cannot_be_used_is_named_as_it_was_typed() -> None:
    with pytest.raises(HoldfastError, match=r"^--control-listen: expected ADDRESS:PORT"):
        effective({"control_listen": "x"}, {}, system_file=NOWHERE)


def test_a_variable_that_nobody_knows_is_a_warning_and_those_of_others_are_not() -> None:
    environ = {"HOLDFAST_CONTROL_LISTN": "x", "HOLDFAST_TOKEN": "t", "HOLDFAST_API": "http://h", "PATH": "/bin"}
    assert effective({}, environ, system_file=NOWHERE).warnings == (
        "the environment variable 'HOLDFAST_CONTROL_LISTN' is none of ours (did you mean HOLDFAST_CONTROL_LISTEN?)",
    )


@given(
    st.dictionaries(
        st.sampled_from(["listen", "threads", "control", "x"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=5),
            lambda inner: st.lists(inner, max_size=3),
            max_leaves=4,
        ),
    )
)
def test_any_toml_becomes_a_configuration_or_a_sentence(table: dict[str, object]) -> None:
    from holdfast.config import sources

    said = ""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "_read", lambda _file: table)
        try:
            effective({}, {}, file=Path("h.toml"))
        except HoldfastError as error:
            said = str(error)
    assert "\n" not in said
