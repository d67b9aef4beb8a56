//! `fan-out`: one connection sends, and the server sends each of its messages to all connections, the sender among them.
//!
//! Law 1: connecting and warming up are over, and nothing is in flight, when the measurement begins and when it ends.
//! Law 2: a message is over when all have it; the next is sent then, so that so many are under way and no more.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::arguments::FanOut;
use crate::error::LoadError;
use crate::histogram::{Histogram, Summary};
use crate::run::Run;
use crate::swarm::{Options, What};

/// The result of `fan-out`.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    event: &'static str,
    mode: &'static str,
    connections: u32,
    in_flight: u32,
    message_bytes: u32,
    messages: u64,
    deliveries: u64,
    seconds: f64,
    per_second: f64,
    /// From when a message was sent to when the last connection had it.
    latency_us: Summary,
    tls: Option<String>,
}

/// Run the mode.
pub(crate) fn run(arguments: &FanOut) -> Result<Report, LoadError> {
    let mut run = Run::with(&arguments.common, false, |options| Options {
        follow_first: true,
        ..options
    })?;
    // The first to be opened is the first that asked: connections are numbered from the one that sends.
    let mut ids = run.open(1)?;
    ids.extend(run.open(arguments.connections as usize - 1)?);
    let mut crowd = Crowd::new(ids, arguments.in_flight as usize);
    crowd.pump(&mut run, Duration::from_secs_f64(arguments.time.warm_up))?;

    run.stand("ready")?;
    run.swarm.renew_patience();
    let began = Instant::now();
    let latencies = crowd.pump(&mut run, Duration::from_secs_f64(arguments.time.seconds))?;
    let seconds = began.elapsed().as_secs_f64();
    run.stand("measured")?;

    run.close(&crowd.ids)?;
    let messages = latencies.total();
    let deliveries = messages * u64::from(arguments.connections);
    #[allow(clippy::cast_precision_loss, reason = "2^53 deliveries are out of reach")]
    let per_second = deliveries as f64 / seconds;
    Ok(Report {
        event: "result",
        mode: "fan-out",
        connections: arguments.connections,
        in_flight: arguments.in_flight,
        message_bytes: arguments.common.size,
        messages,
        deliveries,
        seconds,
        per_second,
        latency_us: latencies.summary(),
        tls: run.swarm.tls_facts().map(str::to_owned),
    })
}

/// The connections, and what each has of what is under way.
struct Crowd {
    ids: Vec<usize>,
    window: usize,
    /// Messages that a connection has had, by its id.
    had: Vec<usize>,
    /// Messages that are over.
    over: usize,
    /// Of each message under way: when it was sent, how many have it.
    under_way: VecDeque<(Instant, usize)>,
}

impl Crowd {
    fn new(ids: Vec<usize>, window: usize) -> Self {
        let had = vec![0; ids.iter().max().map_or(0, |id| id + 1)];
        Self {
            ids,
            window,
            had,
            over: 0,
            under_way: VecDeque::new(),
        }
    }

    /// Keep the window full for so long, and see what is under way to its end.
    fn pump(&mut self, run: &mut Run, time: Duration) -> Result<Histogram, LoadError> {
        let deadline = Instant::now() + time;
        let mut latencies = Histogram::default();
        self.send(run, self.window)?;
        while !self.under_way.is_empty() {
            let occurrences = run.turn(None)?;
            for occurrence in occurrences.iter().filter(|one| one.what == What::Echoed) {
                let number = self.had[occurrence.id] - self.over;
                self.had[occurrence.id] += 1;
                self.under_way[number].1 += 1;
                if self.under_way[number].1 == self.ids.len() {
                    latencies.record(occurrence.at - self.under_way[number].0);
                }
            }
            run.done_with(occurrences);
            let mut over = 0;
            while self.under_way.front().is_some_and(|(_, has)| *has == self.ids.len()) {
                self.under_way.pop_front();
                self.over += 1;
                over += 1;
            }
            if over > 0 && Instant::now() < deadline {
                self.send(run, over)?;
            }
            run.swarm.check_patience()?;
        }
        Ok(latencies)
    }

    fn send(&mut self, run: &mut Run, count: usize) -> Result<(), LoadError> {
        let now = Instant::now();
        self.under_way.extend(std::iter::repeat_n((now, 0), count));
        run.swarm.send_many(self.ids[0], count)?;
        Ok(())
    }
}
