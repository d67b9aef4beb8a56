use super::*;
use tokio::task::LocalSet;

fn run<T>(task: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    LocalSet::new().block_on(&runtime, task)
}

#[test]
fn an_address_needs_no_resolver() {
    let names = Names::default();
    for (host, expected) in [
        ("127.0.0.1", "127.0.0.1:80"),
        ("::1", "[::1]:80"),
        ("[::1]", "[::1]:80"),
    ] {
        assert_eq!(run(names.resolve(host, 80)).unwrap(), [expected.parse().unwrap()]);
    }
    assert!(names.known.borrow().is_empty());
}

#[test]
fn a_name_is_looked_up_once_for_all_who_wait() {
    let names = Names::default();
    let (first, second) = run(async { tokio::join!(names.resolve("localhost", 80), names.resolve("localhost", 81)) });
    assert!(
        first
            .unwrap()
            .iter()
            .all(|address| address.ip().is_loopback() && address.port() == 80)
    );
    assert!(second.unwrap().iter().all(|address| address.port() == 81));
    assert_eq!(names.known.borrow().len(), 1);
}

#[test]
fn a_name_that_does_not_resolve_is_a_fault_that_names_it() {
    let fault = run(Names::default().resolve("no-such-name.invalid", 80)).unwrap_err();
    assert_eq!(fault.kind, FaultKind::NameUnknown);
    assert!(fault.reason.contains("no-such-name.invalid"), "{}", fault.reason);
}

#[test]
fn a_request_that_ends_does_not_take_the_look_up_along() {
    let names = Names::default();
    run(async {
        let asked = names.resolve("localhost", 80);
        // Polled once, then dropped, as when its client goes away.
        tokio::select! { biased; _ = asked => {}, () = std::future::ready(()) => {} }
        let known = Rc::clone(&names.known.borrow()["localhost"]);
        assert!(known.answered().await.is_ok());
    });
}
