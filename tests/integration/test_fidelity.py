"""Whatever frames are sent arrive byte for byte, both ways at once, however they are cut (RFC 6455 §5)."""

from hypothesis import given
from hypothesis import strategies as st

from tests.integration import wire
from tests.integration.certificates import Authority
from tests.integration.edge import Edge
from tests.integration.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Frame, close
from tests.integration.origin import Origin
from tests.integration.waiting import LIMIT_S

# Where the length's encoding changes (RFC 6455 §5.2), and on both sides of a TLS record's 16 KiB.
EDGES = [0, 1, 125, 126, 127, 16_383, 16_384, 16_385, 65_535, 65_536, 65_537]

sizes = st.one_of(st.sampled_from(EDGES), st.integers(0, 400))
masks = st.binary(min_size=4, max_size=4)
seeds = st.integers(0, 255)


def payload(size: int, seed: int) -> bytes:
    """Bytes in which a loss, a doubling or a swap shows."""
    return bytes((seed + at * 7 + (at >> 8)) & 0xFF for at in range(min(size, 1024))) * (size // 1024 + 1)


@st.composite
def control(draw: st.DrawFn) -> Frame:
    size = draw(st.integers(0, 125))
    return Frame(draw(st.sampled_from([PING, PONG])), payload(size, draw(seeds))[:size])


@st.composite
def message(draw: st.DrawFn) -> list[Frame]:
    """One message in one or more fragments, with control frames between them; RSV1 as permessage-deflate sets it."""
    opcode, rsv = draw(st.sampled_from([TEXT, BINARY])), draw(st.sampled_from([0, 4]))
    parts = [payload(size, draw(seeds))[:size] for size in draw(st.lists(sizes, min_size=1, max_size=4))]
    frames = []
    for at, part in enumerate(parts):
        frames += draw(st.lists(control(), max_size=2)) if at else []
        is_last = at == len(parts) - 1
        frames.append(Frame(CONTINUATION if at else opcode, part, fin=is_last, rsv=0 if at else rsv))
    return frames


@st.composite
def conversation(draw: st.DrawFn) -> list[Frame]:
    """What one side sends before its Close."""
    units = st.one_of(message(), control().map(lambda frame: [frame]))
    return [frame for unit in draw(st.lists(units, max_size=5)) for frame in unit]


def check(
    edge: Edge, origin: Origin, authority: Authority | None, sent: list[Frame], played: list[Frame], cuts: list[int]
) -> None:
    """Send both sides' frames at once; each end must receive exactly the other's bytes, and the record must count them."""
    token = f"play-{len(origin.connections)}"
    to_origin = b"".join(frame.encode() for frame in [*sent, close(1000, "x").from_client()])
    to_client = b"".join(frame.encode() for frame in [*played, close(1001, "y")])
    origin.scripts[token] = to_client
    address, tls = (edge.tls, authority.trusting()) if authority else (edge.plain, None)
    with wire.websocket(address, f"/play?id={token}&", tls=tls) as (client, answer):
        at = 0
        for cut in sorted({cut % (len(to_origin) + 1) for cut in cuts} | {len(to_origin)}):
            client.send(to_origin[at:cut])
            at = cut
        assert client.read_exactly(len(to_client)) == to_client
        seen = origin.find(f"id={token}&")
        seen.until(lambda seen: len(seen.after_head) >= len(to_origin), what="all of the client's bytes")
        assert seen.after_head == to_origin
        if tls is None:
            client.end()
            assert client.read_to_end() == b""
    del origin.scripts[token]
    record = edge.closed(answer.ray, limit_s=LIMIT_S + 10)
    for direction, data, frames in ((record.to_origin, to_origin, sent), (record.to_client, to_client, played)):
        assert direction.bytes == len(data)
        assert direction.text_messages == sum(frame.opcode == TEXT for frame in frames)
        assert direction.binary_messages == sum(frame.opcode == BINARY for frame in frames)
        assert (direction.pings, direction.pongs) == tuple(
            sum(f.opcode == kind for f in frames) for kind in (PING, PONG)
        )
        assert direction.closes == 1
        assert direction.text_bytes + direction.binary_bytes == sum(len(f.payload) for f in frames if f.opcode < CLOSE)


@st.composite
def masked(draw: st.DrawFn) -> list[Frame]:
    return [Frame(f.opcode, f.payload, f.fin, f.rsv, draw(masks)) for f in draw(conversation())]


cuts_ = st.lists(st.integers(0, 1 << 20), max_size=12)


@given(sent=masked(), played=conversation(), cuts=cuts_)
def test_frames_arrive_byte_for_byte(
    edge: Edge, origin: Origin, sent: list[Frame], played: list[Frame], cuts: list[int]
) -> None:
    check(edge, origin, None, sent, played, cuts)


@given(sent=masked(), played=conversation(), cuts=cuts_)
def test_frames_arrive_byte_for_byte_over_tls(
    edge: Edge, origin: Origin, authority: Authority, sent: list[Frame], played: list[Frame], cuts: list[int]
) -> None:
    check(edge, origin, authority, sent, played, cuts)
