"""What a process begins with, for a version and a host. What one makes of it: `test_hosted.py`."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.model.worker_messages import WorkerLimits
from holdfast.model.worker_migrations import DurableClass, MovedClass
from holdfast.model.worker_script import ScriptVersion
from holdfast.workers.host.beginning import Setting, load_of, surroundings_of
from holdfast.workers.host.sockets import ScriptSockets

KEY = "0123456789ab"
VERSION = ScriptVersion(
    key=KEY,
    name="chat",
    version="v1",
    main="worker.py",
    vars={"A": 1},
    sealed_secrets={"TOKEN": b"x"},
    classes={"Room": DurableClass(namespace="Room"), "Hall": DurableClass(namespace="Lobby", storage="legacy-kv")},
    moved={
        "Lobby": MovedClass(class_name="Hall", unique_key="chat-Lobby"),
        "Room": MovedClass(class_name="Room", unique_key="other-Room", script="other"),
    },
    limits=WorkerLimits(memory_mb=100),
)


@pytest.fixture
def sockets() -> Iterator[ScriptSockets]:
    pair = ScriptSockets(*socket.socketpair())
    yield pair
    pair.close()


def setting(data_dir: Path) -> Setting:
    (data_dir / "workers" / KEY).mkdir(parents=True, exist_ok=True)
    return Setting(
        data_dir=data_dir,
        unseal=lambda version: dict.fromkeys(version.sealed_secrets, "hush"),
        record=lambda _event, _fields: None,
        program=("python", "stand-in"),
    )


def test_a_process_inherits_two_listeners_and_has_a_directory_that_no_other_has(
    tmp_path: Path, sockets: ScriptSockets
) -> None:
    one, other = (surroundings_of(number, VERSION, sockets, setting(tmp_path)) for number in (1, 2))
    assert one.descriptors == (sockets.http.fileno(), sockets.channel.fileno())
    assert (one.program, one.limits) == (("python", "stand-in"), VERSION.limits)
    assert one.run_dir == tmp_path / "workers" / KEY / "run" / f"{os.getpid()}-1"
    assert other.run_dir != one.run_dir
    assert (tmp_path / "workers" / KEY / "objects").stat().st_mode & 0o777 == 0o700


def test_it_is_told_where_all_is_and_its_secrets_in_plain_text(tmp_path: Path, sockets: ScriptSockets) -> None:
    load = load_of(VERSION, Path("/run/turn"), sockets, setting(tmp_path))
    assert (load.key, load.name, load.version, load.main) == (KEY, "chat", "v1", "worker.py")
    assert load.code_dir == str(tmp_path / "workers" / KEY / "versions" / "v1" / "code")
    assert load.objects_dir == str(tmp_path / "workers" / KEY / "objects")
    assert (load.run_dir, load.turn_file) == ("/run", "/run/turn")
    assert (load.http_fd, load.channel_fd) == (sockets.http.fileno(), sockets.channel.fileno())
    assert (load.vars, load.secrets) == ({"A": 1}, {"TOKEN": "hush"})


def test_it_is_told_what_classes_are_kept_under_another_name_and_which_are_elsewhere_now(
    tmp_path: Path, sockets: ScriptSockets
) -> None:
    load = load_of(VERSION, Path("/run/turn"), sockets, setting(tmp_path))
    assert load.storages == {"Room": "sqlite", "Hall": "legacy-kv"}
    assert load.namespaces == {"Hall": "Lobby"}
    # `Room` has gone, and there is a new one of that name.
    assert load.moved == {"Lobby": "chat-Lobby"}
