//! The gate: lets whoever started the generator act at the exact edges of what is measured.
//!
//! With `--gate`, the generator stands still at each edge, with nothing in flight: it prints `{"event": NAME}` and
//! waits for a line on standard input. So a proxy's CPU can be read with no round trip half counted.
//! Without it, every gate is open.

use std::io::{self, BufRead, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread;

use mio::Waker;

/// Lines of standard input, as signals.
#[derive(Debug)]
pub(crate) struct Gate {
    lines: Option<Receiver<()>>,
}

/// What `poll` found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Nothing yet.
    Wait,
    /// Go on.
    Go,
    /// Standard input has ended: nobody will say more.
    End,
}

impl Gate {
    /// A gate that waits for lines; `waker` interrupts the loop's wait when one comes.
    pub(crate) fn closed(waker: Arc<Waker>) -> Self {
        let (sender, lines) = channel();
        thread::spawn(move || {
            let input = io::stdin().lock();
            for _ in input.lines().map_while(Result::ok) {
                if sender.send(()).is_err() || waker.wake().is_err() {
                    return;
                }
            }
            drop(sender);
            // Nobody is left to tell if this fails: the loop has ended.
            let _ = waker.wake();
        });
        Self { lines: Some(lines) }
    }

    /// A gate that never holds anything up.
    pub(crate) fn open() -> Self {
        Self { lines: None }
    }

    /// Say that an edge was reached.
    pub(crate) fn announce(&self, event: &str) -> io::Result<()> {
        if self.lines.is_none() {
            return Ok(());
        }
        let mut output = io::stdout().lock();
        writeln!(output, "{}", serde_json::json!({ "event": event }))?;
        output.flush()
    }

    /// Whether to go on.
    pub(crate) fn poll(&self) -> Signal {
        match self.lines.as_ref().map(Receiver::try_recv) {
            None | Some(Ok(())) => Signal::Go,
            Some(Err(TryRecvError::Empty)) => Signal::Wait,
            Some(Err(TryRecvError::Disconnected)) => Signal::End,
        }
    }
}
