use super::*;

use super::super::Keepalive;

const INTERVAL: Duration = Duration::from_secs(30);

/// Both legs, a vigil over them, and a clock that the test turns.
struct World {
    vigil: Vigil,
    legs: [LegView; 2],
    start: Instant,
    now: Instant,
}

fn world(options: TunnelOptions) -> World {
    let start = Instant::now();
    let leg = LegView {
        heard: start,
        is_read: true,
        stuck_since: None,
        is_in_frame: false,
        takes_frames: true,
    };
    World {
        vigil: Vigil::new(Arc::new(options), start),
        legs: [leg, leg],
        start,
        now: start,
    }
}

fn keepalive() -> TunnelOptions {
    TunnelOptions {
        keepalive: Some(Keepalive {
            interval: INTERVAL,
            misses: 3,
        }),
        ..TunnelOptions::default()
    }
}

/// When it ended, why, and because of whom.
type End = (u64, Why, Option<Side>);

impl World {
    /// Looks whenever the vigil asks to, until it ends or `until` is over; what was pinged when, and the end.
    fn run(&mut self, until: Duration) -> (Vec<(u64, Side)>, Option<End>) {
        let mut pings = Vec::new();
        loop {
            let Some(due) = self.vigil.due(&self.legs, self.now) else {
                return (pings, None);
            };
            assert!(due.at > self.now, "a look that leads to another at once");
            if due.at > self.start + until {
                return (pings, None);
            }
            self.now = due.at;
            let passed = (self.now - self.start).as_secs();
            let finding = self.vigil.look(&self.legs, self.now);
            for side in [Side::Client, Side::Origin] {
                if finding.pings[side as usize] {
                    self.vigil.write_ping(side, self.now, &mut Vec::new());
                    pings.push((passed, side));
                }
            }
            if let Some((why, side)) = finding.end {
                return (pings, Some((passed, why, side)));
            }
        }
    }
}

#[test]
fn what_nobody_asked_for_is_never_looked_at() {
    let world = world(TunnelOptions::default());
    assert_eq!(world.vigil.due(&world.legs, world.now), None);
}

#[test]
fn a_silent_leg_is_asked_three_times_and_is_dead_then() {
    let mut world = world(keepalive());
    world.legs[1].heard = world.start + Duration::from_secs(10_000);
    let (pings, end) = world.run(Duration::from_secs(1000));
    assert_eq!(
        pings,
        [(30, Side::Client), (60, Side::Client), (90, Side::Client)],
        "the origin was heard of"
    );
    assert_eq!(end, Some((120, Why::ClientUnresponsive, Some(Side::Client))));
}

#[test]
fn an_answer_late_or_not_gives_the_round_trip_and_another_life() {
    let mut world = world(keepalive());
    world.legs[0].heard = world.start + Duration::from_secs(10_000);
    let mut ping = Vec::new();
    world.now = world.start + INTERVAL;
    assert_eq!(world.vigil.look(&world.legs, world.now).pings, [false, true]);
    assert_eq!(world.vigil.awaited(Side::Origin), None);
    world.vigil.write_ping(Side::Origin, world.now, &mut ping);
    let nonce = world.vigil.awaited(Side::Origin).unwrap();
    assert_eq!(
        (ping[0], ping[1], ping.len()),
        (0x89, 0x80 | 16, 22),
        "masked towards an origin"
    );
    // A second is sent before the first is answered; the answers come together.
    let (first, asked) = (30_000_000, world.now);
    world.now += INTERVAL;
    world.vigil.write_ping(Side::Origin, world.now, &mut ping);
    assert_eq!(world.vigil.awaited(Side::Origin), Some(nonce), "one for all pings");
    world.vigil.answered(Side::Origin, first, world.now);
    assert_eq!(world.vigil.rtt(Side::Origin), Some(world.now - asked));
    assert_eq!(
        world.vigil.awaited(Side::Origin),
        Some(nonce),
        "the last is still to come"
    );
    world
        .vigil
        .answered(Side::Origin, 2 * first, world.now + Duration::from_micros(250));
    assert_eq!(world.vigil.rtt(Side::Origin), Some(Duration::from_micros(250)));
    assert_eq!(world.vigil.awaited(Side::Origin), None);
    let (pings, end) = world.run(Duration::from_secs(1000));
    assert_eq!(pings.len(), 3, "three more have to be missed");
    assert_eq!(end, Some((180, Why::OriginUnresponsive, Some(Side::Origin))));
}

#[test]
fn a_number_that_we_never_sent_gives_no_round_trip() {
    let mut world = world(keepalive());
    world.vigil.write_ping(Side::Client, world.start, &mut Vec::new());
    world.vigil.answered(Side::Client, 5, world.start);
    assert_eq!(world.vigil.rtt(Side::Client), None);
    assert!(world.vigil.awaited(Side::Client).is_some());
}

#[test]
fn whoever_speaks_is_not_asked() {
    let mut world = world(keepalive());
    for second in (0..300).step_by(20) {
        world
            .legs
            .iter_mut()
            .for_each(|leg| leg.heard = world.start + Duration::from_secs(second));
        let (pings, end) = world.run(Duration::from_secs(second + 20));
        assert_eq!((pings, end), (vec![], None));
    }
}

#[test]
fn a_leg_that_we_do_not_read_is_not_silent() {
    let mut world = world(keepalive());
    world.legs[0].stuck_since = Some(world.start);
    world.legs[1].is_read = false;
    let (pings, end) = world.run(Duration::from_secs(1000));
    assert_eq!(
        pings,
        [(30, Side::Origin), (60, Side::Origin), (90, Side::Origin)],
        "one cannot be asked, and the other's answers do not count"
    );
    assert_eq!(end, Some((120, Why::ClientUnresponsive, Some(Side::Client))));
}

#[test]
fn a_leg_that_takes_a_little_now_and_then_is_alive() {
    let mut world = world(keepalive());
    world.legs[1].is_read = false;
    for second in (0..600).step_by(60) {
        world.legs[0].stuck_since = Some(world.start + Duration::from_secs(second));
        let (pings, end) = world.run(Duration::from_secs(second + 60));
        assert!(pings.iter().all(|(_, side)| *side == Side::Origin), "{pings:?}");
        assert_eq!(end, None);
    }
}

#[test]
fn an_answer_that_lay_unread_gives_no_round_trip() {
    let mut world = world(keepalive());
    world.legs[0].is_read = false;
    world.legs[1].heard = world.start + Duration::from_secs(10_000);
    let (pings, end) = world.run(Duration::from_secs(1000));
    assert_eq!((pings.len(), end), (33, None), "asked, and never held to be dead");
    let last = world.vigil.microseconds(world.now);
    world.legs[0].is_read = true;
    world.now += INTERVAL;
    world.vigil.resumed(Side::Client, world.now);
    world.vigil.answered(Side::Client, last, world.now);
    assert_eq!(world.vigil.rtt(Side::Client), None);
    assert_eq!(world.vigil.awaited(Side::Client), None, "answered all the same");
}

#[test]
fn a_ping_waits_for_the_end_of_a_frame_and_is_no_miss_meanwhile() {
    let mut world = world(keepalive());
    world.legs[0].takes_frames = false;
    world.legs[1].heard = world.start + Duration::from_secs(10_000);
    let (pings, end) = world.run(Duration::from_secs(500));
    assert_eq!((pings, end), (vec![], None));
    assert!(world.vigil.owes_ping(Side::Client) && !world.vigil.owes_ping(Side::Origin));
    world.vigil.write_ping(Side::Client, world.now, &mut Vec::new());
    assert!(!world.vigil.owes_ping(Side::Client));
}

#[test]
fn each_limit_ends_with_its_own_reason_at_its_own_time() {
    let limited = |change: fn(&mut TunnelOptions), look: fn(&mut World)| {
        let mut options = TunnelOptions::default();
        change(&mut options);
        let mut world = world(options);
        look(&mut world);
        let (pings, end) = world.run(Duration::from_secs(100_000));
        assert_eq!(pings, []);
        end
    };
    let idle = |options: &mut TunnelOptions| options.idle_timeout = Some(Duration::from_mins(5));
    let reading = |options: &mut TunnelOptions| options.read_stall_timeout = Some(Duration::from_secs(10));
    let writing = |options: &mut TunnelOptions| options.write_stall_timeout = Some(Duration::from_secs(10));
    assert_eq!(limited(idle, |_| {}), Some((300, Why::IdleTimeout, None)));
    assert_eq!(
        limited(idle, |world| world.legs[1].heard += Duration::from_secs(100)),
        Some((400, Why::IdleTimeout, None))
    );
    assert_eq!(
        limited(idle, |world| world.legs[1].is_read = false),
        None,
        "something waits to pass"
    );
    assert_eq!(
        limited(idle, |world| {
            world.legs[1].is_read = false;
            world.legs[0].stuck_since = Some(world.start + Duration::from_secs(50));
        }),
        Some((350, Why::IdleTimeout, None)),
        "what waits does not pass"
    );
    assert_eq!(
        limited(reading, |world| world.legs[1].is_in_frame = true),
        Some((10, Why::ReadStalled, Some(Side::Origin)))
    );
    assert_eq!(
        limited(reading, |world| {
            world.legs[0].is_in_frame = true;
            world.legs[0].heard += Duration::from_secs(25);
        }),
        Some((35, Why::ReadStalled, Some(Side::Client)))
    );
    assert_eq!(
        limited(reading, |world| {
            world.legs[0].is_in_frame = true;
            world.legs[0].is_read = false;
        }),
        None
    );
    assert_eq!(limited(reading, |_| {}), None);
    assert_eq!(
        limited(writing, |world| world.legs[0].stuck_since = Some(world.start)),
        Some((10, Why::WriteStalled, Some(Side::Client)))
    );
    assert_eq!(limited(writing, |_| {}), None);
    let age = |options: &mut TunnelOptions| {
        options.max_age = Some(Duration::from_secs(1000));
        options.max_age_jitter = 0.0;
    };
    assert_eq!(limited(age, |_| {}), Some((1000, Why::MaxAge, None)));
}

#[test]
fn a_leg_that_is_read_again_has_all_its_time_again() {
    let mut world = world(TunnelOptions {
        read_stall_timeout: Some(Duration::from_secs(10)),
        ..keepalive()
    });
    world.legs[0].is_in_frame = true;
    world.vigil.resumed(Side::Client, world.start + Duration::from_secs(8));
    let (pings, end) = world.run(Duration::from_secs(100));
    assert_eq!((pings, end), (vec![], Some((18, Why::ReadStalled, Some(Side::Client)))));
}

#[test]
fn ages_differ_by_chance_and_within_the_jitter() {
    let ages: Vec<Duration> = (0..1000).map(|_| earlier(Duration::from_secs(1000), 0.1)).collect();
    assert!(ages.iter().all(|age| (900..=1000).contains(&age.as_secs())));
    let first_half = ages.iter().filter(|age| age.as_secs() < 950).count();
    assert!((350..650).contains(&first_half), "{first_half}");
}
