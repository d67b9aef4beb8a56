//! `upgrade`: connections that live for one echo, each new: connect, TLS handshake, upgrade, echo, closing handshake.

use std::time::Instant;

use serde::Serialize;

use crate::arguments::Upgrade;
use crate::error::LoadError;
use crate::histogram::{Histogram, Summary};
use crate::run::Run;

/// The result of `upgrade`.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    event: &'static str,
    mode: &'static str,
    upgrades: u64,
    seconds: f64,
    per_second: f64,
    /// From the connect to the 101.
    latency_us: Summary,
    tls: Option<String>,
    resumed: u64,
}

/// Run the mode.
pub(crate) fn run(arguments: &Upgrade) -> Result<Report, LoadError> {
    let mut run = Run::new(&arguments.common, false, false)?;
    run.cycle(arguments.warm_up, &mut Histogram::default())?;
    let resumed_before = run.swarm.resumed();

    run.stand("ready")?;
    let began = Instant::now();
    let mut opened = Histogram::default();
    run.cycle(arguments.total, &mut opened)?;
    let seconds = began.elapsed().as_secs_f64();
    run.stand("measured")?;

    #[allow(clippy::cast_precision_loss, reason = "2^53 upgrades are out of reach")]
    let per_second = arguments.total as f64 / seconds;
    Ok(Report {
        event: "result",
        mode: "upgrade",
        upgrades: arguments.total,
        seconds,
        per_second,
        latency_us: opened.summary(),
        tls: run.swarm.tls_facts().map(str::to_owned),
        resumed: run.swarm.resumed() - resumed_before,
    })
}
