"""What holds for every test: traffic stays on this machine, Hypothesis does not judge by the clock, signals mean what they
mean, and the tests themselves are no garbage.

Law 1: a test connects to loopback addresses and Unix sockets only; anything else fails where it is tried.
Law 2: a property fails for what it found, never for how long an example took on a loaded machine.
Law 3: programs that a test starts end at SIGHUP and SIGINT, also where whoever started the tests ignores them (nohup, a
shell's background), which they would inherit.
Law 4: what was made to collect the tests stays until the end, so the garbage collector does not look at it again and again.
"""

import gc
import ipaddress
import os
import signal
import sys
from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# What these assert is told in full, as in tests; before anything imports them.
pytest.register_assert_rewrite("tests.integration.wire", "tests.integration.edge")

# Fixtures of both databases, for every test that asks for them.
from tests.databases import (  # noqa: E402
    database_url,  # noqa: F401
    empty_database_url,  # noqa: F401
    postgres_cluster,  # noqa: F401
    sqlite_template,  # noqa: F401
)

if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# More examples where nobody waits; the seed stays random, and a failure prints how to get it again.
settings.register_profile("ci", settings.get_profile("default"), max_examples=200, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect tests, and no garbage before that is done. Afterwards there are a million objects less to look at."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


class LeavesThisMachineError(RuntimeError):
    """A test tried to reach an address that is not on this machine."""


def is_local(address: object) -> bool:
    """Whether a socket address (a tuple, or a path of a Unix socket) is on this machine; an unresolved name is not."""
    if not isinstance(address, tuple):
        return True
    host = str(address[0]).partition("%")[0]
    if host in {"", "localhost"}:
        return True
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return False
    return ip.is_loopback or ip.is_unspecified


def _refuse_to_leave(event: str, arguments: tuple[Any, ...]) -> None:
    if event in {"socket.connect", "socket.sendto"} and not is_local(arguments[1]):
        message = f"{event} to {arguments[1]!r}: tests use loopback addresses only"
        raise LeavesThisMachineError(message)


# An audit hook cannot be taken off again, so it is put on once a process.
sys.addaudithook(_refuse_to_leave)
