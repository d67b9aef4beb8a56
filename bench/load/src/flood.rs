//! `flood`: each connection sends as fast as its socket takes it.
//!
//! With `--stalled` no echo is read: the buffers from here to the origin and back fill up, and what a proxy holds for
//! such connections can be looked at while they stand still.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::arguments::Flood;
use crate::error::LoadError;
use crate::run::Run;
use crate::swarm::What;

/// Messages put into a socket before the others have their turn.
const BURST: u32 = 16;
/// A flood in which no socket takes anything for this long has filled all there is.
const STANDSTILL: Duration = Duration::from_secs(1);

/// The result of `flood`.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    event: &'static str,
    mode: &'static str,
    connections: u32,
    message_bytes: u32,
    sent: u64,
    echoed: u64,
    seconds: f64,
    tls: Option<String>,
}

/// Run the mode.
pub(crate) fn run(arguments: &Flood) -> Result<Report, LoadError> {
    let mut run = Run::new(&arguments.common, arguments.stalled, arguments.stalled)?;
    let ids = run.open(arguments.connections as usize)?;
    if arguments.common.gate {
        run.stand("ready")?;
    }
    run.swarm.renew_patience();
    let began = Instant::now();
    let (sent, echoed) = pour(&mut run, &ids, arguments.messages, arguments.stalled)?;
    let seconds = began.elapsed().as_secs_f64();
    run.stand("measured")?;
    if !arguments.stalled {
        run.close(&ids)?;
    }
    Ok(Report {
        event: "result",
        mode: "flood",
        connections: arguments.connections,
        message_bytes: arguments.common.size,
        sent,
        echoed,
        seconds,
        tls: run.swarm.tls_facts().map(str::to_owned),
    })
}

/// Send `each` messages on every connection; how many went out and came back.
fn pour(run: &mut Run, ids: &[usize], each: u64, stalled: bool) -> Result<(u64, u64), LoadError> {
    let mut left: HashMap<usize, u64> = ids.iter().map(|id| (*id, each)).collect();
    let mut flowing: Vec<usize> = ids.to_vec();
    let (mut sent, mut echoed) = (0, 0);
    let mut last_progress = Instant::now();
    while !(left.is_empty() && (stalled || echoed == sent)) {
        let mut still_flowing = Vec::with_capacity(flowing.len());
        for id in flowing.drain(..) {
            let burst = burst(run, id, &mut left)?;
            sent += burst.sent;
            if burst.more {
                still_flowing.push(id);
            }
        }
        flowing = still_flowing;
        let occurrences = run.turn((!flowing.is_empty()).then(Instant::now))?;
        if !occurrences.is_empty() || !flowing.is_empty() {
            last_progress = Instant::now();
        }
        for occurrence in &occurrences {
            match occurrence.what {
                What::Sent if left.contains_key(&occurrence.id) => flowing.push(occurrence.id),
                What::Echoed => echoed += 1,
                _ => {}
            }
        }
        run.done_with(occurrences);
        if stalled && last_progress.elapsed() > STANDSTILL {
            break;
        }
        if !stalled && flowing.is_empty() {
            run.swarm.check_patience()?;
        }
    }
    Ok((sent, echoed))
}

struct Burst {
    sent: u64,
    /// The socket takes more, and there is more.
    more: bool,
}

fn burst(run: &mut Run, id: usize, left: &mut HashMap<usize, u64>) -> Result<Burst, LoadError> {
    let mut sent = 0;
    for _ in 0..BURST {
        let Some(rest) = left.get_mut(&id) else {
            return Ok(Burst { sent, more: false });
        };
        *rest -= 1;
        if *rest == 0 {
            left.remove(&id);
        }
        sent += 1;
        if !run.swarm.send(id)? {
            return Ok(Burst { sent, more: false });
        }
    }
    Ok(Burst {
        sent,
        more: left.contains_key(&id),
    })
}
