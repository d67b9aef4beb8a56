"""Asking a supervisor: what is printed, with which status it ends, and that a supervisor that is silent is not waited for."""

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from holdfast.app import ask_supervisor
from holdfast.app.ask_supervisor import NotReleasedError, run_drain, run_release
from holdfast.app.desk_messages import Answer, AskDrain, AskRelease, Done, Progress, Taken, encoded, question_in
from holdfast.errors import SetupError, UnavailableError, UsageError


class Supervisor:
    """One that answers what it is told to answer, and remembers what it was asked."""

    def __init__(self, data: Path) -> None:
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(str(data / "supervisor.sock"))
        self.listener.listen()
        self.asked: object = None
        self.packets: list[bytes] = []
        self.is_silent = False
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def answers(self, *answers: Answer | bytes) -> None:
        self.packets = [one if isinstance(one, bytes) else encoded(one) for one in answers]
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self.listener.accept()
        with connection:
            self.asked = question_in(connection.recv(65536))
            for packet in self.packets:
                connection.send(packet)
            if self.is_silent:
                connection.recv(1)


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    made = Supervisor(tmp_path)
    with made.listener:
        yield made


TAKEN = Taken(pid=7, limit_s=30.0)


def test_how_it_goes_is_printed_and_the_end_is_0(
    tmp_path: Path, supervisor: Supervisor, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    supervisor.answers(TAKEN, Progress(line="a"), b'{"type":"newer"}', Progress(line="b"), Done())
    assert run_release(tmp_path, python=Path("bin/python"), waits=True) == 0
    assert capsys.readouterr().out == "a\nb\n"
    # Absolute, for the supervisor is somewhere else; and not resolved.
    assert supervisor.asked == AskRelease(python=str(tmp_path / "bin/python"))


def test_one_who_does_not_wait_leaves_when_it_has_begun(tmp_path: Path, supervisor: Supervisor) -> None:
    supervisor.is_silent = True
    supervisor.answers(TAKEN, Progress(line="a"))
    assert run_drain(tmp_path, waits=False) == 0
    assert supervisor.asked == AskDrain()


@pytest.mark.parametrize("waits", [True, False])
def test_what_could_not_be_done_is_the_supervisors_sentence(
    waits: bool, tmp_path: Path, supervisor: Supervisor
) -> None:
    supervisor.answers(TAKEN, Done(sentence="it cannot be: because"))
    with pytest.raises(NotReleasedError, match=r"^it cannot be: because$") as raised:
        run_release(tmp_path, python=None, waits=waits)
    assert raised.value.exit_status == 1


def test_a_supervisor_that_ends_or_is_silent_is_a_sentence(
    tmp_path: Path, supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor.answers(TAKEN)
    with pytest.raises(UnavailableError, match="ended before it was done"):
        run_release(tmp_path, python=None, waits=True)
    monkeypatch.setattr(ask_supervisor, "TAKEN_LIMIT_S", 0.05)
    with pytest.raises(UnavailableError, match="does not answer"):
        run_release(tmp_path, python=None, waits=True)


def test_a_supervisor_that_takes_longer_than_it_says_is_not_waited_for(
    tmp_path: Path, supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ask_supervisor, "_SLACK_S", 0.0)
    supervisor.is_silent = True
    supervisor.answers(Taken(pid=7, limit_s=0.05))
    with pytest.raises(UnavailableError, match="does not answer"):
        run_release(tmp_path, python=None, waits=True)


def _of_another_kind(data: Path) -> socket.socket:
    """Somebody listens there, with a socket that is none of ours."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(data / "supervisor.sock"))
    listener.listen()
    return listener


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda _: None, "nothing runs on the data directory"),
        (lambda data: (data / "supervisor.sock").touch(), "nothing runs on the data directory"),
        (_of_another_kind, r"^the supervisor cannot be asked by .*/supervisor.sock: protocol wrong type for socket$"),
    ],
)
def test_where_nobody_can_be_asked_it_is_a_sentence_and_status_2(
    spoil: Callable[[Path], socket.socket | None], said: str, tmp_path: Path
) -> None:
    kept = spoil(tmp_path)
    with pytest.raises(SetupError, match=said) as raised:
        run_drain(tmp_path, waits=True)
    if kept is not None:
        kept.close()
    assert raised.value.exit_status == 2


@pytest.mark.parametrize("given", ["x" * 5000, "é" * 3000, "/x" * 20_000])
def test_an_interpreter_that_no_system_could_name_is_refused(given: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--python: expected a path of at most 4095 bytes"):
        run_release(tmp_path, python=Path(given), waits=True)
