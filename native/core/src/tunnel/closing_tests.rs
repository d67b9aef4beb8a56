use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use proptest::prelude::*;

use super::super::tests::{Stage, joined, new_tunnel};
use super::*;
use crate::tunnel::leg::News;
use crate::tunnel::{Limits, Scratch, Side};

const SERVICE_RESTART: u16 = 1012;

fn pacing(total: usize, window: Duration) -> Pacing {
    Pacing {
        gathering: None,
        total,
        ..Pacing::new(Instant::now(), window, Order::Oldest)
    }
}

proptest! {
    #[test]
    fn each_tunnel_is_due_in_its_own_part_of_the_window(
        total in 1_u32..100_000, place in 0_u32..100_000, part in 0.0..1.0_f64, window_ms in 0_u64..4_000_000,
    ) {
        prop_assume!(place < total);
        let pacing = pacing(total as usize, Duration::from_millis(window_ms));
        let after = pacing.moment(place as usize, part).duration_since(pacing.begun).as_secs_f64();
        let share = pacing.window.as_secs_f64() / f64::from(total);
        prop_assert!(after >= share * f64::from(place) - 1e-6);
        prop_assert!(after <= share * f64::from(place + 1) + 1e-6);
    }

    #[test]
    fn chance_is_from_zero_to_below_one(_ in 0..64) {
        prop_assert!((0.0..1.0).contains(&chance()));
    }
}

#[test]
fn nothing_is_due_before_all_have_been_looked_at() {
    let mut pacing = Pacing::new(Instant::now(), Duration::ZERO, Order::Idlest);
    assert!(pacing.take_due(Instant::now()).is_none());
    assert_eq!(pacing.next(), Some(pacing.begun));
    pacing.gather(&Slab::new());
    assert!(pacing.take_due(Instant::now()).is_none());
    assert_eq!(pacing.next(), None);
}

/// Reads a Close frame of a server; its code and reason.
fn read_close(from: &mut TcpStream) -> (u16, String) {
    let mut head = [0; 4];
    from.read_exact(&mut head).unwrap();
    assert_eq!(head[0], 0x88, "expected a Close frame");
    let mut reason = vec![0; usize::from(head[1]) - 2];
    from.read_exact(&mut reason).unwrap();
    (
        u16::from_be_bytes([head[2], head[3]]),
        String::from_utf8(reason).unwrap(),
    )
}

fn close_evenly(stage: &Stage, window: Duration, order: Order) {
    let within = (Instant::now(), window);
    let reason = Arc::from("release: come again");
    stage
        .tunnels
        .close_evenly(Why::Release, SERVICE_RESTART, &reason, within, order);
}

#[test]
fn tunnels_are_told_one_after_the_other_the_oldest_first_over_the_whole_window() {
    let stage = Stage::new();
    let mut clients: Vec<_> = (0..20).map(|_| stage.open(|_| {})).collect();
    let (begun, window) = (Instant::now(), Duration::from_millis(400));
    close_evenly(&stage, window, Order::Oldest);
    for (place, (client, _)) in (0_u32..).zip(&mut clients) {
        assert_eq!(read_close(client), (SERVICE_RESTART, "release: come again".to_owned()));
        let share = window.as_secs_f64() / 20.0;
        assert!(
            begun.elapsed().as_secs_f64() >= share * f64::from(place),
            "the tunnel {place} was told too early"
        );
    }
    drop(clients);
    let records: Vec<_> = (0..20).map(|_| stage.record()).collect();
    for record in records {
        assert_eq!(
            (&record["closed_by"], &record["why"], &record["edge_close_code"]),
            (&"edge".into(), &"release".into(), &SERVICE_RESTART.into())
        );
    }
}

/// The order in which three tunnels are told, the oldest of which has been active last.
fn told_in(order: Order) -> Vec<usize> {
    let (start, mut scratch) = (Instant::now(), Scratch::new(Limits::default()));
    let mut tunnels = Slab::new();
    let mut far_ends = Vec::new();
    for (opened_s, active_s) in [(20, 21), (10, 40), (30, 31)] {
        let (mut new, mut ends) = new_tunnel();
        let opened_at = start + Duration::from_secs(opened_s);
        new.identity.opened_at = opened_at;
        let mut tunnel = Tunnel::open(joined(new), opened_at, &mut scratch);
        ends.0.write_all(b"\x81\x80abcd").unwrap();
        tunnel.readable(Side::Client, News::Bytes);
        tunnel.relay(Side::Client, start + Duration::from_secs(active_s), &mut scratch);
        far_ends.push(ends);
        tunnels.insert((0, tunnel));
    }
    let mut pacing = Pacing::new(start, Duration::ZERO, order);
    pacing.gather(&tunnels);
    let told = std::iter::from_fn(|| pacing.take_due(start));
    told.map(|(key, _)| key).collect()
}

#[test]
fn the_oldest_or_the_idlest_are_told_first() {
    assert_eq!(told_in(Order::Oldest), [1, 0, 2]);
    assert_eq!(told_in(Order::Idlest), [0, 2, 1]);
}

#[test]
fn a_tunnel_that_opens_meanwhile_is_told_at_once() {
    let stage = Stage::new();
    close_evenly(&stage, Duration::from_hours(1), Order::Oldest);
    let (mut client, _origin) = stage.open(|_| {});
    assert_eq!(read_close(&mut client).0, SERVICE_RESTART);
}

#[test]
fn nobody_is_cut_before_the_time_of_a_closing_handshake_is_over() {
    let linger = Duration::from_millis(200);
    let stage = Stage::with(Limits {
        linger,
        ..Limits::default()
    });
    let (mut client, _origin) = stage.open(|_| {});
    close_evenly(&stage, Duration::ZERO, Order::Oldest);
    read_close(&mut client);
    let told = Instant::now();
    assert_eq!(client.read(&mut [0; 1]).unwrap(), 0);
    assert!(told.elapsed() >= linger.mul_f32(0.9));
}
