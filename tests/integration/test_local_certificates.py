"""Zones that brought no certificate, as clients meet them that trust the local authority: verified, also while edges change."""

import os
import signal
import ssl
import threading
from functools import partial
from itertools import cycle
from pathlib import Path

from tests.integration import wire
from tests.integration.releasing import newest_edge, released
from tests.integration.run import EDGE, READY, Run
from tests.integration.waiting import LIMIT_S, poll
from tests.integration.wire import Address
from tests.integration.zones_of_run import Zones

TLS = ("--tls-listen", "127.0.0.1:0", "--release-deadline", "60", "--release-spread", "1")
NAMES = tuple(f"local-{number}.example" for number in range(8))

# Between two connections of a client, so that the edges have the processors too.
BETWEEN_S = 0.01


def tls_address(run: Run) -> Address:
    """Where TLS is served."""
    found = [match for line in run.ready_lines if (match := READY.match(line)) and match["scheme"] == "wss"]
    return found[0]["host"], int(found[0]["port"])


def trusting(data: Path) -> ssl.SSLContext:
    """A client that trusts the local authority and nobody else."""
    return ssl.create_default_context(cafile=data / "tls" / "ca.pem")


def fault_of(address: Address, tls: ssl.SSLContext, name: str) -> str:
    """What is wrong with a connection for a zone; "" where it is verified."""
    try:
        with wire.connect(address, tls=tls, name=name):
            return ""
    except OSError as error:
        return f"{name}: {error}"


def is_verified(address: Address, tls: ssl.SSLContext, name: str) -> bool:
    """Whether nothing is wrong with it."""
    return not fault_of(address, tls, name)


def add_zones(run: Run, tls: ssl.SSLContext) -> None:
    """Zones without certificates, which are shown their local ones when this returns."""
    with Zones(run) as zones:
        for name in NAMES:
            zones.ask("POST", "/zones", {"name": name})
    for name in NAMES:
        poll(partial(is_verified, tls_address(run), tls, name), what=f"the certificate of {name}")


def test_no_client_sees_a_wrong_certificate_during_releases(tmp_path: Path) -> None:
    with Run(tmp_path, *TLS) as run:
        tls, address = trusting(tmp_path), tls_address(run)
        add_zones(run, tls)
        faults: list[str] = []
        verified = threading.Semaphore(0)
        is_over = threading.Event()

        def keep_coming(names: tuple[str, ...]) -> None:
            turns = cycle(names)
            while not is_over.wait(BETWEEN_S):
                if fault := fault_of(address, tls, next(turns)):
                    faults.append(fault)
                verified.release()

        clients = [threading.Thread(target=keep_coming, args=(names,)) for names in (NAMES, NAMES[::-1])]
        for client in clients:
            client.start()
        try:
            for number in range(2, 4):
                released(tmp_path)
                newest_edge(run, number=number)
                assert all(verified.acquire(timeout=LIMIT_S) for _ in range(2 * len(NAMES)))
        finally:
            is_over.set()
            for client in clients:
                client.join(LIMIT_S)
        assert [*faults, *(fault_of(address, tls, name) for name in NAMES)] == [""] * len(NAMES)


def test_an_edge_that_is_started_again_shows_them_from_its_first_connection_on(tmp_path: Path) -> None:
    with Run(tmp_path, *TLS) as run:
        tls, address = trusting(tmp_path), tls_address(run)
        add_zones(run, tls)
        file = tmp_path / "tls" / "zones.pem"
        kept = file.read_bytes()
        for restarts, name in enumerate(NAMES[:3]):
            os.kill(run.child(EDGE, restarts=restarts), signal.SIGKILL)
            # It waits in the kernel's queue until the next edge takes it, unless the one before had taken it.
            fault = fault_of(address, tls, name)
            assert "certificate" not in fault
            run.child(EDGE, restarts=restarts + 1)
            assert [fault_of(address, tls, one) for one in NAMES] == [""] * len(NAMES)
        assert file.read_bytes() == kept
        # Also where nothing was kept.
        file.unlink()
        os.kill(run.child(EDGE, restarts=3), signal.SIGKILL)
        run.child(EDGE, restarts=4)
        assert [fault_of(address, tls, one) for one in NAMES] == [""] * len(NAMES)
