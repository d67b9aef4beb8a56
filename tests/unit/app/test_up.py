"""`up` is a supervisor of one edge: what it hands over, and what it finds wrong itself."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from holdfast.app import up
from holdfast.app.child_process import ChildSpec
from holdfast.app.releasing import ReleasePlan
from holdfast.app.up import run_up
from holdfast.config.up import UpOptions
from holdfast.errors import ListenError, SetupError


class Supervised:
    """What the supervisor was asked to run, instead of running it."""

    def __init__(self) -> None:
        self.specs: list[ChildSpec] = []
        self.plan = ReleasePlan()
        self.data_dir = Path()

    def __call__(
        self,
        specs: Sequence[ChildSpec],
        *,
        close_listeners: Callable[[str], None],
        announce: Callable[[Sequence[str]], None],
        plan: ReleasePlan,
        data_dir: Path,
        log: Any,
    ) -> int:
        self.specs, self.plan, self.data_dir = list(specs), plan, data_dir
        announce(["ready: here"])
        close_listeners("edge")
        return 0


@pytest.fixture
def supervised(monkeypatch: pytest.MonkeyPatch) -> Supervised:
    fake = Supervised()
    monkeypatch.setattr(up, "supervise", fake)
    return fake


def _options(tmp_path: Path, **more: Any) -> UpOptions:
    given = {"origin": "http://127.0.0.1:9", "listen": ["127.0.0.1:0"], "data_dir": str(tmp_path), "threads": "2"}
    return UpOptions.parse({**given, **more})


def test_the_edge_is_given_its_options_and_a_socket_for_each_thread(
    supervised: Supervised, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = _options(tmp_path, tls_listen=["127.0.0.1:0"])
    assert run_up(options) == 0
    (edge,) = supervised.specs
    assert (edge.limits.name, edge.argv("")[-1]) == ("edge", "edge")
    assert edge.limits.keeps_clients
    assert (supervised.plan, supervised.data_dir) == (ReleasePlan(), tmp_path)
    assert edge.inheritance.parsed_options() == options
    assert edge.inheritance.command == "holdfast up"
    assert [(one.is_tls, len(one.descriptors)) for one in edge.inheritance.listeners] == [(False, 2), (True, 2)]
    assert capsys.readouterr().out == "ready: here\n"


def test_how_connections_end_at_a_release_is_what_was_asked_for(supervised: Supervised, tmp_path: Path) -> None:
    run_up(_options(tmp_path, release_deadline="5", release_spread="0", release_order="idlest"))
    assert supervised.plan == ReleasePlan(deadline_s=5.0, spread_s=0.0, order="idlest")


@pytest.mark.parametrize(
    ("more", "error", "said"),
    [
        ({"listen": ["192.0.2.1:0"]}, ListenError, "this machine does not have this address"),
        ({"log_file": "/proc/no"}, SetupError, "^--log: cannot append to /proc/no"),
    ],
)
def test_what_it_can_find_wrong_it_finds_before_anything_is_started(
    more: dict[str, Any], error: type[Exception], said: str, supervised: Supervised, tmp_path: Path
) -> None:
    with pytest.raises(error, match=said):
        run_up(_options(tmp_path, **more))
    assert supervised.specs == []
