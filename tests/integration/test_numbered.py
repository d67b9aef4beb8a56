"""The numbered clients can fail: what is lost, doubled, moved or changed on the way is told, however the bytes are chopped."""

import socket
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.integration.frames import CLOSE, CONTINUATION, TEXT, Frame, FrameReader, close
from tests.integration.numbered import (
    HEAD_BYTES,
    LARGE_EVERY,
    Account,
    Conversation,
    Message,
    Side,
    Tally,
    cut_off,
    payload_of,
    quantile,
    read,
    size_of,
)
from tests.integration.numbered_run import Clients, Origin, compare, verdict
from tests.integration.waiting import LIMIT_S

COUNT = 2 * LARGE_EVERY
CLEAN = {"lost": 0, "twice": 0, "reordered": 0, "changed": 0}


def said(count: int, *, connection: int = 7) -> list[bytes]:
    """So many messages of a client, each as it goes on the wire."""
    client = Conversation(Side.CLIENT, connection)
    return [client.say(number) for number in range(count)]


def heard(pieces: Sequence[bytes], *, connection: int = 7) -> Tally:
    """What an origin says of these bytes."""
    origin = Conversation(Side.ORIGIN, connection)
    for piece in pieces:
        origin.hear(piece)
    return origin.receiver.tally


@given(st.integers(0, 300), st.integers(0, 1 << 32))
def test_a_message_is_read_as_it_was_said_and_one_bit_that_differs_is_noticed(number: int, chance: int) -> None:
    message = Message(Side.CLIENT, 3, number, 12_345)
    payload = bytearray(payload_of(message))
    assert len(payload) == size_of(number) >= HEAD_BYTES
    assert read(bytes(payload)) == message
    payload[chance % len(payload)] ^= 1 << chance % 8
    assert read(bytes(payload)) is None


@given(st.lists(st.integers(1, 5_000), max_size=60))
def test_what_arrives_whole_is_clean_however_it_is_chopped(sizes: list[int]) -> None:
    data = b"".join(said(30))
    pieces = []
    for size in sizes:
        pieces.append(data[:size])
        data = data[size:]
    assert heard([*pieces, data]).is_clean


@pytest.mark.parametrize(
    ("harm", "wanted"),
    [
        (lambda them: them, Tally()),
        (lambda them: them[:5] + them[6:], Tally(lost=1)),
        (lambda them: them[:5] + them[9:], Tally(lost=4)),
        (lambda them: them[1:], Tally(lost=1)),
        # The end of what was said: only who compares both ends can tell.
        (lambda them: them[:-1], Tally()),
        (lambda them: [*them[:5], them[4], *them[5:]], Tally(twice=1)),
        (lambda them: [*them, *them[:3]], Tally(twice=3)),
        (lambda them: [*them[:5], them[6], them[5], *them[7:]], Tally(reordered=1)),
        (lambda them: [*them[:5], *them[6:], them[5]], Tally(reordered=1)),
        (lambda them: [*them[:5], *them[8:], them[5], them[5]], Tally(lost=2, twice=1, reordered=1)),
    ],
)
def test_what_is_lost_doubled_or_moved_is_told(harm: Callable[[list[bytes]], list[bytes]], wanted: Tally) -> None:
    assert heard(harm(said(COUNT))) == wanted


@pytest.mark.parametrize(
    "frames",
    [
        [Frame(TEXT, b"not ours")],
        [Frame(CONTINUATION, b"of nothing")],
        [Frame(TEXT, b"begun", fin=False), Frame(TEXT, b"and begun again")],
    ],
)
def test_what_was_never_said_is_a_change(frames: list[Frame]) -> None:
    assert heard([frame.from_client().encode() for frame in frames]).changed >= 1


def test_a_message_of_another_connection_or_side_is_a_change() -> None:
    assert heard(said(3, connection=8)) == Tally(changed=3)
    origin = Conversation(Side.ORIGIN, 7)
    assert heard([origin.say(0)]) == Tally(changed=1)


def test_a_part_of_a_split_message_that_is_lost_is_told() -> None:
    frames = [frame for data in said(12) for frame in FrameReader().feed(data)]
    split = next(at for at, frame in enumerate(frames) if not frame.fin)
    kept = [frame for at, frame in enumerate(frames) if at != split]
    assert heard([frame.encode() for frame in kept]).changed == 1


def test_pings_are_answered_and_a_close_too_and_once() -> None:
    client, origin = Conversation(Side.CLIENT, 1), Conversation(Side.ORIGIN, 1)
    for _ in range(40):
        _, answer = origin.hear(client.say(0))
        client.hear(answer)
    assert client.pings == client.pongs > 0
    _, answer = origin.hear(client.say_close(1012, "release: connect again"))
    assert origin.closed_with == (1012, "release: connect again")
    (frame,) = FrameReader().feed(answer)
    assert (frame.opcode, frame.close_code) == (CLOSE, 1012)
    assert client.hear(answer) == ([], b"")
    assert origin.hear(close(1000).from_client().encode()) == ([], b"")


def test_who_ends_within_a_frame_or_a_message_leaves_its_beginning() -> None:
    client, origin = Conversation(Side.CLIENT, 1), Conversation(Side.ORIGIN, 1)
    assert origin.hear(client.half_a_frame(0)) == ([], b"")
    assert origin.is_within_a_frame
    client, origin = Conversation(Side.CLIENT, 1), Conversation(Side.ORIGIN, 1)
    assert origin.hear(client.half_a_message(0)) == ([], b"")
    assert not origin.is_within_a_frame
    assert client.sent == 1


def test_what_was_sent_and_has_not_arrived_is_counted_by_connection() -> None:
    sent = {number: Account(sent=10, taken=0) for number in range(4)}
    taken = {number: Account(sent=0, taken=count) for number, count in enumerate((10, 7, 11))}
    assert cut_off(sent, taken) == {1: 3, 2: -1, 3: 10}


@pytest.mark.parametrize(
    ("there", "fault"),
    [
        ({"sent": 9, "taken": 10}, ""),
        ({"sent": 9, "taken": 12}, "connection 0: more came than was sent"),
        ({"sent": 8, "taken": 10}, "connection 0: more came than was sent"),
    ],
)
def test_a_verdict_compares_both_ends(there: dict[str, int], fault: str) -> None:
    ours = {"tally": CLEAN, "connects": {"open": 1}, "connections": {"0": {"sent": 10, "taken": 9}}}
    assert compare(ours, {"tally": CLEAN, "connections": {"0": there}}).faults == ([fault] if fault else [])


def test_a_verdict_tells_of_each_end_and_of_what_was_refused() -> None:
    ours = {
        "tally": {**CLEAN, "lost": 2},
        "connects": {"open": 1, "status 503": 4},
        "connections": {"0": {"sent": 10, "taken": 9, "code": 1012, "reason": "release: again", "ended": "eof"}},
    }
    theirs = {"tally": {**CLEAN, "twice": 1}, "connections": {"0": {"sent": 11, "taken": 8}}}
    said = compare(ours, theirs)
    assert said.faults == ["the clients: 2 messages lost", "the origin: 1 messages twice"]
    assert said.refused == {"status 503": 4}
    assert said.lost_at_the_end() == {0: 4}
    assert said.seen() == {(1012, "release"): 1}


@pytest.mark.parametrize(("q", "wanted"), [(0.0, 1), (0.5, 3), (0.99, 5), (1.0, 5)])
def test_a_quantile_is_one_of_the_values(q: float, wanted: float) -> None:
    assert quantile([1, 2, 3, 4, 5], q) == wanted


def test_clients_and_origin_agree_with_nothing_between_them() -> None:
    with Origin() as origin, Clients((origin.host, origin.port)) as clients:
        clients.open(20)
        clients.ask("phase", "load")
        clients.ask("load", 5_000, 100)
        # Each answer comes after some rounds of the loop that sends.
        while verdict(clients, origin).phases.get("load", {"count": 0})["count"] < 2_000:
            pass
        assert clients.ask("settle") == {"unanswered": 0}
        said = verdict(clients, origin)
        assert (said.faults, said.refused, said.lost_at_the_end()) == ([], {}, {})
        assert all(one.pings == one.pongs for one in said.clients.values())
        assert clients.ask("act", "close-mid-message")["acted"] >= 20
        assert clients.ask("closed", LIMIT_S, limit_s=2 * LIMIT_S)["open"] == 0
        assert verdict(clients, origin).seen("origin")[1000, "enough"] >= 20


def test_clients_that_find_nobody_say_so() -> None:
    # Taken, so that nobody else listens there, and refused to who comes.
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with Clients(taken.getsockname()) as clients:
            assert clients.ask("open", 3) == {"opened": 0}
            assert clients.ask("report")["connects"] == {"ConnectionRefusedError": 3}
