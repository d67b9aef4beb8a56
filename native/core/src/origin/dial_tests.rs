use std::net::TcpListener;

use super::super::dns_server::{DnsServer, Says};
use super::super::testing::{origin_at, run};
use super::*;

fn turns(in_turn: fn(&[IpAddr], u16, u32) -> Vec<SocketAddr>, ips: &[&str], turn: u32) -> Vec<String> {
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
        assert_eq!(turns(in_turn, &ips, turn), expected);
    }
    assert_eq!(turns(in_turn, &ips, u32::MAX).len(), 3);
    assert_eq!(turns(in_turn, &["192.0.2.1"], 7), ["192.0.2.1"]);
}

#[test]
fn the_addresses_of_a_name_have_their_turns_each_kind_among_its_own() {
    let ips = ["192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2", "2001:db8::3"];
    for (turn, expected) in [
        (0, ips),
        (
            1,
            ["192.0.2.2", "192.0.2.1", "2001:db8::2", "2001:db8::3", "2001:db8::1"],
        ),
        (
            2,
            ["192.0.2.1", "192.0.2.2", "2001:db8::3", "2001:db8::1", "2001:db8::2"],
        ),
    ] {
        assert_eq!(turns(in_turn_of_kind, &ips, turn), expected);
    }
    let mixed = ["2001:db8::1", "192.0.2.1", "2001:db8::2"];
    assert_eq!(
        turns(in_turn_of_kind, &mixed, 1),
        ["2001:db8::2", "2001:db8::1", "192.0.2.1"]
    );
    assert_eq!(turns(in_turn_of_kind, &["2001:db8::1"], 7), ["2001:db8::1"]);
    assert!(turns(in_turn_of_kind, &[], 7).is_empty());
}

#[test]
fn dials_of_a_name_go_to_its_addresses_in_turn() {
    // Somebody else may have the port at the second address.
    let (_first, _second, port) = (0..100)
        .find_map(|_| {
            let first = TcpListener::bind("127.0.0.1:0").unwrap();
            let port = first.local_addr().unwrap().port();
            Some((first, TcpListener::bind(("127.0.0.2", port)).ok()?, port))
        })
        .unwrap();
    let server = DnsServer::start();
    let both = ["127.0.0.1", "127.0.0.2"].map(|ip| ip.parse().unwrap());
    server.say("a.test", Says::Addresses(both.to_vec(), 60));
    let origin = origin_at(Address::Host("a.test".to_owned(), port));
    let names = Names::new(vec![server.address]);
    let dialled = run(async {
        let mut dialled = Vec::new();
        for _ in 0..4 {
            let connection = dial(&origin, None, &names).await.unwrap();
            dialled.push(connection.address.unwrap().ip().to_string());
        }
        dialled
    });
    let mut servers = dialled[..2].to_vec();
    servers.sort();
    assert_eq!(servers, ["127.0.0.1", "127.0.0.2"]);
    assert_eq!(dialled[..2], dialled[2..]);
}

#[test]
fn a_full_queue_of_a_unix_socket_is_waited_for_and_not_for_ever() {
    let path = std::env::temp_dir().join(format!("holdfast-dial-{}", std::process::id()));
    let listener = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None).unwrap();
    listener.bind(&socket2::SockAddr::unix(&path).unwrap()).unwrap();
    listener.listen(0).unwrap();
    let mut origin = origin_at(Address::Unix(path.clone()));
    let names = Names::new(Vec::new());
    run(async {
        let first = dial(&origin, None, &names).await.unwrap();
        let second = async {
            let (accepted, dialled) = tokio::join!(
                async {
                    // Later than the first refusal.
                    sleep(FULL_QUEUE_PAUSE).await;
                    listener.accept()
                },
                dial(&origin, None, &names)
            );
            accepted.unwrap();
            dialled.unwrap()
        };
        let _both = (second.await, first);
        origin.connect_timeout = time::Duration::from_millis(50);
        let fault = dial(&origin, None, &names).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::ConnectTimedOut);
    });
    std::fs::remove_file(path).unwrap();
}

#[test]
fn a_worker_s_socket_that_nobody_listens_on_is_waited_for_and_another_origin_s_is_not() {
    let path = std::env::temp_dir().join(format!("holdfast-worker-{}", std::process::id()));
    let others = origin_at(Address::Unix(path.clone()));
    let mut worker = origin_at(Address::Unix(path.clone()));
    worker.label = "worker:room".into();
    let names = Names::new(Vec::new());
    run(async {
        assert_eq!(dial(&others, None, &names).await.unwrap_err().kind, FaultKind::Refused);
        let (listener, dialled) = tokio::join!(
            async {
                // Later than the first refusal.
                sleep(NOBODY_PAUSE).await;
                tokio::net::UnixListener::bind(&path).unwrap()
            },
            dial(&worker, None, &names)
        );
        dialled.unwrap();
        drop(listener);
        worker.connect_timeout = time::Duration::from_millis(50);
        assert_eq!(dial(&worker, None, &names).await.unwrap_err().kind, FaultKind::Refused);
    });
    std::fs::remove_file(path).unwrap();
}
