"""What a service manager has opened for us: taken where it is what is asked for, and said where it is not."""

import json
import os
import socket
import subprocess
import sys
from contextlib import ExitStack

import pytest

from holdfast.app.activation import Activation

# Started with descriptors from 3 on, it says what of them it takes for the addresses in its arguments, and what is left.
PROGRAM = """
import json, os, sys
from holdfast.app.activation import Activation
from holdfast.listeners import Listeners
from holdfast.model.listen_address import ListenAddress
os.environ["LISTEN_PID"] = sys.argv[1] if sys.argv[1] != "me" else str(os.getpid())
activation = Activation.of(os.environ)
before = set(os.listdir("/proc/self/fd"))
with Listeners.bound([ListenAddress.parse(one) for one in sys.argv[2:]], sockets_each=2, given=activation.take) as bound:
    said = activation.close()
    took = [len(one.descriptors) for one in bound.addresses]
    blocking = [os.get_blocking(one) for address in bound.addresses for one in address.descriptors]
    inheritable = [os.get_inheritable(one) for address in bound.addresses for one in address.descriptors]
left = [name for name in os.environ if name.startswith("LISTEN_")]
fds = len(os.listdir("/proc/self/fd"))
print(json.dumps([took, any(blocking), any(inheritable), said, left, fds]))
"""


def say(given: list[socket.socket], *addresses: str, pid: str = "me", count: str | None = None) -> list[object]:
    """What the program says, with these sockets."""
    numbers = [one.fileno() for one in given]
    # Numbers above all that are wanted, first: so that none is overwritten before it is moved.
    high = [100 + index for index in range(len(numbers))]
    moves = [f"{to}<&{number}" for to, number in zip(high, numbers, strict=True)]
    moves += [f"{3 + index}<&{number} {number}<&-" for index, number in enumerate(high)]
    others = [f"{number}<&-" for number in numbers if number >= 3 + len(numbers)]
    script = f'exec {" ".join([*moves, *others])} && exec "$@"' if given else 'exec "$@"'
    program = ["bash", "-c", script, "bash", sys.executable, "-c", PROGRAM, pid, *addresses]
    environment = {**os.environ, "LISTEN_FDS": count or str(len(numbers)), "LISTEN_FDNAMES": "a:b"}
    ended = subprocess.run(program, pass_fds=numbers, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    found: list[object] = json.loads(ended.stdout)
    return found


def address_of(one: socket.socket) -> str:
    host, port = one.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def test_a_socket_of_an_address_that_is_asked_for_is_taken_for_every_thread() -> None:
    with socket.create_server(("127.0.0.1", 0)) as given:
        took, is_blocking, is_inheritable, said, left, descriptors = say([given], address_of(given))
    assert (took, is_blocking, is_inheritable, said, left) == ([2], False, False, [], [])
    assert descriptors == 4  # the standard three, and the directory that is being listed


def test_all_sockets_of_one_address_are_taken() -> None:
    with ExitStack() as stack:
        first = stack.enter_context(socket.create_server(("127.0.0.1", 0), reuse_port=True))
        more = [stack.enter_context(socket.create_server(first.getsockname(), reuse_port=True)) for _ in range(2)]
        took, *_ = say([first, *more], address_of(first))
    assert took == [3]


def test_what_is_not_given_is_bound_and_what_is_not_asked_for_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as given:
        took, _, _, said, _, descriptors = say([given], "127.0.0.1:0")
        assert took == [2]
        assert said == [
            f"the service manager listens on {address_of(given)}, which no address of ours is: it is not used"
        ]
    assert descriptors == 4


def test_what_is_meant_for_another_process_is_none_of_ours() -> None:
    with socket.create_server(("127.0.0.1", 0)) as given:
        assert say([given], "127.0.0.1:0", pid="1")[3:5] == [[], []]


@pytest.mark.parametrize("count", ["x", "-1", "99999999", "²"])
def test_a_number_of_sockets_that_is_none_is_taken_for_none(count: str) -> None:
    assert say([], "127.0.0.1:0", count=count)[3] == []


def test_what_cannot_be_listened_on_is_said() -> None:
    with ExitStack() as stack:
        unix = stack.enter_context(socket.socket(socket.AF_UNIX))
        silent = stack.enter_context(socket.socket())
        silent.bind(("127.0.0.1", 0))
        both = stack.enter_context(socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True))
        *_, said, _, descriptors = say([unix, silent, both], "127.0.0.1:0")
    assert isinstance(said, list)
    reasons = [sentence.partition(" of the service manager is not used: ")[::2] for sentence in said]
    assert reasons == [
        ("descriptor 3", "it is no TCP socket"),
        ("descriptor 4", "it does not listen (Accept=yes is not what we take)"),
        ("descriptor 5", "it takes IPv4 too, and one address of ours is one family (BindIPv6Only=ipv6-only)"),
    ]
    assert descriptors == 4


def test_a_descriptor_that_is_not_there_is_said() -> None:
    said = say([], "127.0.0.1:0", count="1")[3]
    assert isinstance(said, list)
    assert [sentence.startswith("descriptor 3 of the service manager is not used: ") for sentence in said] == [True]


def test_without_any_there_is_nothing_to_take_or_to_say() -> None:
    activation = Activation.of({})
    assert activation.close() == []
