"""The core's handles of scripts: one each, and not without end."""

from pathlib import Path

import pytest

from holdfast.edge import worker_processes
from holdfast.edge.worker_processes import Processes
from holdfast.edge.worker_scripts import Script

KEY = "0123456789ab"


def test_a_script_has_one_handle_whoever_asks(tmp_path: Path) -> None:
    processes = Processes(tmp_path)
    origin, target = processes.of(Script(KEY, "chat"))
    assert processes.of(Script(KEY, "chat")) == (origin, target)
    assert processes.target(KEY) is target
    assert origin.label == "worker:chat"
    assert (target.script, target.channel) == (KEY, str(tmp_path / "workers" / KEY / "channel.sock"))
    assert processes.statistics() == {"scripts": 1, "hosts": 0, "deployed": 0}


@pytest.mark.parametrize(
    ("host", "label"), [("example.com", "https://example.com:443"), ("[2001:db8::1]", "https://[2001:db8::1]:443")]
)
def test_a_host_that_scripts_ask_has_one_handle(tmp_path: Path, host: str, label: str) -> None:
    processes = Processes(tmp_path)
    origin = processes.host("https", host, 443)
    assert processes.host("https", host, 443) is origin
    assert processes.host("http", host, 443) is not origin
    assert origin.label == label


def test_a_host_that_cannot_be_dialled_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="host"):
        Processes(tmp_path).host("https", "a" * 400, 443)


def test_who_was_asked_for_longest_ago_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_processes, "MAX_KEPT", 2)
    processes = Processes(tmp_path)
    first = processes.host("http", "a.test", 80)
    second = processes.host("http", "b.test", 80)
    assert processes.host("http", "a.test", 80) is first
    processes.host("http", "c.test", 80)
    assert processes.statistics() == {"scripts": 0, "hosts": 2, "deployed": 0}
    assert processes.host("http", "a.test", 80) is first
    assert processes.host("http", "b.test", 80) is not second
