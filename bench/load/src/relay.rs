//! `relay`: echoes on connections that are open.
//!
//! Law 1: connecting and warming up are over, and nothing is in flight, when the measurement begins and when it ends.
//! Law 2, closed loop: each connection sends its next message when the last one came back. Latency is then that of a
//! saturated system, and says as much about throughput.
//! Law 3, paced (`--rate`): messages are due at fixed times. One that must wait for its connection, because the echo
//! before it is late, counts from when it was due, so that a stall is not omitted from the figures.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::arguments::Relay;
use crate::error::LoadError;
use crate::histogram::{Histogram, Summary};
use crate::run::Run;
use crate::swarm::What;

/// The result of `relay`.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    event: &'static str,
    mode: &'static str,
    connections: u32,
    message_bytes: u32,
    round_trips: u64,
    seconds: f64,
    per_second: f64,
    latency_us: Summary,
    tls: Option<String>,
}

/// When sending stops. What is in flight then still comes back and counts.
#[derive(Clone, Copy, Debug)]
enum Until {
    Deadline(Instant),
    Sent(u64),
}

/// Run the mode.
pub(crate) fn run(arguments: &Relay) -> Result<Report, LoadError> {
    let mut run = Run::new(&arguments.common, false, false)?;
    let ids = run.open(arguments.connections as usize)?;
    let warm_up = Duration::from_secs_f64(arguments.warm_up);
    run.echo_once(&ids)?;
    let warmed_up = Until::Deadline(Instant::now() + warm_up);
    pump(&mut run, &ids, arguments.rate, warmed_up, false)?;

    run.stand("ready")?;
    run.swarm.renew_patience();
    let began = Instant::now();
    let until = match arguments.round_trips {
        Some(count) => Until::Sent(count),
        None => Until::Deadline(began + Duration::from_secs_f64(arguments.seconds)),
    };
    let latencies = pump(&mut run, &ids, arguments.rate, until, arguments.until_told)?;
    let seconds = began.elapsed().as_secs_f64();
    run.stand("measured")?;

    run.close(&ids)?;
    let round_trips = latencies.total();
    #[allow(clippy::cast_precision_loss, reason = "2^53 round trips are out of reach")]
    let per_second = round_trips as f64 / seconds;
    Ok(Report {
        event: "result",
        mode: "relay",
        connections: arguments.connections,
        message_bytes: arguments.common.size,
        round_trips,
        seconds,
        per_second,
        latency_us: latencies.summary(),
        tls: run.swarm.tls_facts().map(str::to_owned),
    })
}

fn pump(
    run: &mut Run,
    ids: &[usize],
    rate: Option<u32>,
    until: Until,
    until_told: bool,
) -> Result<Histogram, LoadError> {
    match (rate, until) {
        (Some(rate), Until::Deadline(deadline)) => paced(run, ids, rate, deadline, until_told),
        _ => closed_loop(run, ids, until),
    }
}

fn closed_loop(run: &mut Run, ids: &[usize], until: Until) -> Result<Histogram, LoadError> {
    let mut latencies = Histogram::default();
    let mut sent_at = vec![Instant::now(); ids.iter().max().map_or(0, |id| id + 1)];
    let mut sent = 0u64;
    let goes_on = |sent: u64, now: Instant| match until {
        Until::Deadline(deadline) => now < deadline,
        Until::Sent(count) => sent < count,
    };
    for id in ids {
        let now = Instant::now();
        if goes_on(sent, now) {
            sent_at[*id] = now;
            sent += 1;
            run.swarm.send(*id)?;
        }
    }
    while latencies.total() < sent {
        let occurrences = run.turn(None)?;
        for occurrence in occurrences.iter().filter(|one| one.what == What::Echoed) {
            let id = occurrence.id;
            latencies.record(occurrence.at - sent_at[id]);
            let now = Instant::now();
            if goes_on(sent, now) {
                sent_at[id] = now;
                sent += 1;
                run.swarm.send(id)?;
            }
        }
        run.done_with(occurrences);
        run.swarm.check_patience()?;
    }
    Ok(latencies)
}

fn paced(
    run: &mut Run,
    ids: &[usize],
    rate: u32,
    mut deadline: Instant,
    until_told: bool,
) -> Result<Histogram, LoadError> {
    let interval = Duration::from_secs(1) / rate;
    let mut latencies = Histogram::default();
    // The message in flight on a connection, and those that are due and wait for it, by the time each counts from.
    let slots = ids.iter().max().map_or(0, |id| id + 1);
    let mut waiting: Vec<VecDeque<Instant>> = vec![VecDeque::new(); slots];
    let (mut due, mut turn, mut begun) = (Instant::now(), ids.iter().cycle(), 0u64);
    loop {
        let now = Instant::now();
        if until_told && now < deadline && run.is_told() {
            deadline = now;
        }
        while due <= now && due < deadline {
            let Some(&id) = turn.next() else { return Ok(latencies) };
            let queue = &mut waiting[id];
            if queue.is_empty() {
                // The loop's own lateness, at most a tick of epoll_wait(2), is not the server's.
                queue.push_back(Instant::now());
                run.swarm.send(id)?;
            } else {
                queue.push_back(due);
            }
            begun += 1;
            due += interval;
        }
        if due >= deadline && latencies.total() == begun {
            return Ok(latencies);
        }
        let occurrences = run.turn((due < deadline).then_some(due))?;
        for occurrence in occurrences.iter().filter(|one| one.what == What::Echoed) {
            let queue = &mut waiting[occurrence.id];
            if let Some(since) = queue.pop_front() {
                latencies.record(occurrence.at - since);
            }
            if !queue.is_empty() {
                run.swarm.send(occurrence.id)?;
            }
        }
        run.done_with(occurrences);
        run.swarm.check_patience()?;
    }
}
