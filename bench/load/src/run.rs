//! One run: a swarm, a gate, and the steps all modes share.

use std::time::{Duration, Instant};

use crate::arguments::Common;
use crate::error::LoadError;
use crate::gate::{Gate, Signal};
use crate::histogram::Histogram;
use crate::payload::Kind;
use crate::swarm::{Occurrence, Options, Swarm, What};
use crate::target::Target;

/// The longest a turn waits when no nearer limit is known.
const TURN: Duration = Duration::from_millis(200);

/// A swarm and its gate.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) swarm: Swarm,
    gate: Gate,
    concurrency: usize,
    occurrences: Vec<Occurrence>,
}

impl Run {
    /// Prepare a run. `hold` makes the gates wait even if they were not asked for.
    pub(crate) fn new(common: &Common, stalled: bool, hold: bool) -> Result<Self, LoadError> {
        Self::with(common, hold, |options| Options { stalled, ..options })
    }

    /// Prepare a run with options of its mode.
    pub(crate) fn with(common: &Common, hold: bool, of_mode: impl Fn(Options) -> Options) -> Result<Self, LoadError> {
        let target = Target::parse(&common.url, common.resume).map_err(LoadError::Target)?;
        let options = Options {
            message_bytes: common.size as usize,
            patience: Duration::from_secs_f64(common.patience),
            stalled: false,
            kind: if common.text { Kind::Text } else { Kind::Binary },
            paths: common.paths,
            follow_first: false,
        };
        let swarm = Swarm::new(target, of_mode(options))?;
        let gate = if common.gate || hold {
            Gate::closed(swarm.waker()?)
        } else {
            Gate::open()
        };
        Ok(Self {
            swarm,
            gate,
            concurrency: common.concurrency as usize,
            occurrences: Vec::new(),
        })
    }

    /// What happened, within the longest turn or until `limit`.
    pub(crate) fn turn(&mut self, limit: Option<Instant>) -> Result<Vec<Occurrence>, LoadError> {
        let mut occurrences = std::mem::take(&mut self.occurrences);
        occurrences.clear();
        let latest = Instant::now() + TURN;
        self.swarm
            .turn(limit.map_or(latest, |limit| limit.min(latest)), &mut occurrences)?;
        Ok(occurrences)
    }

    /// Give a turn's list back, so that the next need not allocate.
    pub(crate) fn done_with(&mut self, occurrences: Vec<Occurrence>) {
        self.occurrences = occurrences;
    }

    /// Open `count` connections, no more than `concurrency` at a time; their ids.
    pub(crate) fn open(&mut self, count: usize) -> Result<Vec<usize>, LoadError> {
        self.swarm.renew_patience();
        let (mut ids, mut begun) = (Vec::with_capacity(count), 0);
        while ids.len() < count {
            while begun < count && begun - ids.len() < self.concurrency {
                self.swarm.connect()?;
                begun += 1;
            }
            let occurrences = self.turn(None)?;
            ids.extend(
                occurrences
                    .iter()
                    .filter(|one| matches!(one.what, What::Opened(_)))
                    .map(|one| one.id),
            );
            self.done_with(occurrences);
            self.swarm.check_patience()?;
        }
        Ok(ids)
    }

    /// One echo on each of `ids`.
    pub(crate) fn echo_once(&mut self, ids: &[usize]) -> Result<(), LoadError> {
        self.swarm.renew_patience();
        let (mut sent, mut echoed) = (0, 0);
        while echoed < ids.len() {
            while sent < ids.len() && sent - echoed < self.concurrency {
                self.swarm.send(ids[sent])?;
                sent += 1;
            }
            let occurrences = self.turn(None)?;
            echoed += occurrences.iter().filter(|one| one.what == What::Echoed).count();
            self.done_with(occurrences);
            self.swarm.check_patience()?;
        }
        Ok(())
    }

    /// `total` connections one after another on each of `concurrency` lanes: open, one echo, close.
    /// `opened` counts the times from connect to 101.
    pub(crate) fn cycle(&mut self, total: u64, opened: &mut Histogram) -> Result<(), LoadError> {
        self.swarm.renew_patience();
        let (mut begun, mut ended) = (0u64, 0u64);
        while ended < total {
            while begun < total && begun - ended < self.concurrency as u64 {
                self.swarm.connect()?;
                begun += 1;
            }
            let occurrences = self.turn(None)?;
            for occurrence in &occurrences {
                match occurrence.what {
                    What::Opened(after) => {
                        opened.record(after);
                        self.swarm.send(occurrence.id)?;
                    }
                    What::Echoed => self.swarm.close(occurrence.id)?,
                    What::Ended => ended += 1,
                    What::Sent => {}
                }
            }
            self.done_with(occurrences);
            self.swarm.check_patience()?;
        }
        Ok(())
    }

    /// Close `ids` and wait for their ends.
    pub(crate) fn close(&mut self, ids: &[usize]) -> Result<(), LoadError> {
        self.swarm.renew_patience();
        let (mut begun, mut ended) = (0, 0);
        while ended < ids.len() {
            while begun < ids.len() && begun - ended < self.concurrency {
                self.swarm.close(ids[begun])?;
                begun += 1;
            }
            let occurrences = self.turn(None)?;
            ended += occurrences.iter().filter(|one| one.what == What::Ended).count();
            self.done_with(occurrences);
            self.swarm.check_patience()?;
        }
        Ok(())
    }

    /// Whether whoever started this has said a line, or can say none any more; never where no gate was asked for.
    pub(crate) fn is_told(&self) -> bool {
        !matches!(self.gate.poll(), Signal::Wait)
    }

    /// Stand at an edge until told to go on. Pings are answered meanwhile.
    pub(crate) fn stand(&mut self, event: &str) -> Result<Signal, LoadError> {
        self.gate.announce(event)?;
        loop {
            match self.gate.poll() {
                Signal::Wait => {}
                signal => return Ok(signal),
            }
            let occurrences = self.turn(None)?;
            self.done_with(occurrences);
        }
    }
}
