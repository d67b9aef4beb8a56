"""The control role around a service that only remembers: order, limits and signals, with a real server on a free port."""

import asyncio
import http.client
import signal
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from holdfast.app import control_role, lifeline
from holdfast.app.control_role import MAX_HEAD_BYTES, ready_line, serve
from holdfast.app.lifeline import Lifeline, messages_of
from holdfast.app.surroundings import Surroundings
from holdfast.app.words import Draining, Stop
from holdfast.config.run import Config
from holdfast.errors import CertificateError, SetupError, UnavailableError
from holdfast.event_log import EventLog
from holdfast.listeners import BoundAddress, bind_all
from holdfast.model.listen_address import ListenAddress
from tests.unit.certificates.making import a_key, cert_pem, key_pem

pytestmark = pytest.mark.usefixtures("signals")

# Longest wait for what should happen at once. The machine may be busy with other tests.
LIMIT_S = 60.0
ANY = [ListenAddress("127.0.0.1", 0)]
LOG = EventLog(2)


class FakeService:
    """A service that answers with what it was asked, and says what was done to it."""

    def __init__(self, *, error: Exception | None = None) -> None:
        self.did: list[str] = []
        self.error = error
        self.is_hanging_at_stop = False
        self.refuses_to_start = False
        self.on_request: Callable[[], None] = lambda: None

    async def application(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """ASGI 3."""
        if scope["type"] == "lifespan":
            for kind in ("startup", "shutdown"):
                await receive()
                self.did.append(kind)
                if kind == "startup" and self.refuses_to_start:
                    await send({"type": "lifespan.startup.failed", "message": "no"})
                    return
                await send({"type": f"lifespan.{kind}.complete"})
            return
        self.on_request()
        body = f"{scope['method']} {scope['path']} {scope['client'][0]} {scope['scheme']}".encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
        await send({"type": "http.response.body", "body": body})

    async def start(self) -> Sequence[str]:
        self.did.append("start")
        if self.error:
            raise self.error
        return ["ready: here", "token: once"]

    def drain(self) -> None:
        self.did.append("drain")

    async def stop(self) -> None:
        self.did.append("stop")
        if self.is_hanging_at_stop:
            await asyncio.Event().wait()


@pytest.fixture
def bound() -> tuple[BoundAddress, ...]:
    return tuple(bind_all(ANY, [], sockets_each=1))


def told_to_end_by(number: signal.Signals) -> Callable[[], None]:
    once = iter([number])

    def tell() -> None:
        for sent in once:
            signal.pthread_kill(threading.main_thread().ident or 0, sent)

    return tell


class Client(threading.Thread):
    """Asks once, from a thread of its own, as soon as the server accepts."""

    def __init__(
        self,
        one: BoundAddress,
        path: str = "/x",
        *,
        tls: ssl.SSLContext | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(daemon=True)
        self._address = (one.address.ip, one.address.port)
        self._tls, self._path, self._headers = tls, path, headers or {}
        self.status, self.body, self.server = 0, "", ""

    def run(self) -> None:
        kind = http.client.HTTPSConnection if self._tls else http.client.HTTPConnection
        more: dict[str, Any] = {"context": self._tls} if self._tls else {}
        connection = kind(*self._address, timeout=LIMIT_S, **more)
        with suppress(OSError, http.client.HTTPException):
            connection.request("GET", self._path, headers=self._headers)
            answer = connection.getresponse()
            self.status, self.body = answer.status, answer.read().decode()
            self.server = answer.getheader("Server") or ""
        connection.close()

    def done(self) -> "Client":
        self.join(LIMIT_S)
        return self


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_a_signal_and_takes_everything_down_in_order(
    number: signal.Signals, bound: tuple[BoundAddress, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    service = FakeService()
    service.on_request = told_to_end_by(number)
    client = Client(bound[0], headers={"X-Forwarded-For": "1.2.3.4", "X-Forwarded-Proto": "https"})
    client.start()
    assert serve(service, Config(), bound, Surroundings("holdfast control"), log=LOG) == 0
    assert service.did == ["start", "startup", "shutdown", "stop"]
    # No proxy is believed, and the server does not say what it is.
    assert (client.done().body, client.server) == ("GET /x 127.0.0.1 http", "")
    assert capsys.readouterr().out == "ready: here\ntoken: once\n"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((bound[0].address.ip, bound[0].address.port), timeout=30)


def a_pair(directory: Path) -> tuple[Path, Path]:
    """The files of a certificate and its key."""
    cert, key = directory / "c.pem", directory / "c.key"
    cert.write_bytes(cert_pem(a_key()))
    key.write_bytes(key_pem(a_key()))
    return cert, key


def test_over_tls_with_the_pair_that_was_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cert, key = a_pair(tmp_path)
    service = FakeService()
    service.on_request = told_to_end_by(signal.SIGTERM)
    bound = bind_all([], ANY, sockets_each=1)
    trusting = ssl._create_unverified_context()
    client = Client(bound[0], tls=trusting)
    client.start()
    config = Config(control_cert=cert, control_key=key)
    assert serve(service, config, bound, Surroundings("holdfast control"), log=LOG) == 0
    assert client.done().body.endswith(" https")
    assert ready_line(bound[0]) == f"ready: https://{bound[0].address} (API)"


class Renewer(threading.Thread):
    """Replaces the pair of the API, looks until it is shown, and then asks, which ends the server."""

    def __init__(self, one: BoundAddress, cert: Path, key: Path) -> None:
        super().__init__(daemon=True)
        self._client = Client(one, tls=ssl._create_unverified_context())
        self._address = (one.address.ip, one.address.port)
        self._cert, self._key = cert, key
        self.shown: list[str] = []

    def run(self) -> None:
        self._look()
        fresh = cert_pem(a_key(number=1))
        self._cert.write_bytes(fresh)
        self._key.write_bytes(key_pem(a_key(number=1)))
        for _ in range(3_000):
            self._look()
            if self.shown[-1].split() == fresh.decode().split():
                break
            threading.Event().wait(0.02)
        self._client.run()

    def _look(self) -> None:
        self.shown.append(ssl.get_server_certificate(self._address, timeout=30))


def test_a_pair_that_is_replaced_is_shown_to_new_connections(tmp_path: Path) -> None:
    cert, key = a_pair(tmp_path)
    service = FakeService()
    service.on_request = told_to_end_by(signal.SIGTERM)
    bound = bind_all([], ANY, sockets_each=1)
    renewer = Renewer(bound[0], cert, key)
    renewer.start()
    config = Config(control_cert=cert, control_key=key)
    assert serve(service, config, bound, Surroundings("holdfast control"), log=LOG) == 0
    renewer.join(LIMIT_S)
    first, last = renewer.shown[0], renewer.shown[-1]
    assert first != last
    assert last.split() == cert.read_text().split()


def test_a_pair_that_cannot_be_used_is_one_sentence(bound: tuple[BoundAddress, ...]) -> None:
    service = FakeService()
    config = Config(control_cert=Path("no.pem"), control_key=Path("no.key"))
    with pytest.raises(CertificateError, match=r"^cannot read no\.pem"):
        serve(service, config, bound, Surroundings("holdfast control"), log=LOG)
    assert service.did == []


@pytest.mark.parametrize("error", [SetupError("the database is newer"), UnavailableError("the database is away")])
def test_a_service_that_does_not_start_is_its_sentence_and_is_taken_down(
    error: Exception, bound: tuple[BoundAddress, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    service = FakeService(error=error)
    with pytest.raises(type(error), match=str(error)):
        serve(service, Config(), bound, Surroundings("holdfast control"), log=LOG)
    assert service.did == ["start", "stop"]
    assert capsys.readouterr().out == ""


def test_an_application_that_does_not_start_is_one_sentence_and_the_service_is_taken_down(
    bound: tuple[BoundAddress, ...],
) -> None:
    service = FakeService()
    service.refuses_to_start = True
    with pytest.raises(SetupError, match="the server of the API cannot start"):
        serve(service, Config(), bound, Surroundings("holdfast control"), log=LOG)
    assert service.did == ["start", "startup", "stop"]


def test_a_service_that_hangs_when_it_is_stopped_is_left(
    bound: tuple[BoundAddress, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control_role, "STOP_LIMIT_S", 0.05)
    service = FakeService()
    service.is_hanging_at_stop = True
    service.on_request = told_to_end_by(signal.SIGTERM)
    client = Client(bound[0])
    client.start()
    assert serve(service, Config(), bound, Surroundings("holdfast control"), log=LOG) == 0
    assert service.did[-1] == "stop"
    client.done()


def test_a_head_that_does_not_end_is_not_kept(bound: tuple[BoundAddress, ...]) -> None:
    service = FakeService()
    service.on_request = told_to_end_by(signal.SIGTERM)
    long = Client(bound[0], headers={"X-Long": "x" * (64 * MAX_HEAD_BYTES)})

    def ask() -> None:
        long.run()
        Client(bound[0]).run()

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    assert serve(service, Config(), bound, Surroundings("holdfast control"), log=LOG) == 0
    asking.join(LIMIT_S)
    assert long.status in {0, 400, 431}


def test_supervised_it_does_what_its_supervisor_says(bound: tuple[BoundAddress, ...]) -> None:
    ours, childs = lifeline.pair()
    service = FakeService()

    def say() -> None:
        lifeline.tell(ours, Draining())
        lifeline.tell(ours, Stop())

    service.on_request = say
    client = Client(bound[0])
    client.start()
    with ours, childs:
        assert serve(service, Config(), bound, Surroundings("holdfast run", Lifeline(childs)), log=LOG) == 0
    assert service.did == ["start", "startup", "drain", "shutdown", "stop"]
    client.done()


def test_supervised_it_ends_when_its_supervisor_is_gone(
    bound: tuple[BoundAddress, ...], capfd: pytest.CaptureFixture[str]
) -> None:
    ours, childs = lifeline.pair()
    service = FakeService()
    heard: list[object] = []

    def leave() -> None:
        heard.extend(messages_of(ours))
        ours.close()

    service.on_request = leave
    client = Client(bound[0])
    client.start()
    with childs:
        assert serve(service, Config(), bound, Surroundings("holdfast run", Lifeline(childs)), log=LOG) == 0
    client.done()
    assert heard == [lifeline.Ready(("ready: here", "token: once"))]
    out, err = capfd.readouterr()
    assert out == ""
    assert '"event":"supervisor_gone"' in err
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
