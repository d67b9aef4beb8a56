"""When a client of a Worker gets its 101: when the script's process has taken the WebSocket, and not before. Otherwise it gets an answer that says so."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from holdfast._native import Certificate
from holdfast.edge import answers
from holdfast.edge.decision import Respond
from holdfast.model.fault import Fault
from tests.integration import session_channel as channel
from tests.integration import wire
from tests.integration.certificates import Authority
from tests.integration.frames import TEXT, Frame
from tests.integration.http2 import connected
from tests.integration.in_process import Running, ask, running
from tests.integration.script_process import agrees, script_process
from tests.integration.session_channel import Channel, Record, accepted, listening, taking
from tests.integration.waiting import poll

GONE = (500, 1101, "The Worker's process has failed, or is not there.")
SLOW = (503, 1102, "The Worker did not answer in time.")
HIBERNATABLE = 0b11
# What a process has for its 101, and then for taking the WebSocket: more than a busy machine makes of the former.
ANSWER_S = 5.0


def told(fault: Fault) -> Respond:
    return answers.answer(fault, now=0)


def said(answer: wire.Answer, body: bytes) -> tuple[int, int, str]:
    problem = json.loads(body)
    return answer.status, problem["error_code"], problem["detail"]


@pytest.fixture
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("worker")


@contextmanager
def asking(
    directory: Path, **options: Any
) -> Iterator[tuple[Running, Channel, int, Future[tuple[wire.Answer, bytes]]]]:
    """A client whose upgrade is answered and whose session is not taken yet: the edge, the process, the session, and what the client gets."""
    with (
        script_process(directory, agrees("Holdfast-Session: t1"), **options) as script,
        listening(script.target) as listener,
        running(script.decide, told) as edge,
        ThreadPoolExecutor(1) as thread,
    ):
        answered = thread.submit(ask, edge.address, wire.upgrade("/"))
        with accepted(listener) as process:
            yield edge, process, process.expect(channel.OPENED).sid, answered


def until_unlinked(edge: Running) -> None:
    """Wait until the edge has seen the end of its process's channel: until then it would ask that one."""
    poll(lambda: edge.edge.statistics()["session_channels_open"] == 0, what="the end of the channel to be seen")


def ends(process: Channel, _sid: int) -> None:
    process.close()


def says_goodbye(process: Channel, _sid: int) -> None:
    process.send(Record(channel.BYE))


def knows_nothing(process: Channel, sid: int) -> None:
    process.send(Record(channel.UNKNOWN, sid))


@pytest.mark.parametrize("fails", [ends, says_goodbye, knows_nothing])
def test_a_client_whose_websocket_is_not_taken_gets_an_answer_and_no_101(
    directory: Path, fails: Callable[[Channel, int], None]
) -> None:
    with asking(directory) as (edge, process, sid, answered):
        fails(process, sid)
        assert said(*answered.result()) == GONE
        assert edge.edge.statistics()["tunnels_open"] == 0


def test_a_process_has_a_limit_of_time_for_that_and_is_told_that_the_client_has_gone(directory: Path) -> None:
    with asking(directory, answer_timeout_s=ANSWER_S) as (edge, process, sid, answered):
        assert said(*answered.result()) == SLOW
        closed = process.expect(channel.CLOSED)
        assert (closed.sid, closed.payload[:3]) == (sid, (1006).to_bytes(2, "little") + b"\0")
        # It is too late now.
        process.send(Record(channel.BIND, sid, bytes(8), flags=HIBERNATABLE), Record(channel.ACK, sid, seq=closed.seq))
        poll(lambda: edge.edge.statistics()["sessions"] == 0, what="nothing to be left of the session")


def test_a_client_that_goes_while_it_waits_is_told_to_the_process(directory: Path) -> None:
    with (
        script_process(directory, agrees("Holdfast-Session: t1")) as script,
        listening(script.target) as listener,
        running(script.decide) as edge,
    ):
        with wire.connect(edge.address) as client:
            client.send(wire.upgrade("/"))
            sock, _ = listener.accept()
            process = Channel(sock, "chat")
            sid = process.expect(channel.OPENED).sid
        closed = process.expect(channel.CLOSED)
        assert (closed.sid, closed.payload[:3]) == (sid, (1006).to_bytes(2, "little") + b"\0")
        process.send(Record(channel.BIND, sid, bytes(8), flags=HIBERNATABLE), Record(channel.ACK, sid, seq=closed.seq))
        poll(lambda: edge.edge.statistics()["sessions"] == 0, what="nothing to be left of the session")
        process.close()


def test_frames_that_come_with_the_request_wait_for_who_takes_them(directory: Path) -> None:
    with (
        script_process(directory, agrees("Holdfast-Session: t1")) as script,
        listening(script.target) as listener,
        running(script.decide) as edge,
        taking(listener) as taken,
        wire.websocket(edge.address, "/", first=Frame(TEXT, b"early").from_client().encode()) as (client, _),
    ):
        process, sid = taken.result().process, taken.result().sid
        message = process.expect(channel.TEXT)
        assert (message.sid, message.payload) == (sid, b"early")
        process.send(Record(channel.SEND_TEXT, sid, b"heard"))
        assert client.read_message() == b"heard"


def test_over_http2_a_websocket_that_is_not_taken_is_an_answer_too(directory: Path, authority: Authority) -> None:
    pair = authority.issue("example.test")
    certificate = Certificate(names=["example.test"], chain_pem=pair.cert.read_bytes(), key_pem=pair.key.read_bytes())
    with (
        script_process(directory, agrees("Holdfast-Session: t1")) as script,
        listening(script.target) as listener,
        running(script.decide, told, is_tls=True, certificates=[certificate]) as edge,
        connected(edge.address, authority.trusting()) as connection,
    ):
        for fails in (ends, knows_nothing):
            refused = connection.websocket("/")
            with accepted(listener) as process:
                fails(process, process.expect(channel.OPENED).sid)
                assert refused.status() == GONE[0]
            until_unlinked(edge)
        gone = connection.websocket("/")
        with accepted(listener) as process:
            sid = process.expect(channel.OPENED).sid
            gone.reset()
            assert process.expect(channel.CLOSED).sid == sid
        until_unlinked(edge)
        with taking(listener) as taken:
            client = connection.open_websocket("/")
            client.send(Frame(TEXT, b"hello"))
            assert taken.result().process.expect(channel.TEXT).payload == b"hello"
