"""What waits for an edge: what goes out of it, how far, and what is given up."""

from hypothesis import given
from hypothesis import strategies as st

from holdfast.workers.channel.records import HEADER, Reader, ToEdge, record
from holdfast.workers.channel.waiting import CHUNK_BYTES, Waiting

KINDS = [ToEdge.TEXT, ToEdge.BINARY, ToEdge.CLOSE, ToEdge.ACK, ToEdge.BIND, ToEdge.MANY]
# (kind, socket, bytes of payload)
RECORDS = st.lists(
    st.tuples(st.sampled_from(KINDS), st.integers(1, 3), st.sampled_from([0, 1, 5000, CHUNK_BYTES, 3 * CHUNK_BYTES]))
)


def _put(waiting: Waiting, kind: int, sid: int, size: int) -> bytes:
    payload = bytes([sid]) * size
    waiting.put(HEADER.pack(size, kind, 0, 0, sid, 0), payload)
    return record(kind, sid, payload)


def _drained(waiting: Waiting) -> bytes:
    data = b""
    while chunk := waiting.next_chunk():
        waiting.went(len(chunk))
        data += chunk
    return data


@given(RECORDS, RECORDS, st.integers(0, 3), st.sets(st.integers(1, 3)))
def test_messages_and_closes_of_whom_is_given_up_go_and_nothing_else_does(
    before: list[tuple[int, int, int]], behind: list[tuple[int, int, int]], chunks: int, given_up: set[int]
) -> None:
    waiting = Waiting()
    for each in before:
        _put(waiting, *each)
    went = b""
    for _ in range(chunks):
        chunk = waiting.next_chunk()
        waiting.went(len(chunk))
        went += chunk
    reader = Reader()
    gone = len(reader.feed(went))
    assert went == b"".join(record(kind, sid, bytes([sid]) * size) for kind, sid, size in before[:gone])

    waiting.give_up(frozenset(given_up))
    expected = [
        record(kind, sid, bytes([sid]) * size)
        for kind, sid, size in before[gone:]
        if sid not in given_up or kind not in {ToEdge.TEXT, ToEdge.BINARY, ToEdge.CLOSE}
    ]
    expected += [_put(waiting, *each) for each in behind]
    assert waiting.size == sum(map(len, expected))
    assert _drained(waiting) == b"".join(expected)
    assert waiting.size == 0


@given(RECORDS, RECORDS, st.sets(st.integers(1, 3)))
def test_a_mark_is_passed_when_all_ahead_of_it_that_is_left_has_gone_and_not_before(
    before: list[tuple[int, int, int]], behind: list[tuple[int, int, int]], given_up: set[int]
) -> None:
    waiting = Waiting()
    for each in before:
        _put(waiting, *each)
    mark = waiting.mark()
    for each in behind:
        _put(waiting, *each)
    waiting.give_up(frozenset(given_up))
    is_left = [sid not in given_up or kind not in {ToEdge.TEXT, ToEdge.BINARY, ToEdge.CLOSE} for kind, sid, _ in before]
    ahead = sum(HEADER.size + size for (_, _, size), left in zip(before, is_left, strict=True) if left)
    went = 0
    while chunk := waiting.next_chunk():
        for size in (len(chunk) - 1, 1):
            waiting.went(size)
            went += size
            assert not waiting.has_passed(mark) or went >= ahead
    assert waiting.has_passed(mark)


@given(RECORDS, st.sampled_from([0, 4000, CHUNK_BYTES]))
def test_whom_too_much_is_for_is_told_by_messages_alone(records: list[tuple[int, int, int]], most: int) -> None:
    waiting = Waiting()
    sums = dict.fromkeys(range(1, 4), 0)
    for kind, sid, size in records:
        _put(waiting, kind, sid, size)
        if kind in {ToEdge.TEXT, ToEdge.BINARY}:
            sums[sid] += HEADER.size + size
    assert waiting.larger_than(most) == {sid for sid, size in sums.items() if size > most}
    waiting.give_up(waiting.larger_than(most))
    assert not waiting.larger_than(most)
