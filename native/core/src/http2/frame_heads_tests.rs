use proptest::prelude::*;

use super::*;

fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, 0, 0, 0, 0, 1], payload].concat()
}

fn walked(heads: &mut FrameHeads, pieces: &[&[u8]]) -> Vec<FrameHead> {
    let mut told = Vec::new();
    for piece in pieces {
        heads.walk(piece, |head| told.push(head));
    }
    told
}

#[test]
fn a_frame_is_told_of_with_its_code() {
    let bytes = frame(RST_STREAM, &[0, 0, 0, 7]);
    let expected = FrameHead {
        kind: RST_STREAM,
        code: 7,
    };
    assert_eq!(walked(&mut FrameHeads::of_server(), &[&bytes]), [expected]);
}

#[test]
fn the_preface_of_a_client_is_no_frame() {
    let bytes = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), frame(SETTINGS, b"")].concat();
    let expected = FrameHead {
        kind: SETTINGS,
        code: 0,
    };
    assert_eq!(walked(&mut FrameHeads::of_client(), &[&bytes]), [expected]);
}

proptest! {
    #[test]
    fn however_the_bytes_are_cut_the_same_frames_are_told(
        frames in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..40)), 0..8),
        cut in 1_usize..30,
    ) {
        let bytes: Vec<u8> = frames.iter().flat_map(|(kind, payload)| frame(*kind, payload)).collect();
        let expected: Vec<FrameHead> = frames
            .iter()
            .map(|(kind, payload)| FrameHead {
                kind: *kind,
                code: payload.first_chunk().map_or(0, |code| u32::from_be_bytes(*code)),
            })
            .collect();
        let pieces: Vec<&[u8]> = bytes.chunks(cut).collect();
        prop_assert_eq!(walked(&mut FrameHeads::of_server(), &pieces), expected);
    }
}
