use super::super::dns_server::{DnsServer, LIMIT, Says};
use super::super::testing::run;
use super::*;

fn system() -> Names {
    Names::new(Vec::new())
}

fn with(host: &str, says: Says) -> (DnsServer, Names) {
    let server = DnsServer::start();
    server.say(host, says);
    let names = Names::new(vec![server.address]);
    (server, names)
}

fn address(ip: &str, ttl: u32) -> Says {
    Says::Addresses(vec![ip.parse().unwrap()], ttl)
}

fn list(ips: &[&str]) -> Addresses {
    ips.iter().map(|ip| ip.parse().unwrap()).collect()
}

/// Where `a.test` is after so many seconds of a clock that the test turns.
async fn after(names: &Names, start: Instant, seconds: f64) -> Result<String, Fault> {
    at(names, start + Duration::from_secs_f64(seconds), MAX_STALE).await
}

/// The same for a connection that is there already.
async fn kept_after(names: &Names, start: Instant, seconds: f64) -> Result<String, Fault> {
    at(names, start + Duration::from_secs_f64(seconds), MAX_AGE).await
}

async fn at(names: &Names, now: Instant, limit: Duration) -> Result<String, Fault> {
    let found = names.resolve_at("a.test", now, limit).await?;
    Ok(found[0].to_string())
}

/// Waits until the look-up that is under way has ended.
async fn settled(names: &Names) {
    let name = Rc::clone(&names.known.borrow()["a.test"]);
    timeout(LIMIT, async {
        while name.is_asking.get() {
            name.is_answered.notified().await;
        }
    })
    .await
    .unwrap();
}

#[test]
fn an_address_needs_no_resolver() {
    let names = system();
    for (host, expected) in [("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("[::1]", "::1")] {
        assert_eq!(run(names.resolve(host)).unwrap(), list(&[expected]));
    }
    assert!(names.known.borrow().is_empty());
}

#[test]
fn a_name_is_looked_up_once_for_all_who_wait() {
    let (server, names) = with("a.test", address("192.0.2.1", 60));
    let (first, second) = run(async { tokio::join!(names.resolve("a.test"), names.resolve("a.test")) });
    assert_eq!(first.unwrap(), list(&["192.0.2.1"]));
    assert_eq!(second.unwrap(), list(&["192.0.2.1"]));
    assert_eq!(server.asked("a.test"), 1);
}

#[test]
fn a_name_that_does_not_resolve_is_a_fault_that_names_it() {
    let fault = run(system().resolve("no-such-name.invalid")).unwrap_err();
    assert_eq!(fault.kind, FaultKind::NameUnknown);
    assert!(fault.reason.contains("no-such-name.invalid"), "{}", fault.reason);
}

#[test]
fn the_system_knows_localhost() {
    let found = run(system().resolve("localhost")).unwrap();
    assert!(found.iter().all(IpAddr::is_loopback));
}

#[test]
fn a_request_that_ends_does_not_take_the_look_up_along() {
    let (_server, names) = with("a.test", address("192.0.2.1", 60));
    run(async {
        let asked = names.resolve("a.test");
        // Polled once, then dropped, as when its client goes away.
        tokio::select! { biased; _ = asked => {}, () = std::future::ready(()) => {} }
        settled(&names).await;
        assert!(names.known.borrow()["a.test"].fresh(Instant::now()).unwrap().is_ok());
    });
}

#[test]
fn a_changed_record_is_used_after_its_lifetime_and_not_before() {
    let (server, names) = with("a.test", address("192.0.2.1", 30));
    run(async {
        let start = Instant::now();
        assert_eq!(after(&names, start, 0.0).await.unwrap(), "192.0.2.1");
        server.say("a.test", address("192.0.2.2", 30));
        assert_eq!(after(&names, start, 29.0).await.unwrap(), "192.0.2.1");
        // Who asks first may get what was true before, where the server takes its time.
        after(&names, start, 40.0).await.unwrap();
        settled(&names).await;
        assert_eq!(after(&names, start, 40.0).await.unwrap(), "192.0.2.2");
        assert_eq!(server.asked("a.test"), 2);
    });
}

#[test]
fn lifetimes_have_a_floor_and_a_ceiling() {
    for (ttl, fresh, asked_again) in [(0, 0.9, 12.0), (1_000_000, 3590.0, 3620.0)] {
        let (server, names) = with("a.test", address("192.0.2.1", ttl));
        run(async {
            let start = Instant::now();
            after(&names, start, 0.0).await.unwrap();
            after(&names, start, fresh).await.unwrap();
            assert_eq!(server.asked("a.test"), 1);
            // A server that is slow does not hold up who has an answer: the question is still under way then.
            after(&names, start, asked_again).await.unwrap();
            settled(&names).await;
            assert_eq!(server.asked("a.test"), 2);
        });
    }
}

#[test]
fn the_last_good_answer_serves_on_while_the_server_fails_but_not_for_ever() {
    let (server, names) = with("a.test", address("192.0.2.1", 1));
    run(async {
        let start = Instant::now();
        after(&names, start, 0.0).await.unwrap();
        server.say("a.test", Says::Failure);
        for seconds in [2.0, 30.0, 60.0] {
            assert_eq!(after(&names, start, seconds).await.unwrap(), "192.0.2.1");
            settled(&names).await;
        }
        let fault = after(&names, start, 100.0).await.unwrap_err();
        assert!(fault.reason.contains("a.test does not resolve"), "{}", fault.reason);
    });
}

#[test]
fn a_connection_that_is_there_goes_on_while_nobody_can_say() {
    let (server, names) = with("a.test", address("192.0.2.1", 1));
    run(async {
        let start = Instant::now();
        after(&names, start, 0.0).await.unwrap();
        server.say("a.test", Says::Failure);
        assert!(after(&names, start, 100.0).await.is_err());
        // Also within the moment for which the failure of others stands.
        for seconds in [100.1, 200.0, 3600.0] {
            assert_eq!(kept_after(&names, start, seconds).await.unwrap(), "192.0.2.1");
            settled(&names).await;
        }
        assert!(kept_after(&names, start, 4000.0).await.is_err());
    });
}

#[test]
fn a_silent_server_is_not_waited_for_where_there_is_a_last_answer() {
    let (server, names) = with("a.test", address("192.0.2.1", 1));
    run(async {
        let start = Instant::now();
        after(&names, start, 0.0).await.unwrap();
        server.say("a.test", Says::Silence);
        assert_eq!(after(&names, start, 50.0).await.unwrap(), "192.0.2.1");
        assert!(names.known.borrow()["a.test"].is_asking.get());
    });
}

#[test]
fn nobody_waits_for_a_server_that_has_just_failed() {
    let (server, names) = with("a.test", address("192.0.2.1", 1));
    run(async {
        let start = Instant::now();
        after(&names, start, 0.0).await.unwrap();
        server.say("a.test", Says::Failure);
        after(&names, start, 20.0).await.unwrap();
        settled(&names).await;
        server.say("a.test", Says::Silence);
        // Answered without a wait: polled once, and ready.
        let now = start + Duration::from_secs(40);
        let mut asked = std::pin::pin!(names.resolve_at("a.test", now, MAX_STALE));
        let polled = std::future::poll_fn(|context| std::task::Poll::Ready(asked.as_mut().poll(context))).await;
        assert!(polled.is_ready());
    });
}

#[test]
fn a_name_that_is_gone_is_gone_at_once() {
    let (server, names) = with("a.test", address("192.0.2.1", 1));
    run(async {
        let start = Instant::now();
        after(&names, start, 0.0).await.unwrap();
        server.say("a.test", Says::NoSuchName(600));
        let fault = after(&names, start, 10.0).await.unwrap_err();
        assert_eq!(fault.reason, "the origin's name a.test does not exist");
        // Not even when the server fails then.
        server.say("a.test", Says::Failure);
        assert!(after(&names, start, 30.0).await.is_err());
        server.say("a.test", address("192.0.2.7", 1));
        assert_eq!(after(&names, start, 50.0).await.unwrap(), "192.0.2.7");
    });
}

#[test]
fn names_beyond_the_bound_push_out_those_that_have_ended() {
    let names = system();
    let now = Instant::now();
    for number in 0..MAX_NAMES {
        names.name(&number.to_string(), now);
    }
    let kept = names.name("7", now);
    kept.is_asking.set(true);
    names.name("one-more", now);
    assert_eq!(names.known.borrow().len(), 2);
}

#[test]
fn a_name_leads_to_no_address_that_no_origin_can_have() {
    for ip in [
        "0.0.0.0",
        "169.254.169.254",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "fe80::1",
        "ff02::1",
        "::ffff:169.254.169.254",
        "fd00:ec2::254",
        "fd20:ce::254",
        "100.100.100.200",
        "64:ff9b::169.254.169.254",
        "2002:a9fe:a9fe::1",
        "::169.254.169.254",
    ] {
        let (_server, names) = with("a.test", address(ip, 60));
        let fault = run(names.resolve("a.test")).unwrap_err();
        assert_eq!(fault.kind, FaultKind::NameUnknown, "{ip}");
        assert!(
            fault.reason.contains("no address that an origin can have"),
            "{}",
            fault.reason
        );
    }
}

#[test]
fn the_addresses_of_a_name_that_an_origin_can_have_are_used() {
    let both = ["169.254.169.254", "192.0.2.1", "fd00:ec2::254"].map(|ip| ip.parse().unwrap());
    let (_server, names) = with("a.test", Says::Addresses(both.to_vec(), 60));
    assert_eq!(run(names.resolve("a.test")).unwrap(), list(&["192.0.2.1"]));
}

#[test]
fn an_origin_may_be_beside_what_none_can_have() {
    for ip in [
        "::1",
        "127.0.0.1",
        "fd00::1",
        "fd20:ce::253",
        "100.100.100.201",
        "64:ff9b::c000:201",
        "2002:c000:201::1",
    ] {
        assert!(!is_nowhere(&ip.parse().unwrap()), "{ip}");
    }
}
