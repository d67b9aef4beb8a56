use super::super::dns_server::{DnsServer, Says};
use super::*;

fn look_up(resolver: &Resolver, host: &str) -> Result<Found, NotFound> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(resolver.look_up(host))
}

fn ips(list: &[&str]) -> Vec<IpAddr> {
    list.iter().map(|ip| ip.parse().unwrap()).collect()
}

fn with(zone: &[(&'static str, Says)]) -> (DnsServer, Resolver) {
    let server = DnsServer::start();
    for (host, says) in zone {
        server.say(host, says.clone());
    }
    let resolver = Resolver::new(vec![server.address]);
    (server, resolver)
}

#[test]
fn both_kinds_of_addresses_are_found() {
    let both = ips(&["192.0.2.1", "192.0.2.2", "2001:db8::1"]);
    let (_server, resolver) = with(&[("a.test", Says::Addresses(both.clone(), 30))]);
    let found = look_up(&resolver, "a.test").unwrap();
    assert_eq!((found.ips, found.ttl), (both, Duration::from_secs(30)));
}

#[test]
fn one_kind_is_enough() {
    for ip in ["192.0.2.1", "2001:db8::1"] {
        let (_server, resolver) = with(&[("a.test", Says::Addresses(ips(&[ip]), 30))]);
        assert_eq!(look_up(&resolver, "a.test").unwrap().ips, ips(&[ip]));
    }
}

#[test]
fn an_alias_is_followed_and_the_shortest_lifetime_of_the_way_counts() {
    for (first, second, last, shortest) in [(7, 20, 30, 7), (20, 7, 30, 7), (20, 30, 7, 7)] {
        let (_server, resolver) = with(&[
            ("a.test", Says::Alias("b.test", first)),
            ("b.test", Says::Alias("c.test", second)),
            ("c.test", Says::Addresses(ips(&["192.0.2.1"]), last)),
        ]);
        let found = look_up(&resolver, "a.test").unwrap();
        assert_eq!((found.ips, found.ttl.as_secs()), (ips(&["192.0.2.1"]), shortest));
    }
}

#[test]
fn aliases_in_a_circle_end() {
    let (_server, resolver) = with(&[
        ("a.test", Says::Alias("b.test", 9)),
        ("b.test", Says::Alias("a.test", 9)),
    ]);
    assert!(look_up(&resolver, "a.test").is_err());
}

#[test]
fn that_a_name_does_not_exist_is_not_that_nobody_can_say() {
    let (_server, resolver) = with(&[
        ("gone.test", Says::NoSuchName(3)),
        ("empty.test", Says::Addresses(Vec::new(), 60)),
        ("broken.test", Says::Failure),
    ]);
    let gone = NotFound::Absent("does not exist".to_owned(), Some(Duration::from_secs(3)));
    assert_eq!(look_up(&resolver, "gone.test").unwrap_err(), gone);
    assert!(matches!(look_up(&resolver, "empty.test"), Err(NotFound::Absent(..))));
    assert!(matches!(look_up(&resolver, "broken.test"), Err(NotFound::Unknown(_))));
    assert!(matches!(
        look_up(&resolver, "not a name..test"),
        Err(NotFound::Absent(..))
    ));
}

#[test]
fn what_is_answered_is_asked_again_and_not_remembered_here() {
    let (server, resolver) = with(&[("a.test", Says::Addresses(ips(&["192.0.2.1"]), 60))]);
    look_up(&resolver, "a.test").unwrap();
    server.say("a.test", Says::Addresses(ips(&["192.0.2.9"]), 60));
    assert_eq!(look_up(&resolver, "a.test").unwrap().ips, ips(&["192.0.2.9"]));
    assert_eq!(server.asked("a.test"), 2);
}

#[test]
fn the_hosts_file_goes_before_name_servers() {
    let (server, resolver) = with(&[("localhost", Says::Addresses(ips(&["192.0.2.1"]), 60))]);
    assert!(
        look_up(&resolver, "localhost")
            .unwrap()
            .ips
            .iter()
            .all(IpAddr::is_loopback)
    );
    assert_eq!(server.asked("localhost"), 0);
}

#[test]
fn a_name_server_is_an_address_with_a_port_or_without() {
    for (text, expected) in [
        ("192.0.2.1", Some("192.0.2.1:53")),
        ("192.0.2.1:5353", Some("192.0.2.1:5353")),
        ("::1", Some("[::1]:53")),
        ("[::1]:5353", Some("[::1]:5353")),
        ("dns.test", None),
        ("192.0.2.1:x", None),
        ("", None),
    ] {
        assert_eq!(
            parse_name_server(text),
            expected.map(|address| address.parse().unwrap())
        );
    }
}
