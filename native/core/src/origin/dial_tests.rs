use super::*;

fn turns(ips: &[&str], turn: u32) -> Vec<String> {
    let ips: Vec<IpAddr> = ips.iter().map(|ip| ip.parse().unwrap()).collect();
    let addresses = in_turn(&ips, 80, turn);
    addresses.iter().map(|address| address.ip().to_string()).collect()
}

#[test]
fn each_address_has_its_turn_and_the_others_stand_behind_it() {
    let ips = ["192.0.2.1", "192.0.2.2", "2001:db8::3"];
    for (turn, expected) in [
        (0, ["192.0.2.1", "192.0.2.2", "2001:db8::3"]),
        (1, ["192.0.2.2", "2001:db8::3", "192.0.2.1"]),
        (2, ["2001:db8::3", "192.0.2.1", "192.0.2.2"]),
        (3, ["192.0.2.1", "192.0.2.2", "2001:db8::3"]),
    ] {
        assert_eq!(turns(&ips, turn), expected);
    }
    assert_eq!(turns(&ips, u32::MAX).len(), 3);
    assert_eq!(turns(&["192.0.2.1"], 7), ["192.0.2.1"]);
}
