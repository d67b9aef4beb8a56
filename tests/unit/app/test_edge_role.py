"""The edge role, around a core that only remembers: order, limits, signals and sentences."""

import os
import resource
import signal
import socket
import sys
import threading
import types
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from holdfast.app import edge_role, lifeline
from holdfast.app.edge_role import serve_edge
from holdfast.app.edge_zones import StaticZones
from holdfast.app.lifeline import Lifeline, Ready, Retiring, messages_of
from holdfast.app.surroundings import Surroundings
from holdfast.app.words import Retire, Stop, Word
from holdfast.config.up import UpOptions
from holdfast.edge.snapshot import empty_snapshot
from holdfast.errors import CertificateError, SetupError
from holdfast.listeners import BoundAddress, bind_all
from holdfast.model.local_worker import LocalWorker

ENDING_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class FakeEdge:
    """The core's edge: it takes the descriptors over, and says what was done to it."""

    made: list["FakeEdge"] = []  # noqa: RUF012  emptied by the fixture
    on_start: Callable[[], None] = staticmethod(lambda: None)

    def __init__(self, **asked: Any) -> None:
        self.asked = asked
        self.did: list[str] = []
        self.open = 0
        FakeEdge.made.append(self)

    def start(self) -> None:
        FakeEdge.on_start()
        self.did.append("start")

    def retire(self, *, accept_waiting: bool) -> None:
        self.did.append("retire, and let in who waits" if accept_waiting else "retire")

    def close_evenly(self, *, why: str, code: int, reason: str, window_s: float, order: str) -> int:
        self.did.append(f"close {why} {code} {reason!r} {window_s} {order}")
        closed, self.open = self.open, 0
        return closed

    def statistics(self) -> dict[str, int]:
        return {"tunnels_open": self.open, "connections_open": 0, "connections_accepted": 0, "tunnels_opened": 0}

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
    limits, handlers = resource.getrlimit(resource.RLIMIT_NOFILE), {n: signal.getsignal(n) for n in ENDING_SIGNALS}
    restore = resource.setrlimit
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    yield
    while signal.sigtimedwait([*ENDING_SIGNALS, signal.SIGIO], 0):
        pass
    for number, handler in handlers.items():
        signal.signal(number, handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    restore(resource.RLIMIT_NOFILE, limits)


@pytest.fixture
def supervised() -> Iterator[tuple[socket.socket, Surroundings]]:
    """The supervisor's end of a lifeline, and what a role at the other has around it."""
    ours, childs = lifeline.pair()
    with ours, childs:
        yield ours, Surroundings("holdfast up", Lifeline(childs))


def run(options: UpOptions, around: Surroundings | None = None) -> int:
    """The role, on addresses bound for it."""
    bound = bind_all(options.listen, options.tls_listen, sockets_each=options.threads)
    return serve_edge(options, bound, around or Surroundings("holdfast up"))


def _options(tmp_path: Path, **more: Any) -> UpOptions:
    given = {"origin": "http://127.0.0.1:9000", "listen": ["127.0.0.1:0"], "data_dir": str(tmp_path), "threads": "2"}
    return UpOptions.parse({**given, **more})


def _tell_when_started(monkeypatch: pytest.MonkeyPatch, ours: socket.socket, word: Word) -> None:
    """The supervisor says it when the core has started."""
    monkeypatch.setattr(FakeEdge, "on_start", staticmethod(lambda: lifeline.tell(ours, word)))


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
    assert run(_options(tmp_path)) == 0
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
    assert run(_options(tmp_path, tls_listen=["127.0.0.1:0"])) == 0
    (edge,) = FakeEdge.made
    assert [is_tls for _, is_tls in edge.asked["listeners"]] == [False, False, True, True]
    (certificate,) = edge.asked["certificates"]
    assert "localhost" in certificate["names"]
    assert [line.partition("://")[0] for line in capsys.readouterr().out.splitlines()] == ["ready: ws", "ready: wss"]


def test_a_second_signal_meets_the_default_disposition(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _signal_when_started(monkeypatch, signal.SIGTERM)
    seen: list[object] = []

    def stop(_self: FakeEdge, *, grace_s: float) -> None:
        seen.extend(signal.getsignal(number) for number in ENDING_SIGNALS)
        seen.append(signal.pthread_sigmask(signal.SIG_BLOCK, ()) & set(ENDING_SIGNALS))

    monkeypatch.setattr(FakeEdge, "stop", stop)
    run(_options(tmp_path))
    assert seen == [signal.SIG_DFL, signal.SIG_DFL, set()]


@pytest.mark.parametrize("failing", ["ready_lines", "_wait"])
def test_an_edge_that_was_started_is_stopped_whatever_is_raised(
    failing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError(failing)

    monkeypatch.setattr(edge_role, failing, fail)
    with pytest.raises(RuntimeError, match=failing):
        run(_options(tmp_path))
    (edge,) = FakeEdge.made
    assert edge.did == ["start", "stop 5.0"]


@pytest.mark.parametrize(
    ("more", "error", "said"),
    [
        (
            {"tls_listen": ["127.0.0.1:0"], "cert": ["no.pem"], "key": ["no.key"]},
            CertificateError,
            "cannot read no.pem",
        ),
        ({"origin_ca": "no.pem"}, SetupError, "--origin-ca: cannot read no.pem"),
        ({"origin_ca": __file__}, SetupError, "--origin-ca: .*test_edge_role.py holds no PEM certificate"),
        ({"origin_ca": "/dev/zero"}, SetupError, "--origin-ca: /dev/zero is over 1024 KiB"),
    ],
)
def test_what_is_wrong_is_found_before_anything_is_said_to_be_ready(
    more: dict[str, Any], error: type[Exception], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(error, match=said):
        run(_options(tmp_path, **more))
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
        run(_options(tmp_path))
    FakeEdge.made[0].stop(grace_s=0)


def test_an_origin_the_core_refuses_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_asked: Any) -> None:
        message = "ca_pem: no certificate in it"
        raise ValueError(message)

    monkeypatch.setattr(sys.modules["holdfast._native"], "Origin", refuse)
    with pytest.raises(
        SetupError, match=r"^the origin http://127\.0\.0\.1:9000 cannot be used: ca_pem: no certificate"
    ):
        run(_options(tmp_path))


def test_supervised_it_says_that_it_is_ready_over_the_lifeline(
    supervised: tuple[socket.socket, Surroundings],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ours, around = supervised
    _tell_when_started(monkeypatch, ours, Stop())
    assert run(_options(tmp_path), around) == 0
    (message,) = messages_of(ours)
    assert isinstance(message, Ready)
    assert message.lines[0].endswith(" -> http://127.0.0.1:9000")
    assert capsys.readouterr().out == ""


class Zones(StaticZones):
    """Zones that nobody has told yet which there are."""

    def __init__(self, options: UpOptions, bound: Sequence[BoundAddress], worker: LocalWorker | None = None) -> None:
        super().__init__(options, bound, worker)
        self.policy.publish(empty_snapshot(instance="ab", is_published=False))


def test_supervised_it_is_ready_when_it_has_heard_which_zones_there_are(
    supervised: tuple[socket.socket, Surroundings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, around = supervised
    made: list[Zones] = []
    said_before: list[object] = []

    class Remembered(Zones):
        def start(self, edge: Any) -> None:
            made.append(self)
            super().start(edge)

    class Looking(Surroundings):
        looks = 0

        def told(self, *, limit_s: float) -> Word | None:
            self.looks += 1
            if self.looks == 3:
                said_before.extend(messages_of(ours))
                made[0].policy.publish(made[0].policy.snapshot.with_changes())
            return Stop() if self.looks > 3 else super().told(limit_s=limit_s)

    monkeypatch.setattr(edge_role, "StaticZones", Remembered)
    monkeypatch.setattr(edge_role, "FIRST_ZONES_LIMIT_S", 60.0)
    assert run(_options(tmp_path), Looking("holdfast run", around.lifeline)) == 0
    assert said_before == []
    (message,) = messages_of(ours)
    assert isinstance(message, Ready)


@pytest.mark.parametrize("is_alone", [True, False])
def test_it_is_ready_without_zones_where_it_runs_alone_or_control_does_not_come(
    is_alone: bool,
    supervised: tuple[socket.socket, Surroundings],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ours, around = supervised
    if is_alone:
        _signal_when_started(monkeypatch, signal.SIGTERM)
    else:
        _tell_when_started(monkeypatch, ours, Stop())
    monkeypatch.setattr(edge_role, "StaticZones", Zones)
    monkeypatch.setattr(edge_role, "FIRST_ZONES_LIMIT_S", 60.0 if is_alone else 0.0)
    assert run(_options(tmp_path), None if is_alone else around) == 0
    said = capsys.readouterr().out.splitlines() if is_alone else list(messages_of(ours))
    assert len(said) == 1


def test_an_edge_that_is_told_to_end_before_it_knows_its_zones_never_says_that_it_is_ready(
    supervised: tuple[socket.socket, Surroundings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, around = supervised
    _tell_when_started(monkeypatch, ours, Stop())
    monkeypatch.setattr(edge_role, "StaticZones", Zones)
    monkeypatch.setattr(edge_role, "FIRST_ZONES_LIMIT_S", 60.0)
    assert run(_options(tmp_path), around) == 0
    assert list(messages_of(ours)) == []
    assert FakeEdge.made[0].did == ["start", "stop 5.0"]


def test_an_edge_whose_supervisor_is_gone_stops_in_an_orderly_way(
    supervised: tuple[socket.socket, Surroundings],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    ours, around = supervised
    monkeypatch.setattr(FakeEdge, "on_start", staticmethod(ours.close))
    assert run(_options(tmp_path), around) == 0
    assert FakeEdge.made[0].did == ["start", "stop 5.0"]
    assert '"event":"supervisor_gone"' in capfd.readouterr().err


def test_supervised_signals_do_nothing(
    supervised: tuple[socket.socket, Surroundings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, around = supervised
    _tell_when_started(monkeypatch, ours, Stop())
    seen: list[object] = []

    def stop(_self: FakeEdge, *, grace_s: float) -> None:
        seen.extend(signal.getsignal(number) for number in ENDING_SIGNALS)

    monkeypatch.setattr(FakeEdge, "stop", stop)
    run(_options(tmp_path), around)
    assert seen == [signal.SIG_IGN, signal.SIG_IGN]


def test_an_edge_that_retires_keeps_what_is_open_until_its_deadline_and_closes_the_rest_evenly(
    supervised: tuple[socket.socket, Surroundings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, around = supervised

    def started() -> None:
        FakeEdge.made[0].open = 3
        lifeline.tell(ours, Retire(why="release", deadline_s=0.01, spread_s=2.0, order="idlest"))

    monkeypatch.setattr(FakeEdge, "on_start", staticmethod(started))
    assert run(_options(tmp_path), around) == 0
    reason = "the edge is being replaced, connect again"
    assert FakeEdge.made[0].did == ["start", "retire", f"close release 1012 {reason!r} 2.0 idlest", "stop 5.0"]
    assert [one for one in messages_of(ours) if isinstance(one, Retiring)] == [Retiring(3)]


@pytest.mark.parametrize("end", ["word", "gone"])
def test_a_retiring_edge_that_is_told_to_stop_or_is_alone_stops(
    end: str, supervised: tuple[socket.socket, Surroundings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, around = supervised

    def retired(edge: FakeEdge, **_: bool) -> None:
        edge.did.append("retire")
        edge.open = 3
        if end == "word":
            lifeline.tell(ours, Stop())
        else:
            ours.close()

    monkeypatch.setattr(FakeEdge, "retire", retired)
    _tell_when_started(monkeypatch, ours, Retire(why="drain", deadline_s=3600.0, spread_s=60.0, order="oldest"))
    assert run(_options(tmp_path), around) == 0
    assert FakeEdge.made[0].did == ["start", "retire", "stop 5.0"]


def test_a_core_that_was_never_built_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(sys.modules["holdfast._native"], "Edge")
    with pytest.raises(SetupError, match=r"^the core cannot be loaded; it is built by `make setup`: "):
        run(_options(tmp_path))
