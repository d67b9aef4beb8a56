use std::sync::Arc;

use flate2::{Compress, Compression, FlushCompress};
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::tunnel::Side;

const MASK: [u8; 4] = [0xA1, 0x02, 0x7F, 0x55];

/// A frame of a client; `first` is its first byte.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = unmasked(first, payload);
    let at = frame.len() - payload.len();
    frame[1] |= 0x80;
    for (byte, key) in frame[at..].iter_mut().zip(MASK.iter().cycle()) {
        *byte ^= key;
    }
    frame.splice(at..at, MASK);
    frame
}

fn unmasked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        len @ 0..126 => frame.push(u8::try_from(len).unwrap()),
        len @ 126..65_536 => {
            frame.push(126);
            frame.extend(u16::try_from(len).unwrap().to_be_bytes());
        }
        len => {
            frame.push(127);
            frame.extend((len as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(payload);
    frame
}

const TEXT: u8 = 0x81;
const COMPRESSED_TEXT: u8 = 0xC1;
const BINARY: u8 = 0x82;

fn deflated(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 1024);
    Compress::new(Compression::fast(), false)
        .compress_vec(text, &mut out, FlushCompress::Sync)
        .unwrap();
    assert!(out.ends_with(&[0, 0, 0xFF, 0xFF]));
    out.truncate(out.len() - 4);
    out
}

fn rule(id: &str, action: &str, pattern: Option<&str>, schema: Option<&str>) -> Arc<MessageRule> {
    Arc::new(MessageRule::new(id, "both", action, pattern, schema).unwrap())
}

fn rules() -> Arc<MessageRules> {
    let rules = vec![
        rule("l", "log", Some("noted"), None),
        rule("d", "drop", Some("secret"), None),
        rule("c", "close", Some("attack"), None),
    ];
    Arc::new(MessageRules::new(rules, 0).unwrap())
}

fn object_rules(limit: u64) -> Arc<MessageRules> {
    let schema = r#"{"type": "object", "properties": {"n": {"type": "integer"}}}"#;
    Arc::new(MessageRules::new(vec![rule("s", "close", None, Some(schema))], limit).unwrap())
}

/// What came of some pieces: what passed, what was found (rule and length), and how it ended.
type Outcome = (Vec<u8>, Vec<(String, usize)>, Result<(), Refusal>);

fn pushed<'a>(rules: &Arc<MessageRules>, pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let (mut judge, mut out, mut found) = (Judge::default(), Vec::new(), Vec::new());
    let mut assembler = Assembler::new(Arc::clone(rules), Side::Origin, true, Accounts::default());
    let mut outcome = Ok(());
    for mut piece in pieces {
        outcome = assembler.push(&mut piece, &mut judge, &mut out);
        let findings = judge
            .take_findings()
            .map(|one| (one.rule.id().to_string(), one.message_bytes));
        found.extend(findings);
        assert!(assembler.held_bytes() <= (1 + FRAMING_OF_BYTE) * rules.limit() + MAX_FRAMING_BYTES);
        if outcome.is_err() {
            break;
        }
    }
    (out, found, outcome)
}

fn whole(rules: &Arc<MessageRules>, frames: &[Vec<u8>]) -> Outcome {
    pushed(rules, [&frames.concat()[..]])
}

fn refusal(rules: &Arc<MessageRules>, frames: &[Vec<u8>]) -> Refusal {
    whole(rules, frames).2.unwrap_err()
}

#[test]
fn a_text_is_looked_at_whole_however_it_is_framed() {
    let compressed = deflated(b"a secret word");
    for frames in [
        vec![frame(TEXT, b"a secret word")],
        vec![frame(0x01, b"a sec"), frame(0x00, b"ret"), frame(0x80, b" word")],
        vec![frame(0x01, b""), frame(0x89, b"ping"), frame(0x80, b"a secret word")],
        vec![frame(COMPRESSED_TEXT, &compressed)],
        vec![frame(0x41, &compressed[..4]), frame(0x80, &compressed[4..])],
    ] {
        let (out, found, outcome) = whole(&rules(), &frames);
        assert_eq!((found, outcome), (vec![("d".to_owned(), 13)], Ok(())));
        let is_ping = frames.len() == 3 && frames[1][0] == 0x89;
        assert_eq!(out, if is_ping { frames[1].clone() } else { Vec::new() });
    }
}

#[test]
fn what_breaks_no_rule_passes_as_it_came() {
    let frames = [
        frame(TEXT, b"hello"),
        frame(0x01, "gr\u{fc}".as_bytes()),
        frame(0x80, "\u{df}e".as_bytes()),
        frame(BINARY, b"secret attack noted"),
        frame(COMPRESSED_TEXT, &deflated(&b"hello ".repeat(1_000))),
        frame(0xC2, b"\xFF not even deflated"),
        frame(TEXT, b"noted"),
        frame(0x88, b"\x03\xE8secret"),
    ];
    let (out, found, outcome) = whole(&rules(), &frames);
    assert_eq!(out, frames.concat());
    assert_eq!((found, outcome), (vec![("l".to_owned(), 5)], Ok(())));
}

#[test]
fn a_character_may_be_split_between_frames() {
    let frames = [frame(0x01, b"gr\xC3"), frame(0x80, b"\xBC\xC3\x9Fe")];
    assert_eq!(whole(&rules(), &frames), (frames.concat(), Vec::new(), Ok(())));
}

#[test]
fn a_control_frame_overtakes_a_text_that_is_held() {
    let (ping, first, last) = (frame(0x89, b"p"), frame(0x01, b"a"), frame(0x80, b"b"));
    let (mut judge, mut out) = (Judge::default(), Vec::new());
    let mut assembler = Assembler::new(rules(), Side::Origin, false, Accounts::default());
    for byte in first.iter().chain(&ping[..2]) {
        assembler.push(&mut &[*byte][..], &mut judge, &mut out).unwrap();
        assert!(out.is_empty());
    }
    assembler.push(&mut &ping[2..], &mut judge, &mut out).unwrap();
    assert_eq!(out, ping);
    assembler.push(&mut &last[..], &mut judge, &mut out).unwrap();
    assert_eq!(out, [ping, first, last].concat());
    assert_eq!(assembler.held_bytes(), 0);
}

#[test]
fn after_a_refusal_nothing_passes_but_control_frames() {
    let close = frame(0x88, b"\x03\xE8");
    for refused in [
        frame(TEXT, b"attack"),
        frame(TEXT, b"\xFF"),
        frame(TEXT, &vec![b'a'; MAX_MESSAGE_BYTES + 1]),
        [frame(0x01, b"att"), frame(0x80, b"ack")].concat(),
    ] {
        let more = [frame(TEXT, b"a"), frame(BINARY, b"b"), close.clone()].concat();
        let bytes = [refused, more].concat();
        for size in [1, 5, bytes.len()] {
            let (mut judge, mut out) = (Judge::default(), Vec::new());
            let mut assembler = Assembler::new(rules(), Side::Origin, false, Accounts::default());
            let mut refusals = 0;
            for mut piece in bytes.chunks(size) {
                while !piece.is_empty() {
                    refusals += usize::from(assembler.push(&mut piece, &mut judge, &mut out).is_err());
                }
                assert!(refusals == 0 || assembler.held_bytes() == 0);
            }
            assert_eq!((refusals, &out), (1, &close));
        }
    }
    let bytes = [frame(0x83, b""), close].concat();
    let (mut rest, mut out) = (&bytes[..], Vec::new());
    let mut assembler = Assembler::new(rules(), Side::Origin, false, Accounts::default());
    assert!(assembler.push(&mut rest, &mut Judge::default(), &mut out).is_err());
    assert!(assembler.push(&mut rest, &mut Judge::default(), &mut out).is_ok());
    assert!(rest.is_empty() && out.is_empty());
}

#[test]
fn the_first_rule_that_closes_or_drops_is_the_last_asked() {
    let said = |text: &[u8]| whole(&rules(), &[frame(TEXT, text), frame(TEXT, b"more")]);
    let more = frame(TEXT, b"more");
    assert_eq!(said(b"secret attack"), (more, vec![("d".into(), 13)], Ok(())));
    let closed = Err(Refusal::Rule("c".into()));
    assert_eq!(said(b"noted attack"), (Vec::new(), vec![("l".into(), 12)], closed));
}

#[test]
fn a_schema_is_broken_by_what_is_no_json_of_it() {
    let rules = object_rules(0);
    for (text, passes) in [
        (r#"{"n": 1}"#, true),
        ("{}", true),
        (r#"{"n": "1"}"#, false),
        ("[]", false),
        ("{", false),
        (r#"{"n": 1, "n": 2}"#, false),
        ("", false),
    ] {
        let outcome = whole(&rules, &[frame(TEXT, text.as_bytes())]).2;
        let expected = if passes { Ok(()) } else { Err(Refusal::Rule("s".into())) };
        assert_eq!(outcome, expected, "{text}");
    }
}

#[test]
fn a_rule_is_asked_of_its_direction_alone() {
    let rule = Arc::new(MessageRule::new("r", "to_client", "close", Some("x"), None).unwrap());
    let rules = Arc::new(MessageRules::new(vec![rule], 0).unwrap());
    assert!(rules.watch(Side::Client) && !rules.watch(Side::Origin));
    assert_eq!(whole(&rules, &[frame(TEXT, b"x")]).2, Ok(()));
    let mut assembler = Assembler::new(rules, Side::Client, false, Accounts::default());
    let refused = assembler.push(&mut &unmasked(TEXT, b"x")[..], &mut Judge::default(), &mut Vec::new());
    assert_eq!(refused, Err(Refusal::Rule("r".into())));
}

#[test]
fn a_message_beyond_the_limit_is_refused_before_it_is_there() {
    let rules = object_rules(1_000);
    assert_eq!(refusal(&rules, &[frame(TEXT, &[b' '; 1_001])]), Refusal::TooBig(1_000));
    let mut huge = frame(TEXT, b"");
    huge.splice(1..2, [0xFF, 0, 0, 0, 1, 0, 0, 0, 0]);
    assert_eq!(pushed(&rules, [&huge[..]]).2, Err(Refusal::TooBig(1_000)));
    let two = [frame(0x01, &[b' '; 600]), frame(0x80, &[b' '; 600])];
    assert_eq!(refusal(&rules, &two), Refusal::TooBig(1_000));
    let fits = [frame(0x01, &[b' '; 500]), frame(0x80, &[b' '; 500])];
    assert_eq!(refusal(&rules, &fits), Refusal::Rule("s".into()));
    assert_eq!(whole(&rules, &[frame(BINARY, &[0; 2_000])]).2, Ok(()));
}

#[test]
fn a_message_of_empty_frames_does_not_go_on_for_ever() {
    let empty = frame(0x00, b"");
    let frames: Vec<Vec<u8>> = [frame(0x01, b"")].into_iter().chain(vec![empty; 4_000]).collect();
    assert_eq!(refusal(&object_rules(1_000), &frames), Refusal::TooManyFrames);
}

#[test]
fn a_message_of_the_allowed_size_passes_however_small_its_frames_are() {
    let spaces = [frame(0x01, b"{")].into_iter().chain(vec![frame(0x00, b" "); 99_998]);
    let frames: Vec<Vec<u8>> = spaces.chain([frame(0x80, b"}")]).collect();
    let (out, _, outcome) = whole(&object_rules(100_000), &frames);
    assert_eq!((out.len(), outcome), (700_000, Ok(())));
    assert_eq!(refusal(&object_rules(99_999), &frames), Refusal::TooBig(99_999));
}

#[test]
fn a_message_that_nobody_has_room_for_is_refused_and_gives_its_own_back() {
    let accounts = Accounts::default();
    let part = frame(0x01, &vec![b' '; MAX_MESSAGE_BYTES - 100]);
    let (mut judge, mut out) = (Judge::default(), Vec::new());
    let mut open_one = || {
        let mut assembler = Assembler::new(rules(), Side::Origin, false, accounts.clone());
        let outcome = part
            .chunks(4096)
            .try_for_each(|mut piece| assembler.push(&mut piece, &mut judge, &mut out));
        (assembler, outcome)
    };
    let mut begun = Vec::new();
    let refused = loop {
        let (assembler, outcome) = open_one();
        match outcome {
            Ok(()) => begun.push(assembler),
            Err(refusal) => break (assembler, refusal),
        }
    };
    assert_eq!((refused.1.code(), refused.0.held_bytes()), (1013, 0));
    assert!(!refused.0.is_holding() && begun.iter().all(Assembler::is_holding));
    let held = accounts.zone.bytes();
    assert!(
        (MAX_HELD_OF_ZONE_BYTES - MAX_MESSAGE_BYTES..=MAX_HELD_OF_ZONE_BYTES).contains(&held),
        "{held}"
    );
    // Who has gone has given it back: there is room for one more.
    drop(begun.pop());
    assert!(open_one().1.is_ok());
    drop(begun);
    assert_eq!((accounts.zone.bytes(), accounts.thread.bytes()), (0, 0));
}

#[test]
fn a_bomb_is_inflated_no_further_than_the_limit() {
    let bomb = deflated(&vec![b'a'; 64 << 20]);
    assert!(bomb.len() < 1 << 20);
    assert_eq!(
        refusal(&rules(), &[frame(COMPRESSED_TEXT, &bomb)]),
        Refusal::TooBig(MAX_MESSAGE_BYTES)
    );
    let fits = deflated(&vec![b'a'; MAX_MESSAGE_BYTES]);
    assert_eq!(whole(&rules(), &[frame(COMPRESSED_TEXT, &fits)]).2, Ok(()));
}

#[test]
fn what_is_not_allowed_is_refused_by_name() {
    let plain = |first: u8| vec![frame(first, b"x")];
    for (frames, told) in [
        (plain(0xA1), "a bit set"),
        (plain(0x91), "a bit set"),
        (plain(0x83), "an opcode"),
        (plain(0x8B), "an opcode"),
        (plain(0x80), "continues no message"),
        (plain(0xC9), "is compressed"),
        (plain(0x09), "is fragmented"),
        (vec![frame(0x89, &[0; 126])], "too long"),
        (
            vec![frame(0x01, b"a"), frame(TEXT, b"b")],
            "before the last one has ended",
        ),
        (vec![frame(0x01, b"a"), frame(0xC0, b"b")], "continuation frame says"),
        (vec![frame(COMPRESSED_TEXT, b"\xFF\xFF\xFF")], "cannot be inflated"),
        (vec![unmasked(TEXT, b"a")], "not masked"),
    ] {
        let refusal = refusal(&rules(), &frames);
        assert_eq!(refusal.code(), 1002);
        assert!(refusal.reason().contains(told), "{refusal:?}, expected {told:?}");
    }
    let mut judge = Judge::default();
    let mut assembler = Assembler::new(rules(), Side::Origin, false, Accounts::default());
    let refused = assembler.push(
        &mut &frame(COMPRESSED_TEXT, &deflated(b"a"))[..],
        &mut judge,
        &mut Vec::new(),
    );
    assert!(refused.unwrap_err().reason().contains("not agreed"));
    let mut assembler = Assembler::new(rules(), Side::Client, false, Accounts::default());
    let refused = assembler.push(&mut &frame(TEXT, b"a")[..], &mut judge, &mut Vec::new());
    assert!(refused.unwrap_err().reason().contains("is masked"));
}

#[test]
fn what_is_not_utf_8_is_refused_as_such() {
    for bytes in [&b"\xC3"[..], b"a\xFFb", b"\xED\xA0\x80"] {
        assert_eq!(refusal(&rules(), &[frame(TEXT, bytes)]), Refusal::NotUtf8);
        assert_eq!(
            refusal(&rules(), &[frame(COMPRESSED_TEXT, &deflated(bytes))]),
            Refusal::NotUtf8
        );
    }
}

#[test]
fn a_last_block_ends_a_compressed_message() {
    // RFC 7692 §7.2.3.5: "Hello" in a block that says it is the last.
    let last = [0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00];
    assert_eq!(whole(&rules(), &[frame(COMPRESSED_TEXT, &last)]).2, Ok(()));
    let more = [&last[..6], &deflated(b"attack")].concat();
    assert_eq!(refusal(&rules(), &[frame(COMPRESSED_TEXT, &more)]).code(), 1002);
    // §7.2.3.6: an empty message is one byte.
    assert_eq!(whole(&rules(), &[frame(COMPRESSED_TEXT, &[0x00])]).2, Ok(()));
}

#[test]
fn a_rule_says_what_is_wrong_with_it() {
    let told =
        |id, direction, action, pattern, schema| MessageRule::new(id, direction, action, pattern, schema).unwrap_err();
    for (fault, expected) in [
        (
            told("", "both", "log", Some("x"), None),
            "message rule \"\": id: expected",
        ),
        (
            told("r", "up", "log", Some("x"), None),
            "message rule \"r\": direction: expected \"to_origin\"",
        ),
        (
            told("r", "both", "deny", Some("x"), None),
            "message rule \"r\": action: expected \"close\"",
        ),
        (
            told("r", "both", "log", None, None),
            "message rule \"r\": pattern, schema: expected exactly one",
        ),
        (told("r", "both", "log", Some("x"), Some("{}")), "exactly one"),
        (
            told("r", "both", "log", Some("("), None),
            "message rule \"r\": pattern: ",
        ),
        (told("r", "both", "log", Some("(?=x)y"), None), "without look-around"),
        (
            told("r", "both", "log", Some(&"x".repeat(9_000)), None),
            "at most 8192 bytes",
        ),
        (
            told("r", "both", "log", None, Some("[]")),
            "message rule \"r\": schema: expected a JSON object",
        ),
    ] {
        assert!(fault.contains(expected), "{fault}");
    }
    let many = vec![rule("r", "log", Some("x"), None); MAX_MESSAGE_RULES + 1];
    assert!(MessageRules::new(many, 0).unwrap_err().contains("at most 20"));
}

#[test]
fn what_takes_too_long_counts_as_broken() {
    let pattern = "[01]*1[01]{200}x";
    let rules = Arc::new(MessageRules::new(vec![rule("p", "close", Some(pattern), None)], 0).unwrap());
    let mut seed = 1_u32;
    let mut digit = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        b'0' + u8::try_from(seed >> 31).unwrap()
    };
    let text: Vec<u8> = (0..200_000).map(|_| digit()).collect();
    assert_eq!(refusal(&rules, &[frame(TEXT, &text)]), Refusal::Rule("p".into()));
}

/// Frames of messages, some of which break rules and some of which are not allowed.
fn any_frames() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let word = prop_oneof![
        Just(b"secret".to_vec()),
        Just(b"noted".to_vec()),
        Just(b"\xC3\xBC".to_vec()),
        Just(b"attack".to_vec()),
        vec(97..123_u8, 0..200),
    ];
    let text = vec(word, 0..3).prop_map(|words| words.concat());
    let fragmented = |text: Vec<u8>, first: u8| {
        let at = text.len() / 2;
        vec![
            frame(first, &text[..at]),
            frame(0x8A, b"pong"),
            frame(0x80, &text[at..]),
        ]
    };
    let message = prop_oneof![
        6 => text.clone().prop_map(|text| vec![frame(TEXT, &text)]),
        3 => text.clone().prop_map(move |text| fragmented(text, 0x01)),
        2 => text.clone().prop_map(|text| vec![frame(COMPRESSED_TEXT, &deflated(&text))]),
        2 => text.clone().prop_map(move |text| fragmented(deflated(&text), 0x41)),
        2 => text.prop_map(|text| vec![frame(BINARY, &text)]),
        1 => any::<u8>().prop_map(|first| vec![frame(first, b"x")]),
    ];
    vec(message, 0..8).prop_map(|messages| messages.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 400 } else { 4_000 }))]

    #[test]
    fn any_chopping_gives_the_same(frames in any_frames(), sizes in vec(1..40_usize, 1..30)) {
        let bytes = frames.concat();
        let at_once = pushed(&rules(), [&bytes[..]]);
        prop_assert_eq!(&pushed(&rules(), bytes.chunks(1)), &at_once);
        let (mut pieces, mut rest, mut sizes) = (Vec::new(), &bytes[..], sizes.iter().cycle());
        while !rest.is_empty() {
            let (piece, others) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
            pieces.push(piece);
            rest = others;
        }
        prop_assert_eq!(pushed(&rules(), pieces), at_once);
    }

    #[test]
    fn no_input_is_too_strange(bytes in vec(any::<u8>(), 0..300)) {
        let (out, ..) = pushed(&rules(), [&bytes[..]]);
        prop_assert!(out.len() <= bytes.len());
        let text = frame(COMPRESSED_TEXT, &bytes);
        prop_assert_eq!(pushed(&rules(), text.chunks(7)), pushed(&rules(), [&text[..]]));
    }

    #[test]
    fn without_a_broken_rule_nothing_changes(texts in vec("[a-m ]{0,300}", 0..20)) {
        let frames: Vec<Vec<u8>> = texts.iter().map(|text| frame(TEXT, text.as_bytes())).collect();
        prop_assert_eq!(whole(&rules(), &frames), (frames.concat(), Vec::new(), Ok(())));
    }
}
