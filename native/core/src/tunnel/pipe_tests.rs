use std::io::ErrorKind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

use super::*;
use crate::registry::Log;
use crate::tunnel::Limits;

/// Counts how often a task is woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

struct Stage {
    leg: LoopEnd,
    stream: StreamEnd,
    woken: Arc<Woken>,
}

impl Stage {
    /// A pipe of a loop that has no tunnel for it, so that what the loop is told leads to nothing.
    fn new() -> Self {
        let (log, _) = Log::start(std::io::sink()).unwrap();
        let (tunnels, _) = TunnelLoop::start("tunnel-test".into(), log, Arc::default(), Limits::default()).unwrap();
        let (leg, stream) = pipe(tunnels);
        let stage = Self {
            leg,
            stream,
            woken: Arc::default(),
        };
        stage.wait();
        stage
    }

    fn wait(&self) {
        self.stream.wait(&Waker::from(Arc::clone(&self.woken)));
    }

    fn woken(&self) -> usize {
        self.woken.0.load(Ordering::Relaxed)
    }

    fn read(&self, room: usize) -> io::Result<Vec<u8>> {
        let mut into = vec![0; room];
        let len = self.leg.read(&mut into)?;
        into.truncate(len);
        Ok(into)
    }

    fn next(&self, room: usize) -> Option<Vec<u8>> {
        match self.stream.next(room) {
            Outgoing::Bytes(bytes) => Some(bytes.to_vec()),
            _ => None,
        }
    }
}

#[test]
fn bytes_are_read_in_the_order_they_came_and_then_there_are_none() {
    let stage = Stage::new();
    stage.stream.deliver(b"one");
    stage.stream.deliver(b"two");
    assert_eq!(stage.read(4).unwrap(), b"onet");
    assert_eq!(stage.read(4).unwrap(), b"wo");
    assert_eq!(stage.read(4).unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn an_end_comes_behind_the_bytes_before_it() {
    let stage = Stage::new();
    stage.stream.deliver(b"last");
    stage.stream.end();
    assert_eq!(stage.leg.look(), News::End);
    assert_eq!(
        (stage.read(9).unwrap(), stage.read(9).unwrap()),
        (b"last".to_vec(), Vec::new())
    );
}

#[test]
fn a_failure_comes_behind_the_bytes_before_it_and_stops_writing() {
    let stage = Stage::new();
    stage.stream.deliver(b"last");
    stage.stream.fail(ErrorKind::ConnectionReset);
    assert_eq!(stage.leg.look(), News::Failure);
    assert_eq!(stage.read(9).unwrap(), b"last");
    assert_eq!(stage.read(9).unwrap_err().kind(), ErrorKind::ConnectionReset);
    assert_eq!(stage.leg.write(b"x").unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[test]
fn what_the_loop_has_taken_is_given_back_and_the_task_is_woken_for_much_of_it_only() {
    let stage = Stage::new();
    stage.stream.deliver(&vec![0; 2 * GIVE_BACK]);
    stage.read(100).unwrap();
    assert_eq!((stage.woken(), stage.stream.take_back()), (0, 100));
    stage.read(GIVE_BACK).unwrap();
    assert_eq!((stage.woken(), stage.stream.take_back()), (1, GIVE_BACK));
    assert_eq!(stage.stream.take_back(), 0);
}

#[test]
fn the_loop_writes_up_to_a_bound_and_then_waits_for_room() {
    let stage = Stage::new();
    let bytes = vec![7; MAX_WAITING + 10];
    assert_eq!(stage.leg.write(&bytes).unwrap(), MAX_WAITING);
    assert_eq!(stage.woken(), 1);
    assert_eq!(stage.leg.write(&bytes).unwrap_err().kind(), ErrorKind::WouldBlock);
    assert_eq!(stage.stream.waiting(), MAX_WAITING);
    assert_eq!(stage.next(1000).unwrap().len(), 1000);
    assert_eq!(stage.leg.write(&bytes).unwrap(), 1000);
}

#[test]
fn a_stream_without_room_is_given_nothing() {
    let stage = Stage::new();
    stage.leg.write(b"hello").unwrap();
    assert!(matches!(stage.stream.next(0), Outgoing::Nothing));
    assert_eq!(stage.next(9).unwrap(), b"hello");
    assert!(matches!(stage.stream.next(9), Outgoing::Nothing));
}

#[test]
fn the_loop_s_end_comes_behind_what_it_wrote_and_once() {
    let stage = Stage::new();
    stage.leg.write(b"bye").unwrap();
    stage.leg.end_writing();
    assert_eq!(stage.next(9).unwrap(), b"bye");
    assert!(matches!(stage.stream.next(9), Outgoing::End));
}

#[test]
fn a_loop_that_leaves_without_an_end_is_a_reset() {
    let stage = Stage::new();
    let (stream, woken) = (stage.stream, stage.woken);
    drop(stage.leg);
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    assert!(stream.is_left());
    assert!(matches!(stream.next(9), Outgoing::Reset));
    stream.deliver(b"for nobody");
    assert_eq!(stream.take_back(), 10);
}

#[test]
fn a_stream_that_is_dropped_is_a_failure_unless_both_have_ended() {
    let stage = Stage::new();
    drop(stage.stream);
    let kind = stage.leg.read(&mut [0; 4]).unwrap_err().kind();
    assert_eq!(kind, ErrorKind::ConnectionAborted);
    let stage = Stage::new();
    stage.stream.end();
    stage.leg.end_writing();
    drop(stage.stream);
    assert_eq!(stage.leg.read(&mut [0; 4]).unwrap(), 0);
}
