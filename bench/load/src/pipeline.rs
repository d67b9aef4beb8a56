//! `pipeline`: echoes on open connections, each with a window of messages under way.
//!
//! Law 1: connecting and warming up are over, and nothing is in flight, when the measurement begins and when it ends.
//! Law 2: what came back on a connection at once is made up for at once, with one write.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::arguments::Pipeline;
use crate::error::LoadError;
use crate::run::Run;
use crate::swarm::What;

/// The result of `pipeline`.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    event: &'static str,
    mode: &'static str,
    connections: u32,
    in_flight: u32,
    message_bytes: u32,
    round_trips: u64,
    seconds: f64,
    per_second: f64,
    tls: Option<String>,
}

/// Run the mode.
pub(crate) fn run(arguments: &Pipeline) -> Result<Report, LoadError> {
    let mut run = Run::new(&arguments.common, false, false)?;
    let ids = run.open(arguments.connections as usize)?;
    run.echo_once(&ids)?;
    let window = arguments.in_flight as usize;
    pump(&mut run, &ids, window, Duration::from_secs_f64(arguments.time.warm_up))?;

    run.stand("ready")?;
    run.swarm.renew_patience();
    let began = Instant::now();
    let round_trips = pump(&mut run, &ids, window, Duration::from_secs_f64(arguments.time.seconds))?;
    let seconds = began.elapsed().as_secs_f64();
    run.stand("measured")?;

    run.close(&ids)?;
    #[allow(clippy::cast_precision_loss, reason = "2^53 round trips are out of reach")]
    let per_second = round_trips as f64 / seconds;
    Ok(Report {
        event: "result",
        mode: "pipeline",
        connections: arguments.connections,
        in_flight: arguments.in_flight,
        message_bytes: arguments.common.size,
        round_trips,
        seconds,
        per_second,
        tls: run.swarm.tls_facts().map(str::to_owned),
    })
}

/// Keep `window` messages under way on each connection for so long; how many came back.
fn pump(run: &mut Run, ids: &[usize], window: usize, time: Duration) -> Result<u64, LoadError> {
    let deadline = Instant::now() + time;
    let mut missing = vec![0; ids.iter().max().map_or(0, |id| id + 1)];
    let (mut sent, mut echoed) = (0u64, 0u64);
    for id in ids {
        run.swarm.send_many(*id, window)?;
        sent += window as u64;
    }
    while echoed < sent {
        let occurrences = run.turn(None)?;
        for occurrence in occurrences.iter().filter(|one| one.what == What::Echoed) {
            missing[occurrence.id] += 1;
            echoed += 1;
        }
        run.done_with(occurrences);
        if Instant::now() < deadline {
            for id in ids {
                let count = std::mem::take(&mut missing[*id]);
                if count > 0 {
                    run.swarm.send_many(*id, count)?;
                    sent += count as u64;
                }
            }
        }
        run.swarm.check_patience()?;
    }
    Ok(echoed)
}
