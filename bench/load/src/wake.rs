//! `wake`: connections that have echoed once, and waited until told to go on; then one more echo on each, one at a time.

use std::time::Instant;

use serde::Serialize;

use crate::arguments::Wake;
use crate::error::LoadError;
use crate::histogram::{Histogram, Summary};
use crate::run::Run;
use crate::swarm::What;

/// The result of `wake`.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    event: &'static str,
    mode: &'static str,
    connections: u32,
    latency_us: Summary,
    tls: Option<String>,
}

/// Run the mode.
pub(crate) fn run(arguments: &Wake) -> Result<Report, LoadError> {
    let mut run = Run::new(&arguments.common, false, false)?;
    let ids = run.open(arguments.connections as usize)?;
    run.echo_once(&ids)?;
    run.stand("ready")?;
    run.swarm.renew_patience();
    let mut latencies = Histogram::default();
    for id in &ids {
        let began = Instant::now();
        run.swarm.send(*id)?;
        let before = latencies.total();
        while latencies.total() == before {
            let occurrences = run.turn(None)?;
            for occurrence in occurrences.iter().filter(|one| one.what == What::Echoed) {
                latencies.record(occurrence.at - began);
            }
            run.done_with(occurrences);
            run.swarm.check_patience()?;
        }
    }
    run.stand("measured")?;
    run.close(&ids)?;
    Ok(Report {
        event: "result",
        mode: "wake",
        connections: arguments.connections,
        latency_us: latencies.summary(),
        tls: run.swarm.tls_facts().map(str::to_owned),
    })
}
