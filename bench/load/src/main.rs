//! `holdfast-load`: puts a WebSocket server, or a proxy before one, under load and tells what came of it.
//!
//! One thread and one readiness loop, so that its own cost is low and the same for every server. What a connection
//! does is decided without a socket ([`session`]); [`swarm`] moves the bytes; the modes say what is sent when.

#![forbid(unsafe_code)]

mod arguments;
mod error;
mod fan_out;
mod flood;
mod gate;
mod histogram;
mod idle;
mod payload;
mod pipeline;
mod relay;
mod run;
mod session;
mod swarm;
mod target;
mod upgrade;
mod wake;

use std::process::ExitCode;

use clap::Parser;
use serde::Serialize;

use crate::arguments::{Arguments, Mode};
use crate::error::LoadError;

fn main() -> ExitCode {
    let told = match Arguments::parse().mode {
        Mode::Relay(arguments) => relay::run(&arguments).and_then(|report| tell(&report)),
        Mode::Upgrade(arguments) => upgrade::run(&arguments).and_then(|report| tell(&report)),
        Mode::Idle(arguments) => idle::run(&arguments).and_then(|report| tell(&report)),
        Mode::Flood(arguments) => flood::run(&arguments).and_then(|report| tell(&report)),
        Mode::Pipeline(arguments) => pipeline::run(&arguments).and_then(|report| tell(&report)),
        Mode::FanOut(arguments) => fan_out::run(&arguments).and_then(|report| tell(&report)),
        Mode::Wake(arguments) => wake::run(&arguments).and_then(|report| tell(&report)),
    };
    match told {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("holdfast-load: {error}");
            ExitCode::from(if matches!(error, LoadError::Target(_)) { 2 } else { 1 })
        }
    }
}

fn tell(report: &impl Serialize) -> Result<(), LoadError> {
    let line = serde_json::to_string(report).map_err(|error| LoadError::Setup(error.into()))?;
    println!("{line}");
    Ok(())
}
