//! The command line.

use clap::{Args, Parser, Subcommand};

/// Load a WebSocket echo server, directly or through a proxy, and tell what it took, as JSON.
#[derive(Debug, Parser)]
#[command(
    name = "holdfast-load",
    after_help = "\
Every echo is compared with its message, byte by byte. The first wrong, missing or unexpected one, and the first
connection that fails, ends the run with exit status 1. Certificates are not verified.

Try it:  holdfast-echo --listen 127.0.0.1:9000
         holdfast-load relay ws://127.0.0.1:9000/ --connections 50 --seconds 3"
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) mode: Mode,
}

/// What is done.
#[derive(Debug, Subcommand)]
pub(crate) enum Mode {
    /// Echoes on open connections, one in flight on each
    Relay(Relay),
    /// New connections: connect, upgrade, one echo, close
    Upgrade(Upgrade),
    /// Connections that are opened, echo once, and wait until standard input ends
    Idle(Idle),
    /// As many messages as fit, without waiting for their echoes
    Flood(Flood),
    /// Echoes on open connections, many in flight on each
    Pipeline(Pipeline),
    /// Messages of one connection that the server sends to all
    FanOut(FanOut),
    /// One echo on each of many connections that have waited, one after the other
    Wake(Wake),
}

/// What all modes take.
#[derive(Clone, Debug, Args)]
pub(crate) struct Common {
    /// ws://HOST:PORT/PATH or wss://HOST:PORT/PATH
    pub(crate) url: String,
    /// Payload of a message, in bytes
    #[arg(long, default_value_t = 125, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(0..=1 << 30))]
    pub(crate) size: u32,
    /// Connections that may be opening at a time
    #[arg(long, default_value_t = 64, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) concurrency: u32,
    /// Give up when nothing has happened for this long
    #[arg(long, default_value_t = 10.0, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) patience: f64,
    /// Send texts instead of binary messages
    #[arg(long)]
    pub(crate) text: bool,
    /// Ask for so many paths in turn: {} in the URL is a number below this
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) paths: u32,
    /// Resume TLS sessions instead of a full handshake each time
    #[arg(long)]
    pub(crate) resume: bool,
    /// Before and after what is measured, print {"event": ...} and wait for a line on standard input
    #[arg(long)]
    pub(crate) gate: bool,
}

/// `relay`.
#[derive(Debug, Args)]
pub(crate) struct Relay {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Open connections
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) connections: u32,
    /// Time of echoes that do not count, first
    #[arg(long, default_value_t = 1.0, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) warm_up: f64,
    /// Time of echoes that count
    #[arg(long, default_value_t = 3.0, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) seconds: f64,
    /// Measure this many round trips, however long they take, instead of a time
    #[arg(long, value_name = "N", conflicts_with_all = ["seconds", "rate"])]
    pub(crate) round_trips: Option<u64>,
    /// Messages a second over all connections, instead of as many as come back; latency counts from when each was due
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rate: Option<u32>,
    /// End when a line comes on standard input, and after --seconds at the latest
    #[arg(long, requires = "rate", requires = "gate")]
    pub(crate) until_told: bool,
}

/// `upgrade`.
#[derive(Debug, Args)]
pub(crate) struct Upgrade {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Connections that are measured
    #[arg(long, default_value_t = 2000, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) total: u64,
    /// Connections that do not count, first
    #[arg(long, default_value_t = 200, value_name = "N")]
    pub(crate) warm_up: u64,
}

/// `idle`.
#[derive(Debug, Args)]
pub(crate) struct Idle {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Connections to hold open
    #[arg(long, default_value_t = 5000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) connections: u32,
    /// Connections that are opened, echo and close again, first
    #[arg(long, default_value_t = 100, value_name = "N")]
    pub(crate) warm_up: u64,
}

/// `flood`.
#[derive(Debug, Args)]
pub(crate) struct Flood {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Open connections
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) connections: u32,
    /// Messages to send on each
    #[arg(long, default_value_t = 10_000, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) messages: u64,
    /// Never read an echo: all buffers on the way fill up, and stay full until standard input ends
    #[arg(long)]
    pub(crate) stalled: bool,
}

/// How long a load goes on whose messages are always under way.
#[derive(Debug, Args)]
pub(crate) struct Time {
    /// Time of messages that do not count, first
    #[arg(long, default_value_t = 1.0, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) warm_up: f64,
    /// Time of messages that count
    #[arg(long, default_value_t = 3.0, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) seconds: f64,
}

/// `pipeline`.
#[derive(Debug, Args)]
pub(crate) struct Pipeline {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Open connections
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) connections: u32,
    /// Messages of each that are under way
    #[arg(long, default_value_t = 256, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1 << 16))]
    pub(crate) in_flight: u32,
    #[command(flatten)]
    pub(crate) time: Time,
}

/// `fan-out`.
#[derive(Debug, Args)]
pub(crate) struct FanOut {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Open connections; the first of them sends
    #[arg(long, default_value_t = 1000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) connections: u32,
    /// Messages that are under way to all
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1 << 16))]
    pub(crate) in_flight: u32,
    #[command(flatten)]
    pub(crate) time: Time,
}

/// `wake`.
#[derive(Debug, Args)]
pub(crate) struct Wake {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Open connections
    #[arg(long, default_value_t = 200, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) connections: u32,
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.0..=86_400.0).contains(&seconds) => Ok(seconds),
        _ => Err("a number of seconds from 0 to 86400 is wanted".to_owned()),
    }
}
