"""Damaged input of every kind: the edge answers or ends the connection, stays up, and adds nothing of its own.

The starting points are the cases of `tests/wire` and well-formed frames; Hypothesis cuts, doubles, swaps and overwrites.
"""

import os
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.integration import wire
from tests.integration.certificates import Authority
from tests.integration.edge import Edge
from tests.integration.frames import BINARY, CONTINUATION, PING, TEXT, Frame, close
from tests.integration.origin import Origin
from tests.integration.wire_cases import load

# Long cases only make the search slow.
SEEDS = [case.data("fuzz") for case in load() if len(case.source) < 2000]
FRAME_SEEDS = [
    b"".join(frame.encode() for frame in frames)
    for frames in (
        [Frame(TEXT, b"hello", mask=b"abcd"), Frame(PING, b"p", mask=b"efgh"), close(1000, "bye").from_client()],
        [Frame(TEXT, b"a", fin=False, mask=b"abcd"), Frame(CONTINUATION, b"b" * 200, mask=b"wxyz")],
        [Frame(BINARY, bytes(70_000), mask=b"1234")],
    )
]
# A request and its answer take a millisecond. `HOLDFAST_FUZZ=100000` searches longer.
MANY = int(os.environ.get("HOLDFAST_FUZZ", "1000"))
STATUS_LINE = re.compile(rb"HTTP/1\.1 [1-5][0-9][0-9] [^\r\n]*\r\n")

edits = st.lists(
    st.tuples(
        st.sampled_from(["cut", "double", "insert", "overwrite", "swap"]),
        st.integers(0, 1 << 16),
        st.integers(1, 40),
        st.binary(min_size=1, max_size=8),
    ),
    min_size=1,
    max_size=5,
)
Edit = tuple[str, int, int, bytes]


def damaged(data: bytes, changes: list[Edit]) -> bytes:
    """`data` with each change made in turn."""
    for kind, where, size, new in changes:
        at = where % (len(data) + 1)
        part = data[at : at + size]
        match kind:
            case "cut":
                data = data[:at] + data[at + size :]
            case "double":
                data = data[:at] + part + data[at:]
            case "insert":
                data = data[:at] + new + data[at:]
            case "overwrite":
                data = data[:at] + new + data[at + len(new) :]
            case _:
                data = data[:at] + part[::-1] + data[at + size :]
    return data


def answers(edge: Edge) -> None:
    """The edge still serves."""
    with wire.connect(edge.plain) as client:
        assert client.request(wire.request("GET", "/status/200"))[0].status == 200


@settings(max_examples=MANY)
@given(seed=st.sampled_from(SEEDS), changes=edits)
def test_damaged_requests_get_http_or_an_end(edge: Edge, origin: Origin, seed: bytes, changes: list[Edit]) -> None:
    before = requests(origin)
    with wire.connect(edge.plain) as client:
        client.send(damaged(seed, changes))
        client.end()
        said = client.read_to_end()
    assert said == b"" or STATUS_LINE.match(said), said[:200]
    # One answer for each request: were there more requests at the origin, one would have been smuggled inside another.
    assert requests(origin) - before <= max(1, len(STATUS_LINE.findall(said)))
    answers(edge)


def requests(origin: Origin) -> int:
    """How many requests the origin has read, by its own parser, of all that were sent to it."""
    origin.settle()
    return sum(len(seen.heads) for seen in list(origin.connections))


@settings(max_examples=MANY)
@given(data=st.binary(max_size=3000))
def test_any_bytes_get_http_or_an_end(edge: Edge, data: bytes) -> None:
    with wire.connect(edge.plain) as client:
        client.send(data)
        client.end()
        said = client.read_to_end()
    assert said == b"" or STATUS_LINE.match(said), said[:200]
    answers(edge)


@given(seed=st.sampled_from(FRAME_SEEDS), changes=edits)
def test_damaged_frames_reach_the_origin_as_they_are_or_not_at_all(
    edge: Edge, origin: Origin, seed: bytes, changes: list[Edit]
) -> None:
    data, token = damaged(seed, changes), f"fuzz-{len(origin.connections)}-"
    with wire.websocket(edge.plain, f"/after-eof?{token}") as (client, answer):
        client.send(data)
        client.end()
        seen = origin.find(token)
        seen.until(lambda seen: seen.ended, what="the end")
        client.read_to_end()
    # What arrived is a beginning of what was sent; behind it at most one Close that the edge itself said.
    common = next((n for n, (a, b) in enumerate(zip(seen.after_head, data, strict=False)) if a != b), None)
    if common is not None or len(seen.after_head) > len(data):
        rest = seen.after_head[common if common is not None else len(data) :]
        assert rest[0] == 0x88, rest[:20]
    assert edge.closed(answer.ray).to_origin.bytes <= len(data)


@given(seed=st.sampled_from(FRAME_SEEDS), changes=edits)
def test_damaged_frames_of_an_origin_reach_the_client_as_they_are_or_not_at_all(
    edge: Edge, origin: Origin, seed: bytes, changes: list[Edit]
) -> None:
    data, token = damaged(seed, changes), f"fuzz-{len(origin.connections)}-"
    origin.scripts[token] = data
    with wire.websocket(edge.plain, f"/play?id={token}") as (client, answer):
        client.end()
        got = client.read_to_end()
    common = next((n for n, (a, b) in enumerate(zip(got, data, strict=False)) if a != b), None)
    if common is not None or len(got) > len(data):
        rest = got[common if common is not None else len(data) :]
        assert rest[0] == 0x88, rest[:20]
    del origin.scripts[token]
    assert edge.closed(answer.ray).to_client.bytes <= len(data)


@given(data=st.binary(min_size=1, max_size=500), first=st.sampled_from([b"", b"\x16\x03\x01\x02\x00", b"\x16\x03\x03"]))
def test_any_bytes_on_the_tls_port_end_the_connection(
    edge: Edge, authority: Authority, data: bytes, first: bytes
) -> None:
    with wire.connect(edge.tls) as client:
        client.send(first + data)
        client.end()
        client.read_to_end()
    with wire.connect(edge.tls, tls=authority.trusting()) as client:
        assert client.request(wire.request("GET", "/status/200"))[0].status == 200
