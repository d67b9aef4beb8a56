"""The entry of a supervisor's children: to the role, or one sentence."""

import sys
from collections.abc import Iterator
from typing import Any

import pytest

from holdfast.app import child, lifeline
from holdfast.app.inheritance import VARIABLE, inheritance_for
from holdfast.app.lifeline import Failed, messages_of
from holdfast.config.run import Config
from holdfast.config.up import UpOptions
from holdfast.errors import CertificateError, UnavailableError

UP = UpOptions.parse({"origin": "http://127.0.0.1:9"})


class Inherited:
    """The supervisor's end of this process's lifeline, and what the role is called with."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ours, self._childs = lifeline.pair()
        self._patch = monkeypatch

    def main(self, options: UpOptions | Config, *argv: str) -> int:
        told = inheritance_for(options, command="holdfast run", listeners=())
        environment = told.environment({}, lifeline=self._childs.detach())
        self._patch.setenv(VARIABLE, environment[VARIABLE])
        self._patch.setattr(sys, "argv", ["child", *argv])
        return child.main()

    def said(self) -> list[object]:
        return list(messages_of(self.ours))


@pytest.fixture
def inherited(monkeypatch: pytest.MonkeyPatch) -> Iterator[Inherited]:
    found = Inherited(monkeypatch)
    with found.ours:
        yield found


@pytest.mark.parametrize(
    ("role", "options", "target"),
    [
        ("edge", UP, "holdfast.app.edge_role.serve_edge"),
        ("edge", Config(), "holdfast.app.edge_role.serve_edge"),
        ("control", Config(), "holdfast.app.control_service.serve_control"),
        ("workers", UP, "holdfast.app.workers_role.serve_workers"),
        ("workers", Config(), "holdfast.app.workers_role.serve_workers"),
    ],
)
def test_each_role_gets_its_options(
    role: str, options: UpOptions | Config, target: str, inherited: Inherited, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    def serve(given: Any, *rest: Any, **_more: Any) -> int:
        around = rest[-1]
        seen.append((given, around.command, around.is_supervised))
        return 0

    monkeypatch.setattr(target, serve)
    assert inherited.main(options, role) == 0
    assert seen == [(options, "holdfast run", True)]


@pytest.mark.parametrize(
    ("error", "status"), [(CertificateError("cannot read a.pem"), 2), (UnavailableError("the database is away"), 1)]
)
def test_a_role_that_fails_says_why_over_the_lifeline(
    error: Exception,
    status: int,
    inherited: Inherited,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object, **_more: object) -> int:
        raise error

    monkeypatch.setattr("holdfast.app.edge_role.serve_edge", fail)
    assert inherited.main(UP, "edge") == status
    assert inherited.said() == [Failed(str(error))]
    assert capsys.readouterr().err == ""


def test_a_role_that_breaks_says_so_over_the_lifeline_and_the_traceback_is_left_to_python(
    inherited: Inherited, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **_more: object) -> int:
        raise ImportError("no module named _native")

    monkeypatch.setattr("holdfast.app.edge_role.serve_edge", fail)
    with pytest.raises(ImportError):
        inherited.main(UP, "edge")
    assert inherited.said() == [Failed("ImportError: no module named _native")]


@pytest.mark.parametrize(("options", "argv"), [(UP, ["control"]), (UP, []), (Config(), ["nonsense"])])
def test_a_role_that_does_not_exist_is_one_sentence(
    options: UpOptions | Config, argv: list[str], inherited: Inherited
) -> None:
    assert inherited.main(options, *argv) == 2
    (failed,) = inherited.said()
    assert isinstance(failed, Failed)
    assert failed.sentence.startswith("expected the role edge, control or workers")


def test_without_a_supervisor_it_says_so_on_stderr(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert child.main() == 2
    assert capsys.readouterr().err.startswith(f"holdfast: {VARIABLE}: expected what a supervisor gives its children")
