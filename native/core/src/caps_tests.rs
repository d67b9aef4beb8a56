use std::num::NonZeroU64;
use std::thread;

use super::*;
use crate::zones::Zones;

fn limits(zone: u64, address: u64) -> TunnelOptions {
    TunnelOptions {
        max_zone_connections: NonZeroU64::new(zone),
        max_address_connections: NonZeroU64::new(address),
        ..TunnelOptions::default()
    }
}

fn take(zone: &Arc<Zone>, client: &str, options: &TunnelOptions) -> Result<Claim, FaultKind> {
    Claim::take(zone, client.parse().unwrap(), Some(options)).map_err(|fault| fault.kind)
}

#[test]
fn a_limit_is_met_exactly_and_a_place_that_is_given_back_can_be_taken() {
    let zone = Zones::default().named("a");
    let options = limits(3, 2);
    let first = take(&zone, "192.0.2.1", &options).unwrap();
    let _second = take(&zone, "::ffff:192.0.2.1", &options).unwrap();
    assert_eq!(
        take(&zone, "192.0.2.1", &options).unwrap_err(),
        FaultKind::AddressConnections
    );
    let _third = take(&zone, "192.0.2.2", &options).unwrap();
    assert_eq!(
        take(&zone, "192.0.2.3", &options).unwrap_err(),
        FaultKind::ZoneConnections
    );
    drop(first);
    let _fourth = take(&zone, "192.0.2.1", &options).unwrap();
}

#[test]
fn a_process_without_an_address_is_counted_for_its_zone_alone() {
    let zone = Zones::default().named("a");
    let options = limits(3, 1);
    let _claims = ["0.0.0.0", "0.0.0.0", "192.0.2.1"].map(|client| take(&zone, client, &options).unwrap());
    assert_eq!(
        take(&zone, "0.0.0.0", &options).unwrap_err(),
        FaultKind::ZoneConnections
    );
}

#[test]
fn an_ipv6_client_is_its_64() {
    let zone = Zones::default().named("a");
    let options = limits(0, 1);
    let _first = take(&zone, "2001:db8::1", &options).unwrap();
    assert!(take(&zone, "2001:db8::ffff:2", &options).is_err());
    assert!(take(&zone, "2001:db8:0:1::1", &options).is_ok());
}

#[test]
fn a_limit_that_is_set_later_counts_those_that_are_there_and_none_is_left_behind() {
    let zone = Zones::default().named("a");
    let before = Claim::take(&zone, "192.0.2.1".parse().unwrap(), None).unwrap();
    assert!(take(&zone, "192.0.2.1", &limits(0, 1)).is_err());
    drop(before);
    assert!(zone.claims.is_empty());
    assert!(zone.claims.lock().of_client.is_empty());
}

#[test]
fn no_storm_gets_past_a_limit() {
    let zone = Zones::default().named("a");
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let zone = Arc::clone(&zone);
            thread::spawn(move || {
                let options = limits(100, 0);
                let taken: Vec<_> = (0..50)
                    .filter_map(|_| take(&zone, "192.0.2.1", &options).ok())
                    .collect();
                taken
            })
        })
        .collect();
    // All of them are held until all have been taken.
    let taken: Vec<Vec<Claim>> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert_eq!(taken.iter().flatten().count(), 100);
}
