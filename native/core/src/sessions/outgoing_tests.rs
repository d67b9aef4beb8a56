use proptest::prelude::*;

use super::super::assembler::Assembler;
use super::super::assembler::tests::{Said, said};
use super::*;

fn ways() -> impl Strategy<Value = Way> {
    (any::<bool>(), any::<bool>()).prop_map(|(is_masked, may_compress)| Way {
        is_masked,
        may_compress,
    })
}

fn payloads() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        prop::collection::vec(b'a'..b'e', 0..2_000),
        (any::<u8>(), 0_usize..200_000).prop_map(|(byte, len)| vec![byte; len]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn its_peer_reads_what_was_sent(way in ways(), is_text in any::<bool>(), payload in payloads()) {
        let mut tools = Tools::default();
        let mut message = Message::new(is_text, &payload);
        let mut alone = Vec::new();
        message.write(way, &mut tools, &mut alone);
        let shared = message.shared(way, &mut tools);
        for frame in [&alone[..], &shared, &message.shared(way, &mut tools)] {
            let (events, refusal) = said(&mut Assembler::new(way.is_masked, way.may_compress), frame, &[frame.len()]);
            prop_assert_eq!(refusal, None);
            let [Said::Message(kind, sent)] = &events[..] else {
                panic!("{events:?}");
            };
            prop_assert_eq!(kind.is_text, is_text);
            let read = if kind.is_compressed {
                prop_assert!(sent.len() < payload.len() && payload.len() >= COMPRESS_FROM);
                tools.inflate(sent, None).unwrap()[super::super::records::HEADER_BYTES..].to_vec()
            } else {
                sent.clone()
            };
            prop_assert_eq!(read, &payload[..]);
        }
    }
}

#[test]
fn a_close_has_a_code_a_reason_that_fits_and_a_mask_where_it_must() {
    let written = |code, reason: &str, is_masked| {
        let mut out = Vec::new();
        write_close(code, reason, is_masked, &mut out);
        let (events, _) = said(&mut Assembler::new(is_masked, false), &out, &[1]);
        match events.into_iter().next() {
            Some(Said::Close(payload)) => payload,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(written(0, "not said", false), b"");
    assert_eq!(written(4000, "why", true), b"\x0f\xa0why");
    assert_eq!(written(1000, &"é".repeat(62), false).len(), 2 + 122);
}

#[test]
fn what_goes_to_many_is_made_once() {
    let mut tools = Tools::default();
    let payload = vec![b'x'; 5_000];
    let mut message = Message::new(true, &payload);
    for may_compress in [false, true] {
        let way = Way {
            is_masked: false,
            may_compress,
        };
        let frames = [message.shared(way, &mut tools), message.shared(way, &mut tools)];
        assert_eq!(frames[0].as_ptr(), frames[1].as_ptr());
        assert_eq!(frames[0].len() < 100, may_compress);
    }
}
