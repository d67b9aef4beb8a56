use super::*;
use proptest::prelude::*;

fn frame(first: u8, payload: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
    let mut out = vec![first];
    let masked = if mask.is_some() { MASKED } else { 0 };
    match payload.len() {
        len @ 0..=125 => out.push(masked | u8::try_from(len).unwrap()),
        len @ 126..=65535 => {
            out.push(masked + 126);
            out.extend(u16::try_from(len).unwrap().to_be_bytes());
        }
        len => {
            out.push(masked + 127);
            out.extend((len as u64).to_be_bytes());
        }
    }
    out.extend(mask.unwrap_or_default().iter().take(if mask.is_some() { 4 } else { 0 }));
    out.extend(
        payload
            .iter()
            .enumerate()
            .map(|(at, byte)| byte ^ mask.map_or(0, |mask| mask[at % 4])),
    );
    out
}

fn walked(bytes: &[u8]) -> Walker {
    let mut walker = Walker::new();
    walker.walk(bytes);
    walker
}

#[test]
fn a_message_is_counted_once_however_many_frames_it_has() {
    let stream = [
        frame(TEXT, b"ab", None),
        frame(FIN | PING, b"!", None),
        frame(0, b"", None),
        frame(FIN, b"c", None),
    ]
    .concat();
    let walker = walked(&stream);
    let expected = Counts {
        bytes: stream.len() as u64,
        text_messages: 1,
        text_bytes: 3,
        pings: 1,
        control_bytes: 1,
        ..Counts::default()
    };
    assert_eq!(walker.counts(), expected);
    assert!(walker.is_at_boundary());
}

#[test]
fn a_control_frame_between_fragments_does_not_change_the_class_of_the_message() {
    let stream = [
        frame(BINARY, b"ab", None),
        frame(FIN | PONG, b"", None),
        frame(FIN, b"cd", None),
    ]
    .concat();
    let counts = walked(&stream).counts();
    assert_eq!(
        (counts.binary_messages, counts.binary_bytes, counts.text_messages),
        (1, 4, 0)
    );
}

#[test]
fn each_opcode_is_counted_in_its_class() {
    for (opcode, read) in [
        (CLOSE, (|c: &Counts| c.closes) as fn(&Counts) -> u64),
        (PING, |c| c.pings),
        (PONG, |c| c.pongs),
        (0x3, |c| c.reserved_frames),
        (0xB, |c| c.reserved_frames),
    ] {
        assert_eq!(
            read(&walked(&frame(FIN | opcode, b"x", Some([1, 2, 3, 4]))).counts()),
            1,
            "opcode {opcode:#x}"
        );
    }
}

#[test]
fn a_message_is_counted_when_the_last_byte_of_its_last_frame_has_passed() {
    for (opcode, read) in [
        (
            TEXT,
            (|c: &Counts| (c.text_messages, c.text_bytes)) as fn(&Counts) -> (u64, u64),
        ),
        (BINARY, |c| (c.binary_messages, c.binary_bytes)),
    ] {
        for mask in [None, Some([1, 2, 3, 4])] {
            let bytes = [frame(opcode, b"ab", mask), frame(FIN, b"cd", mask)].concat();
            let (before, last) = bytes.split_at(bytes.len() - 1);
            let mut walker = walked(before);
            assert_eq!(read(&walker.counts()), (0, 3), "opcode {opcode:#x}");
            walker.walk(last);
            assert_eq!(read(&walker.counts()), (1, 4), "opcode {opcode:#x}");
        }
    }
}

#[test]
fn a_message_that_ends_in_an_empty_frame_is_counted_with_its_header() {
    let bytes = [frame(BINARY, b"ab", None), frame(FIN, b"", Some([1, 2, 3, 4]))].concat();
    let (before, last) = bytes.split_at(bytes.len() - 1);
    let mut walker = walked(before);
    assert_eq!(walker.counts().binary_messages, 0);
    walker.walk(last);
    assert_eq!(walker.counts().binary_messages, 1);
    assert_eq!(walked(&frame(FIN | TEXT, b"", None)).counts().text_messages, 1);
}

#[test]
fn the_payload_of_a_reserved_data_frame_is_of_no_message() {
    for opcode in 0x3..=0x7 {
        let stream = [
            frame(BINARY, b"ab", None),
            frame(FIN | opcode, b"xyz", None),
            frame(FIN, b"c", None),
        ]
        .concat();
        let expected = Counts {
            bytes: stream.len() as u64,
            binary_messages: 1,
            binary_bytes: 3,
            reserved_frames: 1,
            ..Counts::default()
        };
        assert_eq!(walked(&stream).counts(), expected, "opcode {opcode:#x}");
    }
}

#[test]
fn the_payload_of_a_reserved_control_frame_is_of_control() {
    for opcode in 0xB..=0xF {
        let stream = frame(FIN | opcode, b"xyz", None);
        let expected = Counts {
            bytes: stream.len() as u64,
            control_bytes: 3,
            reserved_frames: 1,
            ..Counts::default()
        };
        assert_eq!(walked(&stream).counts(), expected, "opcode {opcode:#x}");
    }
}

#[test]
fn code_and_reason_of_a_close_are_read_through_its_mask() {
    let walker = walked(&frame(FIN | CLOSE, b"\x0f\xa0bye", Some([9, 8, 7, 6])));
    let close = walker.close().unwrap();
    assert_eq!((close.code(), close.reason().as_str()), (Some(4000), "bye"));
}

#[test]
fn a_close_without_a_code_has_none() {
    assert_eq!(walked(&frame(FIN | CLOSE, b"", None)).close().unwrap().code(), None);
    assert_eq!(walked(&frame(FIN | CLOSE, b"\x03", None)).close().unwrap().code(), None);
}

#[test]
fn a_close_is_seen_only_when_all_of_it_has_passed() {
    let bytes = frame(FIN | CLOSE, b"\x03\xe9going", None);
    let mut walker = Walker::new();
    walker.walk(&bytes[..bytes.len() - 1]);
    assert!(walker.close().is_none());
    walker.walk(&bytes[bytes.len() - 1..]);
    assert_eq!(walker.close().unwrap().code(), Some(1001));
}

#[test]
fn the_first_close_is_the_one_that_is_kept() {
    let bytes = [
        frame(FIN | CLOSE, b"\x03\xe8one", None),
        frame(FIN | CLOSE, b"\x03\xe9two", None),
    ]
    .concat();
    assert_eq!(walked(&bytes).close().unwrap().reason(), "one");
}

#[test]
fn an_oversized_close_keeps_no_more_than_a_control_frame_may_carry() {
    let walker = walked(&frame(FIN | CLOSE, &vec![b'x'; 70_000], None));
    assert_eq!(walker.close().unwrap().payload.len(), MAX_CONTROL_PAYLOAD_BYTES);
}

#[test]
fn a_length_with_the_top_bit_ends_the_walk_but_not_the_count() {
    let mut bytes = vec![FIN | BINARY, 127, 0x80, 0, 0, 0, 0, 0, 0, 0];
    bytes.extend(b"more");
    let walker = walked(&bytes);
    assert!(walker.is_lost() && !walker.is_at_boundary());
    assert_eq!(walker.counts().bytes, bytes.len() as u64);
}

#[test]
fn walking_to_the_boundary_stops_behind_the_current_frame() {
    let bytes = [
        frame(FIN | TEXT, b"hello", Some([1; 4])),
        frame(FIN | TEXT, b"next", Some([1; 4])),
    ]
    .concat();
    for cut in 1..11 {
        let mut walker = Walker::new();
        walker.walk(&bytes[..cut]);
        assert_eq!(walker.walk_to_boundary(&bytes[cut..]), 11 - cut, "cut at {cut}");
        assert!(walker.is_at_boundary());
        assert_eq!(walker.walk_to_boundary(&bytes[11..]), 0);
    }
}

#[test]
fn our_close_is_a_close_frame_in_both_directions() {
    for mask in [None, Some([7, 7, 9, 9])] {
        let mut bytes = Vec::new();
        write_close(&mut bytes, 1001, "edge shutting down", mask);
        let walker = walked(&bytes);
        let close = walker.close().unwrap();
        assert_eq!(
            (close.code(), close.reason().as_str()),
            (Some(1001), "edge shutting down")
        );
        assert!(walker.is_at_boundary());
    }
}

#[test]
fn a_long_reason_is_cut_between_characters() {
    let mut bytes = Vec::new();
    write_close(&mut bytes, 1011, &"é".repeat(100), None);
    assert_eq!(bytes.len(), 2 + 2 + 122);
    assert_eq!(walked(&bytes).close().unwrap().reason(), "é".repeat(61));
}

fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let size = prop_oneof![0..4usize, 124..128usize, Just(65_535), Just(65_536)];
    (any::<u8>(), size, any::<Option<[u8; 4]>>()).prop_map(|(first, size, mask)| frame(first, &vec![0x5A; size], mask))
}

proptest! {
    #[test]
    fn any_chopping_gives_the_same_counts(
        frames in prop::collection::vec(any_frame(), 0..6),
        cuts in prop::collection::vec(1..70_000usize, 0..40),
    ) {
        let bytes = frames.concat();
        let whole = walked(&bytes);
        let mut walker = Walker::new();
        let mut rest = &bytes[..];
        for cut in cuts {
            let (piece, after) = rest.split_at(cut.min(rest.len()));
            walker.walk(piece);
            rest = after;
        }
        for byte in rest {
            walker.walk(&[*byte]);
        }
        prop_assert_eq!(walker.counts(), whole.counts());
        prop_assert_eq!(walker.close(), whole.close());
        prop_assert!(walker.is_at_boundary());
        prop_assert_eq!(walker.counts().bytes, bytes.len() as u64);
    }

    #[test]
    fn no_input_panics(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert_eq!(walked(&bytes).counts().bytes, bytes.len() as u64);
    }
}
