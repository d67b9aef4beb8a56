"""The composition root, around a core that only remembers: order, limits, signals and sentences."""

import os
import resource
import signal
import subprocess
import sys
import threading
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast import app
from holdfast.app import (
    RESERVED_DESCRIPTORS,
    announce,
    connection_limit,
    hold_standard_descriptors,
    log_descriptor,
    raise_descriptor_limit,
    run_up,
)
from holdfast.config import UpOptions
from holdfast.errors import CertificateError, ListenError, SetupError
from holdfast.listeners import BoundAddress
from holdfast.model.listen_address import ListenAddress


class FakeEdge:
    """The core's edge: it takes the descriptors over, and says what was done to it."""

    made: list["FakeEdge"] = []  # noqa: RUF012  emptied by the fixture
    on_start: Callable[[], None] = staticmethod(lambda: None)

    def __init__(self, **asked: Any) -> None:
        self.asked = asked
        self.did: list[str] = []
        FakeEdge.made.append(self)

    def start(self) -> None:
        FakeEdge.on_start()
        self.did.append("start")

    def stop(self, *, grace_s: float) -> None:
        self.did.append(f"stop {grace_s}")
        for descriptor, _ in self.asked["listeners"]:
            os.close(descriptor)


@pytest.fixture(autouse=True)
def core(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    module: Any = types.ModuleType("holdfast._native")
    module.Edge = FakeEdge
    module.Origin = lambda **asked: asked
    module.Certificate = lambda **asked: asked
    monkeypatch.setitem(sys.modules, "holdfast._native", module)
    monkeypatch.setattr(FakeEdge, "made", [])
    limits, handlers = resource.getrlimit(resource.RLIMIT_NOFILE), {n: signal.getsignal(n) for n in app._ENDING_SIGNALS}
    restore = resource.setrlimit
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    restore(resource.RLIMIT_NOFILE, limits)


def _options(tmp_path: Path, **more: Any) -> UpOptions:
    given = {"origin": "http://127.0.0.1:9000", "listen": ["127.0.0.1:0"], "data_dir": str(tmp_path), "threads": "2"}
    return UpOptions.parse({**given, **more})


def _signal_when_started(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """The signal comes to the main thread, which has it blocked, and so waits for `sigwait` to take it."""
    monkeypatch.setattr(
        FakeEdge, "on_start", staticmethod(lambda: signal.pthread_kill(threading.main_thread().ident or 0, number))
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_a_signal_and_stops_with_grace(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _signal_when_started(monkeypatch, number)
    assert run_up(_options(tmp_path)) == 0
    (edge,) = FakeEdge.made
    assert edge.did == ["start", "stop 5.0"]
    assert edge.asked["threads"] == 2
    assert len(edge.asked["listeners"]) == 2
    assert edge.asked["log_fd"] == 2
    out = capsys.readouterr().out
    assert out.startswith("ready: ws://127.0.0.1:")
    assert out.endswith(" -> http://127.0.0.1:9000\n")
    assert ":0 " not in out


def test_with_tls_there_are_certificates_and_a_second_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _signal_when_started(monkeypatch, signal.SIGTERM)
    assert run_up(_options(tmp_path, tls_listen=["127.0.0.1:0"])) == 0
    (edge,) = FakeEdge.made
    assert [is_tls for _, is_tls in edge.asked["listeners"]] == [False, False, True, True]
    (certificate,) = edge.asked["certificates"]
    assert "localhost" in certificate["names"]
    assert [line.partition("://")[0] for line in capsys.readouterr().out.splitlines()] == ["ready: ws", "ready: wss"]


def test_a_second_signal_meets_the_default_disposition(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _signal_when_started(monkeypatch, signal.SIGTERM)
    seen: list[object] = []

    def stop(_self: FakeEdge, *, grace_s: float) -> None:
        seen.extend(signal.getsignal(number) for number in app._ENDING_SIGNALS)
        seen.append(signal.pthread_sigmask(signal.SIG_BLOCK, ()) & set(app._ENDING_SIGNALS))

    monkeypatch.setattr(FakeEdge, "stop", stop)
    run_up(_options(tmp_path))
    assert seen == [signal.SIG_DFL, signal.SIG_DFL, set()]


@pytest.mark.parametrize("failing", ["announce", "_wait"])
def test_an_edge_that_was_started_is_stopped_whatever_is_raised(
    failing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError(failing)

    monkeypatch.setattr(app, failing, fail)
    with pytest.raises(RuntimeError, match=failing):
        run_up(_options(tmp_path))
    (edge,) = FakeEdge.made
    assert edge.did == ["start", "stop 5.0"]


def test_records_go_to_the_end_of_the_file_that_was_named(tmp_path: Path) -> None:
    file = tmp_path / "edge.log"
    file.write_text("before\n")
    with log_descriptor(file) as descriptor:
        os.write(descriptor, b"{}\n")
    assert file.read_text() == "before\n{}\n"
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_a_log_that_cannot_be_opened_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"^--log: cannot append to .*: is a directory$"):
        run_up(_options(tmp_path, log_file=str(tmp_path)))


@pytest.mark.parametrize(
    ("more", "error", "said"),
    [
        (
            {"tls_listen": ["127.0.0.1:0"], "cert": ["no.pem"], "key": ["no.key"]},
            CertificateError,
            "cannot read no.pem",
        ),
        ({"origin_ca": "no.pem"}, SetupError, "--origin-ca: cannot read no.pem"),
        ({"listen": ["192.0.2.1:0"]}, ListenError, "this machine does not have this address"),
    ],
)
def test_what_is_wrong_is_found_before_anything_is_said_to_be_ready(
    more: dict[str, Any], error: type[Exception], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(error, match=said):
        run_up(_options(tmp_path, **more))
    assert capsys.readouterr().out == ""
    assert FakeEdge.made == []


@pytest.mark.parametrize("raised", [OSError("no threads left"), ValueError("threads is 0")])
def test_a_core_that_cannot_start_is_one_sentence(
    raised: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise raised

    monkeypatch.setattr(FakeEdge, "on_start", staticmethod(refuse))
    with pytest.raises(SetupError, match=f"^the edge cannot start: {raised}$"):
        run_up(_options(tmp_path))
    FakeEdge.made[0].stop(grace_s=0)


def test_an_origin_the_core_refuses_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_asked: Any) -> None:
        message = "ca_pem: no certificate in it"
        raise ValueError(message)

    monkeypatch.setattr(sys.modules["holdfast._native"], "Origin", refuse)
    with pytest.raises(
        SetupError, match=r"^the origin http://127\.0\.0\.1:9000 cannot be used: ca_pem: no certificate"
    ):
        run_up(_options(tmp_path))


@pytest.mark.parametrize(("descriptors", "connections"), [(20_000, 9_900), (202, 1), (1024, 412)])
def test_each_connection_may_hold_two_descriptors(descriptors: int, connections: int) -> None:
    assert connection_limit(descriptors) == connections


@pytest.mark.parametrize("descriptors", [0, RESERVED_DESCRIPTORS, RESERVED_DESCRIPTORS + 1])
def test_too_few_descriptors_are_told(descriptors: int) -> None:
    with pytest.raises(SetupError, match="the limit of open files is"):
        connection_limit(descriptors)


def test_the_soft_limit_is_raised_to_the_hard_one() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
    assert raise_descriptor_limit() == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    assert raise_descriptor_limit() > 512


def test_a_machine_that_refuses_the_hard_limit_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_what: int, _limits: tuple[int, int]) -> None:
        raise ValueError

    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert raise_descriptor_limit() == resource.getrlimit(resource.RLIMIT_NOFILE)[0]


@pytest.mark.parametrize(
    ("address", "is_tls", "line"),
    [
        (ListenAddress("127.0.0.1", 8080), False, "ready: ws://127.0.0.1:8080 -> unix:/run/a.sock\n"),
        (ListenAddress("::1", 8443), True, "ready: wss://[::1]:8443 -> unix:/run/a.sock\n"),
    ],
)
def test_a_ready_line_names_scheme_address_and_origin(
    address: ListenAddress, is_tls: bool, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    announce([BoundAddress(address, is_tls, ())], "unix:/run/a.sock")
    assert capsys.readouterr().out == line


def _full() -> int:
    return os.open("/dev/full", os.O_WRONLY)


def _broken() -> int:
    reading, writing = os.pipe()
    os.close(reading)
    return writing


@pytest.mark.parametrize(("stdout", "why"), [(_full, "no space left on device"), (_broken, "broken pipe")])
def test_a_stdout_that_takes_nothing_is_told_and_let_go(
    stdout: Callable[[], int], why: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with os.fdopen(stdout(), "w", encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        announce([BoundAddress(ListenAddress("127.0.0.1", 8080), is_tls=False, descriptors=())], "http://a")
        stream.flush()  # as Python does at its end
    assert capfd.readouterr().err == f"holdfast up: the ready lines cannot be written, serving goes on: {why}\n"


def test_a_stdout_that_was_closed_is_told(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    announce([BoundAddress(ListenAddress("127.0.0.1", 8080), is_tls=False, descriptors=())], "http://a")
    assert (
        capfd.readouterr().err == "holdfast up: the ready lines cannot be written, serving goes on: stdout is closed\n"
    )


def test_standard_descriptors_that_are_closed_are_held() -> None:
    program = (
        "import os, sys; from holdfast.app import hold_standard_descriptors\n"
        "os.closerange(0, 3); hold_standard_descriptors()\n"
        "null = os.stat(os.devnull).st_rdev\n"
        "os._exit(0 if all(os.fstat(n).st_rdev == null for n in range(3)) else 1)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_standard_descriptors_that_are_open_stay() -> None:
    before = [os.fstat(number) for number in range(3)]
    hold_standard_descriptors()
    assert [os.path.samestat(os.fstat(number), was) for number, was in enumerate(before)] == [True] * 3
