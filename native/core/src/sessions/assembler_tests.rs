use proptest::prelude::*;

use super::*;

/// An event without what it borrows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    Message(Kind, Vec<u8>),
    Ping(Vec<u8>),
    Pong,
    Close(Vec<u8>),
}

impl From<Event<'_>> for Said {
    fn from(event: Event<'_>) -> Self {
        match event {
            Event::Here(kind, payload, mask) => {
                let mut payload = payload.to_vec();
                unmask(&mut payload, mask.unwrap_or_default());
                Self::Message(kind, payload)
            }
            Event::Put(kind, record) => Self::Message(kind, record[HEADER_BYTES..].to_vec()),
            Event::Ping(payload) => Self::Ping(payload),
            Event::Pong => Self::Pong,
            Event::Close(payload) => Self::Close(payload),
        }
    }
}

/// What a stream says that comes in pieces.
pub(crate) fn said(assembler: &mut Assembler, stream: &[u8], sizes: &[usize]) -> (Vec<Said>, Option<Refusal>) {
    let (mut events, mut sizes, mut begin) = (Vec::new(), sizes.iter().cycle(), 0);
    while begin < stream.len() {
        let end = (begin + sizes.next().unwrap()).min(stream.len());
        while begin < end {
            match assembler.step(&stream[begin..end]) {
                Ok((taken, event)) => {
                    assert!(taken > 0);
                    begin += taken;
                    events.extend(event.map(Said::from));
                }
                Err(refusal) => return (events, Some(refusal)),
            }
        }
    }
    (events, None)
}

pub(crate) fn frame(first: u8, payload: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
    let mut frame = vec![first];
    let bit = if mask.is_some() { 0x80 } else { 0 };
    match payload.len() {
        len @ 0..=125 => frame.push(bit | u8::try_from(len).unwrap()),
        len => {
            frame.push(bit | 0x7e);
            frame.extend(u16::try_from(len).unwrap().to_be_bytes());
        }
    }
    frame.extend(mask.into_iter().flatten());
    let keys = mask.unwrap_or_default();
    frame.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ keys[at % 4]));
    frame
}

#[derive(Clone, Debug)]
struct Piece {
    payload: Vec<u8>,
    mask: [u8; 4],
    ping: Option<Vec<u8>>,
}

fn messages() -> impl Strategy<Value = Vec<(bool, bool, Vec<Piece>)>> {
    let payload =
        prop_oneof![4 => prop::collection::vec(any::<u8>(), 0..40), 1 => prop::collection::vec(any::<u8>(), 120..300)];
    let ping = prop::option::weighted(0.2, prop::collection::vec(any::<u8>(), 0..126));
    let piece = (payload, any::<[u8; 4]>(), ping).prop_map(|(payload, mask, ping)| Piece { payload, mask, ping });
    prop::collection::vec((any::<bool>(), any::<bool>(), prop::collection::vec(piece, 1..4)), 0..8)
}

proptest! {
    #[test]
    fn any_chopping_gives_the_same_messages(
        messages in messages(),
        is_masked in any::<bool>(),
        sizes in prop::collection::vec(1_usize..50, 1..10),
    ) {
        let (mut stream, mut expected) = (Vec::new(), Vec::new());
        for (is_text, is_compressed, pieces) in messages {
            let last = pieces.len() - 1;
            let mut whole = Vec::new();
            for (at, piece) in pieces.into_iter().enumerate() {
                let mask = is_masked.then_some(piece.mask);
                let opcode = match at {
                    0 if is_text => 1,
                    0 => 2,
                    _ => 0,
                };
                let compressed = if at == 0 && is_compressed { 0x40 } else { 0 };
                let last = if at == last { 0x80 } else { 0 };
                stream.extend(frame(last | compressed | opcode, &piece.payload, mask));
                whole.extend(piece.payload);
                let ping = piece.ping.filter(|_| last == 0);
                stream.extend(ping.iter().flat_map(|ping| frame(0x89, ping, mask)));
                expected.extend(ping.map(Said::Ping));
            }
            expected.push(Said::Message(Kind { is_text, is_compressed }, whole));
        }
        stream.extend(frame(0x88, b"\x03\xe8", is_masked.then_some([1, 2, 3, 4])));
        expected.push(Said::Close(b"\x03\xe8".to_vec()));
        stream.extend(b"whatever comes behind a Close");
        let mut assembler = Assembler::new(is_masked, true);
        prop_assert_eq!(said(&mut assembler, &stream, &sizes), (expected, None));
        prop_assert_eq!(assembler.kept(), 0);
    }

    #[test]
    fn no_input_is_more_than_refused_and_chopping_does_not_matter(
        stream in prop::collection::vec(prop_oneof![0_u8..0x12, 0x80_u8..0x92, any::<u8>()], 0..200),
        sizes in prop::collection::vec(1_usize..20, 1..5),
    ) {
        let whole = said(&mut Assembler::new(true, true), &stream, &[stream.len().max(1)]);
        prop_assert_eq!(said(&mut Assembler::new(true, true), &stream, &sizes), whole);
    }
}

#[test]
fn what_is_not_allowed_is_refused() {
    let mask = Some([0; 4]);
    let cases = [
        (frame(0x81, b"", None), "a frame of a client is not masked"),
        (frame(0x91, b"", mask), "a frame has a bit set that no extension uses"),
        (frame(0xC1, b"", mask), "a message is compressed, which was not agreed"),
        (frame(0x80, b"", mask), "a continuation frame continues no message"),
        (frame(0x83, b"", mask), "a frame has an opcode that means nothing"),
        (frame(0x8B, b"", mask), "a frame has an opcode that means nothing"),
        (frame(0x09, b"", mask), "a control frame is fragmented"),
        (frame(0x89, &[0; 126], mask), "a control frame is too long"),
        (frame(0xC9, b"", mask), "a control frame is compressed"),
        (
            [frame(0x01, b"", mask), frame(0x81, b"", mask)].concat(),
            "a message begins before the last one has ended",
        ),
        (
            [frame(0x01, b"", mask), frame(0xC0, b"", mask)].concat(),
            "a continuation frame says that it is compressed",
        ),
    ];
    for (stream, fault) in cases {
        let (events, refusal) = said(&mut Assembler::new(true, false), &stream, &[1]);
        assert_eq!((events, refusal), (vec![], Some(Refusal::Protocol(fault))));
    }
    let (_, refusal) = said(&mut Assembler::new(false, false), &frame(0x81, b"", mask), &[1]);
    assert_eq!(refusal, Some(Refusal::Protocol("a frame of a server is masked")));
}

#[test]
fn a_message_has_32_mib_over_all_its_frames() {
    let head = |first: u8, len: usize| [&[first, 0x7f][..], &(len as u64).to_be_bytes()].concat();
    let mut assembler = Assembler::new(false, false);
    assert_eq!(assembler.step(&head(0x82, MAX_MESSAGE_BYTES)), Ok((10, None)));
    assert_eq!(assembler.kept(), 0, "nothing announced takes memory");
    let too_big = Err(Refusal::TooBig(MAX_MESSAGE_BYTES));
    assert_eq!(
        Assembler::new(false, false).step(&head(0x82, MAX_MESSAGE_BYTES + 1)),
        too_big
    );
    assert_eq!(Assembler::new(false, false).step(&head(0x82, usize::MAX)), too_big);
    let mut assembler = Assembler::new(false, false);
    said(&mut assembler, &frame(0x02, b"x", None), &[1]);
    assert_eq!(assembler.step(&head(0x80, MAX_MESSAGE_BYTES)), too_big);
}
