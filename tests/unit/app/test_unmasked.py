"""`holdfast.app.unmasked`: what comes out is masked, and says what came in, whatever the chopping."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.server import ServerProtocol

from holdfast.app.unmasked import Masking

FRAMES = st.lists(
    st.tuples(
        st.one_of(st.binary(max_size=200), st.binary(min_size=1).map(lambda text: text * (65_600 // len(text)))),
        st.booleans(),
    ),
    max_size=5,
)


@given(FRAMES, st.data())
def test_frames_are_masked_and_mean_what_they_meant(frames: list[tuple[bytes, bool]], data: st.DataObject) -> None:
    sent = b"".join(Frame(Opcode.BINARY, payload).serialize(mask=mask) for payload, mask in frames)
    places = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=6)))
    masking, server = Masking(), ServerProtocol()
    server.state = type(server.state).OPEN
    server.parser = server.parse()
    next(server.parser)
    for start, end in zip([0, *places], [*places, len(sent)], strict=True):
        server.receive_data(masking.feed(sent[start:end]))
    received = [event.data for event in server.events_received() if isinstance(event, Frame)]
    assert [bytes(one) for one in received] == [payload for payload, _ in frames]
