"""A group of verbs on the command line: flags from options, the environment for what every verb has, one status."""

import dataclasses
import errno
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any, cast

import httpx
import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from holdfast.client.api import connection
from holdfast.client.api.connection import Api
from holdfast.client.api.options import ApiOptions
from holdfast.client.verbs.group import Verb, group_of
from holdfast.client.verbs.groups import GROUPS, app_of
from holdfast.client.verbs.output import Output
from holdfast.client.verbs.zone import VERBS
from holdfast.errors import HoldfastError, OutputError, UsageError
from holdfast.model.option import spelled, spelling_of
from tests.unit.client.verbs.fake_api import ZONE, FakeApi


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Options(ApiOptions):
    name: str = dataclasses.field(metadata=spelled("NAME", "NAME", "A name.", lambda text, _: text))
    tags: tuple[str, ...] = dataclasses.field(
        default=(), metadata=spelled("--tag", "TAG", "A tag.", lambda text, _: text, short="-t", is_many=True)
    )


@pytest.fixture(autouse=True)
def without_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOLDFAST_API", "HOLDFAST_TOKEN", "HOLDFAST_CACERT"):
        monkeypatch.delenv(name, raising=False)


def _ran(*arguments: str) -> _Options:
    """The options with which a verb was run."""
    seen: list[_Options] = []
    app = group_of(
        {"do": Verb(_Options, lambda options, _api, _output: seen.append(options), "Do it.")}, help="Things."
    )
    assert _status(app, "do", *arguments) == 0
    (options,) = seen
    return options


def _status(app: typer.Typer, *arguments: str) -> object:
    return app(args=list(arguments), prog_name="holdfast x", standalone_mode=False)


def _answered_by(fake: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "Api", lambda options: Api(options, transport=httpx.MockTransport(fake)))


def test_flags_and_arguments_are_the_fields() -> None:
    options = _ran("--token", "t", "-t", "a", "--tag", "b", "x", "--api", "http://127.0.0.1:1", "--json")
    assert (options.name, options.tags, options.as_json) == ("x", ("a", "b"), True)
    assert options.api.text == "http://127.0.0.1:1/client/v4"


def test_the_environment_gives_what_every_verb_has_and_nothing_of_one_verb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_API", "http://127.0.0.1:2/v4")
    monkeypatch.setenv("HOLDFAST_TOKEN", "from-environment")
    for name in ("HOLDFAST_JSON", "HOLDFAST_TAG", "HOLDFAST_NAME"):
        monkeypatch.setenv(name, "1")
    options = _ran("x")
    assert options.api.text == "http://127.0.0.1:2/v4"
    assert options.token is not None
    assert options.token.value == "from-environment"
    assert (options.tags, options.as_json) == ((), False)
    assert cast("Any", _ran("x", "--token", "flag").token).value == "flag"


@pytest.mark.parametrize("group", GROUPS)
def test_every_verb_has_help_with_all_of_its_options_and_no_secret(
    group: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOLDFAST_TOKEN", "s3cret")
    app = app_of(group)
    verbs = sys.modules[f"holdfast.client.verbs.{group}"].VERBS
    for name, verb in verbs.items():
        assert _status(app, name, "--help") == 0
        out = capsys.readouterr().out
        for field in dataclasses.fields(verb.options):
            assert spelling_of(field).flag in out
        assert "s3cret" not in out


def test_a_group_without_a_verb_shows_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    _status(app_of("zone"))
    out = capsys.readouterr().out
    assert all(f"  {name}" in out for name in VERBS)


@pytest.mark.parametrize("arguments", [["nope"], ["show"], ["show", "a.example", "b.example"], ["list", "--nope"]])
def test_what_the_command_line_cannot_be_is_the_parsers_error(arguments: Sequence[str]) -> None:
    with pytest.raises(typer.TyperException):
        _status(app_of("zone"), *arguments)


def test_a_mistake_is_found_before_the_api_is_asked() -> None:
    with pytest.raises(UsageError, match="ZONE: expected a host name"):
        _status(app_of("zone"), "show", "a b", "--token", "t")


def test_a_verb_is_run_and_what_the_api_notes_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    setting = {
        "success": True,
        "result": {"id": "http2", "value": "off"},
        "messages": [{"code": 1008, "message": "kept"}],
    }
    fake = FakeApi(
        {
            "GET /zones": [ZONE],
            f"GET /zones/{ZONE['id']}/settings/http2": {"id": "http2", "value": "on"},
            f"PATCH /zones/{ZONE['id']}/settings/http2": httpx.Response(200, json=setting),
        }
    )
    _answered_by(fake, monkeypatch)
    assert _status(app_of("setting"), "set", "example.com", "http2", "off", "--token", "t") == 0
    assert capsys.readouterr() == ("example.com: http2: on -> off\n", "kept\n")


_VERBS = [(group, name) for group in GROUPS for name in import_module(f"holdfast.client.verbs.{group}").VERBS]
_WORDS = st.sampled_from(
    ["example.com", "0" * 32, "--json", "--type", "A", "@", "10.0.0.5", "--origin", "http://h:1", "--name", "--", "-"]
) | st.text(st.characters(exclude_characters="\0"), max_size=8)


@given(verb=st.sampled_from(_VERBS), words=st.lists(_WORDS, max_size=5))
def test_any_arguments_end_in_a_status_or_a_sentence(verb: tuple[str, str], words: list[str]) -> None:
    group, name = verb
    with pytest.MonkeyPatch.context() as patch:
        _answered_by(FakeApi({"GET /zones": [ZONE], f"GET /zones/{'0' * 32}": ZONE}), patch)
        with suppress(HoldfastError, typer.TyperException):
            assert _status(app_of(group), name, "--token", "t", *words) in (0, None)


def test_a_reader_that_has_left_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def print_to_nobody(_options: _Options, _api: Api, _output: Output) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", sys.stdout)
    app = group_of({"do": Verb(_Options, print_to_nobody, "Do it.")}, help="Things.")
    assert _status(app, "do", "x", "--token", "t") == 1
    assert sys.stdout is None


def test_a_full_disk_below_stdout_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def print_to_a_full_disk(_options: _Options, _api: Api, _output: Output) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(sys, "stdout", sys.stdout)
    app = group_of({"do": Verb(_Options, print_to_a_full_disk, "Do it.")}, help="Things.")
    with pytest.raises(OutputError, match="is done, but what came of it could not be written: No space left"):
        _status(app, "do", "x", "--token", "t")


def test_a_closed_stdout_takes_nothing_and_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    _answered_by(FakeApi({"GET /zones": [ZONE]}), monkeypatch)
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(OutputError, match="could not be written: standard output is closed"):
        _status(app_of("zone"), "list", "--token", "t")
