//! What is told to, and asked about, the tunnels of one zone.

use std::collections::HashSet;

use super::*;
use crate::live::{Filter, Query};
use crate::registry::{ClosedBy, Why};
use crate::zones::{Traffic, Zone, Zones};

fn opened(stage: &Stage, zone: &Arc<Zone>) -> (TcpStream, TcpStream) {
    stage.open(|new| new.identity.zone = Arc::clone(zone))
}

fn told(stage: &Stage, zone: &str) -> usize {
    let filter = Filter {
        zone: Some(zone.to_owned()),
        ..Filter::default()
    };
    let query = Arc::new(Query {
        filter,
        ..Query::default()
    });
    let answer = stage.tunnels.close_meant(&query, 3000, &"enough".into());
    answer.recv_timeout(PATIENCE).unwrap()
}

fn traffic(stage: &Stage, zone: &Arc<Zone>) -> Option<Traffic> {
    let figures = stage.tunnels.figures().recv_timeout(PATIENCE).unwrap();
    figures
        .into_iter()
        .find_map(|(of, traffic)| Arc::ptr_eq(&of, zone).then_some(traffic))
}

#[test]
fn a_zone_s_tunnels_get_its_close_and_no_others() {
    let (stage, zones) = (Stage::new(), Zones::default());
    let (mut client, mut origin) = opened(&stage, &zones.named("one"));
    let (mut other_client, mut other_origin) = opened(&stage, &zones.named("other"));
    assert_eq!(told(&stage, "one"), 1);
    assert_eq!(read(&mut client, 10), b"\x88\x08\x0b\xb8enough");
    assert_eq!(close_code(&read(&mut origin, 14)), Some(3000));
    other_client.write_all(HELLO).unwrap();
    assert_eq!(read(&mut other_origin, HELLO.len()), HELLO);
    client.write_all(&close(3000, Some([1, 2, 3, 4]))).unwrap();
    origin.write_all(&close(3000, None)).unwrap();
    let record = stage.record();
    assert_eq!(
        (&record["zone"], &record["closed_by"], &record["why"]),
        (&"one".into(), &"edge".into(), &"closed_by_operator".into())
    );
    assert_eq!(record["edge_close_code"], 3000);
}

#[test]
fn who_is_ending_already_is_not_told_again() {
    let (stage, zones) = (Stage::new(), Zones::default());
    let zone = zones.named("one");
    let (mut client, mut origin) = opened(&stage, &zone);
    client.write_all(&close(1000, Some([1, 2, 3, 4]))).unwrap();
    read(&mut origin, 8);
    assert_eq!(told(&stage, "one"), 0);
    let (_client, _origin) = opened(&stage, &zone);
    assert_eq!((told(&stage, "one"), told(&stage, "one")), (1, 0));
}

#[test]
fn a_large_zone_is_told_to_the_last() {
    let (stage, zones) = (Stage::new(), Zones::default());
    let zone = zones.named("one");
    let mut ends: Vec<_> = (0..200).map(|_| opened(&stage, &zone)).collect();
    assert_eq!(told(&stage, "one") + told(&stage, "one"), 200);
    for (client, origin) in &mut ends {
        assert_eq!(close_code(&read(client, 10)), Some(3000));
        assert_eq!(close_code(&read(origin, 14)), Some(3000));
    }
}

#[test]
fn a_zone_s_close_does_not_wait_for_a_peer_for_ever() {
    let limits = Limits {
        linger: Duration::from_millis(50),
        ..Limits::default()
    };
    let (stage, zones) = (Stage::with(limits), Zones::default());
    let (_client, _origin) = opened(&stage, &zones.named("one"));
    assert_eq!(told(&stage, "one"), 1);
    assert_eq!(stage.record()["why"], "closed_by_operator");
    assert_eq!(zones.named("one").open(), 0);
}

#[test]
fn figures_are_the_same_before_and_after_an_end_but_for_the_close() {
    let (stage, zones) = (Stage::new(), Zones::default());
    let zone = zones.named("one");
    assert_eq!(traffic(&stage, &zone), None);
    let (mut client, mut origin) = opened(&stage, &zone);
    let (_second, _) = opened(&stage, &zone);
    client.write_all(HELLO).unwrap();
    read(&mut origin, HELLO.len());
    let live = traffic(&stage, &zone).unwrap();
    assert_eq!((live.messages_to_origin, live.bytes_to_origin), (1, 11));
    assert_eq!(zone.open(), 2);
    drop((client, origin));
    stage.record();
    let mut ended = live;
    ended.add_close(ClosedBy::Client, Why::EndOfStream);
    assert_eq!(traffic(&stage, &zone), Some(ended));
    assert_eq!(zone.open(), 1);
}

#[test]
fn what_a_zone_has_carried_is_forgotten_when_it_is_gone() {
    let (stage, zones) = (Stage::new(), Zones::default());
    let (gone, open) = (zones.named("gone"), zones.named("open"));
    drop(opened(&stage, &gone));
    stage.record();
    let (_client, _origin) = opened(&stage, &open);
    assert!(traffic(&stage, &gone).is_some());
    stage.tunnels.forget_zones(Arc::new(HashSet::new()));
    assert_eq!(traffic(&stage, &gone), None);
    assert!(traffic(&stage, &open).is_some());
}
