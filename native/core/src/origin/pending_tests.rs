use super::super::OriginOptions;
use super::*;
use crate::zones::Zones;

fn origin(connect_timeout: Duration) -> Origin {
    Origin::new(OriginOptions {
        label: "o".to_owned(),
        address: Address::Host("origin.test".to_owned(), 80),
        base_path: String::new(),
        tls: None,
        server_name: String::new(),
        connect_timeout,
        answer_timeout: Duration::from_secs(1),
    })
    .unwrap()
}

fn patient() -> Origin {
    origin(Duration::from_mins(1))
}

fn figures(pending: &Pending) -> [u64; 4] {
    let statistics = pending.statistics();
    [
        &statistics.running,
        &statistics.waiting,
        &statistics.waited,
        &statistics.refused,
    ]
    .map(|counter| counter.load(Ordering::Relaxed))
}

fn waiting(pending: &Arc<Pending>, origin: &Origin, zone: &Arc<Zone>) -> Waiting {
    match pending.ask(&origin.address, Arc::as_ptr(zone).addr()) {
        Asked::Waits(waiting) => waiting,
        Asked::Place(_) | Asked::Full => panic!("expected to wait"),
    }
}

#[tokio::test]
async fn without_a_limit_nobody_waits_and_nothing_is_counted() {
    let (pending, origin, zones) = (Arc::new(Pending::new(0, 1)), patient(), Zones::default());
    assert!(pending.enter(&origin, &zones.named("a")).await.unwrap().is_none());
    assert_eq!(figures(&pending), [0; 4]);
}

#[tokio::test]
async fn turns_go_round_over_the_zones_and_within_one_it_is_first_come_first_served() {
    let (pending, origin, zones) = (Arc::new(Pending::new(1, 99)), patient(), Zones::default());
    let (crowd, one) = (zones.named("crowd"), zones.named("one"));
    let first = pending.enter(&origin, &crowd).await.unwrap().unwrap();
    let mut queue: Vec<Option<Waiting>> = [&crowd, &crowd, &crowd, &one]
        .map(|zone| Some(waiting(&pending, &origin, zone)))
        .into();
    assert_eq!(figures(&pending), [1, 4, 4, 0]);
    let mut place = Some(first);
    for next in [0, 3, 1, 2] {
        drop(place.take());
        let turn = queue[next].take().unwrap();
        place = Some(turn.place(Duration::from_secs(5)).await.unwrap());
        assert_eq!(figures(&pending)[0], 1);
    }
    drop(place);
    assert_eq!(figures(&pending), [0, 0, 4, 0]);
    assert!(pending.lock().is_empty());
}

#[tokio::test]
async fn another_origin_is_not_waited_for() {
    let (pending, zones) = (Arc::new(Pending::new(1, 99)), Zones::default());
    let zone = zones.named("a");
    let mut other = patient();
    other.address = Address::Host("other.test".to_owned(), 80);
    let _place = pending.enter(&patient(), &zone).await.unwrap();
    assert!(pending.enter(&other, &zone).await.unwrap().is_some());
}

#[tokio::test]
async fn whoever_waits_too_long_or_behind_too_many_is_told_that_the_origin_is_busy() {
    let (pending, zones) = (Arc::new(Pending::new(1, 16)), Zones::default());
    let (busy, other) = (zones.named("busy"), zones.named("other"));
    let impatient = origin(Duration::from_millis(20));
    let place = pending.enter(&impatient, &busy).await.unwrap();
    let fault = pending.enter(&impatient, &busy).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::OriginBusy);
    let _crowd: Vec<Waiting> = (0..15).map(|_| waiting(&pending, &impatient, &busy)).collect();
    assert!(pending.enter(&impatient, &busy).await.is_err());
    // Another zone still has room.
    let _another = waiting(&pending, &impatient, &other);
    assert_eq!(figures(&pending), [1, 16, 17, 2]);
    drop(place);
}

#[test]
fn a_zone_alone_has_nearly_all_places_and_what_others_have_taken_is_shared_by_the_same_law() {
    let (pending, zones) = (Arc::new(Pending::new(256, 4_096)), Zones::default());
    let mut slow = patient();
    let mut all = Vec::new();
    let mut taken = Vec::new();
    for name in ["a", "b", "c", "d"] {
        slow.address = Address::Host(format!("{name}.test"), 80);
        let zone = zones.named(name);
        let before = all.len();
        loop {
            match pending.ask(&slow.address, Arc::as_ptr(&zone).addr()) {
                Asked::Full => break,
                asked => all.push(asked),
            }
        }
        taken.push(all.len() - before - 256);
    }
    assert_eq!(taken, [3_840, 240, 15, 1]);
    // All 4,096 clients that an edge may have are let in, or wait, where they are of one zone.
    assert_eq!(taken[0] + 256, 4_096);
    drop(all);
    assert_eq!(figures(&pending)[..2], [0, 0]);
    assert!(pending.lock().is_empty());
}

#[tokio::test]
async fn a_place_that_comes_to_somebody_who_has_gone_goes_to_the_next() {
    let (pending, origin, zones) = (Arc::new(Pending::new(1, 99)), patient(), Zones::default());
    let zone = zones.named("a");
    let place = pending.enter(&origin, &zone).await.unwrap();
    let (gone, next) = (waiting(&pending, &origin, &zone), waiting(&pending, &origin, &zone));
    let left = waiting(&pending, &origin, &zone);
    drop(left);
    drop(place);
    drop(gone);
    let place = next.place(Duration::from_secs(5)).await.unwrap();
    assert_eq!(figures(&pending)[..2], [1, 0]);
    drop(place);
    assert_eq!(figures(&pending)[..2], [0, 0]);
    assert!(pending.lock().is_empty());
}
