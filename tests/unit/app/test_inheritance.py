"""What a child inherits: described in one variable, checked against what it has."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest

from holdfast.app import lifeline
from holdfast.app.inheritance import VARIABLE, Inheritance, inheritance_for, inherited
from holdfast.config.run import Config
from holdfast.config.up import UpOptions
from holdfast.errors import SetupError
from holdfast.listeners import BoundAddress, Listeners
from holdfast.model.listen_address import ListenAddress

ANY = ListenAddress("127.0.0.1", 0)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


@pytest.fixture
def bound(stack: ExitStack) -> tuple[BoundAddress, ...]:
    return stack.enter_context(Listeners.bound([ANY], [ANY], sockets_each=2)).addresses


@pytest.fixture
def end(stack: ExitStack) -> int:
    """The descriptor of a child's end of a lifeline, which `inherited` takes over."""
    ours, childs = lifeline.pair()
    stack.enter_context(ours)
    return childs.detach()


def test_a_child_gets_what_the_supervisor_has(bound: tuple[BoundAddress, ...], end: int) -> None:
    config = Config.parse({"threads": "3", "database_url": "postgresql+asyncpg://a:b@h/n"})
    told = inheritance_for(config, command="holdfast run", listeners=bound)
    environment = told.environment(
        {
            "PATH": "/bin",
            "HOLDFAST_THREADS": "9",
            "HOLDFAST_TOKEN": "t",
            "HOLDFAST_SECRET_KEY": "k",
            "NOTIFY_SOCKET": "/run/notify",
            "LISTEN_FDS": "2",
            "LISTEN_PID": "1",
            "LISTEN_FDNAMES": "a:b",
        },
        lifeline=end,
        is_successor=True,
    )
    assert set(environment) == {"PATH", "HOLDFAST_SECRET_KEY", VARIABLE}
    given, line = inherited(environment)
    assert given.parsed_options() == config
    assert (given.command, given.listeners, given.is_successor) == ("holdfast run", bound, True)
    assert not any(map(os.get_inheritable, [*given.descriptors, line.fileno()]))
    line.close()


def test_what_is_as_usual_is_not_said_so_that_an_older_version_can_be_started() -> None:
    told = inheritance_for(Config(), command="holdfast run", listeners=())
    assert "is_successor" not in told.environment({}, lifeline=3)[VARIABLE]


@pytest.mark.parametrize("kept", [(99_999, 99_998), (-5, -6)])
def test_ends_of_a_pair_that_are_no_sockets_are_refused(kept: tuple[int, ...], end: int) -> None:
    told = Inheritance(command="x", kind="run", options={}, kept=kept, lifeline=end)
    with pytest.raises(SetupError, match=rf"^{VARIABLE}: expected descriptor -?\d+ to be an end of the pair"):
        inherited(told.environment({}, lifeline=end))
    os.close(end)


def test_the_options_of_up_stay_those_of_up() -> None:
    options = UpOptions.parse({"origin": "http://127.0.0.1:9"})
    told = inheritance_for(options, command="holdfast up", listeners=())
    assert told.parsed_options() == options


@pytest.mark.parametrize(
    "value", ["", "[]", "{}", '{"command":"x","kind":"up","options":{},"more":1}', '{"command":1}', "\x00"]
)
def test_a_variable_that_says_something_else_is_refused(value: str) -> None:
    with pytest.raises(SetupError, match=f"^{VARIABLE}: expected what a supervisor gives"):
        inherited({VARIABLE: value})


def _other_port(one: BoundAddress, _: Path) -> BoundAddress:
    return BoundAddress(one.address.with_port(1), one.is_tls, one.descriptors)


def _a_file(one: BoundAddress, directory: Path) -> BoundAddress:
    os.dup2(os.open(directory, os.O_RDONLY), one.descriptors[0])
    return one


def _not_listening(one: BoundAddress, _: Path) -> BoundAddress:
    os.dup2(socket.socket().detach(), one.descriptors[0])
    return one


def _not_open(one: BoundAddress, _: Path) -> BoundAddress:
    return BoundAddress(one.address, one.is_tls, (99_999,))


@pytest.mark.parametrize("spoil", [_other_port, _a_file, _not_listening, _not_open])
def test_a_descriptor_that_is_not_what_it_is_said_to_be_is_refused(
    spoil: Callable[[BoundAddress, Path], BoundAddress], bound: tuple[BoundAddress, ...], end: int, tmp_path: Path
) -> None:
    spoiled = spoil(bound[0], tmp_path)
    told = Inheritance(command="x", kind="run", options={}, listeners=(spoiled,), lifeline=end)
    with pytest.raises(SetupError, match=rf"^{VARIABLE}: expected descriptor \d+ to be a socket that listens on"):
        inherited({VARIABLE: msgspec.json.encode(told).decode()})
    os.close(end)


def test_a_descriptor_that_is_said_twice_is_refused(bound: tuple[BoundAddress, ...]) -> None:
    told = Inheritance(command="x", kind="run", options={}, listeners=bound, lifeline=bound[0].descriptors[0])
    with pytest.raises(SetupError, match="each descriptor once"):
        inherited({VARIABLE: msgspec.json.encode(told).decode()})


def test_a_lifeline_that_is_none_is_refused() -> None:
    told = Inheritance(command="x", kind="run", options={}, lifeline=99_999)
    with pytest.raises(SetupError, match="the lifeline's socket"):
        inherited({VARIABLE: msgspec.json.encode(told).decode()})
