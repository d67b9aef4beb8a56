"""The supervisor's socket: who may ask, what is understood, and that nobody is waited for."""

import os
import selectors
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from holdfast.app.desk_messages import AskDrain, AskRelease, Done, Progress, Taken, answer_in, encoded
from holdfast.app.front_desk import MAX_ASKING, FrontDesk, reachable
from holdfast.event_log import EventLog


@pytest.fixture
def selector() -> Iterator[selectors.BaseSelector]:
    with selectors.DefaultSelector() as made:
        yield made


@pytest.fixture
def desk(tmp_path: Path, selector: selectors.BaseSelector) -> Iterator[FrontDesk]:
    made = FrontDesk(tmp_path, selector, EventLog(2))
    made.open()
    yield made
    made.close()


class Client:
    """One who asks."""

    def __init__(self, data: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(30)
        with reachable(data / "supervisor.sock") as name:
            self.socket.connect(name)

    def heard(self) -> object:
        return answer_in(self.socket.recv(65536))

    def is_let_go(self) -> bool:
        return self.socket.recv(65536) == b""


@pytest.fixture
def come(tmp_path: Path) -> Iterator[Callable[..., Client]]:
    """Somebody comes to the desk in the directory."""
    with ExitStack() as stack:

        def one(data: Path = tmp_path) -> Client:
            client = Client(data)
            stack.enter_context(client.socket)
            return client

        yield one


def test_only_its_owner_can_reach_it_and_nothing_is_left_of_it(tmp_path: Path, desk: FrontDesk) -> None:
    path = tmp_path / "supervisor.sock"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    desk.close()
    assert not path.exists()
    desk.close()


def test_who_asks_is_answered_by_his_ticket_until_it_is_done(
    come: Callable[..., Client], tmp_path: Path, desk: FrontDesk, selector: selectors.BaseSelector
) -> None:
    one, other = come(), come()
    one.socket.send(encoded(AskRelease(python="/p")))
    other.socket.send(encoded(AskDrain()))
    assert selector.select(0)
    (first, question), (second, drain) = desk.asked()
    assert (question, drain) == (AskRelease(python="/p"), AskDrain())
    desk.say(second, Taken(pid=1, limit_s=2.0))
    desk.say(first, Progress(line="it goes"))
    desk.say(first, Done(sentence="it did not"))
    desk.say(first, Done())
    assert (one.heard(), one.heard(), one.is_let_go()) == (Progress(line="it goes"), Done(sentence="it did not"), True)
    assert other.heard() == Taken(pid=1, limit_s=2.0)
    assert not selector.select(0)


def test_who_says_something_else_is_told_so_and_let_go(
    come: Callable[..., Client], tmp_path: Path, desk: FrontDesk
) -> None:
    client = come()
    client.socket.send(b'{"type":"dance"}')
    assert list(desk.asked()) == []
    assert isinstance(client.heard(), Done)
    assert client.is_let_go()


def test_who_leaves_is_forgotten_and_costs_nothing(
    come: Callable[..., Client], tmp_path: Path, desk: FrontDesk, selector: selectors.BaseSelector
) -> None:
    silent, asking = come(), come()
    asking.socket.send(encoded(AskDrain()))
    ((ticket, _),) = desk.asked()
    silent.socket.close()
    asking.socket.close()
    assert list(desk.asked()) == []
    assert not selector.select(0), "a descriptor that is readable for ever"
    desk.say(ticket, Done())


def test_one_who_reads_nothing_is_not_waited_for(come: Callable[..., Client], tmp_path: Path, desk: FrontDesk) -> None:
    client = come()
    client.socket.send(encoded(AskDrain()))
    ((ticket, _),) = desk.asked()
    for _ in range(10_000):  # far more than the kernel keeps
        desk.say(ticket, Progress(line="x" * 100))


def test_those_who_say_nothing_make_room_for_those_who_ask(
    come: Callable[..., Client], tmp_path: Path, desk: FrontDesk
) -> None:
    silent = [come() for _ in range(MAX_ASKING)]
    assert list(desk.asked()) == []
    asking = come()
    asking.socket.send(encoded(AskDrain()))
    assert len(list(desk.asked())) == 1
    assert silent[0].is_let_go()


def test_there_is_a_bound_of_those_who_wait(come: Callable[..., Client], tmp_path: Path, desk: FrontDesk) -> None:
    for _ in range(MAX_ASKING):
        come().socket.send(encoded(AskDrain()))
        assert len(list(desk.asked())) == 1
    late = come()
    late.socket.send(encoded(AskDrain()))
    assert list(desk.asked()) == []
    assert late.heard() == Done(sentence=f"{MAX_ASKING} others wait for an answer already")


def test_what_is_left_of_one_that_was_killed_is_no_obstacle(
    come: Callable[..., Client], tmp_path: Path, selector: selectors.BaseSelector
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as left:
        left.bind(str(tmp_path / "supervisor.sock"))
    desk = FrontDesk(tmp_path, selector, EventLog(2))
    desk.open()
    assert come().socket.fileno() >= 0
    desk.close()


def test_a_second_one_says_who_has_the_directory_and_takes_nothing(
    come: Callable[..., Client],
    tmp_path: Path,
    desk: FrontDesk,
    selector: selectors.BaseSelector,
    capfd: pytest.CaptureFixture[str],
) -> None:
    other = FrontDesk(tmp_path, selector, EventLog(2))
    other.open()
    assert f"process {os.getpid()} has the data directory {tmp_path} already" in capfd.readouterr().err
    other.close()
    assert come().socket.fileno() >= 0


@pytest.mark.parametrize(
    "spoil", [lambda path: path.write_text("x"), lambda path: (path / "supervisor.sock").mkdir(parents=True)]
)
def test_a_directory_that_cannot_be_used_is_a_record(
    spoil: object, tmp_path: Path, selector: selectors.BaseSelector, capfd: pytest.CaptureFixture[str]
) -> None:
    assert callable(spoil)
    spoil(tmp_path / "data")
    desk = FrontDesk(tmp_path / "data", selector, EventLog(2))
    desk.open()
    assert '"event":"supervisor_warning"' in capfd.readouterr().err
    assert list(desk.asked()) == []
    desk.close()


def test_a_path_that_is_too_long_for_the_system_is_reached_all_the_same(
    come: Callable[..., Client], tmp_path: Path, selector: selectors.BaseSelector
) -> None:
    data = tmp_path / ("x" * 120)
    desk = FrontDesk(data, selector, EventLog(2))
    desk.open()
    come(data).socket.send(encoded(AskDrain()))
    assert [question for _, question in desk.asked()] == [AskDrain()]
    desk.close()
