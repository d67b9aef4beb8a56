//! Looking before letting pass: the same counts and bytes as walking, whatever the chopping, and no answer gets through.

use proptest::prelude::*;

use super::super::{FIN, Header, Opcode, PONG, Sight, Walker, write_ping};

const NONCE: u64 = 0x1122_3344_5566_7788;

/// Lets everything pass but answers to our pings; what passed, and the numbers of the answers.
fn let_pass(walker: &mut Walker, bytes: &[u8], nonce: Option<u64>, out: &mut Vec<u8>) -> Vec<u64> {
    let mut answers = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let (taken, sight) = walker.look(&bytes[at..], nonce);
        at += taken;
        match sight {
            Sight::Held => assert_eq!(at, bytes.len()),
            Sight::Frame(_) => walker.pass_frame(out),
            Sight::Answer(number) => answers.push(number),
            Sight::Payload(len) => {
                out.extend_from_slice(&bytes[at..at + len]);
                walker.pass_payload(&bytes[at..at + len]);
                at += len;
            }
        }
    }
    answers
}

fn pong(nonce: u64, number: u64, mask: Option<[u8; 4]>) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_ping(&mut bytes, nonce, number, mask);
    bytes[0] = FIN | PONG;
    bytes
}

fn chopped(stream: &[u8], sizes: &[usize], mut each: impl FnMut(&[u8])) {
    let (mut at, mut sizes) = (0, sizes.iter().cycle());
    while at < stream.len() {
        let end = (at + sizes.next().unwrap_or(&1)).min(stream.len());
        each(&stream[at..end]);
        at = end;
    }
}

#[test]
fn an_answer_is_taken_out_byte_by_byte_and_all_others_pass() {
    for mask in [None, Some([9, 8, 7, 6])] {
        let others = [
            pong(NONCE + 1, 1, mask),
            b"\x8a\x02hi".to_vec(),
            b"\x0a\x10".to_vec(),
            vec![b'x'; 16],
        ];
        let (before, after) = (b"\x81\x03one".to_vec(), b"\x89\x00".to_vec());
        let passing = [before.clone(), others.concat(), after.clone()].concat();
        let stream = [before, others.concat(), pong(NONCE, 77, mask), after].concat();
        for size in [1, 2, 3, 7, 22, 1000] {
            let (mut walker, mut out, mut answers) = (Walker::new(), Vec::new(), Vec::new());
            chopped(&stream, &[size], |piece| {
                answers.extend(let_pass(&mut walker, piece, Some(NONCE), &mut out));
            });
            assert_eq!((&out, &answers), (&passing, &vec![77]), "{size}");
            let mut plain = Walker::new();
            plain.walk(&passing);
            assert_eq!(walker.counts(), plain.counts());
        }
    }
}

#[test]
fn what_is_held_stands_on_the_boundary_before_it() {
    let mut walker = Walker::new();
    let mut out = Vec::new();
    let_pass(&mut walker, &pong(NONCE, 1, None)[..17], Some(NONCE), &mut out);
    assert!(walker.is_at_boundary() && walker.holds() && walker.is_in_frame());
    assert_eq!((out.len(), walker.counts().bytes), (0, 0));
    // Nobody looks any more: what was held counts as passed.
    walker.walk(b"");
    assert_eq!((walker.counts().bytes, walker.counts().pongs), (17, 1));
    assert!(!walker.is_at_boundary() && !walker.holds());
}

#[test]
fn a_header_of_which_a_part_has_passed_is_no_answer() {
    let mut walker = Walker::new();
    let (mut out, pong) = (Vec::new(), pong(NONCE, 5, None));
    walker.walk(&pong[..1]);
    assert!(let_pass(&mut walker, &pong[1..], Some(NONCE), &mut out).is_empty());
    assert_eq!((&out[..], walker.counts().pongs), (&pong[1..], 1));
    assert!(walker.is_at_boundary());
}

#[test]
fn a_frame_is_shown_before_anything_of_it_passes() {
    let mut walker = Walker::new();
    let (taken, sight) = walker.look(b"\xc1\xfe\x01\x00\x01\x02\x03\x04xx", None);
    let head = Header::read(b"\xc1\xfe\x01\x00\x01\x02\x03\x04").unwrap();
    assert_eq!((taken, sight), (8, Sight::Frame(head)));
    assert_eq!((head.opcode, head.length, head.len), (Opcode::TEXT, 256, 8));
    assert!(head.opcode.begins_message() && head.opcode.is_of_message() && head.is_compressed);
    assert_eq!(
        walker.look(b"xx", None),
        (0, Sight::Frame(head)),
        "until it is let pass"
    );
    assert_eq!(walker.counts().bytes, 0);
}

proptest! {
    #[test]
    fn any_chopping_passes_the_same_whoever_looks(
        stream in prop::collection::vec(any::<u8>(), 0..400),
        sizes in prop::collection::vec(1_usize..40, 1..20),
        turns in prop::collection::vec(any::<bool>(), 1..20),
    ) {
        let mut plain = Walker::new();
        plain.walk(&stream);
        let (mut walker, mut out, mut turns) = (Walker::new(), Vec::new(), turns.iter().cycle());
        chopped(&stream, &sizes, |piece| {
            // As the relay does: nobody stops looking while something is held.
            if walker.holds() || *turns.next().unwrap() {
                let_pass(&mut walker, piece, Some(NONCE), &mut out);
            } else {
                walker.walk(piece);
                out.extend_from_slice(piece);
            }
        });
        prop_assert_eq!(&out[..], &stream[..out.len()]);
        prop_assert_eq!(out.len() < stream.len(), walker.holds());
        walker.walk(b"");
        prop_assert_eq!(walker.counts(), plain.counts());
        prop_assert_eq!(walker.is_at_boundary(), plain.is_at_boundary());
    }
}
