"""Listening sockets that outlive their host, on their way in a pair of sockets."""

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from holdfast.app.kept_pair import kept_pair
from holdfast.model.data_dir import worker_dir, worker_http_socket
from holdfast.workers.host import kept_sockets, sockets
from holdfast.workers.host.kept_sockets import KeptSockets
from holdfast.workers.host.sockets import ScriptSockets

KEYS = tuple(f"{number:012x}" for number in range(5))


def made(data_dir: Path, *keys: str) -> dict[str, ScriptSockets]:
    for key in keys:
        worker_dir(data_dir, key).mkdir(parents=True, exist_ok=True)
    return {key: sockets.bound_for(data_dir, key) for key in keys}


def closed(held: Mapping[str, ScriptSockets]) -> None:
    for pair in held.values():
        pair.close()


@contextmanager
def supervised() -> Iterator[tuple[int, int]]:
    """The pair, as a supervisor holds it, for hosts that each get copies of their own (`host`)."""
    with kept_pair() as pair:
        yield pair


def host(data_dir: Path, pair: tuple[int, int]) -> KeptSockets:
    return KeptSockets(data_dir, [os.dup(end) for end in pair])


@pytest.fixture(params=[1, 2, 100])
def together(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many scripts go in one message."""
    count: int = request.param
    monkeypatch.setattr(kept_sockets, "MAX_TOGETHER", count)
    return count


@pytest.mark.usefixtures("together")
def test_a_client_waits_in_the_queue_while_no_host_is_there_and_the_next_one_has_it(tmp_path: Path) -> None:
    with supervised() as pair:
        with closing(host(tmp_path, pair)) as first:
            assert first.take() == {}
            held = made(tmp_path, *KEYS)
            first.put(held)
        closed(held)  # as its end closes them
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(worker_http_socket(tmp_path, KEYS[3])))
            client.sendall(b"a request")
            with closing(host(tmp_path, pair)) as second:
                found = second.take()
                assert sorted(found) == sorted(KEYS)
                found[KEYS[3]].http.settimeout(30)
                with found[KEYS[3]].http.accept()[0] as taken:
                    assert taken.recv(100) == b"a request"
            closed(found)
        # It was killed before it kept anything anew: what it took is still kept.
        with closing(host(tmp_path, pair)) as third:
            found = third.take()
            assert sorted(found) == sorted(KEYS)
            closed(found)


@pytest.mark.usefixtures("together")
def test_only_what_was_kept_last_is_taken(tmp_path: Path) -> None:
    with supervised() as pair:
        held = made(tmp_path, *KEYS)
        with closing(host(tmp_path, pair)) as first:
            first.put(held)
            first.put({key: held[key] for key in KEYS[:3]})
            first.put({key: held[key] for key in KEYS[1:4]})
        # A successor is handed them; it has not taken what was kept.
        with closing(host(tmp_path, pair)) as successor:
            successor.put({key: held[key] for key in KEYS[2:]})
        closed(held)
        with closing(host(tmp_path, pair)) as last:
            found = last.take()
            assert sorted(found) == sorted(KEYS[2:])
            closed(found)
            last.put({})
            assert last.take() == {}


def test_what_somebody_has_bound_anew_or_removed_meanwhile_is_not_taken(tmp_path: Path) -> None:
    with supervised() as pair:
        held = made(tmp_path, *KEYS)
        with closing(host(tmp_path, pair)) as first:
            first.put(held)
        closed(held)
        anew = made(tmp_path, KEYS[0])
        sockets.unlink_of(tmp_path, KEYS[1])
        with closing(host(tmp_path, pair)) as second:
            found = second.take()
            assert sorted(found) == sorted(KEYS[2:])
            closed(found)
        closed(anew)


def test_sockets_are_not_inherited_by_what_a_host_starts(tmp_path: Path) -> None:
    with supervised() as pair:
        held = made(tmp_path, KEYS[0])
        with closing(host(tmp_path, pair)) as first:
            first.put(held)
            found = first.take()
            assert not os.get_inheritable(found[KEYS[0]].http.fileno())
            assert not os.get_inheritable(found[KEYS[0]].channel.fileno())
            closed(found)
        closed(held)


@pytest.mark.parametrize("text", [b"no message", b'{"number":1}', b"\xff"])
def test_what_another_version_has_kept_is_passed_over(tmp_path: Path, text: bytes) -> None:
    with supervised() as pair, closing(host(tmp_path, pair)) as kept:
        with socket.socket(fileno=os.dup(pair[0])) as sending:
            socket.send_fds(sending, [text], [pair[0]])
        assert kept.take() == {}
        held = made(tmp_path, KEYS[0])
        kept.put(held)
        closed(held)
        found = kept.take()
        assert list(found) == [KEYS[0]]
        closed(found)


def test_where_too_much_is_on_its_way_nothing_is_kept_and_the_next_host_binds_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_sockets, "MAX_TOGETHER", 1)
    with supervised() as pair, closing(host(tmp_path, pair)) as kept:
        held = made(tmp_path, *KEYS)
        kept.put(held)
        with socket.socket(fileno=os.dup(pair[0])) as sending:
            # The least that the kernel allows: a few messages.
            sending.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
        kept.put(held)
        assert kept.take() == {}
        closed(held)
