//! `idle`: connections that have echoed once and then wait, until standard input ends or a line comes.
//!
//! A few connections go before them and close again, so that what a server does only once is not counted as theirs.

use serde::Serialize;

use crate::arguments::Idle;
use crate::error::LoadError;
use crate::histogram::Histogram;
use crate::run::Run;

/// The result of `idle`.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    event: &'static str,
    mode: &'static str,
    connections: u32,
    tls: Option<String>,
}

/// Run the mode.
pub(crate) fn run(arguments: &Idle) -> Result<Report, LoadError> {
    let mut run = Run::new(&arguments.common, false, true)?;
    run.cycle(arguments.warm_up, &mut Histogram::default())?;
    if arguments.common.gate {
        run.stand("ready")?;
    }
    let ids = run.open(arguments.connections as usize)?;
    run.echo_once(&ids)?;
    run.stand("measured")?;
    run.close(&ids)?;
    Ok(Report {
        event: "result",
        mode: "idle",
        connections: arguments.connections,
        tls: run.swarm.tls_facts().map(str::to_owned),
    })
}
