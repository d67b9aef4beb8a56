"""`run` and its roles: what is bound for whom, in which order children end, and where warnings go."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from holdfast.app import run
from holdfast.app.activation import Activation
from holdfast.app.child_process import ChildSpec
from holdfast.app.run import run_control, run_edge, run_run
from holdfast.config.run import Config
from holdfast.config.sources import Effective
from holdfast.errors import ListenError
from holdfast.listeners import BoundAddress, close_all


def _effective(tmp_path: Path, **more: Any) -> Effective:
    given = {
        "listen": ["127.0.0.1:0"],
        "control_listen": "127.0.0.1:0",
        "data_dir": str(tmp_path / "data"),
        "threads": "2",
        "log_file": str(tmp_path / "log"),
    }
    return Effective(config=Config.parse({**given, **more}), origins={}, warnings=("a variable is none of ours",))


def is_open(descriptor: int) -> bool:
    return Path(f"/proc/self/fd/{descriptor}").exists()


def test_the_edge_and_control_each_get_their_listeners_and_the_edge_ends_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[ChildSpec] = []

    def supervise(specs: Sequence[ChildSpec], *, close_listeners: Callable[[str], None], **_: Any) -> int:
        asked.extend(specs)
        for spec, role in zip(specs, ("edge", "control", "workers"), strict=True):
            close_listeners(role)
            # What Workers fetch goes on while an edge drains; and what their host keeps outlives it.
            kept = {spec.inheritance.egress, *spec.inheritance.kept}
            assert not any(map(is_open, set(spec.inheritance.descriptors) - kept))
        return 0

    monkeypatch.setattr(run, "supervise", supervise)
    found = _effective(tmp_path)
    assert run_run(found) == 0
    assert [spec.limits.name for spec in asked] == ["edge", "control", "workers"]
    assert [len(spec.inheritance.descriptors) for spec in asked] == [3, 1, 2]
    assert all(spec.inheritance.parsed_options() == found.config for spec in asked)
    assert '"event":"configuration_warning"' in (tmp_path / "log").read_text()
    # But for the door of what Workers fetch, and who has that, the supervisor leaves the data directory to its children.
    assert {path.name for path in (tmp_path / "data").rglob("*")} <= {
        "workers",
        "egress.sock",
        "workers-supervisor.lock",
    }


def test_a_port_that_is_taken_gives_the_others_back(tmp_path: Path) -> None:
    with pytest.raises(ListenError):
        run_run(_effective(tmp_path, control_listen="192.0.2.1:0"))


@pytest.mark.parametrize(
    ("verb", "role", "sockets"),
    [
        (run_edge, "holdfast.app.edge_role.serve_edge", 2),
        (run_control, "holdfast.app.control_service.serve_control", 1),
    ],
)
def test_a_role_alone_binds_its_own_and_has_nobody_to_tell(
    verb: Callable[[Effective], int], role: str, sockets: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def serve(_config: Config, bound: Sequence[BoundAddress], around: Any) -> int:
        seen.append(sum(len(one.descriptors) for one in bound))
        assert not around.is_supervised
        close_all(bound)
        return 0

    monkeypatch.setattr(role, serve)
    assert verb(_effective(tmp_path)) == 0
    assert seen == [sockets]


def test_control_is_bound_as_tls_where_it_has_a_certificate(tmp_path: Path) -> None:
    config = _effective(tmp_path, control_cert="a.pem", control_key="a.key").config
    with run._control_listeners(config, Activation()) as listeners:
        assert [one.is_tls for one in listeners.addresses] == [True]
