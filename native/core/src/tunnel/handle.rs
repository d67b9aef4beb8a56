//! A running tunnel loop, as other threads see it: what they ask of it waits in its mailbox.
//!
//! Law: whoever asks does not wait here; answers come over channels, whose ends the loop may find gone.

use std::collections::{HashSet, VecDeque};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{fmt, io};

use mio::{Poll, Token, Waker};

use super::closing::{Pacing, Parting};
use super::coming::{Coming, Expectation};
use super::event_loop::Running;
use super::relay::OwnClose;
use super::survey::{Entry, Survey};
use super::{Limits, NewTunnel, Order};
use crate::live::{LiveConnection, Query, Recent};
use crate::registry::{Log, Why};
use crate::sessions::{SessionTerms, Upstreams};
use crate::zones::{Traffic, Zone};

pub(super) const WAKE: Token = Token(usize::MAX);

/// What others ask of a loop.
pub(super) enum Command {
    Open(Box<NewTunnel>),
    /// A session is to be begun whose client waits for it.
    Expect(Expectation),
    /// Nobody waits for it any more.
    GiveUp(u64),
    /// A pipe has something for its leg.
    Look(Token),
    CloseAll {
        reason: &'static str,
        deadline: Instant,
    },
    CloseEvenly(Parting, Box<Pacing>),
    Survey(Survey),
    Figures(SyncSender<Vec<(Arc<Zone>, Traffic)>>),
    ForgetZones(Arc<HashSet<String>>),
    /// The channel to a script is to be opened.
    Reach(Arc<Path>, Arc<str>),
    /// What scripts may adopt.
    Upstreams(Arc<dyn Upstreams>),
    Stop,
}

/// Counters of one loop.
#[derive(Debug, Default)]
pub struct LoopStatistics {
    /// Tunnels open now.
    pub open: AtomicU64,
    /// Tunnels opened since the start.
    pub opened: AtomicU64,
    /// Sessions now, those among them that are kept for their process alone.
    pub sessions: AtomicU64,
    /// Connections to scripts' processes now.
    pub channels: AtomicU64,
    /// The same, since the start.
    pub channels_opened: AtomicU64,
    /// Bytes of messages that are not complete, or not acknowledged.
    pub session_bytes: AtomicU64,
}

/// What waits for a loop, and its counters.
pub(super) struct Mailbox {
    commands: Mutex<VecDeque<Command>>,
    waker: Waker,
    pub(super) statistics: LoopStatistics,
}

impl Mailbox {
    /// Counts a tunnel that opens.
    pub(super) fn count_opened(&self, zone: &Zone) {
        self.statistics.open.fetch_add(1, Ordering::Relaxed);
        self.statistics.opened.fetch_add(1, Ordering::Relaxed);
        zone.tunnel_opened();
    }

    /// Counts a tunnel that has ended.
    pub(super) fn count_ended(&self, zone: &Zone) {
        self.statistics.open.fetch_sub(1, Ordering::Relaxed);
        zone.tunnel_ended();
    }

    pub(super) fn post(&self, command: Command) {
        let was_empty = {
            let mut commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
            commands.push_back(command);
            commands.len() == 1
        };
        if was_empty {
            // Later commands are found along with the first. It fails only where the loop's poll is gone, and with it
            // everything the command could be about.
            let _ = self.waker.wake();
        }
    }

    /// What has waited longest.
    pub(super) fn take(&self) -> Option<Command> {
        self.commands.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

/// A running tunnel loop, as others see it. Cheap to clone.
#[derive(Clone)]
pub struct TunnelLoop {
    mailbox: Arc<Mailbox>,
}

impl fmt::Debug for TunnelLoop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TunnelLoop")
            .field("statistics", &self.mailbox.statistics)
            .finish_non_exhaustive()
    }
}

impl TunnelLoop {
    /// Starts a thread with an empty loop.
    pub fn start(name: String, log: Log, recent: Arc<Recent>, limits: Limits) -> io::Result<(Self, JoinHandle<()>)> {
        let poll = Poll::new()?;
        let mailbox = Arc::new(Mailbox {
            commands: Mutex::default(),
            waker: Waker::new(poll.registry(), WAKE)?,
            statistics: LoopStatistics::default(),
        });
        let mut running = Running::new(poll, Arc::clone(&mailbox), log, recent, limits);
        let thread = thread::Builder::new().name(name).spawn(move || running.run())?;
        Ok((Self { mailbox }, thread))
    }

    /// Takes a tunnel over.
    pub fn open(&self, tunnel: NewTunnel) {
        // Counted here and not by the loop: an edge that stops must not overlook what is on its way.
        self.mailbox.count_opened(&tunnel.identity.zone);
        self.mailbox.post(Command::Open(Box::new(tunnel)));
    }

    /// Begins a session: its client may be told when that is bound.
    #[must_use]
    pub fn expect(&self, terms: SessionTerms) -> Coming {
        let (coming, expectation) = Coming::new(terms, &self.mailbox);
        self.mailbox.post(Command::Expect(expectation));
        coming
    }

    /// Has the loop look at a leg that is a pipe. It may have ended meanwhile, and another have its token, which finds
    /// nothing new.
    pub(super) fn tell(&self, token: Token) {
        self.mailbox.post(Command::Look(token));
    }

    /// Closes every tunnel with 1001 to both sides, at frame boundaries; what is left at `deadline` is cut.
    pub fn close_all(&self, reason: &'static str, deadline: Instant) {
        self.mailbox.post(Command::CloseAll { reason, deadline });
    }

    /// Closes every tunnel as [`crate::edge::Edge::close_evenly`] says, over a window that begins at `within.0`.
    pub(crate) fn close_evenly(
        &self,
        why: Why,
        code: u16,
        reason: &Arc<str>,
        within: (Instant, Duration),
        order: Order,
    ) {
        let parting = Parting {
            close: OwnClose {
                code,
                reason: Arc::clone(reason),
            },
            why,
            until: None,
        };
        let pacing = Box::new(Pacing::new(within.0, within.1, order));
        self.mailbox.post(Command::CloseEvenly(parting, pacing));
    }

    /// Closes the tunnels that a query means with this Close on both sides, at frame boundaries; how many were told.
    pub(crate) fn close_meant(&self, query: &Arc<Query>, code: u16, reason: &Arc<str>) -> Receiver<usize> {
        let (told, answer) = sync_channel(1);
        let close = OwnClose {
            code,
            reason: Arc::clone(reason),
        };
        self.survey(Survey::close(Arc::clone(query), Instant::now(), close, told));
        answer
    }

    /// How many tunnels a query means, and those of them that can be on its page.
    pub(crate) fn rank(&self, query: &Arc<Query>, now: Instant) -> Receiver<(usize, Vec<Entry>)> {
        let (entries, answer) = sync_channel(1);
        self.survey(Survey::rank(Arc::clone(query), now, entries));
        answer
    }

    /// What these tunnels look like; those that have ended are left out.
    pub(crate) fn describe(&self, entries: Vec<Entry>) -> Receiver<Vec<LiveConnection>> {
        let (found, answer) = sync_channel(1);
        self.survey(Survey::describe(entries, found));
        answer
    }

    fn survey(&self, survey: Survey) {
        self.mailbox.post(Command::Survey(survey));
    }

    /// What the tunnels of each zone have carried, those that are open included.
    #[must_use]
    pub fn figures(&self) -> Receiver<Vec<(Arc<Zone>, Traffic)>> {
        let (figures, answer) = sync_channel(1);
        self.mailbox.post(Command::Figures(figures));
        answer
    }

    /// Forgets what zones have carried that are not in `keep` and have no open tunnel.
    pub fn forget_zones(&self, keep: Arc<HashSet<String>>) {
        self.mailbox.post(Command::ForgetZones(keep));
    }

    /// Opens the channel to a script, so that its process can adopt what is parked for it.
    pub fn reach(&self, channel: Arc<Path>, script: Arc<str>) {
        self.mailbox.post(Command::Reach(channel, script));
    }

    /// Where the loop finds what processes adopt.
    pub fn adopt_from(&self, upstreams: Arc<dyn Upstreams>) {
        self.mailbox.post(Command::Upstreams(upstreams));
    }

    /// Ends the thread, and with it what is still open.
    pub fn stop(&self) {
        self.mailbox.post(Command::Stop);
    }

    /// The loop's counters.
    #[must_use]
    pub fn statistics(&self) -> &LoopStatistics {
        &self.mailbox.statistics
    }
}
