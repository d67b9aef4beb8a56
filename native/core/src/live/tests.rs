use super::*;

#[test]
fn unknown_values_are_last_in_either_direction() {
    for descending in [false, true] {
        let query = Query {
            descending,
            ..Query::default()
        };
        let mut values = [None, Some(3), Some(u64::MAX), Some(0), Some(7)];
        values.sort_by_key(|value| query.rank(*value));
        let mut known = vec![Some(0), Some(3), Some(7), Some(u64::MAX)];
        if descending {
            known.reverse();
        }
        known.push(None);
        assert_eq!(values.to_vec(), known);
    }
}

#[test]
fn a_ray_is_compared_by_its_digits() {
    assert_eq!(ray_number("00000000000000ff-LOC"), 255);
    assert_eq!(ray_number("short"), 0);
}

#[test]
fn networks_hold_their_addresses_and_no_others() {
    for (network, inside, outside) in [
        ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
        ("192.0.2.0/24", "::ffff:192.0.2.255", "192.0.3.0"),
        ("0.0.0.0/0", "203.0.113.9", "2001:db8::1"),
        ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
        ("2001:db8::1", "2001:db8::1", "2001:db8::2"),
    ] {
        let network = Network::parse(network).unwrap();
        assert!(network.contains(inside.parse().unwrap()), "{network:?} {inside}");
        assert!(!network.contains(outside.parse().unwrap()), "{network:?} {outside}");
    }
}

#[test]
fn what_is_no_network_is_named() {
    for text in [
        "",
        "example.com",
        "192.0.2.0/33",
        "192.0.2.0/",
        "2001:db8::/129",
        "192.0.2.0/-1",
    ] {
        let error = Network::parse(text).unwrap_err();
        assert!(error.contains(&format!("{text:?}")), "{error}");
    }
}
