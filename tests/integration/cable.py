"""A cable that can be pulled: a network namespace at the far end of a veth pair, made for one test and taken away with it.

Law 1: what is at the far end runs in child processes (`under`); the test's own process stays on loopback (tests/conftest.py).
Law 2: pulling is silent, as with a real cable: no FIN, no RST, no ICMP. `drop` filters every packet, `unplug` takes the carrier.
Law 3: addresses are of RFC 2544's range for benchmarks, which nobody routes.
"""

import os
import shutil
import subprocess
from collections.abc import Sequence
from itertools import count
from typing import Self

_COUNTER = count()
LIMIT_S = 30.0


def missing() -> str:
    """Why no cable can be made here, in a sentence; "" where one can."""
    for program in ("ip", "iptables"):
        if _found(program) is None:
            return f"`{program}` is not installed: as root, apt-get install iproute2 iptables"
    if os.geteuid() != 0:
        return "making network namespaces takes root"
    name = f"hf-try-{os.getpid()}"
    tried = subprocess.run([_program("ip"), "netns", "add", name], capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        return f"this machine makes no network namespaces: {tried.stderr.strip()}"
    _run("ip", "netns", "del", name)
    return ""


class Cable:
    """Use as a context manager. `near` and `far` are the addresses of its ends; `under` runs a command at the far end."""

    def __init__(self) -> None:
        number = next(_COUNTER)
        self._name = f"hf{os.getpid()}x{number}"
        # A /30 of its own, by process and number, so that tests run side by side.
        net = f"198.18.{os.getpid() % 256}.{number % 60 * 4}"
        base = net.rsplit(".", 1)[0]
        last = number % 60 * 4
        self.near, self.far = f"{base}.{last + 1}", f"{base}.{last + 2}"
        # Interface names have 15 characters at most.
        self._near_end, self._far_end = f"{self._name}a"[-15:], f"{self._name}b"[-15:]

    @property
    def under(self) -> Sequence[str]:
        """What runs a command at the far end."""
        return (_program("ip"), "netns", "exec", self._name)

    def __enter__(self) -> Self:
        _run("ip", "netns", "add", self._name)
        try:
            _run(
                "ip", "link", "add", self._near_end, "type", "veth", "peer", "name", self._far_end, "netns", self._name
            )
            _run("ip", "addr", "add", f"{self.near}/30", "dev", self._near_end)
            _run("ip", "link", "set", self._near_end, "up")
            self._there("ip", "addr", "add", f"{self.far}/30", "dev", self._far_end)
            self._there("ip", "link", "set", self._far_end, "up")
            self._there("ip", "link", "set", "lo", "up")
        except subprocess.CalledProcessError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        # The pair goes with the namespace that has one end of it.
        _run("ip", "netns", "del", self._name)

    def unplug(self) -> None:
        """Take the far end down: the carrier is gone, and nothing is said."""
        self._there("ip", "link", "set", self._far_end, "down")

    def plug_in(self) -> None:
        """Undo `unplug`."""
        self._there("ip", "link", "set", self._far_end, "up")

    def drop(self) -> None:
        """Let every packet vanish, of both directions."""
        for chain in ("INPUT", "OUTPUT"):
            self._there("iptables", "-I", chain, "-j", "DROP")

    def let_pass(self) -> None:
        """Undo `drop`."""
        for chain in ("INPUT", "OUTPUT"):
            self._there("iptables", "-D", chain, "-j", "DROP")

    def _there(self, program: str, *arguments: str) -> None:
        subprocess.run([*self.under, _program(program), *arguments], check=True, capture_output=True, timeout=LIMIT_S)


def _found(program: str) -> str | None:
    return shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")


def _program(program: str) -> str:
    found = _found(program)
    assert found is not None, missing()
    return found


def _run(program: str, *arguments: str) -> None:
    subprocess.run([_program(program), *arguments], check=True, capture_output=True, timeout=LIMIT_S)
