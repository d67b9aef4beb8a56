use super::*;

use std::num::NonZeroU64;

const PING: u8 = 0x9;
const PONG: u8 = 0xA;
const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;

fn head(opcode: u8, length: u64) -> Header {
    Header {
        length,
        ..Header::read(&[0x80 | opcode, 0]).unwrap()
    }
}

fn gate(options: &TunnelOptions, now: Instant) -> Gate {
    *Gate::new(options, Side::Client, now).unwrap()
}

fn rates(messages_per_s: Option<f64>, bytes_per_s: Option<f64>, over_rate: OverRate) -> TunnelOptions {
    TunnelOptions {
        to_origin: Rates {
            messages_per_s,
            bytes_per_s,
        },
        over_rate,
        ..TunnelOptions::default()
    }
}

#[test]
fn what_is_not_limited_has_no_gate() {
    let now = Instant::now();
    let options = rates(Some(1.0), None, OverRate::Throttle);
    assert!(Gate::new(&options, Side::Origin, now).is_none());
    assert!(Gate::new(&TunnelOptions::default(), Side::Client, now).is_none());
    assert!(Gate::new(&options, Side::Client, now).is_some());
}

#[test]
fn a_message_is_as_large_as_all_its_frames() {
    let now = Instant::now();
    let options = TunnelOptions {
        max_message_bytes: NonZeroU64::new(10),
        ..TunnelOptions::default()
    };
    let mut gate = gate(&options, now);
    assert_eq!(gate.frame(&head(TEXT, 6), now), Ok(()));
    // A control frame between fragments is of no message.
    assert_eq!(gate.frame(&head(PING, 100), now), Ok(()));
    assert_eq!(gate.frame(&head(CONTINUATION, 4), now), Ok(()));
    assert_eq!(gate.frame(&head(CONTINUATION, 1), now), Err(Stop::TooBig(10)));
    assert_eq!(gate.frame(&head(BINARY, 10), now), Ok(()), "another message");
    assert_eq!(gate.frame(&head(BINARY, u64::MAX), now), Err(Stop::TooBig(10)));
    assert_eq!(gate.frame(&head(BINARY, 5), now), Ok(()));
    assert_eq!(gate.frame(&head(CONTINUATION, u64::MAX), now), Err(Stop::TooBig(10)));
}

#[test]
fn a_second_s_worth_of_messages_passes_at_once_and_then_as_many_as_the_rate_says() {
    let start = Instant::now();
    let mut gate = gate(&rates(Some(5.0), None, OverRate::Throttle), start);
    let mut now = start;
    let mut passed = 0;
    while now < start + Duration::from_secs(10) {
        match gate.frame(&head(TEXT, 1), now) {
            Ok(()) => passed += 1,
            Err(Stop::Until(until)) => {
                assert!(until > now, "a wait that has an end");
                now = until;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!((54..=55).contains(&passed), "{passed}");
}

#[test]
fn fragments_and_control_frames_are_no_further_messages() {
    let now = Instant::now();
    let mut gate = gate(&rates(Some(1.0), None, OverRate::Close), now);
    assert_eq!(gate.frame(&head(TEXT, 1), now), Ok(()));
    for opcode in [CONTINUATION, PING, PONG, CONTINUATION] {
        assert_eq!(gate.frame(&head(opcode, 1), now), Ok(()));
    }
    assert!(matches!(gate.frame(&head(TEXT, 1), now), Err(Stop::TooMuch(_))));
}

#[test]
fn bytes_pass_as_the_rate_says_whatever_the_pieces() {
    let start = Instant::now();
    let mut gate = gate(&rates(None, Some(1000.0), OverRate::Throttle), start);
    let mut now = start;
    let mut passed = 0;
    while now < start + Duration::from_secs(10) {
        match gate.payload(32_768, now) {
            Ok(len) => passed += len,
            Err(Stop::Until(until)) => {
                assert!(until >= now + Duration::from_millis(31), "not for every byte");
                now = until;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!((10_900..=11_100).contains(&passed), "{passed}");
}

#[test]
fn where_too_much_ends_it_a_frame_passes_whole_or_not_at_all() {
    let start = Instant::now();
    let mut gate = gate(&rates(None, Some(1000.0), OverRate::Close), start);
    assert_eq!(gate.frame(&head(BINARY, 900), start), Ok(()));
    assert_eq!(gate.payload(900, start), Ok(900), "counted already");
    assert!(matches!(gate.frame(&head(PING, 100), start), Err(Stop::TooMuch(_))));
    assert_eq!(gate.frame(&head(PING, 90), start), Ok(()));
    let later = start + Duration::from_secs(1);
    assert!(matches!(gate.frame(&head(BINARY, 1000), later), Err(Stop::TooMuch(_))));
    assert!(matches!(
        gate.frame(&head(BINARY, u64::MAX), later),
        Err(Stop::TooMuch(_))
    ));
    assert_eq!(gate.frame(&head(BINARY, 990), later), Ok(()));
    assert_eq!(gate.payload(990, later), Ok(990));
}

#[test]
fn a_rate_below_one_lets_one_pass_now_and_then() {
    let start = Instant::now();
    let mut gate = gate(&rates(Some(0.1), None, OverRate::Throttle), start);
    assert_eq!(gate.frame(&head(TEXT, 1), start), Ok(()));
    let Err(Stop::Until(until)) = gate.frame(&head(TEXT, 1), start) else {
        panic!("passed")
    };
    assert!((9_900..10_100).contains(&(until - start).as_millis()));
    assert_eq!(gate.frame(&head(TEXT, 1), until + Duration::from_millis(1)), Ok(()));
}

#[test]
fn what_is_kept_comes_back_once() {
    let now = Instant::now();
    let mut gate = gate(&rates(Some(1.0), None, OverRate::Throttle), now);
    assert_eq!((gate.until(), gate.release()), (None, None));
    assert!(!gate.queues(b"first"));
    gate.keep(b"rest", now);
    assert_eq!(gate.until(), Some(now));
    assert!(gate.queues(b" and more"));
    assert_eq!(
        (gate.release(), gate.release()),
        (Some(b"rest and more".to_vec()), None)
    );
}
