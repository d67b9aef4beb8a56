"""Listening sockets of scripts: bound for one user, handed from one host to the next."""

import os
import resource
import socket
import stat
import threading
from pathlib import Path

import pytest

from holdfast.errors import SetupError
from holdfast.model.data_dir import worker_dir, workers_host_socket
from holdfast.workers.host import sockets

KEYS = ("0123456789ab", "ba9876543210")


def made(data_dir: Path) -> dict[str, sockets.ScriptSockets]:
    for key in KEYS:
        worker_dir(data_dir, key).mkdir(parents=True)
    return {key: sockets.bound_for(data_dir, key) for key in KEYS}


def test_a_socket_is_for_its_user_from_its_first_moment(tmp_path: Path) -> None:
    path = tmp_path / "s"
    before = os.umask(0)
    try:
        with sockets.bound(path):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
    finally:
        os.umask(before)


def test_what_stood_there_before_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with sockets.bound(path), sockets.bound(path) as second:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            second.settimeout(30)
            second.accept()[0].close()
        assert [one.name for one in tmp_path.iterdir()] == ["s"]


def test_a_place_where_nothing_can_be_bound_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"cannot listen on .*/nowhere/s: no such file or directory"):
        sockets.bound(tmp_path / "nowhere" / "s")


def test_a_directory_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    worker_dir(tmp_path, KEYS[0]).parent.mkdir()
    worker_dir(tmp_path, KEYS[0]).touch()
    with pytest.raises(SetupError, match=rf"the directory .*{KEYS[0]} cannot be used: file exists"):
        sockets.bound_for(tmp_path, KEYS[0])


def test_no_room_for_another_socket_is_a_sentence(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, before[1]))
    try:
        with pytest.raises(SetupError, match=r"cannot listen on .*/s: too many open files"):
            sockets.bound(tmp_path / "s")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_successor_gets_the_very_sockets(tmp_path: Path) -> None:
    held = made(tmp_path)
    with sockets.bound(workers_host_socket(tmp_path)) as listener:
        listener.settimeout(30)

        def predecessor() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(30)
                assert connection.recv(100) == b'{"type":"inherit"}\n'
                sockets.hand_over(connection, held)

        thread = threading.Thread(target=predecessor)
        thread.start()
        got = sockets.inherited(tmp_path)
        thread.join()
    assert list(got) == list(KEYS)
    for key, pair in got.items():
        assert os.fstat(pair.http.fileno()).st_ino == os.fstat(held[key].http.fileno()).st_ino
        assert os.fstat(pair.channel.fileno()).st_ino == os.fstat(held[key].channel.fileno()).st_ino
        assert not os.get_inheritable(pair.http.fileno())
        pair.close()
        held[key].close()


@pytest.mark.parametrize(
    "answer", [b"", b'{"type":"done"}\n', b"no message\n", b'{"type":"inherited","scripts":2}\nno']
)
def test_a_predecessor_that_hands_over_nothing_is_none(tmp_path: Path, answer: bytes) -> None:
    (tmp_path / "workers").mkdir()
    with sockets.bound(workers_host_socket(tmp_path)) as listener:
        listener.settimeout(30)

        def predecessor() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(30)
                connection.recv(100)
                connection.sendall(answer)

        thread = threading.Thread(target=predecessor)
        thread.start()
        assert sockets.inherited(tmp_path) == {}
        thread.join()


@pytest.mark.parametrize("mode", [0o777, 0o720])
def test_a_directory_that_others_may_write_to_is_not_used(tmp_path: Path, mode: int) -> None:
    (tmp_path / "workers").mkdir()
    (tmp_path / "workers").chmod(mode)
    with pytest.raises(SetupError, match="is not this user's alone"):
        sockets.make_directories(tmp_path)


def test_a_link_in_the_place_of_a_directory_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "workers").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SetupError, match="is not this user's alone"):
        sockets.make_directories(tmp_path)


def test_no_predecessor_is_none(tmp_path: Path) -> None:
    assert sockets.inherited(tmp_path) == {}
