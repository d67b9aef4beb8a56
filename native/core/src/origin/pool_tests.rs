use std::net::TcpListener;

use tokio::net::TcpStream;

use super::super::dns_server::{DnsServer, LIMIT, Says};
use super::super::testing::{origin_at, run};
use super::*;
use crate::stream::Stream;

/// Where the connections of these tests really go, whatever address they are said to have gone to.
struct Peer {
    listener: TcpListener,
    accepted: Vec<std::net::TcpStream>,
}

impl Peer {
    fn new() -> Self {
        Self {
            listener: TcpListener::bind("127.0.0.1:0").unwrap(),
            accepted: Vec::new(),
        }
    }

    async fn connection(&mut self, ip: &str) -> OriginConnection {
        let stream = TcpStream::connect(self.listener.local_addr().unwrap()).await.unwrap();
        self.accepted.push(self.listener.accept().unwrap().0);
        OriginConnection::new(Stream::Tcp(stream), Some(SocketAddr::new(ip.parse().unwrap(), 80)))
    }
}

fn named() -> Arc<Origin> {
    Arc::new(origin_at(Address::Host("a.test".to_owned(), 80)))
}

fn literal() -> Arc<Origin> {
    let ip = "192.0.2.1".parse().unwrap();
    Arc::new(origin_at(Address::Addresses([ip].into(), 80)))
}

fn with(ips: &[&str]) -> (DnsServer, Names) {
    let server = DnsServer::start();
    server.say("a.test", address(ips));
    let names = Names::new(vec![server.address]);
    (server, names)
}

fn address(ips: &[&str]) -> Says {
    Says::Addresses(ips.iter().map(|ip| ip.parse().unwrap()).collect(), 60)
}

fn gone_to(connection: Option<OriginConnection>) -> Option<String> {
    Some(connection?.address?.ip().to_string())
}

#[test]
fn the_connection_used_last_is_used_next() {
    let (_server, names) = with(&["192.0.2.1", "192.0.2.2"]);
    let (pool, origin, mut peer) = (Pool::default(), named(), Peer::new());
    run(async {
        for ip in ["192.0.2.1", "192.0.2.2"] {
            pool.put(&origin, None, peer.connection(ip).await);
        }
        for expected in [Some("192.0.2.2"), Some("192.0.2.1"), None] {
            let taken = pool.take(&origin, None, &names).await;
            assert_eq!(gone_to(taken).as_deref(), expected);
        }
    });
}

#[test]
fn a_connection_to_an_address_that_its_name_no_longer_has_is_dropped() {
    let (_server, names) = with(&["192.0.2.2"]);
    let (pool, origin, mut peer) = (Pool::default(), named(), Peer::new());
    run(async {
        for ip in ["192.0.2.2", "192.0.2.1", "192.0.2.1"] {
            pool.put(&origin, None, peer.connection(ip).await);
        }
        let taken = pool.take(&origin, None, &names).await;
        assert_eq!(gone_to(taken).as_deref(), Some("192.0.2.2"));
        assert_eq!(pool.len(), 0);
    });
}

#[test]
fn no_connection_of_a_name_that_is_gone_is_used() {
    let (server, names) = with(&[]);
    server.say("a.test", Says::NoSuchName(60));
    let (pool, origin, mut peer) = (Pool::default(), named(), Peer::new());
    run(async {
        pool.put(&origin, None, peer.connection("192.0.2.1").await);
        assert!(pool.take(&origin, None, &names).await.is_none());
        assert_eq!(pool.len(), 0);
    });
}

#[test]
fn nobody_is_asked_where_there_is_nothing_to_use_or_no_name() {
    let (server, names) = with(&["192.0.2.2"]);
    let (pool, mut peer) = (Pool::default(), Peer::new());
    run(async {
        assert!(pool.take(&named(), None, &names).await.is_none());
        for origin in [
            literal(),
            Arc::new(origin_at(Address::Host("192.0.2.1".to_owned(), 80))),
        ] {
            pool.put(&origin, None, peer.connection("192.0.2.1").await);
            assert!(pool.take(&origin, None, &names).await.is_some());
        }
        let origin = Arc::new(origin_at(Address::Unix("origin.sock".into())));
        let (stream, _other) = tokio::net::UnixStream::pair().unwrap();
        pool.put(&origin, None, OriginConnection::new(Stream::Unix(stream), None));
        assert!(pool.take(&origin, None, &names).await.is_some());
    });
    assert_eq!(server.asked("a.test"), 0);
}

#[test]
fn while_the_answer_stands_nobody_is_asked_and_nobody_waits() {
    let (server, names) = with(&["192.0.2.1"]);
    let (pool, origin, mut peer) = (Pool::default(), named(), Peer::new());
    run(async {
        pool.put(&origin, None, peer.connection("192.0.2.1").await);
        let first = pool.take(&origin, None, &names).await.unwrap();
        pool.put(&origin, None, first);
        server.say("a.test", Says::Silence);
        // Polled once, and ready.
        let mut taking = std::pin::pin!(pool.take(&origin, None, &names));
        let polled = std::future::poll_fn(|context| std::task::Poll::Ready(taking.as_mut().poll(context))).await;
        assert!(matches!(polled, std::task::Poll::Ready(Some(_))));
    });
    assert_eq!(server.asked("a.test"), 1);
}

#[test]
fn takers_share_one_look_up() {
    let (server, names) = with(&["192.0.2.1"]);
    let (pool, origin, mut peer) = (Pool::default(), named(), Peer::new());
    run(async {
        for _ in 0..2 {
            pool.put(&origin, None, peer.connection("192.0.2.1").await);
        }
        let take = || pool.take(&origin, None, &names);
        let (first, second) = tokio::join!(take(), take());
        assert!(first.is_some() && second.is_some());
    });
    assert_eq!(server.asked("a.test"), 1);
}

#[test]
fn each_bound_on_a_connection_s_life_ends_it() {
    let now = Instant::now();
    let nearly = Duration::from_millis(1);
    for (idle, age, requests, is_kept) in [
        (MAX_IDLE_TIME.saturating_sub(nearly), MAX_IDLE_TIME, 0, true),
        (MAX_IDLE_TIME, MAX_IDLE_TIME, 0, false),
        (Duration::ZERO, MAX_AGE.saturating_sub(nearly), 0, true),
        (Duration::ZERO, MAX_AGE, 0, false),
        (nearly, MAX_AGE, 0, false),
        (Duration::ZERO, nearly, MAX_REQUESTS - 2, true),
        (Duration::ZERO, nearly, MAX_REQUESTS - 1, false),
    ] {
        let (pool, origin, mut peer) = (Pool::default(), literal(), Peer::new());
        run(async {
            let mut connection = peer.connection("192.0.2.1").await;
            // The clock is turned on, not back: it may not have run for an hour.
            let taken_at = now + MAX_AGE + LIMIT;
            (connection.since, connection.requests) = (taken_at.checked_sub(age).unwrap(), requests);
            pool.put_at(&origin, None, connection, taken_at.checked_sub(idle).unwrap());
            let taken = pool.take_of(&key(&origin, None), None, taken_at);
            assert_eq!(taken.is_some(), is_kept, "{idle:?} {age:?} {requests}");
        });
    }
}

#[test]
fn a_connection_that_its_peer_has_closed_is_not_used() {
    let (pool, origin, mut peer) = (Pool::default(), literal(), Peer::new());
    run(async {
        let connection = peer.connection("192.0.2.1").await;
        let Stream::Tcp(stream) = &connection.stream else {
            unreachable!("a plain one")
        };
        peer.accepted.clear();
        stream.readable().await.unwrap();
        pool.put(&origin, None, connection);
        assert!(pool.take_of(&key(&origin, None), None, Instant::now()).is_none());
    });
}

#[test]
fn a_connection_serves_no_other_origin_and_no_other_name() {
    let (pool, origin, mut peer) = (Pool::default(), literal(), Peer::new());
    let name = ServerName::try_from("b.test").unwrap();
    run(async {
        pool.put(&origin, None, peer.connection("192.0.2.1").await);
        for other in [key(&literal(), None), key(&origin, Some(&name))] {
            assert!(pool.take_of(&other, None, Instant::now()).is_none());
        }
        assert_eq!(pool.len(), 1);
    });
}
