use tokio::io::{AsyncWriteExt, DuplexStream, duplex};

use super::*;
use crate::parked::Parked;
use crate::parked::tests::upstream;

/// Longer than a test takes.
const LONG: Duration = Duration::from_mins(1);

/// Parks something, does this beside the lease, and waits for the end of that. How many are parked then, its ticket being there.
fn lease_while(limit: Duration, beside: impl AsyncFnOnce(Arc<Parked>, DuplexStream, String)) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let parked = Arc::<Parked>::default();
        let (upstream, _far) = upstream("a");
        let mut ticket = parked.put(upstream).unwrap();
        let (mut script, process) = duplex(64);
        let token = ticket.token().to_string();
        let mut read = BytesMut::new();
        let leasing = lease(&mut ticket, &mut script, &mut read, limit);
        tokio::join!(leasing, beside(Arc::clone(&parked), process, token));
        parked.figures().0
    })
}

#[test]
fn the_connection_of_a_script_stays_until_its_token_is_used() {
    let left = lease_while(LONG, async |parked, mut process, token| {
        // What it says meanwhile is nobody's.
        process.write_all(b"noise").await.unwrap();
        let token = crate::parked::Token::parse(token.as_bytes()).unwrap();
        assert!(parked.take(token, "a").is_some());
        std::mem::forget(process);
    });
    assert_eq!(left, 0);
}

#[test]
fn a_script_that_goes_leaves_nothing_parked() {
    let left = lease_while(LONG, async |_, process, _| drop(process));
    assert_eq!(left, 1, "the ticket is still there, and nothing else holds it");
}

#[test]
fn a_script_that_never_says_what_becomes_of_it_has_its_time() {
    let kept = std::cell::RefCell::new(None);
    let left = lease_while(Duration::from_millis(1), async |_, process, _| {
        kept.replace(Some(process));
    });
    assert_eq!(left, 1, "the ticket is still there, and nothing else holds it");
}
