use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

use super::*;

/// Counts how often a task is woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Reads until there is nothing for now; how much there was, and how often the reader was told to come again at once.
fn turn(stream: &mut Turns<&[u8]>) -> (usize, usize) {
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut cx = Context::from_waker(&waker);
    let mut bytes = vec![0; 10_000];
    let mut total = 0;
    loop {
        let mut into = ReadBuf::new(&mut bytes);
        match Pin::new(&mut *stream).poll_read(&mut cx, &mut into) {
            Poll::Ready(read) => {
                read.unwrap();
                if into.filled().is_empty() {
                    break;
                }
                total += into.filled().len();
            }
            Poll::Pending => break,
        }
    }
    (total, woken.0.load(Ordering::Relaxed))
}

#[test]
fn a_turn_ends_and_the_next_is_asked_for() {
    let bytes = vec![7; 3 * TURN_BYTES];
    let mut stream = Turns::new(&bytes[..]);
    let mut read = 0;
    for _ in 0..2 {
        let (count, woken) = turn(&mut stream);
        assert!(count >= TURN_BYTES && woken == 1, "{count} bytes, woken {woken} times");
        read += count;
    }
    assert_eq!(read + turn(&mut stream).0, bytes.len());
}

#[test]
fn who_has_less_to_say_is_read_at_once() {
    let bytes = vec![7; TURN_BYTES - 1];
    assert_eq!(turn(&mut Turns::new(&bytes[..])), (bytes.len(), 0));
}
