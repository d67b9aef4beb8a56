"""A service manager hears what is said, wherever it listens; and nobody has to listen."""

import os
import socket
from pathlib import Path

import pytest

from holdfast.app.service_manager import ServiceManager


def test_what_is_said_is_one_message_and_with_readiness_goes_whose(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        said = ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "notify")})
        said.notify(["STOPPING=1", "STATUS=Draining"])
        said.notify(["READY=1"])
        assert manager.recv(4096) == b"STOPPING=1\nSTATUS=Draining"
        assert manager.recv(4096) == f"READY=1\nMAINPID={os.getpid()}".encode()


def test_a_name_in_the_abstract_namespace_is_understood() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("")  # the kernel chooses one (unix(7))
        name: bytes = manager.getsockname()
        ServiceManager({"NOTIFY_SOCKET": f"@{name[1:].decode()}"}).notify(["STATUS=here"])
        assert manager.recv(4096) == b"STATUS=here"


@pytest.mark.parametrize("named", [None, "", "relative", "/nonexistent/socket", "@nobody-is-there", "/" + "x" * 200])
def test_nobody_has_to_listen(named: str | None) -> None:
    environ = {} if named is None else {"NOTIFY_SOCKET": named}
    ServiceManager(environ).notify(["READY=1"])


def test_one_who_does_not_read_is_not_waited_for(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        said = ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "notify")})
        for _ in range(10_000):  # far more than the kernel keeps
            said.notify(["STATUS=Draining"])
